"""Which encoder belongs to a vector field: pure, from what is already known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from connectors.errors import PlumblineError
from console.encoders.spec import EncoderSpec

KnownBy = Literal["explicit", "settings", "choice", "marker", "version-tag"]
MARKER_KEY: Final = "encoders"
"""In a collection's marker: vector field -> `{"name", "fingerprint"}`, or the name alone."""
DOMINANT: Final = 0.5


def belongs(
    specs: Mapping[str, EncoderSpec],
    *,
    field: str,
    explicit: str | None = None,
    settings: str | None = None,
    choice: str | None = None,
    marker: Mapping[str, Any] | None = None,
    versions: Mapping[str, float] | None = None,
    where: str = "",
) -> tuple[EncoderSpec | None, KnownBy | None]:
    """The encoder of the vector field `field` and how it is known; (None, None) where it is not.

    The first that answers counts: the name given with the call, the settings, the operator's choice, the
    collection's marker, then a version tag on more than half of the tagged rows which names exactly one encoder.
    A choice, a marker or a tag that names no configured encoder is passed over.

    Args:
        versions: version tag -> share of the tagged rows, or a count of rows.
    Raises:
        PlumblineError: `encoder-unknown` for an explicit or configured name that is not in `specs`.
    """
    named: tuple[tuple[str | None, KnownBy], ...] = ((explicit, "explicit"), (settings, "settings"))
    for name, known_by in named:
        if name is not None:
            if name not in specs:
                raise PlumblineError(
                    "encoder-unknown",
                    f"There is no encoder `{name}`.",
                    where=where,
                    hint=f"Configured are: {', '.join(sorted(specs))}.",
                )
            return specs[name], known_by
    if choice is not None and choice in specs:
        return specs[choice], "choice"
    marked = _marked(marker, field, specs)
    if marked is not None:
        return marked, "marker"
    tagged = _dominant(versions, specs)
    return (tagged, "version-tag") if tagged is not None else (None, None)


def resolve_tag(tag: str, specs: Mapping[str, EncoderSpec]) -> EncoderSpec | None:
    """The one encoder that a version tag names; None where none or several claim it.

    Several that are known to have one fingerprint are one encoder under several names: the first by name counts.
    """
    claiming = sorted((s for s in specs.values() if s.claims(tag)), key=lambda s: s.name)
    if not claiming:
        return None
    same = claiming[0].fingerprint is not None and len({s.fingerprint for s in claiming}) == 1
    return claiming[0] if len(claiming) == 1 or same else None


def marker_entry(name: str, fingerprint: str) -> dict[str, str]:
    """What a marker keeps for one vector field under `MARKER_KEY`."""
    return {"name": name, "fingerprint": fingerprint}


def _marked(
    marker: Mapping[str, Any] | None, field: str, specs: Mapping[str, EncoderSpec]
) -> EncoderSpec | None:
    held = (marker or {}).get(MARKER_KEY)
    entry = cast("Mapping[str, Any]", held).get(field) if isinstance(held, Mapping) else None
    if isinstance(entry, str):
        return resolve_tag(entry, specs)
    if not isinstance(entry, Mapping):
        return None
    said = cast("Mapping[str, Any]", entry)
    fingerprint, name = said.get("fingerprint"), said.get("name")
    if isinstance(fingerprint, str):
        by_print = [s for s in specs.values() if s.fingerprint == fingerprint]
        if len(by_print) == 1:
            return by_print[0]
        named = [s for s in by_print if s.name == name]
        if named:
            return named[0]
    spec = specs.get(name) if isinstance(name, str) else None
    contradicts = (
        spec and spec.fingerprint and isinstance(fingerprint, str) and spec.fingerprint != fingerprint
    )
    return None if contradicts else spec


def _dominant(versions: Mapping[str, float] | None, specs: Mapping[str, EncoderSpec]) -> EncoderSpec | None:
    total = sum((versions or {}).values())
    if not versions or total <= 0:
        return None
    tag = max(versions, key=lambda t: versions[t])
    return resolve_tag(tag, specs) if versions[tag] / total > DOMINANT else None
