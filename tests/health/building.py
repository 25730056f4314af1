"""Evidence from plain arrays: a second, simple way to the table, to which the scan is held as well."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from connectors.filters import MISSING as NOWHERE
from connectors.filters import lookup
from connectors.model import (
    Capabilities,
    Capability,
    Description,
    IndexState,
    RowId,
    ServerInfo,
    Target,
    VectorField,
)
from console.health.evidence import Evidence, Reservoir, ScanFacts
from console.health.options import CheckOptions, FieldNames
from console.health.table import MISSING, NON_FINITE, OVERFLOW, ZERO, Codes, Ids, RowTable

YES = Capability(True)


def hash64(value: bytes) -> int:
    """Not 0, the same for equal bytes."""
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "big") or 1


def table(
    matrix: np.ndarray,
    present: np.ndarray,
    payloads: Sequence[Mapping[str, Any]],
    ids: Sequence[RowId],
    names: FieldNames,
) -> RowTable:
    n, d = matrix.shape
    flags = np.zeros(n, np.uint16)
    norm = np.full(n, np.nan, np.float32)
    digest, tail, peak = np.zeros(n, np.uint64), np.zeros(n, np.uint16), np.zeros(n, np.float32)
    source, content = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    length, time = np.full(n, -1, np.int32), np.full(n, np.nan)
    finite = np.isfinite(matrix).all(axis=1)
    for i in range(n):
        row, payload = matrix[i], payloads[i]
        if not present[i]:
            flags[i] |= MISSING
        else:
            digest[i] = hash64(row.tobytes())
            # The square of a float32 is exact in double precision.
            exact = math.sqrt(math.fsum(np.square(row, dtype=np.float64).tolist())) if finite[i] else math.nan
            with np.errstate(over="ignore"):
                short = np.float32(exact)
            if not finite[i]:
                flags[i] |= NON_FINITE
            elif not np.isfinite(short):
                flags[i] |= NON_FINITE | OVERFLOW
            else:
                norm[i] = short
                if exact == 0:
                    flags[i] |= ZERO
            zeros = row.nonzero()[0]
            tail[i] = d - (int(zeros[-1]) + 1 if len(zeros) else 0)
            peak[i] = np.abs(row if finite[i] else row[np.isfinite(row)]).max(initial=0)
        origin = _first(payload, (names.image, names.text))
        source[i] = hash64(repr(origin).encode()) if origin is not None else 0
        plain = {k: v for k, v in payload.items() if k != names.time}
        content[i] = hash64(json.dumps(plain, sort_keys=True, default=str).encode())
        text = _value(payload, names.text)
        if isinstance(text, str):
            length[i] = len(text)
        stamp = _value(payload, names.time)
        if isinstance(stamp, str):
            time[i] = datetime.fromisoformat(stamp).timestamp()
        elif isinstance(stamp, (int, float)):
            time[i] = stamp
    groups = {g: codes([_value(p, g) for p in payloads]) for g in names.groups}
    return RowTable(Ids.of(ids), flags, norm, digest, tail, peak, source, content, length, time, groups)


def codes(values: Sequence[Any]) -> Codes:
    found: dict[Any, int] = {}
    out = np.zeros(len(values), np.uint16)
    for i, value in enumerate(values):
        if value is None or value == "":
            continue
        out[i] = found.setdefault((type(value), value), len(found) + 1)
    return Codes(out, tuple(v for _, v in found))


def evidence(
    matrix: np.ndarray,
    payloads: Sequence[Mapping[str, Any]] | None = None,
    *,
    present: np.ndarray | None = None,
    ids: Sequence[RowId] | None = None,
    metric: str = "cosine",
    normalised_on_write: bool = False,
    storage: str = "float32",
    kind: str = "weaviate",
    names: FieldNames | None = None,
    rows: int | None = None,
    exact: bool = True,
    reservoir: int = 5_000,
    seed: int = 0,
    results: Mapping[type, Any] | None = None,
    **more: Any,
) -> Evidence:
    """`matrix` (n, d); `exact`: as of a full scan, else as of a sample of a collection of `rows` rows."""
    matrix = np.ascontiguousarray(matrix, np.float32)
    n, d = matrix.shape
    payloads = [{} for _ in range(n)] if payloads is None else payloads
    present = np.ones(n, np.bool_) if present is None else present
    ids = list(range(n)) if ids is None else ids
    fields = sorted({k for p in payloads for k, v in p.items() if isinstance(v, (str, bool, int))})
    few = tuple(f for f in fields if len({p.get(f) for p in payloads}) <= max(2, min(64, n // 4)))
    names = names or FieldNames(
        modality="modality" if "modality" in fields else None,
        text="caption" if "caption" in fields else None,
        groups=few,
        columns=tuple(fields),
    )
    from console.health.profile import Profile

    held = table(matrix, present, payloads, ids, names)
    chosen = np.arange(n)
    if n > reservoir:
        chosen = np.sort(np.random.default_rng(seed).choice(n, reservoir, replace=False))
    field = VectorField(
        "", dimension=d, metric=metric, storage=storage, normalised_on_write=normalised_on_write
    )  # type: ignore[arg-type]
    profile = Profile.of(matrix, present, held) if hasattr(Profile, "of") else Profile()
    return Evidence(
        address="test/rows",
        kind=kind,  # type: ignore[arg-type]
        description=Description(Target("rows"), rows or n, (field,)),
        field=field,
        server=ServerInfo(kind, "1.39.0", "grpc", 1.0),  # type: ignore[arg-type]
        index_state=IndexState("ready", rows=n, indexed=n),
        capabilities=Capabilities(exact_search=YES, sees_non_finite=YES),
        options=more.pop("options", None) or CheckOptions(sample=None if exact else n, seed=seed),
        names=names,
        scan=ScanFacts(rows or n, n, exact, seed=None if exact else seed),
        profile=profile,
        table=held,
        reservoir=Reservoir(
            chosen, matrix[chosen] * present[chosen, None], [dict(payloads[i]) for i in chosen]
        ),
        results=results or {},
        **more,
    )


def _value(payload: Mapping[str, Any], path: str | None) -> Any:
    found = None if path is None else lookup(dict(payload), path)
    return None if found is NOWHERE else found


def _first(payload: Mapping[str, Any], paths: Sequence[str | None]) -> Any:
    return next((v for p in paths if (v := _value(payload, p)) not in (None, "")), None)
