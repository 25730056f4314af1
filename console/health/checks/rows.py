"""Rows without a usable vector: not finite, zero, missing."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured, Outcomes, Remedy
from console.health.marking import finding, mark, span, told
from console.health.policy import Policy
from console.health.probes.poison import Poison, blind, seen
from console.health.registry import Threshold, check
from console.health.table import MISSING, OVERFLOW, ZERO

KINDS_OF_ROW: Final = ("modality", "type")
"""Last parts of payload paths that say what a row is, beside the configured modality field."""
_CURE: Final = Remedy(
    "quarantine",
    "Take these rows out and embed their sources again. The index keeps the damage: wait for its clean-up,"
    " measure recall again, and rebuild the index if it is still too low.",
)


@check(
    "non-finite",
    fault="vectors with NaN or infinity",
    kind="rows",
    stage="non-finite",
    severities=("critical",),
    actions=("quarantine",),
)
def non_finite(evidence: Evidence, _rules: Policy) -> Outcomes:
    code, probed = "non-finite", evidence.get(Poison)
    marked = mark(evidence, seen(evidence))
    ids = () if isinstance(probed, NotMeasured) else probed.ids
    searches = 0 if isinstance(probed, NotMeasured) else probed.searches
    if marked.rows:
        long = int(np.count_nonzero(marked.affected & evidence.table.flagged(OVERFLOW)))
        if long == marked.rows:
            what = "vectors whose length overflows float32"
        elif long:
            what = f"vectors with NaN or infinity, {long:,} of them by overflow of the length in float32"
        else:
            what = "vectors with NaN or infinity"
        facts = {"length_overflows": long, "found_by_searches": len(ids), "searches": searches}
        return [
            finding(evidence, marked, code, "critical", f"{marked.told()} have {what}.", _CURE, facts=facts)
        ]
    if ids:
        rows = "row has" if len(ids) == 1 else "rows have"
        if isinstance(probed, Poison) and probed.read:
            how = f"when the vectors of all {probed.read:,} rows were read"
        else:
            how = f"in {'a search' if searches == 1 else f'{searches:,} searches'}"
        return [
            Finding(
                code,
                "critical",
                f"At least {len(ids):,} {rows} a vector with NaN or infinity, which came up"
                f" {how}; the sample held none.",
                "probe",
                _CURE,
                rows=len(ids),
                sample_ids=ids[:20],
                evidence={"found_by_searches": len(ids), "searches": searches},
            )
        ]
    why = blind(evidence)
    return [NotMeasured(code, why)] if why else []


@check(
    "zero-vectors",
    fault="vectors of length zero",
    kind="rows",
    stage="zero",
    severities=("warning", "critical"),
    actions=("quarantine",),
    thresholds=(
        Threshold(
            "critical_share",
            0.01,
            "a zero vector is no neighbour of anything: from one row in a hundred on, recall@10 itself is under .99",
        ),
    ),
)
def zero_vectors(evidence: Evidence, rules: Policy) -> Outcomes:
    code = "zero-vectors"
    table, marked = evidence.table, mark(evidence, evidence.empty)
    if not marked.rows:
        return []
    exact = marked.affected & table.flagged(ZERO)
    near = marked.affected & ~exact
    zeros, close = int(np.count_nonzero(exact)), int(np.count_nonzero(near))
    if not close:
        said = f"{marked.told()} have a vector of zeros."
    elif not zeros:
        said = f"{marked.told()} have a vector of almost no length ({span(table.norm[near])})."
    else:
        said = (
            f"{marked.told()} have no direction: {zeros:,} are all zeros, {close:,} nearly so"
            f" (lengths of {span(table.norm[near])})."
        )
    known = (table.source != 0).any() or (table.text_length >= 0).any()
    nothing = marked.affected & (table.source == 0) & (table.text_length <= 0)
    text = "Take these rows out, see what the encoder was given for them, and embed them again."
    if evidence.field.normalised_on_write and evidence.field.storage != "uint8":
        text += " Qdrant leaves a length up to 3e-4 as it is here, and stores one of 3e19 or more as zeros."
    return [
        finding(
            evidence,
            marked,
            code,
            "critical" if marked.sure >= rules.get(code, "critical_share") else "warning",
            said,
            Remedy("quarantine", text),
            facts={
                "zeros": zeros,
                "near_zeros": close,
                "longest_that_counts": evidence.tiny,
                "without_source": int(np.count_nonzero(nothing)) if known else None,
            },
        )
    ]


@check(
    "missing-vectors",
    fault="rows without this vector",
    kind="rows",
    stage="missing",
    severities=("info", "warning"),
    actions=("reingest", "configure"),
    thresholds=(
        Threshold(
            "chance",
            0.01,
            "probability that rows which are missing at random would be exactly those of whole values, times the"
            " number of ways to choose the values: below it the pattern is a design",
        ),
    ),
)
def missing_vectors(evidence: Evidence, rules: Policy) -> Outcomes:
    code = "missing-vectors"
    marked = mark(evidence, evidence.table.flagged(MISSING))
    if evidence.optional or not marked.rows:
        return []
    facts = {"rows_with_vector": marked.n - marked.rows}
    field = _by_design(evidence, marked.affected, rules.get(code, "chance"))
    if field is not None:
        said = (
            f"{marked.told()} have no such vector: all rows of some values of one field, none of the others."
        )
        cure = Remedy("configure", "If that is by design, declare the vector optional (optional_vectors).")
        return [
            finding(
                evidence, marked, code, "info", said, cure, facts={**facts, "field": field, "by_design": True}
            )
        ]
    cure = Remedy(
        "reingest", "Embed these rows; if they need no vector, declare it optional (optional_vectors)."
    )
    whole = (
        "No row has this vector" if marked.rows == marked.n else f"{marked.told()} do not have this vector"
    )
    if marked.rows == marked.n:
        whole += f": {told(marked.rows, marked.n)} lack it"
    return [finding(evidence, marked, code, "warning", f"{whole}.", cure, facts=facts)]


def _by_design(evidence: Evidence, missing: np.ndarray, chance: float) -> str | None:
    """The field that says what a row is, where each of its values lacks the vector in all rows or in none."""
    looked = evidence.kept
    for name, held in evidence.table.groups.items():
        if name != evidence.names.modality and name.rpartition(".")[2].lower() not in KINDS_OF_ROW:
            continue
        size = len(held.values) + 2
        rows = np.bincount(held.codes[looked], minlength=size)
        lacking = np.bincount(held.codes[looked & missing], minlength=size)
        whole = (rows > 0) & (lacking == rows)
        if not whole.any() or ((lacking > 0) & ~whole).any() or (whole == (rows > 0)).all():
            continue
        n, m = int(rows.sum()), int(lacking.sum())
        ways = _log_choose(int((rows > 0).sum()), int(whole.sum())) - _log_choose(n, m)
        if ways <= math.log(chance):
            return name
    return None


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
