"""Whether rows with similar texts have similar vectors, no encoder needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from console.health.apart import Apart, group_apart
from console.health.checks.copies import by_shown, proven
from console.health.checks.geometry import basis
from console.health.checks.nearness import unfit
from console.health.evidence import Evidence
from console.health.findings import (
    SAMPLE_IDS,
    Effect,
    Finding,
    Group,
    Mask,
    NotMeasured,
    Outcomes,
    Remedy,
    Severity,
)
from console.health.moving import disagreement_moved
from console.health.policy import Policy
from console.health.probes.twins import MATES, Twins
from console.health.registry import Threshold, check
from console.health.wording import field_text, percent, value_text
from console.search.proportions import clopper_pearson

FAR: Final = "with a text lie far from every row that says much the same"
FOREIGN: Final = (
    "with a text lie far from others that say much the same, yet near each other: another model or setting may have"
    " made their vectors"
)


@check(
    "text-vector-disagreement",
    fault="vectors that do not fit their rows' texts",
    kind="aggregate",
    stage="identity",
    severities=("info", "warning", "critical"),
    actions=("reingest", "investigate"),
    thresholds=(
        Threshold("text", 0.3, "TF-IDF cosine from which two texts say something alike (HEALTH.md)"),
        Threshold(
            "rank",
            0.25,
            "share of rows that are nearer than the mate; a vector on the wrong row has any rank (HEALTH.md)",
        ),
        Threshold(
            "share",
            0.01,
            "rows of which all three mates are that far: neural encoders .002 to .007 where the single nearest gives"
            " .030 to .068, text vectors .001; with 2% of the texts shuffled .013 to .017",
        ),
        Threshold(
            "share_critical", 0.04, "with 10% of the texts shuffled .051 to .060, with 5% .027 to .031"
        ),
        Threshold(
            "tail",
            0.5,
            "rank past which sound rows are all but gone: the demo's give up to .003 there, at 600 to 2,000 rows,"
            " where up to .027 are past .25",
        ),
        Threshold(
            "tail_share",
            0.003,
            "rows past the tail's rank that must be there too (lower bound): with 2% of the texts shuffled .005 to"
            " .008, with 5% .010 to .018",
        ),
        Threshold(
            "mates",
            2,
            "similar texts that a row has at least: with one, which shares a common word, sound rows of real texts are far"
            " in .02 to .06, with two in .003 to .015",
        ),
        Threshold("crowd", 20, "rows with nearly one vector are duplicate-vectors' to name"),
        Threshold(
            "pictures",
            0.05,
            "median rank from which captions do not describe the pictures that were embedded; the demo's .011",
        ),
        Threshold("min_dimensions", 32, "few dimensions can't lay out what many texts say"),
        Threshold("min_rows", 100, "rows with a mate; one of 100 is the line itself"),
        Threshold(
            "foreign",
            0.6,
            "share of pairs across a group that are far (lower bound) from which its vectors lie in a space of their"
            " own: of two spaces three in four are past `rank` and more, of one .03 to .07; of real topics among texts"
            " of which 5% were shuffled up to .61",
        ),
        Threshold("sound", 0.1, "share of the other pairs that may be far: a little more than in one space"),
        Threshold("pairs", 30, "pairs across a group; 24 far ones of 30 have a lower bound above `foreign`"),
        Threshold(
            "moved", 0.02, "rise of the share since the baseline: twice the line, past what rows come and go"
        ),
    ),
)
def text_vector_disagreement(evidence: Evidence, rules: Policy) -> Outcomes:
    code, of = "text-vector-disagreement", rules.of("text-vector-disagreement")
    held = evidence.get(Twins)
    if isinstance(held, NotMeasured):
        return [NotMeasured(code, held.why)]
    d = evidence.reservoir.matrix.shape[1]
    if d < of["min_dimensions"]:
        return [NotMeasured(code, f"{d:,} dimensions; {of['min_dimensions']:.0f} are needed.")]
    rows = evidence.reservoir.rows
    alive = evidence.good[rows]
    crowded = np.zeros(len(rows), np.bool_)
    crowded[held.rows[held.crowd >= of["crowd"]]] = True
    mates = np.maximum(held.mates, 0)
    plain = (held.mates >= 0) & (held.mate_text > of["text"]) & ~crowded[held.rows][:, None] & ~crowded[mates]
    there = (held.mates >= 0) & alive[held.rows][:, None] & alive[mates]
    usable = plain & there & (np.cumsum(there, axis=1) <= MATES)
    nearest = np.where(usable, held.rank, np.inf).min(axis=1)
    compared = np.count_nonzero(usable, axis=1) >= of["mates"]
    if _pictures_apart(held, plain, of["pictures"]):
        compared &= ~held.picture
    n = int(compared.sum())
    if n < of["min_rows"]:
        return [
            NotMeasured(
                code, f"{n:,} rows have another with a similar text; {of['min_rows']:.0f} are needed."
            )
        ]
    far = compared & (nearest > of["rank"])
    count = int(far.sum())
    share = count / n
    low, high = clopper_pearson(count, n)
    severity: Severity | None = None
    tail = int((compared & (nearest > of["tail"])).sum())
    if low > of["share"] and clopper_pearson(tail, n)[0] > of["tail_share"]:
        severity = "critical" if low > of["share_critical"] else "warning"
    if severity is not None and (why := unfit(evidence, rules)) is not None:
        return [NotMeasured(code, why)]
    guessed = severity is not None and by_shown(evidence) and not proven(evidence, rules)
    if guessed:
        severity = "info"
    affected, examined = (np.zeros(len(evidence.table), np.bool_) for _ in range(2))
    examined[rows[held.rows[compared]]] = True
    affected[rows[held.rows[far]]] = True
    summary, group, odd = f"{count:,} of {n:,} rows {FAR}: their vectors may be of other rows.", None, None
    remedy = "Check a few of these rows by hand, then embed them again from the text that they hold now."
    if guessed:
        summary += (
            f" That holds only if {field_text(str(evidence.names.text))}, a field guessed by its name, is what was"
            " embedded: set `text_field`."
        )
    elif severity is not None:
        odd = _apart(evidence, held, usable & np.reshape(compared, (-1, 1)), of)
    if odd is not None:
        place = f"{field_text(odd.field)}={value_text(odd.value)}"
        summary += f" Of similar texts of which one is from {place}, {percent(odd.far_across)} lie apart."
        if odd.inside >= of["pairs"] and odd.far_inside <= of["sound"]:
            # A space of its own holds all of the group's rows, also those that lie near a text by chance.
            affected = examined & evidence.table.groups[odd.field].mask(odd.value)
            mine = int(np.count_nonzero(affected))
            group = Group(odd.field, odd.value, mine, 1.0, 1.0)
            summary = f"{mine:,} of {n:,} rows {FOREIGN}."
            remedy = "Find out what made these vectors, then embed the rows again as the others were."
    return [
        Finding(
            code,
            severity,
            summary,
            basis(evidence),
            Remedy("reingest", remedy),
            rows=int(np.count_nonzero(affected)),
            share=int(np.count_nonzero(affected)) / n,
            interval=clopper_pearson(int(np.count_nonzero(affected)), n),
            effect=Effect(share, of["share"], low, high, "rows far from their mates"),
            group=group,
            evidence={
                "compared": n,
                "far": count,
                "past_tail": tail,
                "median_rank": float(np.median(nearest[compared])),
                **({} if odd is None else {"apart": odd.to_json()}),
            },
            sample_ids=evidence.table.ids.take(np.flatnonzero(affected)[:SAMPLE_IDS]),
            affected=affected,
            examined=examined,
        ),
        *disagreement_moved(evidence, share, (low, high), of["moved"]),
    ]


def _apart(evidence: Evidence, held: Twins, pairs: Mask, of: Mapping[str, float]) -> Apart | None:
    rows = evidence.reservoir.rows
    row, mate = np.nonzero(pairs)
    names = evidence.names
    return group_apart(
        evidence.table,
        rows[held.rows[row]],
        rows[held.mates[row, mate]],
        held.rank[row, mate] > of["rank"],
        skip={names.version, *(n for n in (names.modality,) if n is not None)},
        pairs=int(of["pairs"]),
        foreign=of["foreign"],
        sound=of["sound"],
    )


def _pictures_apart(held: Twins, plain: Mask, line: float) -> bool:
    """Whether captions do not describe the pictures: told from all rows, whichever are left out by now."""
    first = plain[:, :MATES]
    nearest = np.where(first, held.rank[:, :MATES], np.inf).min(axis=1)
    pictures = first.any(axis=1) & held.picture
    return bool(pictures.any()) and float(np.median(nearest[pictures])) > line
