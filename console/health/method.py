"""The constants of telling causes from symptoms, each with its reason; they belong to the method, not to a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from console.health.registry import Threshold

CONSTANTS: Final = (
    Threshold(
        "fold_share",
        0.9,
        "share of a row fault's rows that lie among a cause's rows; the tenth left allows for rows at a rule's edge",
    ),
    Threshold(
        "part_share",
        0.1,
        "share of the rows that a cause must add where only several together explain a row fault: less would fit "
        "into what `fold_share` leaves open",
    ),
    Threshold(
        "chance",
        0.05,
        "probability that a random set of the same size explains as much; the 95th percentile of HEALTH's control",
    ),
    Threshold(
        "controls", 20, "random removals of the same size per edge: the least that has a 95th percentile"
    ),
    Threshold(
        "left_out",
        0.5,
        "share of the rows that may be left out: what is more than half of a collection is the collection",
    ),
    Threshold(
        "same_drop",
        0.5,
        "part of the largest drop that the earlier of two sufficient causes must reach to be named instead",
    ),
    Threshold(
        "apart_queries",
        10,
        "queries without a cause's rows below which their recall is no comparison: one miss would move it by .01",
    ),
    Threshold(
        "group_precision", 0.8, "share of a value's rows that are the finding's, for a group to name it"
    ),
    Threshold(
        "group_recall", 0.8, "share of the finding's rows that carry the value, for a group to name it"
    ),
    Threshold(
        "pair_gain", 0.1, "precision that a second field must add before two fields are named together"
    ),
    Threshold(
        "within_recall",
        0.99,
        "share of the finding's rows that carry a value for it to be told where they all are",
    ),
    Threshold(
        "within_share",
        0.5,
        "share of all rows that carry such a value: one that most rows carry tells nobody where to look",
    ),
    Threshold("since_rows", 10, "affected rows with a time below which no beginning is named"),
    Threshold(
        "since_before",
        0.02,
        "share of the affected rows that may lie before the beginning: clocks of producers differ",
    ),
    Threshold(
        "since_penalty",
        3,
        "times ln(n) that twice the log likelihood ratio of a change must exceed: Bayes' information criterion "
        "with the place of the change as a parameter (Yao 1988, Statistics & Probability Letters 6)",
    ),
)

CONSTANT: Final[Mapping[str, float]] = {c.name: c.default for c in CONSTANTS}
