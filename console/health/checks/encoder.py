"""Whose vectors these are: the encoder's that was asked for, another's, or another row's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.health.alterations import FAULTY
from console.health.estimating import of_part
from console.health.findings import SAMPLE_IDS, Basis, Effect, Finding, Mask, NotMeasured, Outcomes, Remedy
from console.health.inference import OWN, UNTAGGED, attribute
from console.health.matching import lag
from console.health.origins import counted
from console.health.probes.reencode import Reencoded
from console.health.registry import Threshold, check
from console.health.shares import masks, share_of

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Severity
    from console.health.policy import Policy

_SAME = Threshold(
    "same",
    0.99,
    "cosine from which a vector is the encoder's own: half precision, other libraries and graphics cards stay above"
    " .999; the vectors of another encoder, or of another source, stay far below",
)
_WARNING = Threshold("warning", 0.005, "share of rows; the lower bound of its interval: one row in 200")
_CRITICAL = Threshold("critical", 0.05, "share of rows, by its lower bound: 1 of 20 hits is by chance")


@check(
    "encoder-mismatch",
    fault="the vectors are not those of the encoder that was asked for",
    kind="rows",
    stage="identity",
    severities=("info", "warning", "critical"),
    actions=("rebuild", "configure"),
    thresholds=(
        _SAME,
        _WARNING,
        Threshold(
            "median", 0.95, "critical where half of the rows are surely below: the encoder is another one"
        ),
        Threshold("far", 0.8, "cosine below which a vector has nothing to do with its source's"),
        Threshold(
            "critical", 0.05, "share of rows below `far`, by its lower bound: 1 of 20 hits is by chance"
        ),
    ),
)
def encoder_mismatch(evidence: Evidence, policy: Policy) -> Outcomes:
    code = "encoder-mismatch"
    probed = evidence.get(Reencoded)
    if isinstance(probed, NotMeasured):
        return [NotMeasured(code, probed.why)]
    same, far = policy.get(code, "same"), policy.get(code, "far")
    judged = probed.judged & evidence.kept[probed.rows]
    n = int(judged.sum())
    if not n:
        return [NotMeasured(code, _none_left(probed))]
    fine, faulty = _explained(probed, same)
    # The vector of another row is this encoder's all the same.
    cosine = np.where(fine | misaligned(probed, same), 1.0, probed.cosine.astype(np.float64))
    wrong = judged & ~(cosine >= same)
    distant, below = judged & ~(cosine >= far), judged & ~(cosine >= policy.get(code, "median"))
    share, low, high = share_of(int(wrong.sum()), n, probed.every)
    _, far_low, _ = share_of(int(distant.sum()), n, probed.every)
    _, half_low, _ = share_of(int(below.sum()), n, probed.every)
    severity: Severity | None = "info" if wrong.any() or (judged & fine).any() else None
    if low > policy.get(code, "warning"):
        severity = "warning"
    if wrong.any() and (far_low >= policy.get(code, "critical") or half_low > 0.5):
        severity = "critical"
    if severity is None:
        return []
    found = _evidence(evidence, probed, judged, wrong, fine | faulty)
    finding = Finding(
        code,
        severity,
        _mismatch_summary(probed, judged, wrong, fine, same, found),
        _basis(probed),
        _mismatch_remedy(probed, wrong, fine, faulty, found),
        rows=int(wrong.sum()),
        share=share,
        interval=None if probed.every else (low, high),
        effect=Effect(
            share, policy.get(code, "warning"), low, high, f"share of re-encoded rows with cosine < {same:g}"
        ),
        evidence=found,
        **_rows(evidence, probed, judged, wrong),
    )
    return [finding]


@check(
    "misaligned-payload",
    fault="vectors sit on rows whose payload belongs to another vector",
    kind="rows",
    stage="identity",
    severities=("info", "warning", "critical"),
    actions=("reingest",),
    thresholds=(
        _SAME,
        _WARNING,
        _CRITICAL,
        Threshold(
            "shift", 0.8, "share of the misaligned rows that must lie one fixed step away to name a shift"
        ),
    ),
)
def misaligned_payload(evidence: Evidence, policy: Policy) -> Outcomes:
    code = "misaligned-payload"
    probed = evidence.get(Reencoded)
    if isinstance(probed, NotMeasured):
        return [NotMeasured(code, probed.why)]
    judged = probed.judged & evidence.kept[probed.rows]
    n = int(judged.sum())
    if not n:
        return [NotMeasured(code, _none_left(probed))]
    same = policy.get(code, "same")
    wrong = judged & misaligned(probed, same)
    if not wrong.any():
        return []
    share, low, high = share_of(int(wrong.sum()), n, probed.every)
    severity: Severity = "info"
    if low > policy.get(code, "warning"):
        severity = "warning"
    if low >= policy.get(code, "critical"):
        severity = "critical"
    at = np.flatnonzero(wrong)[np.argsort(probed.rows[wrong])]
    shift = lag(evidence, probed.rows[at], [probed.match[int(i)] for i in at], probed.match_row[at])
    fixed = shift is not None and shift[1] >= policy.get(code, "shift") and len(at) > 1
    told: dict[str, Any] = {
        "encoder": probed.encoder,
        "rows_reencoded": n,
        "rows_not_readable": _unread(probed),
        "cosine_to_own_vector": _quantiles(probed.cosine[wrong]),
        "cosine_to_the_other_row": _quantiles(probed.match_cosine[wrong]),
        "looked_for_in": probed.searched,
        "belongs_to": [
            {"id": evidence.table.ids.at(int(probed.rows[i])), "vector_at": probed.match[int(i)]}
            for i in at[:SAMPLE_IDS]
        ],
        "shift": None
        if shift is None or not fixed
        else {"steps": shift[0], "of": shift[2], "share": shift[1]},
    }
    summary = f"The payloads of {int(wrong.sum()):,} of {n:,} re-encoded rows belong to the vectors of other rows{_of_others(probed)}"
    summary += f", {abs(shift[0]):,} away by {shift[2]}." if fixed and shift else ", by no fixed shift."
    text = "Ingest the affected rows again from their source, vector and payload together."
    if fixed:
        text += (
            " A fixed shift comes from two lists of unequal length: look for a row dropped from one of them."
        )
    return [
        Finding(
            code,
            severity,
            summary,
            _basis(probed),
            Remedy("reingest", text),
            rows=int(wrong.sum()),
            share=share,
            interval=None if probed.every else (low, high),
            effect=Effect(
                share, policy.get(code, "warning"), low, high, "share of rows with another row's payload"
            ),
            evidence=told,
            **_rows(evidence, probed, judged, wrong),
        )
    ]


def misaligned(probed: Reencoded, same: float) -> Mask:
    """(m,) rows whose source is the vector of another row, which in turn is not its own source's."""
    with np.errstate(invalid="ignore"):
        return ~(probed.cosine >= same) & (probed.match_cosine >= same) & (probed.match_own < same)


