"""Which versions the new side's rows are of: counted on every row that the id sets were read from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.compare.gate.evidence import Versions
from console.health.accepting import Place
from console.health.mixing import main_tag, main_tags
from console.health.policy import policy

if TYPE_CHECKING:
    from console.compare.gate.gather.ids import Tags
    from console.compare.gate.gather.sides import Side
    from console.workspace import Workspace


def versions(ws: Workspace, side: Side, field: str, tags: Tags, encoder: str | None) -> Versions:
    """`encoder`: the name of the side's encoder, where it is known: of two tags of as many rows, its own is the main one."""
    rows: dict[str, dict[str, int]] = {}
    for (modality, tag), count in sorted(tags.items(), key=lambda item: str(item[0])):
        if tag is not None:
            rows.setdefault(modality, {})[tag] = count
    untagged = sum(count for (_, tag), count in tags.items() if tag is None)
    return Versions(field, rows, untagged, _main(ws, rows, encoder), _accepted(ws, side))


def _main(ws: Workspace, rows: Mapping[str, Mapping[str, int]], encoder: str | None) -> Mapping[str, str]:
    """By the rule of the finding; rows without a modality are held to the main tag of all."""
    every = sum((Counter(held) for held in rows.values()), Counter[str]())
    if not every:
        return {}

    def main(held: Mapping[str, int]) -> str:
        return main_tag(held, str, encoder)

    by_design = policy(ws.settings.policy).get("version-mix", "by_design")
    modalities = {modality: held for modality, held in rows.items() if modality}
    return {"": main(every), **main_tags(every, modalities, by_design, main)}


def shares(tags: Tags) -> Mapping[str, float]:
    """Rows of each tag, as the choice of an encoder takes them."""
    out: dict[str, float] = {}
    for (_, tag), count in tags.items():
        if tag is not None:
            out[tag] = out.get(tag, 0.0) + count
    return out


def _accepted(ws: Workspace, side: Side) -> str:
    """The reason with which the settings accept a mix of all rows today, else ""."""
    today = datetime.now(UTC).date()
    place = Place.of(side.address, side.description, side.field.name)
    for one in ws.settings.accepted:
        means = one.code == "version-mix" and one.group is None and place.within(one.address)
        if means and (one.until is None or today <= one.until):
            return one.reason
    return ""
