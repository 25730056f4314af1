"""Ranges of numbers and times in Qdrant's conditions, and the rows that its indexes judge otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from connectors.filters import Between, instant
from connectors.qdrant.conditions import any_of, is_empty, joined, none_of, range_of, stamp, times_of
from connectors.qdrant.stubs import pb

EXACT: Final = 2**53


WIDEST: Final = 1.7976931348623157e308


ULPS: Final = 8


SHORT: Final = 16
"""The JSON reader is right about numbers that are written in fewer characters."""


IndexKind = Literal["none", "keyword", "integer", "lookup", "float", "datetime", "uuid", "other"]


@dataclass(frozen=True, slots=True)
class Said:
    """P, over and under of an atom. `condition` None: nothing can be said, every row is in doubt."""

    condition: Any | None
    over: Any | None = None
    under: Any | None = None
    odd: Any | None = None
    """More of `under`, whatever is compared with: rows whose kind of value the field's index does not hold."""


def compare_numbers(key: str, kind: IndexKind, between: Between, json: bool) -> Said:
    bounds: dict[str, float] = {}
    risky: list[Any] = []
    for name, bound in between.bounds().items():
        assert not isinstance(bound, str)
        near, safe = _double(bound)
        if not safe:
            name = {"gt": "gte", "lt": "lte"}.get(name, name)
            risky.append(range_of(key, gte=near, lte=near))
        elif kind == "float" or json:
            risky.extend(_neighbours(key, near))
        # An index may order -0.0 below 0.0.
        bounds[name] = near or (0.0 if name in ("gt", "lte") else -0.0)
    match kind:
        case "datetime" | "uuid":
            return Said(None)
        case "integer":
            return _integers(key, between)
        case _:
            # An integer index made for lookup only answers no range: the payload does.
            return Said(range_of(key, **bounds), joined(risky), joined(risky))


def _integers(key: str, between: Between) -> Said:
    """Over an integer index, which compares integers. It holds no fractions, older servers cut fractional bounds
    off, and a bound travels as a double."""
    whole: dict[str, float] = {}
    unsure: list[Any] = []
    for name, bound in between.bounds().items():
        assert not isinstance(bound, str)
        lower = name in ("gt", "gte")
        inside = {"gt": math.floor(bound) + 1, "gte": math.ceil(bound)}.get(name)
        if inside is None:
            inside = math.ceil(bound) - 1 if name == "lt" else math.floor(bound)
        near = float(min(max(inside, -(2**63)), 2**63))
        if abs(inside) >= EXACT:
            unsure.append(range_of(key, gte=_step(near, -4), lte=_step(near, 4)))
        side = "gte" if lower else "lte"
        held = whole.get(side)
        whole[side] = near if held is None else (max(held, near) if lower else min(held, near))
    others = [
        none_of([is_empty(key), range_of(key, gte=-WIDEST)]),
        pb.Condition(field=pb.FieldCondition(key=key, values_count=pb.ValuesCount(gt=1))),
    ]
    return Said(range_of(key, **whole), joined(unsure), joined(unsure), any_of(others))


def _step(value: float, steps: int) -> float:
    for _ in range(abs(steps)):
        value = math.nextafter(value, math.copysign(math.inf, steps))
    return value


def _neighbours(key: str, bound: float) -> list[Any]:
    """Values that differ from a bound in the last bits only, and the bound where it is a long fraction itself."""
    low, high = _step(bound, -ULPS), _step(bound, ULPS)
    if len(repr(bound)) > SHORT:
        return [range_of(key, gte=low, lte=high)]
    return [range_of(key, gte=low, lt=bound), range_of(key, gt=bound, lte=high)]


def _double(bound: float) -> tuple[float, bool]:
    """The nearest double, and whether comparing doubles with it is comparing the numbers themselves."""
    try:
        near = float(bound)
    except OverflowError:
        near = math.inf if bound > 0 else -math.inf
    if math.isinf(near):
        return math.copysign(WIDEST, near), False
    return near, abs(near) < EXACT


def compare_times(key: str, kind: IndexKind, between: Between) -> Said:
    if kind in ("integer", "float", "uuid"):
        return Said(None)
    bounds: dict[str, Any] = {}
    near: list[Any] = []
    for name, bound in between.bounds().items():
        moment = instant(str(bound))
        if moment is None:
            return Said(None)
        if not _EARLIEST <= moment <= _LATEST:
            return Said(None)
        bounds[name] = stamp(moment)
        near.append(
            times_of(key, gte=stamp(moment - moment % 1000), lte=stamp(moment - moment % 1000 + 1000))
        )
    # The server reads some text as a time that is none to us ("2026-1-5"), and the other way round (no seconds,
    # but a zone): what it finds is rechecked, and so is every row where it finds no time.
    found = times_of(key, **bounds)
    unread = none_of([is_empty(key), times_of(key, gte=stamp(_EARLIEST))])
    many = pb.Condition(field=pb.FieldCondition(key=key, values_count=pb.ValuesCount(gt=1)))
    return Said(found, found, joined(near), any_of([unread, many]))


_EARLIEST: Final = -62135596800 * 10**9


_LATEST: Final = 253402300799 * 10**9