def _explained(probed: Reencoded, same: float) -> tuple[Mask, Mask]:
    """(m,) rows that a transform explains: an ordinary one, one that is a fault."""
    fine, faulty = np.zeros(len(probed.rows), np.bool_), np.zeros(len(probed.rows), np.bool_)
    for name, cosine in probed.altered.items():
        with np.errstate(invalid="ignore"):
            (faulty if name in FAULTY else fine)[cosine >= same] = True
    return fine, faulty & ~fine


def _basis(probed: Reencoded) -> Basis:
    return "exact" if probed.every else "sample"


def _rows(evidence: Evidence, probed: Reencoded, judged: Mask, wrong: Mask) -> dict[str, Any]:
    affected, examined = masks(len(evidence.table), probed.rows[wrong], probed.rows[judged])
    ids = evidence.table.ids.take(np.sort(probed.rows[wrong])[:SAMPLE_IDS])
    hits, unread = int(wrong.sum()), _unread(probed)
    tried = int(probed.judged.sum()) + unread
    return {
        "affected": affected,
        "examined": examined,
        "sample_ids": ids,
        "rows_estimated": of_part(hits, tried, max(probed.eligible, tried), evidence, unread),
    }


def _unread(probed: Reencoded) -> int:
    """Rows that were to be judged and whose source can't be read."""
    return max(0, probed.tried - int(probed.judged.sum()))


def _of_others(probed: Reencoded) -> str:
    """What the figures leave out: they are of the rows whose source can be read."""
    count = _unread(probed)
    return f" (of the rows whose source can be read; that of {count:,} more can't)" if count else ""


