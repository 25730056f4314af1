"""Which encoder's vectors the rows say they hold: more than one version, none, one source with two vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from console.health.evidence import Evidence
from console.health.findings import (
    SAMPLE_IDS,
    Effect,
    Finding,
    Mask,
    NotMeasured,
    Outcomes,
    Remedy,
    Severity,
)
from console.health.policy import Policy
from console.health.probes.copies import Copies
from console.health.probes.neighbours import Neighbours
from console.health.probes.twins import Twins
from console.health.registry import Threshold, check
from console.health.table import ABSENT, F32, F64, I64, MISSING, Codes
from console.search.proportions import clopper_pearson

LATEST: Final = 4e9
"""Seconds since 1970 that are still a date (2096)."""
SHOWN: Final = 8
LONGEST: Final = 60
"""Characters of a tag in a sentence."""


@check(
    "version-mix",
    fault="vectors of more than one version",
    kind="rows",
    stage="identity",
    severities=("warning", "critical"),
    actions=("rebuild", "tag"),
    thresholds=(
        Threshold("by_design", 0.01, "share of the main tag below which a modality is held to have an encoder of its own"),
        Threshold("twin_text", 0.5, "TF-IDF cosine of rows that say the same (HEALTH.md)"),
        Threshold("other_space", 0.5, "cross-tag twins at half the cosine: measured -.02 to .01 of .69 to .93"),
        Threshold("same_space", 0.9, "one space under two tags measured 1.01"),
        Threshold("min_twins", 20, "pairs of each kind that a median needs"),
        Threshold("above_random", 0.84, "quantile of random pairs (one sd) that same-tag twins must exceed"),
        Threshold("in_order", 0.995, "chance that a row of one tag stands after one of the other: a run, not a mix"),
    ),
)  # fmt: skip
def version_mix(evidence: Evidence, rules: Policy) -> Outcomes:
    tags = evidence.group(evidence.names.version)
    if tags is None:
        return []
    present = evidence.kept & ~evidence.table.flagged(MISSING)
    affected = foreign(evidence, tags, present, rules.get("version-mix", "by_design"))
    rows = int(affected.sum())
    if not rows:
        return []
    of = rules.of("version-mix")
    tagged = present & (tags.codes != ABSENT)
    counts = np.bincount(tags.codes[tagged], minlength=len(tags.values) + 2)
    main = _main(evidence, tags, counts)
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda c: (-counts[c], c != main))
    shown = [{"tag": _name(tags, c), "rows": int(counts[c])} for c in order[:SHOWN]]
    space = _spaces(evidence, tags, of)
    severity: Severity = "critical" if space.get("ratio", 1.0) < of["other_space"] else "warning"
    told = ", ".join(f"{s['tag']} on {s['rows']:,}" for s in shown[:3])
    if len(shown) > 3:
        told += f" and {len(order) - 3:,} more"
    summary = f"{rows:,} of {int(tagged.sum()):,} tagged rows are not of the main version: {told}."
    if severity == "critical":
        summary += " The versions can't be compared: rows that say the same lie apart."
    elif space.get("ratio", 0.0) >= of["same_space"]:
        summary += " Their vectors agree: only the tags differ."
    run = _run(evidence, tags, tagged, affected, of["in_order"])
    share = rows / int(tagged.sum())
    return [
        Finding(
            "version-mix",
            severity,
            summary + (f" {run}" if run else ""),
            evidence.scan.basis,
            Remedy("tag", "Check which encoder made them; where it is the same one, give them one tag.")
            if space.get("ratio", 0.0) >= of["same_space"]
            else Remedy(
                "rebuild", "Embed these rows again with the main version's encoder, or finish the migration."
            ),
            rows=rows,
            share=share,
            interval=None if evidence.scan.exact else clopper_pearson(rows, int(tagged.sum())),
            evidence={
                "tags": shown,
                "main": shown[0]["tag"],
                "untagged": int((present & (tags.codes == ABSENT)).sum()),
                "order": run or None,
                **{f"twins_{k}": v for k, v in space.items()},
            },
            sample_ids=_ids(evidence, affected),
            affected=affected,
        )
    ]


def foreign(evidence: Evidence, tags: Codes, present: Mask, by_design: float) -> Mask:
    """Bitmap over the table: tagged rows whose tag is not the main one (of their modality, where it has its own)."""
    codes = tags.codes
    tagged = present & (codes != ABSENT)
    out = np.zeros(len(codes), np.bool_)
    if not tagged.any():
        return out
    counts = np.bincount(codes[tagged], minlength=len(tags.values) + 2)
    main = _main(evidence, tags, counts)
    out[tagged & (codes != main)] = True
    modality = evidence.group(evidence.names.modality)
    if modality is None:
        return out
    for value in range(1, len(modality.values) + 1):
        own = tagged & (modality.codes == value)
        held = np.bincount(codes[own], minlength=len(tags.values) + 2)
        if held.sum() and held[main] < by_design * held.sum():
            out[own] = codes[own] != _main(evidence, tags, held)
    return out


def _main(evidence: Evidence, tags: Codes, counts: I64) -> int:
    """The tag of most rows; of equal ones the known encoder's, the higher number ("v2" over "v1"), the first name."""
    best = [int(c) for c in np.flatnonzero(counts == counts.max())]
    names = {c: _name(tags, c) for c in best}
    encoder = getattr(evidence.encoder, "name", None)
    main, *others = sorted(best, key=lambda c: (names[c] != encoder, names[c]))
    for other in others:
        a, b = re.split(r"(\d{1,18})", names[main]), re.split(r"(\d{1,18})", names[other])
        if names[main] != encoder and a[::2] == b[::2] and [*map(int, b[1::2])] > [*map(int, a[1::2])]:
            main = other
    return main


