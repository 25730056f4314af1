"""The rows that the baseline kept, read again: who changed what since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.model import RowId
from console.health.baseline import content_fields
from console.health.columns import Reading
from console.health.findings import Mask, NotMeasured
from console.health.registry import probe
from console.health.table import F64, Ids

if TYPE_CHECKING:
    from connectors.model import Batch
    from console.health.evidence import Evidence
    from console.health.probing import Probing

NAME: Final = "Rows of the baseline"
PAGE_BYTES: Final = 4 * 1024 * 1024
NEEDED: Final = ("id_high", "id_low", "integer", "vectors", "source", "content", "version", "fields")


@dataclass(frozen=True, slots=True, eq=False)
class PanelNow:
    """The m rows of the baseline's panel that are still there with a vector, as they were and are.

    `cosine`: (m,) between the vectors, NaN where one has no direction; `identical`: (m,) bit for bit.
    `source_known`: (m,) what was embedded is known on both sides; `same_source`: (m,) and equal; where it is
    not known on either side, equality of the whole payload that was read. `same_version`: (m,) equal tags.
    """

    baseline: str
    kept: int
    """Rows of the panel."""
    gone: int
    """Rows of it that are not there any more."""
    bare: int
    """Rows of it that have lost their vector."""
    ids: tuple[RowId, ...]
    cosine: F64
    identical: Mask
    source_known: Mask
    same_source: Mask
    same_version: Mask


@probe(PanelNow, order=50, name=NAME)
def panel(probing: Probing) -> PanelNow | NotMeasured:
    evidence = probing.evidence
    if evidence.baseline is None:
        return NotMeasured(NAME, "There is no baseline.")
    held: dict[str, Any] = {name: evidence.baseline.arrays.get(f"panel.{name}") for name in NEEDED}
    if any(a is None for a in held.values()) or not len(held["id_low"]):
        return NotMeasured(NAME, "The rows that the baseline kept were let go, or it had none.")
    if held["vectors"].shape[1:] != (evidence.field.dimension,):
        return NotMeasured(
            NAME,
            f"The baseline's vectors have {held['vectors'].shape[1]:,} dimensions, the field has"
            f" {evidence.field.dimension or 0:,}.",
        )
    then = Ids(held["id_high"], held["id_low"], held["integer"].astype(np.bool_))
    wanted = then.take(range(len(then)))
    page = max(1, PAGE_BYTES // (4 * max(1, held["vectors"].shape[1]) + 512))
    parts: list[tuple[Batch, Any]] = []
    for at in range(0, len(wanted), page):
        probing.budget.check()
        batch = probing.reader.fetch(
            probing.target,
            wanted[at : at + page],
            [evidence.field.name],
            evidence.names.columns,
            timeout=probing.timeout,
        )
        parts.append((batch, batch.vectors[evidence.field.name]))
        probing.progress(min(at + page, len(wanted)), len(wanted))
    return compared(evidence, wanted, held, parts)


def compared(
    evidence: Evidence, wanted: tuple[RowId, ...], held: dict[str, Any], parts: list[tuple[Batch, Any]]
) -> PanelNow:
    """What was read against what was kept."""
    baseline = evidence.baseline
    assert baseline is not None
    reading = Reading(replace(evidence.names, groups=()))
    place = {row: i for i, row in enumerate(wanted)}
    comparable = list(held["fields"]) == content_fields(evidence)
    ids: list[RowId] = []
    columns: dict[str, list[Any]] = {n: [] for n in ("cosine", "identical", "known", "source", "version")}
    found = bare = 0
    for batch, vectors in parts:
        now = reading.read(batch)
        tags = batch.columns.get(evidence.names.version) or [None] * len(batch)
        found += len(batch)
        for i, row in enumerate(batch.ids):
            if not vectors.present[i]:
                bare += 1
                continue
            at = place[row]
            before, after = held["vectors"][at], vectors.matrix[i]
            source, content = int(held["source"][at]), int(held["content"][at])
            known = bool(source and int(now.source[i]))
            ids.append(row)
            columns["cosine"].append(_cosine(before, after))
            columns["identical"].append(bool(np.array_equal(before, after)))
            columns["known"].append(known)
            columns["source"].append(
                source == int(now.source[i])
                if source or int(now.source[i])
                else comparable and bool(content) and content == int(now.content[i])
            )
            columns["version"].append(str(held["version"][at]) == _tag(tags[i]))
    return PanelNow(
        baseline.id,
        len(wanted),
        len(wanted) - found,
        bare,
        tuple(ids),
        np.array(columns["cosine"], np.float64),
        np.array(columns["identical"], np.bool_),
        np.array(columns["known"], np.bool_),
        np.array(columns["source"], np.bool_),
        np.array(columns["version"], np.bool_),
    )


def _cosine(a: Any, b: Any) -> float:
    one, other = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(all="ignore"):
        value = float(one @ other / (np.sqrt(one @ one) * np.sqrt(other @ other)))
    return value if np.isfinite(value) else np.nan


def _tag(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:  # pyright: ignore[reportUnknownArgumentType]
        value = value[0]  # pyright: ignore[reportUnknownVariableType]
    return "" if value is None or value == "" else str(value)[:200]  # pyright: ignore[reportUnknownArgumentType]