def _evidence(
    evidence: Evidence, probed: Reencoded, judged: Mask, wrong: Mask, explained: Mask
) -> dict[str, Any]:
    made = attribute({name: cosine[wrong] for name, cosine in probed.by.items()})
    by = {name: int((made.made_by == i).sum()) for i, name in enumerate(made.names) if name != probed.encoder}
    digests, counts = np.unique(evidence.table.digest[probed.rows[wrong]], return_counts=True)
    return {
        "encoder": probed.encoder,
        "fingerprint": probed.fingerprint,
        "rows_reencoded": int(judged.sum()),
        "rows_not_readable": _unread(probed),
        "cosine": _quantiles(probed.cosine[judged]),
        "rows_of_other_tags_judged": probed.whole,
        "made_by_other_encoders": {name: count for name, count in by.items() if count},
        "untagged": int((wrong & probed.owner_is(UNTAGGED)).sum()),
        "tagged_as_this_encoder": int((wrong & probed.owner_is(OWN)).sum()),
        "pictures": int((wrong & probed.picture).sum()),
        "texts": int((wrong & ~probed.picture).sum()),
        "commonest_vector": int(counts.max(initial=0)) if len(digests) else 0,
        "explained_by": {name: int((judged & (c >= 0.99)).sum()) for name, c in probed.altered.items()},
        "explained": int((judged & explained).sum()),
        "other_tags": _apart(probed),
        "length_over_encoders": probed.scale,
        "refused": dict(probed.refused),
        "without_source": probed.sourceless,
        "not_loaded": list(probed.not_loaded),
    }


def _apart(probed: Reencoded) -> dict[str, Any]:
    """Rows of other encoders' tags: how well they fit this encoder, and the one that their tag names."""
    out: dict[str, Any] = {}
    for i, name in enumerate(probed.others):
        mine = probed.owner == 1 + i
        if not mine.any():
            continue
        own = probed.by.get(name)
        out[name] = {
            "rows_reencoded": int(mine.sum()),
            "median_cosine_to_this_encoder": float(np.median(probed.cosine[mine])),
            "median_cosine_to_its_own": None if own is None else float(np.nanmedian(own[mine])),
        }
    return out


def _mismatch_summary(
    probed: Reencoded, judged: Mask, wrong: Mask, fine: Mask, same: float, found: dict[str, Any]
) -> str:
    n, count = int(judged.sum()), int(wrong.sum())
    text = f"{count:,} of {n:,} re-encoded rows are not what `{probed.encoder}` makes of their source (cosine under {same:g}){_of_others(probed)}"
    if not count:
        name = max(found["explained_by"], key=lambda k: found["explained_by"][k])
        return (
            f"{int((judged & fine).sum()):,} of {n:,} re-encoded rows are the vectors of `{probed.encoder}`"
            f" with a difference: {name}."
        )
    others = found["made_by_other_encoders"]
    if others:
        name = max(others, key=lambda k: others[k])
        text += f"; {others[name]:,} of them were made by `{name}`"
    return f"{text}."


def _mismatch_remedy(
    probed: Reencoded, wrong: Mask, fine: Mask, faulty: Mask, found: dict[str, Any]
) -> Remedy:
    if not wrong.any():
        return Remedy(
            "configure", "Give queries the same treatment as the rows had, or embed the rows without it."
        )
    if (wrong & faulty).any():
        return Remedy(
            "rebuild",
            "Swap the picture's channels where rows are embedded, then embed the affected rows again.",
        )
    if wrong.sum() * 2 > probed.judged.sum():
        return Remedy(
            "configure",
            "Set the encoder that made these vectors, and the field that was embedded (`text_field`,"
            " `image_field`); if both are right, rebuild the vectors with this encoder.",
        )
    return Remedy("rebuild", f"Embed the affected rows again with `{probed.encoder}` and tag them.")


def _none_left(probed: Reencoded) -> str:
    told = counted(probed.refused)
    why = "None of the rows that were embedded again is left: all are tagged as another encoder's or were left out"
    return f"{why}; {told}." if told else f"{why}."


def _quantiles(values: Any) -> dict[str, float | None]:
    held = values[np.isfinite(values)]
    if not len(held):
        return {"p5": None, "median": None, "p95": None}
    p5, median, p95 = np.quantile(held, (0.05, 0.5, 0.95))
    return {"p5": float(p5), "median": float(median), "p95": float(p95)}
