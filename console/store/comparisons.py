"""Comparisons that were made: listed, opened by id, drawn again without measuring anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy.typing as npt
from sqlalchemy import select

from console.settings import Address
from console.store import tables
from console.store.blobs import packed, unpacked
from console.store.ids import IdKind
from console.store.room import Documents
from console.store.store import Saved

MOST: Final = 200
"""The newest that are kept."""


class Comparisons(Documents):
    """`Comparisons.open(ws)`; a comparison is its JSON and the arrays beside it."""

    table = tables.comparisons
    kind: IdKind = "c"
    noun = "comparison"
    lists = "plumbline comparisons"
    most = MOST
    sides = ("left_address", "right_address")

    def save(
        self, comparison: Saved | Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> str:
        """Keeps a comparison, lets go of all but the newest `MOST`, and returns its id.

        Raises ValueError for an array of objects.
        """
        given = comparison if isinstance(comparison, Mapping) else comparison.data
        beside = (arrays or {}) if isinstance(comparison, Mapping) else comparison.arrays
        return self.keep(
            given,
            _light(given),
            left_address=str(given["left"]),
            right_address=str(given["right"]),
            arrays=packed(beside) if beside else None,
        )

    def list(self, limit: int = 100, address: Address | str | None = None) -> Sequence[dict[str, Any]]:
        """Newest first: `id`, `at`, `left`, `right`, `k`, `queries`, `overlap`, `share`, `summary`, `asked`, `quality`.

        `asked`: see `asked_of`. `quality`: the measure that leads with `mean`, `low` and `high` of new less old.
        """
        return self.headlines(limit, address)

    def arrays(self, one: str) -> dict[str, npt.NDArray[Any]]:
        """What was kept beside it; empty where nothing was. Raises `not-found`, `damaged`."""
        t = self.table.c
        with self.reading() as connection:
            found = connection.execute(select(t.arrays).where(t.id == one)).one_or_none()
        if found is None:
            raise self._missing(one)
        blob = cast("bytes | None", found[0])
        return {} if blob is None else unpacked(bytes(blob), f"{self.where}, comparison {one}")


def _light(data: Mapping[str, Any]) -> dict[str, Any]:
    overlap, matched = data.get("overlap_at_k"), data.get("matched")
    return {
        "at": data["at"],
        "left": data["left"],
        "right": data["right"],
        "k": data.get("k"),
        "queries": data.get("queries"),
        "overlap": _member(overlap, "mean"),
        "share": _member(matched, "share"),
        "summary": data.get("summary"),
        "asked": asked_of(cast("Mapping[str, Any]", request)) if (request := data.get("request")) else None,
        "quality": _quality(data.get("quality")),
    }


def asked_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request without its sides, in the shape of a list: given texts and pictures are a digest and a number."""
    given = [list(request.get(name) or ()) for name in ("texts", "images")]
    held = {
        name: value for name, value in request.items() if name not in ("left", "right", "texts", "images")
    }
    digest = hashlib.sha256(json.dumps(given).encode()).hexdigest()[:16] if any(given) else None
    return {**held, "given": digest, "texts": len(given[0]), "images": len(given[1])}


def _quality(held: Any) -> dict[str, Any] | None:
    if not isinstance(held, Mapping):
        return None
    metrics = cast("Mapping[str, Mapping[str, Any]]", cast("Mapping[str, Any]", held).get("metrics") or {})
    name = min(metrics, key=lambda n: not n.startswith("ndcg"), default=None)
    if name is None:
        return None
    difference = metrics[name].get("difference")
    return {"name": name, **{part: _member(difference, part) for part in ("mean", "low", "high")}}


def _member(held: Any, name: str) -> Any:
    return cast("Mapping[str, Any]", held).get(name) if isinstance(held, Mapping) else None
