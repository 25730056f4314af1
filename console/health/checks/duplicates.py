"""One vector on many rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from connectors.filters import MISSING as NOWHERE
from connectors.filters import lookup
from console.health.evidence import Evidence
from console.health.findings import Finding, Mask, NotMeasured, Outcomes, Remedy, Severity
from console.health.marking import Marked, finding, in_reservoir, mark
from console.health.policy import Policy
from console.health.registry import Threshold, check
from console.health.table import F32, I64, U64
from console.health.wording import plain
from console.search.proportions import clopper_pearson

BLOCK: Final = 512
"""Rows whose products with all others are held at once."""
WIDER: Final = 10
"""The angle's square beside which near rows are counted: cosine > 1 - 10 (1 - line)."""
TEXT: Final = 80
_DEDUPE: Final = "Keep one row of each, and find why others were given its vector."


@check(
    "duplicate-vectors",
    fault="one vector on many rows",
    kind="rows",
    stage="duplicates",
    severities=("info", "warning", "critical"),
    actions=("dedupe", "investigate", "none"),
    thresholds=(
        Threshold("class_rows", 20, "rows of one vector; they fill the top ten of any query near them twice"),
        Threshold("class_share", 0.005, "of all rows; clean texts had 5.7% in classes of two and three"),
        Threshold("critical_share", 0.1, "of all rows in such classes: one hit in ten is somebody else's"),
        Threshold(
            "same_share",
            0.8,
            "of a class's rows from one source: classes of repeated texts kept .85 where a tenth of all texts was shuffled;"
            " one vector for different texts had .03 at most",
        ),
        Threshold("near_cosine", 0.9999, "an angle of .8 degrees; hashing found none of 30% with 1e-6 noise"),
        Threshold(
            "near_beside",
            0.25,
            "rows within ten times the angle's square, as part of those within it: 2.2 where rows fill a curve, 9 a"
            " surface; copies have none",
        ),
        Threshold("near_dimensions", 8, "in fewer, rows lie that close by themselves"),
        Threshold("twice_share", 0.5, "of all rows lie beside one of equal vector and payload"),
        Threshold("lag_share", 0.8, "of the pairs whose ids differ by one and the same number, to name it"),
    ),
)
def duplicate_vectors(evidence: Evidence, rules: Policy) -> Outcomes:
    of = rules.of("duplicate-vectors")
    classes = _classes(evidence, of)
    if classes.n < 2:
        return []
    found = [*_ingested_twice(evidence, classes, of)]
    twice = bool(found)
    large = _large(evidence, classes.size, classes.n, of)
    if (chosen := large & ~classes.same).any():
        found.append(_exact(evidence, classes, chosen, of, same=False, key=""))
    if classes.same.any() and not twice:
        found.append(_exact(evidence, classes, classes.same, of, same=True, key="same-source"))
    if (rest := ~large & ~classes.same).any() and not twice:
        found.append(_exact(evidence, classes, rest, of, same=False, key="small", small=True))
    covered = np.zeros(len(evidence.table), np.bool_)
    covered[classes.rows[large[classes.of]]] = True
    outcome = _near(evidence, covered, of)
    return [*found, outcome] if outcome is not None else found


@dataclass(frozen=True, slots=True, eq=False)
class _Classes:
    """The rows (r,) of `n` whose vector another one has bit for bit.

    `of[i]`: the class of row i. Per class: `size`, its rows, `most`: those of the source that most of them have (0 where
    none is known), and `same`: whether that source made the class. A few rows may have another one's text by now; as
    many as make a class by themselves were given its vector.
    """

    n: int
    rows: I64
    of: I64
    size: I64
    most: I64
    same: Mask


def _classes(evidence: Evidence, rules: Mapping[str, float]) -> _Classes:
    digest = evidence.table.digest[evidence.good]
    n = len(digest)
    held = np.sort(digest)
    repeated = np.unique(held[1:][held[1:] == held[:-1]])
    del held
    rows = np.zeros(0, np.int64)
    if len(repeated):
        at = np.searchsorted(repeated, digest)
        np.minimum(at, len(repeated) - 1, out=at)
        rows = np.flatnonzero(evidence.good)[repeated[at] == digest]
    digest = evidence.table.digest[rows]
    order = np.argsort(digest, kind="stable")
    _, starts, size = np.unique(digest[order], return_index=True, return_counts=True)
    of = np.empty(len(rows), np.int64)
    of[order] = np.repeat(np.arange(len(starts)), size)
    most = _commonest(evidence.table.source[rows], of, len(size))
    same = (most >= rules["same_share"] * size) & ~_large(evidence, size - most, n, rules)
    return _Classes(n, rows, of, size, most, same)


def _large(evidence: Evidence, sizes: I64, n: int, of: Mapping[str, float]) -> Mask:
    """Which of so many rows of `n` are enough for a warning."""
    large = sizes >= of["class_rows"]
    large[large] &= _sure(sizes[large], n, exact=evidence.scan.exact) >= of["class_share"]
    return large


