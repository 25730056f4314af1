"""Which encoder's vectors the rows say they hold: more than one version, or none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from console.health.evidence import Evidence
from console.health.findings import (
    SAMPLE_IDS,
    Finding,
    Mask,
    NotMeasured,
    Outcomes,
    Remedy,
    Severity,
)
from console.health.mixing import main_tag, main_tags
from console.health.policy import Policy
from console.health.probes.neighbours import Neighbours
from console.health.probes.twins import Twins
from console.health.registry import Threshold, check
from console.health.table import ABSENT, F32, F64, I64, MISSING, Codes
from console.health.tagging import LONGEST, hidden, name, told, two_digits
from console.search.proportions import clopper_pearson

LATEST: Final = 4e9
"""Seconds since 1970 that are still a date (2096)."""
FEWEST: Final = 5
"""Rows of each kind that an order needs."""
MOST: Final = 50_000
"""Rows that an order is looked for in."""
SHOWN: Final = 8


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
    order = [c for c in order if c != tags.other]
    past = hidden(evidence, evidence.names.version, tags, present)
    shown = [({"tag": name(tags, c), "rows": int(counts[c])}, int(counts[c])) for c in order[:SHOWN]]
    shown += [(one, one["at_least"]) for one in past.heavy]
    shown = [one for one, _ in sorted(shown, key=lambda s: -s[1])][:SHOWN]
    space = _spaces(evidence, tags, of)
    severity: Severity = "critical" if space.get("ratio", 1.0) < of["other_space"] else "warning"
    said = ", ".join(told(s) for s in shown[:3])
    more = len(order) + past.tags - len(shown[:3])
    if more > 0:
        said += f" and about {two_digits(more):,} more" if past.about else f" and {more:,} more"
    summary = f"{rows:,} of {int(tagged.sum()):,} tagged rows are not of the main version: {said}."
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
                "main": name(tags, main),
                **({"others": past.others} if past.others else {}),
                "untagged": int((present & (tags.codes == ABSENT)).sum()),
                "order": run or None,
                **{f"twins_{k}": v for k, v in space.items()},
            },
            sample_ids=first_ids(evidence, affected),
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
    own = {value: tagged & (modality.codes == value) for value in range(1, len(modality.values) + 1)}
    rows = {value: _counted(np.bincount(codes[mask])) for value, mask in own.items() if mask.any()}
    mains = main_tags(_counted(counts), rows, by_design, lambda held: _main_of(evidence, tags, held))
    for value, its in mains.items():
        out[own[value]] = codes[own[value]] != its
    return out


def _main(evidence: Evidence, tags: Codes, counts: I64) -> int:
    return _main_of(evidence, tags, _counted(counts))


def _main_of(evidence: Evidence, tags: Codes, counts: Mapping[int, int]) -> int:
    """The tag of most rows; the code of all other tags where there is no tag but these."""
    named = {code: rows for code, rows in counts.items() if code != tags.other}
    encoder = getattr(evidence.encoder, "name", None)
    return main_tag(named or counts, lambda code: name(tags, code), encoder)


def _counted(counts: I64) -> dict[int, int]:
    return {code: rows for code, rows in enumerate(counts.tolist()) if rows}


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
    if tags.other is not None:
        ok &= (own != tags.other) | (other != tags.other)
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
    late, early = tagged & affected, tagged & ~affected
    if int(late.sum()) < FEWEST or int(early.sum()) < FEWEST:
        return ""
    table = evidence.table
    some = np.flatnonzero(tagged)
    some = some[:: max(1, len(some) // MOST)]
    of = affected[some]
    if not of.any() or of.all():
        return ""
    time: F64 = table.time[some]
    if bool(((time >= 0) & (time < LATEST)).all()) and float(time.min()) < float(time.max()):
        after = _after(time, of)
        if max(after, 1 - after) >= line:
            edge = float(np.nanmin(table.time[late if after > 0.5 else early]))
            day = datetime.fromtimestamp(edge, UTC).strftime("%Y-%m-%d %H:%M:%S")
            return f"In order of time they {'begin' if after > 0.5 else 'end'} at {day} UTC."
    if table.ids.integer[tagged].all():
        after = _after(table.ids.low[some].astype(np.float64), of)
        if max(after, 1 - after) >= line:
            edge = int(table.ids.low[late if after > 0.5 else early].min())
            return f"In order of ids they {'begin' if after > 0.5 else 'end'} at id {edge}: a migration that stopped."
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
            sample_ids=() if every else first_ids(evidence, affected),
            affected=None if every else affected,
        )
    ]


def first_ids(evidence: Evidence, rows: Mask) -> tuple[Any, ...]:
    """Ids of the first rows of a bitmap over the table."""
    return evidence.table.ids.take(np.flatnonzero(rows)[:SAMPLE_IDS])
