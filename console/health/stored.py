"""Earlier reports of an address, as a check needs them. Looking goes on where the store can't be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.errors import PlumblineError
from console.health.baseline import Baseline
from console.health.options import AGAINST_NONE
from console.health.table import Ids
from console.settings import parse_address
from console.settings.address import readable

if TYPE_CHECKING:
    from connectors.model import RowId, VectorField
    from console.store import Store
    from console.workspace import Address, Workspace

HISTORY: Final = 200
"""Earlier reports that "since when" looks back on."""
NAMED: Final = 5
"""Fields that a sentence names."""


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """`reports`: earlier reports as JSON (findings without their evidence), newest first.

    `trouble`: why the store could not be read, else None. It is raised only where somebody asked for what the
    store holds: a baseline by its id or as `latest`, a report's sample.
    """

    reports: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    trouble: PlumblineError | None = None
    _store: Store | None = None
    _address: str = ""

    @property
    def note(self) -> str:
        """A sentence for people where the store could not be read, else ""."""
        if self.trouble is None:
            return ""
        return f"Earlier reports could not be read: {self.trouble.message} [{self.trouble.code}]"

    def baseline(self, wanted: str | None) -> Baseline | None:
        """`latest`, a report's id, `none`, or None for the pinned one. Raises `not-found` for an id that is not there."""
        if wanted is None:
            return self._pinned()
        if wanted == AGAINST_NONE:
            return None
        store = self._asked()
        if wanted == "latest":
            return self._of(store, self.reports[0]["id"]) if self.reports else None
        return self._of(store, wanted)

    def sampled_ids(self, report: str) -> Sequence[RowId]:
        """The ids of the rows that a report's sample held. Raises `not-found`."""
        held = self._asked().sample(report)
        try:
            ids = Ids(held["sample.id_high"], held["sample.id_low"], held["sample.integer"].astype(np.bool_))
        except KeyError:
            raise PlumblineError(
                "not-found",
                "The ids that this report's sample read are not kept.",
                where=report,
                hint="It read every row, or it is older than `store.keep_panels` allows.",
            ) from None
        return ids.take(range(len(ids)))

    def rows_of(self, report: str) -> int | None:
        """Rows of the collection at a report's time. Raises `not-found`."""
        rows = self._asked().whole(report, arrays=False).data.get("rows")
        return rows if isinstance(rows, int) else None

    def _pinned(self) -> Baseline | None:
        if self._store is None:
            return None
        try:
            pinned = self._store.baseline(self._address)
            return None if pinned is None else self._of(self._store, pinned.id)
        except PlumblineError:
            return None

    def _of(self, store: Store, report: str) -> Baseline:
        found = store.whole(report)
        return Baseline(found, found.arrays)

    def _asked(self) -> Store:
        if self.trouble is not None:
            raise self.trouble
        if self._store is None:
            raise PlumblineError("not-found", "There is no report yet.", where=self._address)
        return self._store


def of_another_place(report: Mapping[str, Any], address: Address, collection: str) -> bool:
    """Whether a report is of another collection (or tenant) than `address`, by whatever name that was reached.

    `collection`: the collection itself, which the address may name by an alias.
    """
    told = report.get("address")
    if told is None:
        return False
    try:
        of = parse_address(str(told))
    except PlumblineError:
        return str(told) != str(address.with_vector(report.get("vector")))
    if (of.connection, of.tenant) != (address.connection, address.tenant):
        return True
    return of.collection != address.collection and report.get("collection") != collection


def compared(
    report: Mapping[str, Any], address: Address, collection: str, fields: Sequence[VectorField]
) -> VectorField:
    """The one of `fields` that the report named by --baseline can be held against.

    That of its name; the only one, whatever its name, where the report is of another collection. Raises `usage`
    where there is none, or where it has another dimension there.
    """
    elsewhere = of_another_place(report, address, collection)
    name = report.get("vector")
    found = next((f for f in fields if f.name == name), None)
    if found is None and elsewhere and len(fields) == 1:
        found = fields[0]
    whose = readable(str(report.get("address")))
    if found is None:
        named = ", ".join(readable(address.with_vector(f.name)) for f in fields[:NAMED])
        raise PlumblineError(
            "usage",
            f"The baseline is a report of {whose}, of another vector field than is checked.",
            where=named,
            hint="`plumbline reports ADDRESS` lists a field's own; `--baseline latest` takes the newest of them.",
        )
    profile: Mapping[str, Any] = report.get("profile") or {}
    then = profile.get("dimension")
    if elsewhere and then and found.dimension and then != found.dimension:
        raise PlumblineError(
            "usage",
            f"The baseline is a report of {whose}, whose vectors have {then:,} dimensions; these have"
            f" {found.dimension:,}, so nothing can be compared.",
            where=readable(address.with_vector(found.name)),
        )
    return found


def past(ws: Workspace, address: Address) -> Past:
    """What the store holds of a vector field; never raises."""
    from console.store import Store

    try:
        store = Store.open(ws)
        return Past(store.light(address, HISTORY), None, store, str(address))
    except PlumblineError as fault:
        return Past((), fault, None, str(address))