def _commonest(source: U64, of: I64, classes: int) -> I64:
    """(classes,) rows of the source that most rows of a class have; unknown sources (0) are none."""
    known = np.flatnonzero(source)
    most = np.zeros(classes, np.int64)
    if not len(known):
        return most
    order = known[np.lexsort((source[known], of[known]))]
    held, group = source[order], of[order]
    starts = np.flatnonzero(np.r_[True, (held[1:] != held[:-1]) | (group[1:] != group[:-1])])
    np.maximum.at(most, group[starts], np.diff(np.r_[starts, len(held)]))
    return most


def _sure(sizes: I64, n: int, *, exact: bool) -> np.ndarray:
    """Shares of classes, or their lower bounds where rows are a sample."""
    if exact:
        return sizes / n
    out = np.zeros(len(sizes))
    for size in np.unique(sizes[sizes >= 2]):
        out[sizes == size] = clopper_pearson(int(size), n)[0]
    return out


def _ingested_twice(evidence: Evidence, classes: _Classes, of: Mapping[str, float]) -> list[Finding]:
    """Over half of the rows have a twin of equal vector and payload."""
    content = evidence.table.content[classes.rows]
    keys = np.empty(len(classes.rows), dtype=[("of", np.int64), ("content", np.uint64)])
    keys["of"], keys["content"] = classes.of, content
    if not len(keys):
        return []
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    twin = np.flatnonzero(counts[inverse] >= 2)
    n, scan = classes.n, evidence.scan
    facts: dict[str, Any] = {"rows_with_twin": len(twin)}
    if scan.exact:
        sure = len(twin) / n
    else:
        # Each of a sample's m (m - 1) / 2 pairs is one of N (N - 1) / 2; twins make share N / 2 of those.
        pairs, draws = int(np.count_nonzero(counts == 2)), n * (n - 1) // 2
        value, low = pairs / draws, clopper_pearson(pairs, draws)[0]
        of_all = max((scan.then or scan.rows) - 1, 1)
        sure = min(1.0, low * of_all)
        facts |= {"share_estimated": min(1.0, value * of_all), "share_at_least": sure}
    if sure <= of["twice_share"]:
        return []
    affected = np.zeros(len(evidence.table), np.bool_)
    affected[classes.rows[twin]] = True
    marked = mark(evidence, affected)
    said = f"{marked.told()} have a twin with the same vector and the same payload: they were ingested twice."
    if not scan.exact:
        said = (
            f"{marked.told()} in the sample have a twin with the same vector and payload even there, as if at least"
            f" {sure:.0%} of all rows were ingested twice."
        )
    cure = Remedy("dedupe", "Keep one row of each pair, and give rows ids that come from their source.")
    facts |= _lag(evidence, classes, of)
    return [
        finding(
            evidence,
            marked,
            "duplicate-vectors",
            "warning",
            said,
            cure,
            facts=facts,
            key="twice",
            paired=True,
        )
    ]


def _exact(
    evidence: Evidence,
    classes: _Classes,
    chosen: Mask,
    of: Mapping[str, float],
    *,
    same: bool,
    key: str,
    small: bool = False,
) -> Finding:
    affected = np.zeros(len(evidence.table), np.bool_)
    affected[classes.rows[chosen[classes.of]]] = True
    marked = mark(evidence, affected)
    count, largest = int(np.count_nonzero(chosen)), int(classes.size[chosen].max())
    at = int(np.flatnonzero(chosen & (classes.size == largest))[0])
    biggest = np.zeros(len(evidence.table), np.bool_)
    biggest[classes.rows[classes.of == at]] = True
    facts = {
        "vectors": count,
        "largest": largest,
        **_common_text(evidence, biggest),
        **_lag(evidence, classes, of),
    }
    share = "one vector" if count == 1 else f"{count:,} vectors between them"
    paired = bool(key)
    said = f"{marked.told()}{' in the sample' if paired and not evidence.scan.exact else ''} have {share}"
    said += f", the commonest on {largest:,} rows" if count > 1 else ""
    if same:
        severity: Severity = "info"
        said += ": rows of one source have one vector"
        if others := int((classes.size - classes.most)[chosen].sum()):
            said += f" ({others:,} of them have another source or none)"
        cure = Remedy("none", "Equal sources give equal vectors; keep one row of each if they mean the same.")
    elif small:
        severity = "info"
        said += ", of different or unknown sources"
        cure = Remedy(
            "investigate", "See whether these sources are equal; if not, find what gave them one vector."
        )
    else:
        severity = _weight(marked, of)
        said += ", though their sources differ or are not known"
        cure = Remedy("dedupe", _DEDUPE)
    if paired and not evidence.scan.exact:
        said += ". A sample lacks the twin of most rows, so the collection may hold many more"
    return finding(
        evidence, marked, "duplicate-vectors", severity, f"{said}.", cure, facts=facts, key=key, paired=paired
    )


def _weight(marked: Marked, of: Mapping[str, float]) -> Severity:
    return "critical" if marked.sure >= of["critical_share"] else "warning"


