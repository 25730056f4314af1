"""What rows are matched by: their ids or a payload value, as 64-bit keys in an order that a seed shuffles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import xxhash

from connectors.model import RowId
from console.health.findings import Mask
from console.health.table import U64, Ids
from console.search.golden.model import key_text

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def id_keys(ids: Ids, seed: int = 0) -> U64:
    """(n,) keys of ids: the same id has the same key on every database.

    SplitMix64 (Steele, Lea and Flood 2014), which is one to one, over the halves in turn: two of a million different
    UUIDs share a key with probability 3e-8.
    """
    high = _mixed(ids.high ^ np.uint64(seed) ^ np.where(ids.integer, _FIRST, np.uint64(0)))
    return _mixed(high ^ ids.low)


def value_keys(values: Sequence[Any], seed: int = 0) -> tuple[U64, Mask]:
    """(n,) keys of payload values, and which rows have one: text, a number, or a list of one of these."""
    keys = np.zeros(len(values), np.uint64)
    there = np.zeros(len(values), np.bool_)
    for i, value in enumerate(values):
        text = key_text(value)
        if text is not None:
            keys[i] = xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"), seed)
            there[i] = True
    return keys, there


def row_keys(ids: Sequence[RowId], values: Sequence[Any] | None, seed: int = 0) -> tuple[U64, Mask]:
    """Keys by `values` where rows are matched on a field, else by ids."""
    if values is None:
        return id_keys(Ids.of(ids), seed), np.ones(len(ids), np.bool_)
    return value_keys(values, seed)


def within(keys: U64, salts: U64) -> U64:
    """(n,) the keys of rows whose ids, or values, count within their tenants; `salts`: 64 bits of each row's."""
    return _mixed(keys ^ salts)


def _mixed(values: U64) -> U64:
    with np.errstate(over="ignore"):
        held = values + _GOLDEN
        held = (held ^ (held >> np.uint64(30))) * _FIRST
        held = (held ^ (held >> np.uint64(27))) * _SECOND
        return held ^ (held >> np.uint64(31))
