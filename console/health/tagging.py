"""Version tags and other values in words, and those past the bound on values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.findings import Mask
from console.health.table import Codes
from console.health.values import OTHER, key_of

if TYPE_CHECKING:
    from console.health.evidence import Evidence

LONGEST: Final = 60
"""Characters of a tag in a sentence."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Values that share the code of the others: how many (`about`: estimated), and the heavy ones of them."""

    tags: int = 0
    about: bool = False
    heavy: tuple[dict[str, Any], ...] = ()
    """`tag` and bounds on its rows, `at_least` and `at_most`."""
    others: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`rows` of all of them, `tags` and bounds on how many these are."""


def hidden(evidence: Evidence, name: str, tags: Codes, used: Mask) -> Hidden:
    """Among the rows `used`. From the profile, which has fewer groups than the table has codes: all of these are among its others."""
    if tags.other is None:
        return Hidden()
    mine = tags.codes == tags.other
    rows, gone = int(np.count_nonzero(mine & used)), int(np.count_nonzero(mine & ~used))
    found = evidence.profile.others.get(name)
    if not rows or found is None:
        return Hidden(int(rows > 0), rows > 0, others={"rows": rows} if rows else {})
    named = {key_of(value) for value in tags.values}
    groups = evidence.profile.groups[name]
    apart = sum(v is not None and v is not OTHER for v in groups) - len(named)
    # Rows that are not used may hold a value each of its own, and as many values as rows are the most.
    low, many, high = (
        min(rows, max(1, apart + n)) for n in (found.at_least - gone, found.values, found.at_most)
    )
    heavy = [
        {"tag": line(h.name), "at_least": max(0, h.at_least - gone), "at_most": min(rows, h.at_most)}
        for h in found.heavy
        if h.cut or key_of(h.value) not in named
    ]
    others = {"rows": rows, "tags": many, "tags_at_least": low, "tags_at_most": high}
    return Hidden(many, low < high or gone > 0, tuple(h for h in heavy if h["at_least"]), others)


def told(tag: Mapping[str, Any]) -> str:
    """One tag and its rows, or the bounds on them."""
    low, high = (tag["rows"],) * 2 if "rows" in tag else (tag["at_least"], tag["at_most"])
    return f"{tag['tag']} on {low:,}" + (f" to {high:,}" if low < high else "")


def two_digits(number: int) -> int:
    """As precise as an estimate is told."""
    return round(number, 2 - len(str(number))) if number > 99 else number


def name(tags: Codes, code: int) -> str:
    if code == tags.other or code > len(tags.values):
        return "other tags"
    return line(str(tags.values[code - 1]))


def line(tag: str) -> str:
    """Printable, and short enough for a sentence."""
    text = "".join(c if c.isprintable() else "?" for c in tag)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
