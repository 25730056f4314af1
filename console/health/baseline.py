"""What is kept of a report for later ones to be held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from console.health.drift_measures import Scatter, Spread, scatter, spread
from console.health.findings import NotMeasured
from console.health.table import F32, F64, Ids

if TYPE_CHECKING:
    from console.health.evidence import Evidence

Arrays = dict[str, npt.NDArray[Any]]

PANEL: Final = 1_000
"""Rows whose vectors and sources are kept: of .5% that changed one is among them with probability .993."""
QUANTILES: Final = np.linspace(0, 1, 101)
MODALITIES: Final = 8
FEWEST: Final = 30
"""Rows of a modality below which its mean direction is not kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A stored report: its JSON, and the arrays that `kept` made of its evidence."""

    report: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict[str, npt.NDArray[Any]])

    @property
    def id(self) -> str:
        return str(self.report["id"])

    @property
    def day(self) -> str:
        """Its time, short."""
        try:
            at = datetime.fromisoformat(str(self.report.get("at")))
        except ValueError:
            return "an unknown time"
        return f"{at.day} {at:%b %Y %H:%M}"

    def number(self, name: str) -> float | None:
        """A kept figure, None where there is none."""
        held = self.arrays.get(f"figure.{name}")
        return None if held is None or held.ndim or not np.isfinite(held) else float(held)

    @property
    def spread(self) -> Spread | None:
        """How directions lay; None where that was let go or never kept."""
        try:
            a = self.arrays
            return Spread(
                int(a["spread.n"]),
                a["mean"].astype(np.float64),
                float(a["spread.trace"]),
                float(a["spread.trace2"]),
                a["scores"],
                float(a["spread.noise"]),
            )
        except (KeyError, TypeError, ValueError):
            return None


def kept(evidence: Evidence) -> Arrays:
    """The arrays that a report keeps, by name; together a few MB at most.

    `panel.*`: 1,000 random good rows: `id_high, id_low, integer` as in `Ids`, `vectors` (n, d) float32, `source`
    and `content` as in `RowTable`, `version`; `panel.fields`: the payload fields that `content` is of.
    `mean`, `spread.*`, `scores`: see `Spread`. `norm.quantiles`: 101 of the good rows. `modality.*`: mean
    direction and rows of each modality. `figure.*`: one number each. `sample.*`: the ids that a sample read.
    """
    out: Arrays = {"figure.rows": np.array(evidence.scan.rows, np.float64)}
    out |= _sample(evidence)
    if len(evidence.places):
        out |= _panel(evidence) | _directions(evidence)
        lengths = evidence.table.norm[evidence.good]
        out["norm.quantiles"] = np.quantile(lengths, QUANTILES).astype(np.float32)
    return out | _recall(evidence) | _latency(evidence) | _disagreement(evidence)


def scattered(evidence: Evidence) -> Scatter:
    """The probe's pairs, or pairs drawn now where it was not run."""
    held = evidence.get(Scatter)
    if isinstance(held, NotMeasured):
        return scatter(evidence, np.random.default_rng([evidence.options.seed, 52]))
    return held


def modality_means(evidence: Evidence, unit: F32) -> tuple[list[str], F64, npt.NDArray[np.int64]]:
    """Values, (v, d) mean unit vectors and rows of the modalities that have 30 good rows, the largest first."""
    group = evidence.group(evidence.names.modality)
    d = unit.shape[1]
    if group is None:
        return [], np.zeros((0, d)), np.zeros(0, np.int64)
    alive = evidence.good[evidence.reservoir.rows]
    codes = group.codes[evidence.reservoir.rows]
    counts = np.bincount(codes[alive], minlength=len(group.values) + 2)
    counts[0] = 0
    if group.other is not None:
        counts[group.other] = 0
    chosen = [int(c) for c in np.argsort(-counts, kind="stable")[:MODALITIES] if counts[c] >= FEWEST]
    means = [
        ((alive & (codes == c)).astype(np.float32) @ unit).astype(np.float64) / counts[c] for c in chosen
    ]
    values = [str(group.values[c - 1])[:200] for c in chosen]
    return values, np.array(means).reshape(len(chosen), d), counts[chosen].astype(np.int64)


def _sample(evidence: Evidence) -> Arrays:
    if evidence.scan.exact:
        return {}
    ids: Ids = evidence.table.ids
    return {
        "sample.id_high": np.asarray(ids.high),
        "sample.id_low": np.asarray(ids.low),
        "sample.integer": np.asarray(ids.integer),
    }


def _panel(evidence: Evidence) -> Arrays:
    places, table = evidence.places, evidence.table
    rng = np.random.default_rng([evidence.options.seed, 50])
    chosen = np.sort(rng.choice(places, min(PANEL, len(places)), replace=False))
    rows = evidence.reservoir.rows[chosen]
    group = evidence.group(evidence.names.version)
    tags = [""] * len(rows) if group is None else [_tag(group.value(int(r))) for r in rows]
    return {
        "panel.id_high": table.ids.high[rows],
        "panel.id_low": table.ids.low[rows],
        "panel.integer": table.ids.integer[rows],
        "panel.vectors": evidence.reservoir.matrix[chosen].astype(np.float32),
        "panel.source": table.source[rows],
        "panel.content": table.content[rows],
        "panel.version": np.array(tags, dtype=np.str_),
        "panel.fields": np.array(content_fields(evidence), dtype=np.str_),
    }


def content_fields(evidence: Evidence) -> list[str]:
    names = evidence.names
    return [path for path in names.columns if path != names.time]


def _tag(value: Any) -> str:
    return "" if value is None else str(value)[:200]


def _directions(evidence: Evidence) -> Arrays:
    held = scattered(evidence)
    found = spread(held, evidence.good[evidence.reservoir.rows])
    values, means, rows = modality_means(evidence, held.unit)
    return {
        "mean": found.mean.astype(np.float32),
        "scores": found.scores.astype(np.float32),
        "spread.n": np.array(found.n, np.int64),
        "spread.trace": np.array(found.trace, np.float64),
        "spread.trace2": np.array(found.trace2, np.float64),
        "spread.noise": np.array(found.noise, np.float64),
        "modality.values": np.array(values, dtype=np.str_),
        "modality.means": means.astype(np.float32),
        "modality.rows": rows,
    }


def _recall(evidence: Evidence) -> Arrays:
    from console.health.probes.recall import Recall

    found = evidence.get(Recall)
    if isinstance(found, NotMeasured) or isinstance(found.plain, NotMeasured):
        return {}
    mean = found.plain.recall(evidence.kept)
    if mean is None:
        return {}
    return _figures(recall=mean.value, recall_low=mean.low, recall_high=mean.high, recall_queries=mean.n)


def _latency(evidence: Evidence) -> Arrays:
    from console.health.probes.latency import Latency

    found = evidence.get(Latency)
    if isinstance(found, NotMeasured):
        return {}
    return {"latency": found.milliseconds} | _figures(latency_p50=found.p50, latency_p95=found.p95)


def _disagreement(evidence: Evidence) -> Arrays:
    from console.health.moving import disagreement

    found = disagreement(evidence)
    if found is None:
        return {}
    return _figures(disagreement=found[0], disagreement_low=found[1], disagreement_high=found[2])


def _figures(**figures: float) -> Arrays:
    return {f"figure.{name}": np.array(value, np.float64) for name, value in figures.items()}
