"""A sample of rows, or the rows of an earlier one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.model import PAGE_BYTES, id_key
from console.health.columns import grouped
from console.health.pace import Pace
from console.health.ranges import page_bytes
from console.health.rows import Gathering
from console.health.values import Key, key_of

if TYPE_CHECKING:
    from connectors.model import Description, RowId, Target, VectorField
    from connectors.protocol import Reader
    from console.health.options import FieldNames

PEEK: Final = 400
HEAVY: Final = 0.02
"""Share of the peek that makes a value heavy: at most 50 are; one of 4% of the rows is missed once in 110 peeks."""
MOST_PARTS: Final = 32
"""Tenants that a sample asks one by one, so that it knows whose each row is."""


def has_parts(target: Target, description: Description) -> bool:
    """Whether rows come with the tenant that they belong to."""
    return target.tenant is None and bool(description.tenants)


def heavy_values(reader: Reader, target: Target, names: FieldNames, seed: int) -> dict[str, frozenset[Key]]:
    """Values of the group fields that a few rows show to be common: they keep groups of their own.

    Without this, a field of ten thousand values could lose the one that half of the rows have among the others.
    """
    if not names.groups:
        return {}
    drawn = reader.sample(target, PEEK, (), names.groups, seed)
    found: dict[str, frozenset[Key]] = {}
    for name in names.groups:
        values = [grouped(v, tag=name == names.version) for v in drawn.columns.get(name, ())]
        counts = Counter(key_of(v) for v in values if v is not None)
        found[name] = frozenset(key for key, n in counts.items() if n >= HEAVY * len(drawn))
    return found


def read_sample(
    reader: Reader,
    target: Target,
    description: Description,
    fields: Sequence[VectorField],
    gathering: Gathering,
    n: int,
    seed: int,
    pace: Pace,
) -> str:
    """About `n` rows in the order of their ids, tenant after tenant. Returns what keeps them from being uniform."""
    pace.begin(n)
    for place, share in _places(target, description, n, seed):
        pace.look()
        drawn = reader.sample(place, share, (), (), seed)
        _fetch(reader, place, fields, gathering, sorted(drawn.ids, key=id_key), pace)
    how = reader.capabilities(target).random_sample
    return "" if how.supported else how.why


def read_again(
    reader: Reader,
    target: Target,
    fields: Sequence[VectorField],
    gathering: Gathering,
    ids: Sequence[RowId],
    pace: Pace,
) -> str:
    """These rows, in the order of their ids. Returns what became of them, "" where all are there."""
    wanted = sorted(set(ids), key=id_key)
    pace.begin(len(wanted))
    _fetch(reader, target, fields, gathering, wanted, pace)
    gone = len(wanted) - gathering.rows
    return f"{gone:,} of the {len(wanted):,} rows of the earlier sample are gone." if gone else ""


def _places(target: Target, description: Description, n: int, seed: int) -> Iterator[tuple[Target, int]]:
    """Tenants in proportion to their rows, drawn without replacement; the whole where they are many."""
    from connectors.model import Target as Place

    active = [t for t in description.tenants or () if t.state == "active"]
    totals = [t.rows for t in active if t.rows is not None]
    if not has_parts(target, description) or len(active) > MOST_PARTS or len(totals) < len(active):
        yield target, n
        return
    rng = np.random.default_rng(seed)
    shares = rng.multivariate_hypergeometric(np.array(totals, np.int64), min(n, sum(totals)))
    for tenant, share in zip(active, shares.tolist(), strict=True):
        if share:
            yield Place(target.collection, tenant.name), share


def _fetch(
    reader: Reader,
    place: Target,
    fields: Sequence[VectorField],
    gathering: Gathering,
    ids: Sequence[RowId],
    pace: Pace,
) -> None:
    width = 256 + sum(4 * (f.dimension or 0) for f in fields)
    step = max(1, min(page_bytes(fields, pace.rate), PAGE_BYTES) // width)
    into = gathering.range()
    for start in range(0, len(ids), step):
        pace.look()
        batch = reader.fetch(place, ids[start : start + step], gathering.fields, gathering.names.columns)
        into.add(batch)
        pace.add(len(batch))
        pace.wait()