def _lag(evidence: Evidence, classes: _Classes, of: Mapping[str, float]) -> dict[str, Any]:
    """The number by which integer ids of pairs differ, where it is one number."""
    ids = evidence.table.ids
    pair = classes.size[classes.of] == 2
    pair &= ids.integer[classes.rows]
    if np.count_nonzero(pair) < 20:
        return {}
    order = np.argsort(classes.of[pair], kind="stable")
    group, low = classes.of[pair][order], ids.low[classes.rows[pair]][order]
    both = np.flatnonzero(group[1:] == group[:-1])
    if not len(both):
        return {}
    a, b = low[both], low[both + 1]
    steps, counts = np.unique(np.maximum(a, b) - np.minimum(a, b), return_counts=True)
    top = int(np.argmax(counts))
    return {"id_lag": int(steps[top])} if counts[top] >= of["lag_share"] * len(both) else {}


def _common_text(evidence: Evidence, affected: Mask) -> dict[str, Any]:
    """The text that most of these rows in the reservoir have."""
    path = evidence.names.text
    if path is None:
        return {}
    texts: Counter[str] = Counter()
    for i in np.flatnonzero(affected[evidence.reservoir.rows]):
        value = lookup(evidence.reservoir.payloads[int(i)], path)
        if value is not NOWHERE and isinstance(value, str):
            texts[plain(value, TEXT)] += 1
    if not texts:
        return {}
    text, rows = texts.most_common(1)[0]
    total = texts.total()
    return {"common_text": text, "common_text_share": rows / total} if 2 * rows > total and rows > 1 else {}


def _near(evidence: Evidence, covered: Mask, of: Mapping[str, float]) -> Finding | NotMeasured | None:
    """Rows with many others at a cosine over the line that are no exact copies in a class told already."""
    unit = evidence.unit
    rows = evidence.reservoir.rows[evidence.places]
    left = ~covered[rows]
    unit, rows = unit[left], rows[left]
    m = len(evidence.places)
    if len(rows) <= of["class_rows"]:
        return None
    if unit.shape[1] < of["near_dimensions"]:
        return NotMeasured(
            "duplicate-vectors",
            f"Near duplicates: {unit.shape[1]:,} dimensions; {of['near_dimensions']:.0f} are needed.",
        )
    exact = evidence.scan.exact and len(evidence.reservoir.rows) == len(evidence.table)
    inner, outer, source_same = near_counts(unit, evidence.table.source[rows], of["near_cosine"])
    sizes = inner + 1
    hit = (inner >= of["class_rows"]) & (outer <= of["near_beside"] * inner)
    hit &= _sure(sizes, m, exact=exact) >= of["class_share"]
    if not hit.any():
        return None
    same = bool(source_same[hit].all())
    affected = np.zeros(len(evidence.table), np.bool_)
    affected[rows[hit]] = True
    marked = mark(evidence, affected, in_reservoir(evidence))
    facts = {
        "largest": int(sizes[hit].max()),
        "cosine": of["near_cosine"],
        **_common_text(evidence, affected),
    }
    said = f"{marked.told()} have nearly one vector with {int(inner[hit].min()):,} or more others (cosine over {of['near_cosine']:g})"
    if same:
        cure = Remedy(
            "none", "Equal sources give nearly equal vectors; keep one row of each if they mean the same."
        )
        return finding(
            evidence, marked, "duplicate-vectors", "info", f"{said}; their sources are equal.", cure, facts=facts,
            key="near-same-source",
        )  # fmt: skip
    return finding(
        evidence,
        marked,
        "duplicate-vectors",
        _weight(marked, of),
        f"{said}, though their sources differ or are not known.",
        Remedy("dedupe", _DEDUPE),
        facts=facts,
        key="near",
    )


def near_counts(unit: F32, source: np.ndarray, line: float) -> tuple[I64, I64, Mask]:
    """Per row of (m, d) unit vectors: others at a cosine over `line`, others between it and `1 - 10 (1 - line)`,
    and whether all of the first have the row's own source. In blocks of rows: m^2 d multiplications."""
    m = len(unit)
    inner, outer = np.zeros(m, np.int64), np.zeros(m, np.int64)
    same = np.zeros(m, np.bool_)
    wide = np.float32(1 - WIDER * (1 - line))
    for start in range(0, m, BLOCK):
        some = slice(start, min(start + BLOCK, m))
        cosine = unit[some] @ unit.T
        cosine[np.arange(cosine.shape[0]), np.arange(start, some.stop)] = -1
        rows, others = np.nonzero(cosine > wide)
        near = cosine[rows, others] > np.float32(line)
        inner[some] = np.bincount(rows[near], minlength=cosine.shape[0])
        outer[some] = np.bincount(rows[~near], minlength=cosine.shape[0])
        mine, theirs = source[start + rows[near]], source[others[near]]
        differ = (mine != theirs) | (mine == 0)
        same[some] = np.bincount(rows[near], weights=differ, minlength=cosine.shape[0]) == 0
    return inner, outer, same
