"""How searches fared on golden sets, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from sqlalchemy import true

from console.settings import Address
from console.store import tables
from console.store.ids import IdKind
from console.store.room import Documents

MOST: Final = 500
"""The newest that are kept."""


class Evaluations(Documents):
    """`Evaluations.open(ws)`."""

    table = tables.evaluations
    kind: IdKind = "e"
    noun = "evaluation"
    lists = "plumbline evaluations"
    most = MOST
    sides = ("address",)

    def save(self, data: Mapping[str, Any]) -> str:
        """Keeps an evaluation's JSON (`at`, `address`, `golden`, …) and returns its id."""
        return self.keep(data, _light(data), address=str(data["address"]), golden=str(data["golden"]))

    def list(
        self,
        limit: int = 100,
        address: Address | str | None = None,
        golden: str | None = None,
        version: int | Literal["draft"] | None = None,
    ) -> Sequence[dict[str, Any]]:
        """Newest first: `id`, `at`, `address`, `golden`, `version`, `hash`, `k`, `queries`, `metrics`, `smoke_failed`,
        `against` (the address of what it was held against).

        Args:
            golden, version: those with this golden set, with this version of it.
        """
        of_set = true() if golden is None else self.table.c.golden == golden
        if version is None:
            return self.headlines(limit, address, of_set)
        return [h for h in self.headlines(None, address, of_set) if h["version"] == version][:limit]


def _light(data: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("at", "address", "golden", "version", "hash", "k", "queries", "metrics", "smoke_failed")
    against: Any = data.get("against")
    other: Any = cast("Mapping[str, Any]", against).get("address") if isinstance(against, Mapping) else None
    return {**{name: data.get(name) for name in kept}, "against": other}
