"""Which encoder is at work, and whether it is in memory. Looking never loads one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from console.catalogue import EncoderKnown
from console.encoders import EncoderSpec, shared
from console.settings import Address
from console.ui import session, words
from console.ui.note import note

_SAID: Final = {
    "absent": "not loaded yet; the first query loads it",
    "loading": "loading",
    "ready": "in memory",
    "failed": "failed to load",
}
SHORT: Final = 12


def line(known: Sequence[tuple[Address, EncoderKnown]], explicit: str | None) -> None:
    """One quiet line: each encoder that a query would use, its fingerprint, and its state."""
    specs = session.workspace().encoder_specs()
    lines: list[str] = []
    names = list(dict.fromkeys([explicit] if explicit else [encoder.name for _, encoder in known]))
    if not names:
        lines.append("No encoder is known yet for what is chosen; it is looked for when a query is sent.")
    for name in names:
        spec = specs.get(name)
        if spec is None:
            lines.append(f"Encoder {name}: not configured.")
            continue
        how = next(
            (words.known_by(e.known_by) for _, e in known if e.name == name and not explicit), "this query"
        )
        lines.append(f"Encoder {name}, {fingerprint(spec.fingerprint)}, known by {how}: {state(spec)}.")
    note(lines, key="query.encoder")


def to_load(known: Sequence[tuple[Address, EncoderKnown]], explicit: str | None) -> list[str]:
    """Names of the encoders that a query has to load first."""
    specs = session.workspace().encoder_specs()
    names = dict.fromkeys([explicit] if explicit else [encoder.name for _, encoder in known])
    return [n for n in names if n in specs and shared().state(specs[n]).state != "ready"]


def state(spec: EncoderSpec) -> str:
    held = shared().state(spec)
    said = _SAID[held.state]
    if held.why is not None:
        return f"{said}: {held.why.message}"
    if held.state == "ready" and held.seconds is not None:
        return f"{said}, loaded in {words.milliseconds(held.seconds * 1000)}"
    return said


def fingerprint(value: str | None) -> str:
    """The fingerprint's beginning: enough to compare by eye. The whole one is in the details."""
    return f"fingerprint {value[:SHORT]}" if value else "fingerprint not known before it is loaded"
