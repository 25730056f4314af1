"""The sections of plumbline.toml, and the two of secrets.toml that are Plumbline's besides connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from connectors.errors import PlumblineError
from console.settings import schema, values
from console.settings.address import Address, parse_address
from console.settings.document import Document
from console.settings.gate import CONDITIONS, GateSettings
from console.settings.model import (
    Accepted,
    CollectionSettings,
    EncoderSettings,
    ImageLimits,
    ImageSettings,
    Retention,
)
from console.settings.reading import Ledger, refusal, section, table

BUILT_IN_ENCODERS: Final = ("scenes-v1", "scenes-v2")
_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Plain:
    """What plumbline.toml says."""

    encoders: Mapping[str, EncoderSettings]
    collections: Mapping[Address, CollectionSettings]
    images: ImageSettings
    policy: Mapping[str, Mapping[str, Any]]
    accepted: tuple[Accepted, ...]
    gate: GateSettings
    retention: Retention


def read(doc: Document | None, ledger: Ledger) -> Plain:
    """Raises `settings` at the first thing that is wrong."""
    data = doc.data if doc is not None else {}
    if doc is not None:
        for name in data:
            if name == "connections":
                raise refusal(
                    doc, (name,), "does not belong in this file", "Connections go in .streamlit/secrets.toml."
                )
            if name not in schema.PLAIN_SECTIONS:
                raise refusal(doc, (name,), "is not a setting", schema.nearest(name, schema.PLAIN_SECTIONS))
    encoders = _encoders(doc, ledger)
    return Plain(
        encoders,
        _collections(doc, encoders, ledger),
        _images(doc, ledger),
        _policy(doc, ledger),
        _accepted(doc, ledger),
        _gate(doc, ledger),
        _retention(doc, ledger),
    )


def url(
    doc: Document | None,
    secrets: Document | None,
    environ: Mapping[str, str],
    trail: tuple[str, str],
    ledger: Ledger,
) -> str | None:
    """`store.url` or `jobs.database_url`: from the environment, secrets.toml or plumbline.toml."""
    keys = schema.SECTIONS[trail[0]]
    key = keys[trail[1]]
    variable = f"PLUMBLINE_{trail[0].upper()}__{trail[1].upper()}"
    in_the_open = replace(key, check=values.database_url_in_the_open, secret=False)
    quiet = Ledger()
    found: list[tuple[str, str, schema.Key]] = []
    for source, how in ((doc, in_the_open), (secrets, key)):
        if source is not None and trail[0] in source.data:
            others = {k: v for k, v in keys.items() if k != trail[1]} if source is doc else {}
            held = section(source, (trail[0],), source.data[trail[0]], {trail[1]: how, **others}, quiet)
            if trail[1] in held:
                found.append((held[trail[1]], source.at(trail), how))
    if environ.get(variable):
        try:
            found.append((key.check(environ[variable], Path()), variable, key))
        except values.Wrong as fault:
            raise PlumblineError(
                "settings", f"`{variable}` {fault.why}.", where=variable, hint=fault.hint
            ) from None
    if not found:
        return None
    ledger.put(trail, *found[-1])
    return found[-1][0]


def _sections(doc: Document | None, name: str) -> Iterable[tuple[str, Any]]:
    return table(doc, (name,), doc.data[name]).items() if doc is not None and name in doc.data else ()


def _encoders(doc: Document | None, ledger: Ledger) -> dict[str, EncoderSettings]:
    found: dict[str, EncoderSettings] = {}
    for name, held in _sections(doc, "encoders"):
        assert doc is not None
        trail = ("encoders", name)
        if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise refusal(doc, trail, "is not a name for an encoder")
        keys = schema.ENCODER
        if name in BUILT_IN_ENCODERS:
            keys = {k: keys[k] for k in ("device", "tags")}
        read = section(doc, trail, held, keys, ledger)
        ledger.defaults(trail, keys, read)
        found[name] = EncoderSettings(name=name, **read)
    return found


def _collections(
    doc: Document | None, encoders: Mapping[str, EncoderSettings], ledger: Ledger
) -> dict[Address, CollectionSettings]:
    found: dict[Address, CollectionSettings] = {}
    known = (*encoders, *(n for n in BUILT_IN_ENCODERS if n not in encoders))
    for name, held in _sections(doc, "collections"):
        assert doc is not None
        trail = ("collections", name)
        address = _address(doc, trail, name)
        if address.tenant is not None:
            raise refusal(doc, trail, "names a tenant; settings are for the whole collection")
        if address in found:
            raise refusal(doc, trail, "stands in the file twice, spelled differently")
        read = section(doc, trail, held, schema.COLLECTION, ledger)
        if "encoder" in read and read["encoder"] not in known:
            raise refusal(
                doc,
                (*trail, "encoder"),
                "names an encoder that is not configured",
                schema.nearest(read["encoder"], known),
            )
        found[address] = CollectionSettings(**read)
    return found


def _address(doc: Document, trail: tuple[str, ...], text: str) -> Address:
    try:
        return parse_address(text)
    except PlumblineError as fault:
        raise refusal(doc, trail, "is not an address", f"{fault.message} {fault.hint}") from None


def _images(doc: Document | None, ledger: Ledger) -> ImageSettings:
    held = dict(_sections(doc, "images"))
    limits: dict[str, Any] = {}
    found: dict[str, Any] = {}
    if doc is not None:
        if "limits" in held:
            limits = section(doc, ("images", "limits"), held.pop("limits"), schema.LIMITS, ledger)
        unknown = [k for k in held if k not in schema.IMAGES]
        if unknown:
            hint = schema.nearest(unknown[0], (*schema.IMAGES, "limits"))
            raise refusal(doc, ("images", unknown[0]), "is not a setting", hint)
        found = section(doc, ("images",), held, schema.IMAGES, ledger)
    ledger.defaults(("images",), schema.IMAGES, found)
    ledger.defaults(("images", "limits"), schema.LIMITS, limits)
    return ImageSettings(found.get("roots", ()), found.get("hosts", ()), ImageLimits(**limits))


def _policy(doc: Document | None, ledger: Ledger) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    severity = schema.SECTIONS["policy.CODE"]["severity"]
    for code, held in _sections(doc, "policy"):
        assert doc is not None
        trail = ("policy", code)
        _finding(doc, trail, code)
        keys = {
            name: severity if name == "severity" else schema.Key(_threshold)
            for name in table(doc, trail, held)
        }
        found[code] = section(doc, trail, held, keys, ledger)
    return found


def _retention(doc: Document | None, ledger: Ledger) -> Retention:
    there = dict(_sections(doc, "store"))
    found: dict[str, Any] = {}
    if doc is not None:
        own = {k: v for k, v in there.items() if k in schema.RETENTION}
        found = section(doc, ("store",), own, schema.RETENTION, ledger)
    ledger.defaults(("store",), schema.RETENTION, found)
    return Retention(**found)


def _accepted(doc: Document | None, ledger: Ledger) -> tuple[Accepted, ...]:
    if doc is None or "accepted" not in doc.data:
        return ()
    listed = doc.data["accepted"]
    if not isinstance(listed, list):
        raise refusal(doc, ("accepted",), "must be a list of sections", "Write each as [[accepted]].")
    found: list[Accepted] = []
    for i, held in enumerate(cast("list[Any]", listed)):
        trail = ("accepted", str(i))
        keys = schema.ACCEPTED
        if isinstance(held, dict) and isinstance(cast("dict[str, Any]", held).get("group"), dict):
            keys = {**keys, "group": schema.Key(_group)}
        read = section(doc, trail, held, keys, ledger)
        _finding(doc, (*trail, "code"), read["code"])
        read["address"] = _address(doc, (*trail, "address"), read["address"])
        found.append(Accepted(**read))
    return tuple(found)


def _finding(doc: Document, trail: tuple[str, ...], code: str) -> None:
    if code not in schema.FINDINGS:
        close = schema.nearest(code, schema.FINDINGS)
        hint = close if close.startswith("Did") else "See the list of findings in the documentation."
        raise refusal(doc, trail, "is not the code of a finding", hint)


def _gate(doc: Document | None, ledger: Ledger) -> GateSettings:
    limits: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    there = dict(_sections(doc, "gate"))
    for name, held in there.items():
        assert doc is not None
        trail = ("gate", name)
        if name not in CONDITIONS:
            raise refusal(doc, trail, "is not a condition of the gate", schema.nearest(name, CONDITIONS))
        if isinstance(held, bool):
            ledger.put(trail, held, doc.at(trail), schema.Key(values.flag))
            left_out += [] if held else [name]
        elif isinstance(held, dict):
            limits[name] = section(doc, trail, held, _limits(name), ledger)
        else:
            raise refusal(
                doc, trail, "must be true, false or a section", f"Its limits stand in [gate.{name}]."
            )
    for name in CONDITIONS:
        if name not in left_out:
            ledger.defaults(("gate", name), _limits(name), limits.get(name, ()))
    return GateSettings(limits, tuple(n for n in there if n not in left_out), tuple(left_out))


def _limits(condition: str) -> schema.Keys:
    """The keys of one condition."""
    own = f"{condition}."
    return {name.removeprefix(own): key for name, key in schema.GATE.items() if name.startswith(own)}


def _threshold(value: Any, _folder: Path) -> float | bool:
    if not isinstance(value, (int, float)) or value != value:
        raise values.Wrong("must be a number, or true or false")
    return value


def _group(value: Any, folder: Path) -> dict[str, Any]:
    held = cast("dict[str, Any]", value)
    if set(held) != {"field", "value"} or not isinstance(held["value"], (str, int, float, bool)):
        raise values.Wrong("must be text, or a table of `field` and `value`")
    return {"field": values.text(held["field"], folder), "value": held["value"]}
