"""A collection behind a reader as evidence and a probing, without the scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from connectors.model import ConnectionSpec, Target
from connectors.protocol import Reader
from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.options import FieldNames
from console.health.policy import policy
from console.health.probing import Budget, Probing
from tests.faults.memory import Memory, Rows
from tests.health.building import evidence


def memory(
    matrix: np.ndarray,
    payloads: Sequence[Mapping[str, Any]] | None = None,
    kind: str = "qdrant",
    **rows: Any,
) -> Memory:
    from tests.faults.memory import stored

    n = len(matrix)
    held = stored(matrix, kind, rows.get("metric", "cosine"), rows.get("storage", "float32"))
    payloads = [{} for _ in range(n)] if payloads is None else [dict(p) for p in payloads]
    present = rows.pop("present", np.ones(n, np.bool_))
    made = Rows(list(range(n)), held, present, payloads, **rows)
    spec = ConnectionSpec("memory", kind, url="http://127.0.0.1:1")  # type: ignore[arg-type]
    return Memory(spec, {"rows": made})


def examined(
    reader: Reader,
    target: Target = Target("rows"),  # noqa: B008
    field: str = "",
    *,
    sample: int | None = None,
    names: FieldNames | None = None,
    **more: Any,
) -> Evidence:
    """Evidence of every row, or of a sample of so many of them."""
    description = reader.describe(target)
    held = description.field(field)
    assert held is not None
    rows = reader.count(target).rows
    columns = names.columns if names is not None else tuple(sorted({f.name for f in description.payload}))
    if sample is not None and sample < rows:
        batches = [reader.sample(target, sample, (field,), columns, 1)]
    else:
        batches = list(reader.scan(target, (field,), None, columns))
    payloads = [
        {c: b.columns[c][i] for c in columns if b.columns[c][i] is not None}
        for b in batches
        for i in range(len(b))
    ]
    made = evidence(
        np.concatenate([b.vectors[field].matrix for b in batches]),
        payloads,
        present=np.concatenate([b.vectors[field].present for b in batches]),
        ids=[i for b in batches for i in b.ids],
        metric=held.metric or "cosine",
        normalised_on_write=held.normalised_on_write,
        kind=reader.spec.kind,
        names=names,
        rows=rows,
        exact=sample is None or sample >= rows,
        **more,
    )
    return replace(
        made,
        field=held,
        description=description,
        server=reader.server(),
        index_state=reader.index_state(target),
        capabilities=reader.capabilities(target),
    )


def probing(reader: Reader, held: Evidence, target: Target = Target("rows"), **more: Any) -> Probing:  # noqa: B008
    return Probing(None, None, reader, target, held, policy(), Budget(120.0), **more)  # type: ignore[arg-type]


def found(outcomes: Sequence[Any], key: str | None = None) -> Finding:
    """The one finding (of that key)."""
    held = [f for f in outcomes if isinstance(f, Finding) and (key is None or f.key == key)]
    assert len(held) == 1, outcomes
    return held[0]


def unmeasured(outcomes: Sequence[Any]) -> dict[str, str]:
    return {o.check: o.why for o in outcomes if isinstance(o, NotMeasured)}
