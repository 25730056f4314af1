"""Batches of several shards as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from connectors.model import Batch, RowId, Vectors


def joined(parts: Sequence[Batch], order: Mapping[RowId, int] | None = None) -> Batch:
    """One batch of all rows; `order`: by the place of each id in it."""
    if len(parts) == 1:
        return parts[0]
    ids = [row for p in parts for row in p.ids]
    at = list(range(len(ids))) if order is None else sorted(range(len(ids)), key=lambda i: order[ids[i]])
    rows = np.asarray(at, np.int64)
    vectors = {
        name: Vectors(
            np.concatenate([p.vectors[name].matrix for p in parts])[rows],
            np.concatenate([p.vectors[name].present for p in parts])[rows],
        )
        for name in parts[0].vectors
    }
    columns = {path: [value for p in parts for value in p.columns[path]] for path in parts[0].columns}
    payloads = None
    if parts[0].payloads is not None:
        held = [payload for p in parts for payload in p.payloads or ()]
        payloads = tuple(held[i] for i in at)
    return Batch(
        tuple(ids[i] for i in at),
        vectors,
        {path: [values[i] for i in at] for path, values in columns.items()},
        payloads,
    )
