"""One source and one tag, two vectors."""

from __future__ import annotations

import numpy as np

from console.health.checks.nearness import unfit
from console.health.checks.versions import first_ids
from console.health.evidence import Evidence
from console.health.findings import Effect, Finding, NotMeasured, Outcomes, Remedy, Severity
from console.health.policy import Policy
from console.health.probes.copies import Copies
from console.health.registry import Threshold, check
from console.health.wording import field_text
from console.search.proportions import clopper_pearson


def by_shown(evidence: Evidence) -> bool:
    """Whether rows have one source where they have one guessed text that need not be what was embedded."""
    return evidence.names.shown and evidence.names.image is None


def proven(evidence: Evidence, rules: Policy) -> bool:
    """Whether rows with one such text have one vector, most of them: then it is what was embedded."""
    of, held = rules.of("same-source-different-vector"), evidence.get(Copies)
    if isinstance(held, NotMeasured):
        return False
    cosine = held.cosine[np.isfinite(held.cosine)]
    return len(cosine) >= of["min_pairs"] and float((cosine < of["cosine"]).mean()) <= of["shown"]


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
        Threshold(
            "shown",
            0.5,
            "share from which a guessed field (`title`, `name`) is not what was embedded: names of functions and of"
            " packages .65 to .75, where a fault of a tenth of the rows gives .2",
        ),
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
    if by_shown(evidence) and share > of["shown"]:
        return [
            NotMeasured(
                code,
                f"{int(apart.sum()):,} of {n:,} pairs with one {field_text(str(evidence.names.text))} have different"
                " vectors: that field is not what was embedded. Set `text_field`.",
            )
        ]
    severity: Severity | None = None
    if low >= of["share"]:
        severity = "critical" if low >= of["share_critical"] else "warning"
    if severity is not None and (why := unfit(evidence, rules)) is not None:
        return [NotMeasured(code, why)]
    affected, examined = (np.zeros(len(evidence.table), np.bool_) for _ in range(2))
    examined[pairs.ravel()] = True
    affected[pairs[apart].ravel()] = True
    return [
        Finding(
            code,
            severity,
            f"{int(apart.sum()):,} of {n:,} pairs of rows with one source and one version tag have different vectors"
            f" (cosine below {of['cosine']:g}): a silent change of encoder, stale vectors, rows that hold each other's text,"
            " or an encoder that is not deterministic.",
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
            sample_ids=first_ids(evidence, affected),
            affected=affected,
            examined=examined,
        )
    ]
