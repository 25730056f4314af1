"""Tenants and shard keys asked one by one: do their rows find themselves?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.model import Target
from console.health.asking import scores, slack
from console.health.findings import NotMeasured
from console.health.registry import probe
from console.health.table import F32, F64

if TYPE_CHECKING:
    from connectors.model import RowId, Tenant
    from console.health.probing import Probing

MOST: Final = 12
"""Tenants or shards that are asked, the largest first."""
EACH: Final = 40
NAME: Final = "shard-gap"


@dataclass(frozen=True, slots=True, eq=False)
class Shards:
    """`itself`: (tenant or shard key, 1 for each of its rows that found itself or a row as near first, else 0)."""

    itself: Sequence[tuple[str, F64]]


@probe(Shards, order=60, name="Tenants and shards")
def shards(probing: Probing) -> Shards | NotMeasured:
    e = probing.evidence
    if probing.target.tenant is not None:
        return NotMeasured(NAME, "The address names one tenant.")
    tenants = [
        t for t in e.description.tenants or () if t.state == "active" and (t.rows is None or t.rows > 0)
    ]
    if e.description.tenants is None:
        tenants = list(_known(probing))
    if len(tenants) < 2:
        return NotMeasured(
            NAME, "The collection has no tenants or shard keys that can be searched one by one."
        )
    tenants.sort(key=lambda t: -(t.rows or 0))
    out: list[tuple[str, F64]] = []
    for tenant in tenants[:MOST]:
        probing.budget.check()
        out.append((tenant.name, _asked(probing, tenant.name)))
        probing.progress(len(out), min(MOST, len(tenants)))
    return Shards(out)


def _known(probing: Probing) -> Sequence[Tenant]:
    """Qdrant's tenants: `describe` leaves them out there."""
    return probing.reader.tenants(probing.target, timeout=probing.timeout) or ()


def _asked(probing: Probing, tenant: str) -> F64:
    e = probing.evidence
    target = Target(probing.target.collection, tenant)
    drawn = probing.reader.sample(target, EACH, (e.field.name,), (), e.options.seed, timeout=probing.timeout)
    held = drawn.vectors.get(e.field.name)
    if held is None:
        return np.zeros(0)
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(held.matrix.astype(np.float64), axis=1)
    usable = np.flatnonzero(held.present & np.isfinite(lengths) & (lengths > e.tiny))
    if not len(usable):
        return np.zeros(0)
    queries = held.matrix[usable]
    answers = probing.reader.search(target, e.field.name, queries, 1, payload=(), timeout=probing.timeout)
    firsts = [hits[0].id if hits else None for hits in answers]
    own = [drawn.ids[int(i)] for i in usable]
    others = list({f for f, o in zip(firsts, own, strict=True) if f is not None and f != o})
    batch = (
        probing.reader.fetch(target, others, (e.field.name,), (), timeout=probing.timeout) if others else None
    )
    vectors: dict[RowId, F32] = {}
    if batch is not None and (found := batch.vectors.get(e.field.name)) is not None:
        vectors = {row: found.matrix[i] for i, row in enumerate(batch.ids) if found.present[i]}
    out = np.zeros(len(usable))
    for i, (first, mine) in enumerate(zip(firsts, own, strict=True)):
        if first == mine:
            out[i] = 1.0
        elif first in vectors:
            best, self_score = scores(queries[i], np.stack([vectors[first], queries[i]]), e.field.metric)
            length = float(np.linalg.norm(queries[i].astype(np.float64)))
            scale = length * (length if e.field.metric == "euclid" else 1.0)
            out[i] = float(best >= self_score - slack(e.field, queries[i], scale, length))
    return out