def _name(tags: Codes, code: int) -> str:
    if code == tags.other or code > len(tags.values):
        return "other tags"
    text = "".join(c if c.isprintable() else "?" for c in str(tags.values[code - 1]))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _spaces(evidence: Evidence, tags: Codes, of: Mapping[str, float]) -> dict[str, Any]:
    """Medians of the vector cosines of rows with similar texts, of one tag and across; `ratio` where it says something."""
    held = evidence.get(Twins)
    if isinstance(held, NotMeasured):
        return {"why_not": held.why}
    rows = evidence.reservoir.rows
    own = tags.codes[rows[held.rows]][:, None]
    other = tags.codes[rows[np.maximum(held.twins, 0)]]
    good = evidence.good[rows]
    ok = (held.twins >= 0) & (held.text > of["twin_text"]) & (own != ABSENT) & (other != ABSENT)
    ok &= good[held.rows][:, None] & good[np.maximum(held.twins, 0)]
    same: F32 = held.cosine[ok & (own == other)]
    cross: F32 = held.cosine[ok & (own != other)]
    out: dict[str, Any] = {"same_tag_pairs": len(same), "cross_tag_pairs": len(cross)}
    if min(len(same), len(cross)) < of["min_twins"]:
        return {**out, "why_not": "Too few rows of different tags have similar texts."}
    a, b = float(np.median(same)), float(np.median(cross))
    out |= {"same_tag_cosine": a, "cross_tag_cosine": b}
    random = evidence.get(Neighbours)
    floor = 0.0
    if not isinstance(random, NotMeasured):
        cosines: F32 = random.pair_cosines
        floor = max(0.0, float(np.quantile(cosines, float(of["above_random"]))))
    if a <= floor:
        return {**out, "why_not": "Rows of one tag with similar texts are no nearer than others."}
    return {**out, "ratio": b / a}


def _run(evidence: Evidence, tags: Codes, tagged: Mask, affected: Mask, line: float) -> str:
    """That one version ends where the other begins, in the order of time or of ids; else ""."""
    rows = np.flatnonzero(tagged)
    late = affected[rows]
    if late.all() or late.sum() < 5 or (~late).sum() < 5:
        return ""
    time: F64 = evidence.table.time[rows]
    if bool(((time >= 0) & (time < LATEST)).all()) and len(np.unique(time)) > 2:
        after = _after(time, late)
        if max(after, 1 - after) >= line:
            # The first of the later ones.
            edge = float(time[late].min() if after > 0.5 else time[~late].min())
            day = datetime.fromtimestamp(edge, UTC).strftime("%Y-%m-%d %H:%M:%S")
            which = "begin" if after > 0.5 else "end"
            return f"In order of time they {which} at {day} UTC."
    ids = evidence.table.ids
    order = np.lexsort((ids.low[rows], ids.high[rows], ~ids.integer[rows]))
    if not ids.integer[rows].all():
        return ""
    place = np.empty(len(rows))
    place[order] = np.arange(len(rows))
    after = _after(place, late)
    if max(after, 1 - after) >= line:
        edge = int(order[int(place[late].min())]) if after > 0.5 else int(order[int(place[~late].min())])
        which = "begin" if after > 0.5 else "end"
        return f"In order of ids they {which} at id {ids.at(int(rows[edge]))}: a migration that stopped."
    return ""


