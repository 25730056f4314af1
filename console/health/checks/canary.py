"""Whether an encoder still is what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.health.findings import Effect, Finding, NotMeasured, Outcomes, Remedy
from console.health.probes.canary import Canary
from console.health.probes.reencode import Reencoded
from console.health.registry import Threshold, check

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Severity
    from console.health.policy import Policy


@check(
    "encoder-changed",
    fault="the encoder no longer gives the vectors that it gave",
    kind="state",
    stage="identity",
    severities=("info", "warning", "critical"),
    actions=("configure",),
    thresholds=(
        Threshold("warning", 0.999, "any cosine below: rounding of half precision stays above .9999"),
        Threshold("critical", 0.95, "mean cosine below: searches rank differently"),
        Threshold(
            "same", 0.99, "median cosine of re-encoded rows from which the rows follow the new weights"
        ),
    ),
)
def encoder_changed(evidence: Evidence, policy: Policy) -> Outcomes:
    code = "encoder-changed"
    probed = evidence.get(Canary)
    if isinstance(probed, NotMeasured):
        return [NotMeasured(code, probed.why)]
    out: list[Finding | NotMeasured] = []
    if probed.cosine is not None:
        found = _changed(probed, probed.cosine, policy, probed.since, "")
        out += [] if found is None else [found]
    if not out and probed.replaced is not None and probed.replaced_cosine is not None:
        found = _changed(probed, probed.replaced_cosine, policy, probed.replaced_since, probed.replaced)
        if found is not None and _follow(evidence, policy.get(code, "same")):
            found = found.but(
                severity="info", summary=f"{found.summary} This collection's vectors are the new ones."
            )
        out += [] if found is None else [found]
    if not out and probed.cosine is None:
        return [
            NotMeasured(
                code,
                f"First use of `{probed.encoder}`: its answers were kept, later checks compare with them.",
            )
        ]
    return out


def _changed(probed: Canary, cosine: Any, policy: Policy, since: str, replaced: str) -> Finding | None:
    code = "encoder-changed"
    gone = len(cosine) == 0
    least, mean = (
        (0.0, 0.0) if gone else (float(np.nan_to_num(cosine).min()), float(np.nan_to_num(cosine).mean()))
    )
    if least >= policy.get(code, "warning"):
        return None
    severity: Severity = "critical" if mean < policy.get(code, "critical") else "warning"
    changed = int((np.nan_to_num(cosine) < policy.get(code, "warning")).sum())
    moved = {
        name: [probed.libraries_then.get(name), now]
        for name, now in probed.libraries_now.items()
        if probed.libraries_then.get(name) != now and not replaced
    }
    what = (
        f"`{probed.encoder}` is another model than the one of that name on {since[:10]}"
        if replaced
        else f"`{probed.encoder}` no longer gives the vectors that it gave on {since[:10]}"
    )
    figures = (
        "its dimension is another one"
        if gone
        else f"the mean cosine of {len(cosine):,} fixed questions is {mean:.3f}"
    )
    return Finding(
        code,
        severity,
        f"{what}: {figures}.",
        "probe",
        Remedy(
            "configure",
            "Bring back the weights of that fingerprint, or give the new ones a name of their own and rebuild."
            if replaced
            else "Bring back the earlier libraries, device or precision, or rebuild the vectors with what runs now.",
        ),
        effect=Effect(
            least, policy.get(code, "warning"), name="smallest cosine of the fixed questions", worse="lower"
        ),
        evidence={
            "encoder": probed.encoder,
            "fingerprint": probed.fingerprint,
            "earlier_fingerprint": replaced or None,
            "since": since,
            "questions": len(cosine),
            "questions_changed": changed,
            "smallest_cosine": None if gone else least,
            "mean_cosine": None if gone else mean,
            "libraries_changed": moved,
        },
        since=since or None,
    )


def _follow(evidence: Evidence, same: float) -> bool:
    """Whether the collection's own rows are the present encoder's."""
    probed = evidence.get(Reencoded)
    if isinstance(probed, NotMeasured) or not probed.judged.any():
        return False
    return float(np.median(probed.cosine[probed.judged])) >= same
