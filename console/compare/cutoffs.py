"""Score distributions and the threshold translator, in each side's own scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from console.compare.cohorting import values_of
from console.compare.figures import Lists, not_measured
from console.compare.judged import Judged
from console.compare.nearest import Nearest
from console.compare.own_scores import Scale
from console.compare.quality import Quality
from console.compare.queries import Questions
from console.compare.request import MOST_QUERIES, CompareRequest, usage
from console.compare.scores import random_scores, spread_of_scores
from console.compare.sides import Side
from console.compare.threshold import Nonsense, curve, nonsense, translate
from console.health.table import F32


def scores_json(left: Side, right: Side, lists: Lists, one: F32, other: F32, seed: int) -> dict[str, Any]:
    """Of first hits, all hits and random pairs, as each side's own scores; `one`, `other`: (s, d) sampled rows."""
    out: dict[str, Any] = {}
    for side, near, rows in ((left, lists.left, one), (right, lists.right, other)):
        fine = rows[np.isfinite(rows).all(axis=1)]
        random = random_scores(fine, side.metric, seed)
        out[side.name] = spread_of_scores(near, lists.k, random, side.scale.own).to_json(side.score_kind)
    return out


def possible(request: CompareRequest, left: Side) -> None:
    """Raises `usage` for a cutoff that no score of the old side can be on either side of."""
    if request.threshold is not None:
        possible_at(request.threshold, left.kind, left.metric)


def possible_at(cut: float, kind: str, metric: str) -> None:
    """Raises `usage` for a cutoff that no score of a metric of one kind of database can be."""
    scale = Scale.of(kind, metric)
    if scale.least <= cut <= scale.most:
        return
    scores = "similarities" if scale.rising else "distances"
    most = f" and {scale.most:g}" if math.isfinite(scale.most) else ""
    between = f"between {scale.least:g}{most}" if most else f"from {scale.least:g} on"
    raise usage(
        f"The cutoff {cut:g} is no {metric} score of {kind}: its {scores} lie {between}.",
        "--threshold",
        "Give it as the old side's own searches score.",
    )


def thresholds_json(
    request: CompareRequest,
    left: Side,
    right: Side,
    lists: Lists,
    questions: Questions,
    judged: Quality | None,
    cohorts: Sequence[str],
    asked: tuple[Nearest, Nearest] | str,
    rows: int,
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The curve always, the translation of a cutoff where one was asked for; and what was not measured.

    `asked`: both sides' first hits of nonsense queries, or why there are none. `rows`: of the pool.
    """
    untold: list[dict[str, str]] = []
    old = None if request.threshold is None else float(left.scale.near(request.threshold))
    translations: list[dict[str, Any]] = []
    new: float | None = None
    if old is not None:
        values = values_of(questions, cohorts)
        found = translate(
            lists.left, lists.right, lists.k, old, request.population,
            judged=None if judged is None else _judged(judged, lists, request), cohorts=values,
            most=min(MOST_QUERIES, rows) if request.golden is None and not request.given else MOST_QUERIES,
        )  # fmt: skip
        new = found[0].new
        translations = [one.to_json(left.scale.own, right.scale.own) for one in found]
        untold += [
            {"what": f"threshold by equal {one.by}", "why": one.why or ""}
            for one in found
            if one.verdict == "not measured"
        ]
    points = [
        [float(left.scale.own(cut)), *_inside([float(right.scale.own(v)) for v in (at, low, high)])]
        for cut, at, low, high in curve(lists.left, lists.right, lists.k, request.population)
    ]
    held: dict[str, Any] = {
        "population": request.population,
        "translations": translations,
        "curve": sorted(points),
        "nonsense": not_measured(asked)
        if isinstance(asked, str)
        else {
            left.name: _nonsense(nonsense(asked[0], old, left.scale.own)),
            right.name: _nonsense(nonsense(asked[1], new, right.scale.own)),
        },
    }
    if isinstance(asked, str):
        untold.append({"what": "what nonsense finds", "why": asked})
    return held, untold


def _inside(held: list[float]) -> list[float]:
    """New cutoff, low, high; distances turn the bounds round."""
    return [held[0], min(held[1:]), max(held[1:])]


def _nonsense(held: Nonsense) -> Mapping[str, Any]:
    return held.to_json()


def _judged(quality: Quality, lists: Lists, request: CompareRequest) -> tuple[Judged, Judged]:
    """What is judged of the rows in both sides' lists."""
    width = 1 if request.population == "top1" else lists.k
    out: list[Judged] = []
    for side in (lists.left, lists.right):
        queries: list[int] = []
        scores: list[float] = []
        relevant: list[bool] = []
        for i, grades in quality.grades.items():
            for row, score in zip(
                side.rows[i, :width].tolist(), side.scores[i, :width].tolist(), strict=True
            ):
                if row in grades and np.isfinite(score):
                    queries.append(i)
                    scores.append(score)
                    relevant.append(grades[row] > 0)
        out.append(
            Judged(np.array(queries, np.int64), np.array(scores, np.float64), np.array(relevant, np.bool_))
        )
    return out[0], out[1]