def _after(values: F64, late: Mask) -> float:
    """Chance that one of `late` stands after one of the others (area under the curve)."""
    order = np.argsort(values, kind="stable")
    _, inverse, size = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(size)
    rank = (ends - (size - 1) / 2)[inverse]
    m = int(late.sum())
    n = len(order) - m
    return float((rank[late].sum() - m * (m + 1) / 2) / (m * n))


@check(
    "untagged-rows",
    fault="rows that do not say which encoder made them",
    kind="rows",
    stage="identity",
    severities=("info", "warning"),
    actions=("tag",),
)
def untagged_rows(evidence: Evidence, rules: Policy) -> Outcomes:
    tags = evidence.group(evidence.names.version)
    present = evidence.kept & ~evidence.table.flagged(MISSING)
    n = int(present.sum())
    if not n:
        return []
    affected = present if tags is None else present & (tags.codes == ABSENT)
    rows = int(affected.sum())
    if not rows:
        return []
    every = rows == n
    field = evidence.names.version[:LONGEST]
    return [
        Finding(
            "untagged-rows",
            "info" if every else "warning",
            f"No row says which encoder made its vector (`{field}`)."
            if every
            else f"{rows:,} of {n:,} rows do not say which encoder made their vector (`{field}`).",
            evidence.scan.basis,
            Remedy(
                "tag",
                f"Write the encoder's name and version into `{field}` when a vector is written; a mix can't be seen"
                " without it.",
            )
            if every
            else Remedy("tag", "Find out which encoder made them (a check with --encoder), and tag them."),
            rows=rows,
            share=rows / n,
            interval=None if evidence.scan.exact else clopper_pearson(rows, n),
            sample_ids=() if every else _ids(evidence, affected),
            affected=None if every else affected,
        )
    ]


@check(
    "same-source-different-vector",
    fault="one source and one tag, two vectors",
    kind="aggregate",
    stage="identity",
    severities=("warning", "critical"),
    actions=("reingest",),
    thresholds=(
        Threshold(
            "cosine", 0.99, "one encoder on one input differs by rounding only: 1e-3 at half precision"
        ),
        Threshold("share", 0.005, "of comparable pairs (HEALTH.md: clean 0 of 32, a mix of 10% .25)"),
        Threshold("share_critical", 0.05, "one pair in twenty (HEALTH.md)"),
        Threshold("min_pairs", 10, "with fewer even two bad pairs may be the only repeated sources"),
    ),
)
def same_source(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "same-source-different-vector", rules.of("same-source-different-vector")
    held = evidence.get(Copies)
    if isinstance(held, NotMeasured):
        return [NotMeasured(code, held.why)]
    good = evidence.good
    left = good[held.pairs[:, 0]] & good[held.pairs[:, 1]] & np.isfinite(held.cosine)
    pairs, cosine = held.pairs[left], held.cosine[left]
    n = len(pairs)
    if n < of["min_pairs"]:
        return [
            NotMeasured(
                code, f"{n:,} pairs of rows have one source and tag; {of['min_pairs']:.0f} are needed."
            )
        ]
    apart = cosine < of["cosine"]
    share = float(apart.mean())
    low, high = clopper_pearson(int(apart.sum()), n)
    severity: Severity | None = None
    if low >= of["share"]:
        severity = "critical" if low >= of["share_critical"] else "warning"
    affected, examined = (np.zeros(len(evidence.table), np.bool_) for _ in range(2))
    examined[pairs.ravel()] = True
    affected[pairs[apart].ravel()] = True
    return [
        Finding(
            code,
            severity,
            f"{int(apart.sum()):,} of {n:,} pairs of rows with one source and one version tag have different vectors"
            f" (cosine below {of['cosine']:g}): a silent change of encoder, stale vectors, or an encoder that is not"
            " deterministic.",
            "sample" if held.comparable > len(held.pairs) else evidence.scan.basis,
            Remedy("reingest", "Embed both rows of each pair again with the configured encoder."),
            rows=int(affected.sum()),
            share=share,
            interval=(low, high),
            effect=Effect(share, of["share"], low, high, "pairs that differ"),
            evidence={
                "pairs": n,
                "different": int(apart.sum()),
                "comparable": held.comparable,
                "median_cosine_of_different": float(np.median(cosine[apart])) if apart.any() else None,
            },
            sample_ids=_ids(evidence, affected),
            affected=affected,
            examined=examined,
        )
    ]


def _ids(evidence: Evidence, rows: Mask) -> tuple[Any, ...]:
    return evidence.table.ids.take(np.flatnonzero(rows)[:SAMPLE_IDS])
