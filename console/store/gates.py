"""What gates said: the evidence that a cutover stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from console.settings import Address
from console.store import tables
from console.store.ids import IdKind
from console.store.room import Documents

MOST: Final = 500
"""The newest that are kept."""


class Gates(Documents):
    """`Gates.open(ws)`."""

    table = tables.gates
    kind: IdKind = "g"
    noun = "gate"
    lists = "plumbline gates"
    most = MOST
    sides = ("left_address", "right_address")

    def save(self, data: Mapping[str, Any]) -> str:
        """Keeps a gate's JSON (`at`, `left`, `right`, `verdict`, `conditions`) and returns its id."""
        return self.keep(
            data,
            _light(data),
            left_address=str(data["left"]),
            right_address=str(data["right"]),
            verdict=str(data["verdict"]),
        )

    def list(self, limit: int = 100, address: Address | str | None = None) -> Sequence[dict[str, Any]]:
        """Newest first: `id`, `at`, `left`, `right`, `verdict`, `conditions` (name, verdict, waived), `rests_on`."""
        return self.headlines(limit, address)


def _light(data: Mapping[str, Any]) -> dict[str, Any]:
    conditions = cast("Sequence[Mapping[str, Any]]", data.get("conditions") or ())
    return {
        "at": data["at"],
        "left": data["left"],
        "right": data["right"],
        "verdict": data["verdict"],
        "conditions": [{k: c.get(k) for k in ("name", "verdict", "waived")} for c in conditions],
        "rests_on": _rests_on(data),
    }


def _rests_on(data: Mapping[str, Any]) -> list[str]:
    """The report, comparison and evaluations that it names: they are kept as long as the gate is."""
    named = [data.get("report"), data.get("comparison"), *(data.get("evaluations") or ())]
    return [str(one) for one in named if one]
