"""What is wrong with `scenes-broken`, at known rates, written down row by row."""

# ruff: noqa: S311 - drawing, not secrets

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from console.demo.rows import CURRENT, OLD, SEED, DemoRows, Matrix

UNNORMALISED_SOURCE: Final = "camera-5"
RATES: Final[Mapping[str, float]] = {
    "zero": 0.015,
    "old_encoder": 0.10,
    "old_encoder_untagged": 0.03,
    "untagged": 0.04,
    "placeholder": 0.02,
    "ingested_twice": 0.02,
    "misaligned": 0.02,
}
"""Shares of all rows. No row has two of these faults, and none is of the source that is not normalised."""

MEANING: Final[Mapping[str, str]] = {
    "unnormalised": f"every row of {UNNORMALISED_SOURCE}: the encoder's output before normalising",
    "zero": "the vector is zero",
    "old_encoder": f"by {OLD}, and tagged so",
    "old_encoder_untagged": f"by {OLD}, without a tag",
    "untagged": f"by {CURRENT}, without a tag",
    "placeholder": "one vector for all: that of an empty grey picture",
    "ingested_twice": "vector and payload of another row, under this id",
    "misaligned": "the payload of the next row in this list",
}


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """The rows of the broken collection; `positions` holds the rows of each fault, in the order of `DemoRows`."""

    matrix: Matrix
    payloads: tuple[dict[str, Any], ...]
    positions: Mapping[str, tuple[int, ...]]
    copied_from: Mapping[int, int]

    def manifest(self, rows: DemoRows, collection: str) -> dict[str, Any]:
        """What tests hold a check against: for each fault its share and the ids of its rows."""
        total = len(rows.ids)
        return {
            "collection": collection,
            "vector": "clip",
            "rows": total,
            "metric": "dot",
            "encoder": CURRENT,
            "old_encoder": OLD,
            "unnormalised_source": UNNORMALISED_SOURCE,
            "faults": {
                name: {
                    "what": MEANING[name],
                    "rows": len(at),
                    "share": len(at) / total,
                    "ids": [rows.ids[i] for i in at],
                }
                for name, at in self.positions.items()
            },
            "copied_from": {rows.ids[i]: rows.ids[j] for i, j in self.copied_from.items()},
        }


def tagged(payload: Mapping[str, Any], tag: str | None) -> dict[str, Any]:
    return dict(payload) if tag is None else {**payload, "embedding_version": tag}


def break_rows(rows: DemoRows) -> Broken:
    """The same rows with the faults above; always the same ones."""
    total = len(rows.ids)
    unnormalised = [i for i, p in enumerate(rows.payloads) if p["source"] == UNNORMALISED_SOURCE]
    apart = set(unnormalised)
    free = [i for i in range(total) if i not in apart]
    random.Random(SEED).shuffle(free)
    positions: dict[str, tuple[int, ...]] = {"unnormalised": tuple(unnormalised)}
    for name, rate in RATES.items():
        count = round(rate * total)
        positions[name] = tuple(sorted(free[:count]))
        del free[:count]
    copied = dict(
        zip(positions["ingested_twice"], sorted(free[: len(positions["ingested_twice"])]), strict=True)
    )
    matrix, tags = _vectors(rows, positions, copied)
    payloads = [tagged(p, tag) for p, tag in zip(rows.payloads, tags, strict=True)]
    for at, other in copied.items():
        payloads[at] = dict(payloads[other])
    shifted = positions["misaligned"]
    moved = [payloads[i] for i in (*shifted[1:], *shifted[:1])]
    for at, held in zip(shifted, moved, strict=True):
        payloads[at] = held
    return Broken(matrix, tuple(payloads), positions, copied)


def _vectors(
    rows: DemoRows, positions: Mapping[str, tuple[int, ...]], copied: Mapping[int, int]
) -> tuple[Matrix, list[str | None]]:
    matrix = rows.current.copy()
    tags: list[str | None] = [CURRENT] * len(rows.ids)
    where = {name: np.array(at, dtype=np.int64) for name, at in positions.items()}
    matrix[where["unnormalised"]] = rows.raw[where["unnormalised"]]
    matrix[where["zero"]] = 0.0
    for name in ("old_encoder", "old_encoder_untagged"):
        matrix[where[name]] = rows.old[where[name]]
    matrix[where["placeholder"]] = rows.placeholder
    for at, other in copied.items():
        matrix[at] = rows.current[other]
    for at in positions["old_encoder"]:
        tags[at] = OLD
    for name in ("old_encoder_untagged", "untagged"):
        for at in positions[name]:
            tags[at] = None
    return matrix, tags
