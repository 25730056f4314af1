"""Findings that somebody accepted in the settings: whose, for which group, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from console.settings import Address

if TYPE_CHECKING:
    from connectors.model import Description
    from console.health.findings import Finding
    from console.settings import Accepted


@dataclass(frozen=True, slots=True)
class Place:
    """The vector field that a report is about, with every name that its collection goes by."""

    connection: str
    collections: frozenset[str]
    tenant: str | None
    vector: str

    @classmethod
    def of(cls, address: Address, description: Description, vector: str) -> Place:
        names = {address.collection, description.target.collection, *description.aliases}
        if description.via_alias is not None:
            names.add(description.via_alias)
        return cls(address.connection, frozenset(names), address.tenant, vector)

    def within(self, accepted: Address) -> bool:
        """Whether an accepted address means this place; without tenant or vector it means every one."""
        return (
            accepted.connection == self.connection
            and accepted.collection in self.collections
            and accepted.tenant in (None, self.tenant)
            and accepted.vector in (None, self.vector)
        )


def acceptance(
    finding: Finding, accepted: Sequence[Accepted], place: Place, today: date
) -> tuple[Accepted | None, Accepted | None]:
    """The entry that accepts a finding today, and one that did until it expired. `until` is its last day."""
    expired: Accepted | None = None
    for one in accepted:
        if one.code != finding.code or not place.within(one.address) or not _same_group(finding, one.group):
            continue
        if one.until is None or today <= one.until:
            return one, None
        expired = expired or one
    return None, expired


def _same_group(finding: Finding, wanted: str | Mapping[str, Any] | None) -> bool:
    if wanted is None:
        return True
    group = finding.group
    if isinstance(wanted, str):
        held = {finding.key} if finding.key else set[str]()
        if group is not None:
            held |= {f"{group.field}={group.value}", str(group.value)}
        return wanted in held
    field, value = wanted["field"], wanted["value"]
    if group is not None and group.field == field and _equal(group.value, value):
        return True
    return finding.key == f"{field}={value}"


def _equal(left: Any, right: Any) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def to_json(one: Accepted) -> dict[str, Any]:
    group = one.group if isinstance(one.group, str) or one.group is None else dict(one.group)
    return {
        "reason": one.reason,
        "group": group,
        "until": None if one.until is None else one.until.isoformat(),
        "address": str(one.address),
    }
