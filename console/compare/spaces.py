"""The two spaces beside their neighbours: what rounding does to each, whether one is the other turned, a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from console.compare.anchors import anchors
from console.compare.figures import anchors_json, not_measured
from console.compare.outliers import Outliers, outliers
from console.compare.pool import Pool
from console.compare.sides import Side, Stored, directed
from console.compare.spread import picture
from console.compare.structure import structure
from console.health.findings import Mask, NotMeasured
from console.health.table import F32, I64
from console.search.golden.model import key_text
from console.search.proportions import clopper_pearson

STRUCTURE_ROWS: Final = 4_000
"""Rows for CKA; Procrustes takes ten a dimension where they are at hand."""
MAP_ROWS: Final = 1_500
LISTED: Final = 100
"""Outliers in the comparison itself; all of them lie beside it."""
FEWEST_OUTLIERS: Final = 10
NEARLY_ALL: Final = 0.8
"""Of the outliers have a value, and of the rows with it are outliers, where they are told by it."""


@dataclass(frozen=True, slots=True, eq=False)
class Spaces:
    anchors: dict[str, Any]
    structure: dict[str, Any]
    map: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]
    unmeasured: list[dict[str, str]]


def measured(
    left: Side, right: Side, pool: Pool, one: F32, other: F32, k: int, fields: Sequence[str], *, sampled: bool
) -> Spaces:
    """Of the pool's first rows (s, d) and (s, d') of both sides, row i of both the same. `sampled`: they are not all."""
    unmeasured: list[dict[str, str]] = []
    rounding: dict[str, Any] = {}
    for side, sample in ((left, one), (right, other)):
        held = anchors(sample[directed(sample, side)], side.metric, k)
        rounding[side.name] = anchors_json(held)
        if isinstance(held, NotMeasured):
            unmeasured.append({"what": f"rounding of the {side.name} space", "why": held.why})
    both = directed(one, left) & directed(other, right)
    rows = np.flatnonzero(both)
    wanted = max(STRUCTURE_ROWS, 10 * max(one.shape[1], other.shape[1]))
    some = rows[:wanted]
    found = structure(one[some], other[some], left.metric, right.metric)
    strays = outliers(one[rows], other[rows], left.metric, right.metric, found.turn, wanted)
    reading = found.reading
    if reading in (None, "different") and isinstance(strays, Outliers):
        reading = strays.reading
    turned: dict[str, Any] = {"reading": reading, "plain_residual": found.plain}
    for name, held in (("cka", found.cka), ("procrustes", found.procrustes)):
        if isinstance(held, NotMeasured):
            turned[name] = not_measured(held.why)
            unmeasured.append({"what": name, "why": held.why})
        else:
            turned[name] = {field: getattr(held, field) for field in held.__slots__}
    drawn, arrays = _map(left, right, pool, one, other, rows[:MAP_ROWS], fields)
    said, more = _outliers(strays, pool, rows, arrays, sampled=sampled)
    turned["outliers"] = said
    arrays.update(more)
    if "not_measured" in drawn:
        unmeasured.append({"what": "picture of both spaces", "why": drawn["not_measured"]})
    return Spaces(rounding, turned, drawn, arrays, unmeasured)


def _map(
    left: Side, right: Side, pool: Pool, one: F32, other: F32, rows: Any, fields: Sequence[str]
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    pictures = [picture(one[rows], left.metric), picture(other[rows], right.metric)]
    arrays: dict[str, npt.NDArray[Any]] = {}
    shown: dict[str, Any] = {"rows": len(rows)}
    for side, held in zip((left, right), pictures, strict=True):
        if isinstance(held, NotMeasured):
            return not_measured(held.why), {}
        shown[side.name] = {"explained": list(held.explained)}
        arrays[f"map_{side.name}"] = held.places
    for side, prefix in ((left, "map"), (right, "map_right")):
        arrays[f"{prefix}_ids"] = np.asarray([str(pool.rows(side.name).at(n)) for n in rows.tolist()])
        if isinstance(side, Stored):
            arrays.update(_colours(side, pool, rows, fields, f"{prefix}_field:"))
    return shown, arrays


def _outliers(
    held: Outliers | NotMeasured,
    pool: Pool,
    rows: I64,
    pictured: Mapping[str, npt.NDArray[Any]],
    *,
    sampled: bool,
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Of the looked-at `rows` (numbers in the pool): how many, which, and whose they are; and all of them as arrays."""
    if isinstance(held, NotMeasured):
        return not_measured(held.why), {}
    count, numbers = len(held.rows), rows[held.rows].tolist()
    share = count / held.looked
    within = clopper_pearson(count, held.looked) if sampled else (share, share)
    arrays: dict[str, npt.NDArray[Any]] = {
        f"outlier_{side}_ids": np.asarray([str(pool.rows(side).at(n)) for n in numbers], np.str_)
        for side in ("left", "right")
    }
    arrays["outlier_residuals"] = held.residuals
    mostly = None
    if "map_ids" in pictured:
        shown = np.zeros(len(pictured["map_ids"]), np.bool_)
        shown[held.rows[held.rows < len(shown)]] = True
        arrays["map_outlier"] = shown
        mostly = _mostly(shown, pictured)
    listed = zip(numbers[:LISTED], held.residuals[:LISTED].tolist(), strict=True)
    return {
        "count": count,
        "looked": held.looked,
        "share": share,
        "low": within[0],
        "high": within[1],
        "reading": held.reading,
        "typical": held.typical,
        "line": held.line,
        "mostly": mostly,
        "rows": [
            {"left": pool.left.named(n), "right": pool.right.named(n), "residual": value}
            for n, value in listed
        ],
    }, arrays


def _mostly(shown: Mask, pictured: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any] | None:
    """The value that nearly all outliers have and few others do, among the pictured rows."""
    count = int(np.count_nonzero(shown))
    found: list[tuple[float, dict[str, Any]]] = []
    if count < FEWEST_OUTLIERS:
        return None
    for prefix in ("map_field:", "map_right_field:"):
        for name, values in pictured.items():
            if not name.startswith(prefix):
                continue
            own, counts = np.unique(values[shown], return_counts=True)
            place = int(np.argmax(counts))
            of, every = int(counts[place]), int(np.count_nonzero(values == own[place]))
            if str(own[place]) and of >= NEARLY_ALL * count and of >= NEARLY_ALL * every:
                side = "left" if prefix == "map_field:" else "right"
                found.append((of / every, {"side": side, "field": name.removeprefix(prefix), "value": str(own[place]),
                                           "outliers": of, "rows": every, "of": count}))  # fmt: skip
    return max(found, key=lambda f: f[0])[1] if found else None


def _colours(
    side: Stored, pool: Pool, rows: Any, fields: Sequence[str], prefix: str
) -> dict[str, npt.NDArray[Any]]:
    """What a side's own payload says of each point, by field; a field that no row has is none."""
    columns = tuple(dict.fromkeys((*fields, side.fields.version)))
    held = side.columns(pool.rows(side.name).chosen(rows), columns)
    texts = {name: [(key_text(v) or "")[:80] for v in held[name]] for name in columns}
    return {f"{prefix}{name}": np.asarray(said) for name, said in texts.items() if any(said)}
