"""Connections, from `.streamlit/secrets.toml` and from the environment, which wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from connectors.errors import PlumblineError
from connectors.spec import ConnectionSpec
from console.settings import schema
from console.settings.address import CONNECTION_NAME
from console.settings.document import Document
from console.settings.model import DEMO, demo_mark, demo_spec
from console.settings.reading import Ledger, refusal, section, table
from console.settings.values import Wrong, from_environment

_PLACES: Final = ("url", "path", "snapshot")
_NAME_RULE: Final = (
    "A name is lower-case letters, digits and single underscores, and begins with a letter: my_server."
)


@dataclass(frozen=True, slots=True, repr=False)
class Variable:
    """One key of a connection that an environment variable sets. Without a repr: it may be secret."""

    variable: str
    key: str
    value: Any


def read(
    doc: Document | None, environ: Mapping[str, str], cwd: Path, home: Path, ledger: Ledger
) -> dict[str, ConnectionSpec]:
    """Every connection by its name, in the order of names. Raises `settings`."""
    variables = _variables(environ, cwd)
    written: dict[str, Any] = {}
    if doc is not None and "connections" in doc.data:
        written = table(doc, ("connections",), doc.data["connections"])
    found: dict[str, ConnectionSpec] = {}
    for name, held in written.items():
        trail = ("connections", name)
        over = variables.pop(name, {})
        mine = isinstance(held, dict) and ("kind" in held or "kind" in over)
        if doc is None or not mine:
            ledger.notes.append(_skipped(doc, name, held))
            if over:
                first = next(iter(over.values()))
                raise _no_kind(first.variable, name, ())
            continue
        if not CONNECTION_NAME.fullmatch(name):
            raise refusal(doc, trail, "is not a name for a connection", _NAME_RULE)
        own = {k: v for k, v in cast("dict[str, Any]", held).items() if k not in over}
        keys = {k: _optional(v) for k, v in schema.CONNECTION.items()}
        values = section(doc, trail, own, keys, ledger)
        found[name] = _spec(name, values, over, doc.at(trail), ledger)
    for name, over in variables.items():
        first = next(iter(over.values()))
        if not CONNECTION_NAME.fullmatch(name):
            raise PlumblineError(
                "settings", "The connection's name can't be used.", where=first.variable, hint=_NAME_RULE
            )
        if "kind" not in over:
            raise _no_kind(first.variable, name, found)
        found[name] = _spec(name, {}, over, first.variable, ledger)
    if DEMO not in found and demo_mark(home).is_file():
        found[DEMO] = demo_spec(home)
        trail = ("connections", DEMO)
        ledger.put((*trail, "kind"), "qdrant", "built in", schema.CONNECTION["kind"])
        ledger.put((*trail, "path"), found[DEMO].path, "built in", schema.CONNECTION["path"])
        ledger.defaults(trail, schema.CONNECTION, ("kind", "path"))
    return dict(sorted(found.items()))


def _optional(key: schema.Key) -> schema.Key:
    return schema.Key(key.check, key.default, key.secret, key.used)


def _spec(
    name: str, values: dict[str, Any], over: dict[str, Variable], where: str, ledger: Ledger
) -> ConnectionSpec:
    trail = ("connections", name)
    for key, variable in over.items():
        values[key] = variable.value
        ledger.put((*trail, key), variable.value, variable.variable, schema.CONNECTION[key])
    ledger.defaults(trail, schema.CONNECTION, values)
    places = [p for p in _PLACES if p in values]
    if len(places) > 1:
        raise PlumblineError(
            "settings",
            f"`connections.{name}` has both `{places[0]}` and `{places[1]}`.",
            where=where,
            hint="A server has a `url`, an embedded store a `path`, a snapshot file a `snapshot`.",
        )
    if not places:
        needed = "`url`" if values["kind"] == "weaviate" else "`url` (or `path`, for an embedded store)"
        raise PlumblineError("settings", f"`connections.{name}` lacks {needed}.", where=where)
    if values["kind"] == "weaviate" and places[0] != "url":
        raise PlumblineError(
            "settings", f"`connections.{name}.{places[0]}` is for kind qdrant only.", where=where
        )
    if places[0] != "url":
        for key in ("grpc_host", "grpc_port", "api_key", "headers", "ca_file"):
            if key in values:
                raise PlumblineError(
                    "settings",
                    f"`connections.{name}` has `{places[0]}` and therefore no use for `{key}`.",
                    where=where,
                )
    return ConnectionSpec(name=name, **values)


def _variables(environ: Mapping[str, str], cwd: Path) -> dict[str, dict[str, Variable]]:
    found: dict[str, dict[str, Variable]] = {}
    for variable in sorted(environ):
        if not variable.startswith(schema.CONNECTION_VARIABLE) or environ[variable] == "":
            continue
        name, key = _split(variable)
        held = found.setdefault(name, {})
        if key in held:
            raise PlumblineError("settings", f"It sets the same as {held[key].variable}.", where=variable)
        check = schema.CONNECTION[key].check
        try:
            value = check(from_environment(environ[variable], check), cwd)
        except Wrong as fault:
            raise PlumblineError(
                "settings", f"`{variable}` {fault.why}.", where=variable, hint=fault.hint
            ) from None
        held[key] = Variable(variable, key, value)
    return found


def _split(variable: str) -> tuple[str, str]:
    """`PLUMBLINE_CONNECTIONS__PROD__API_KEY` -> ("prod", "api_key")."""
    rest = variable.removeprefix(schema.CONNECTION_VARIABLE).lower()
    for key in schema.CONNECTION:
        if rest.endswith(f"__{key}") and len(rest) > len(key) + 2:
            return rest[: -len(key) - 2], key
    name, _, key = rest.rpartition("__")
    if not name:
        raise PlumblineError(
            "settings",
            f"`{variable}` names no setting of a connection.",
            where=variable,
            hint=f"It reads {schema.CONNECTION_VARIABLE}NAME__KEY, for example __URL.",
        )
    hint = schema.nearest(key, schema.CONNECTION)
    raise PlumblineError("settings", f"`{variable}` is not a setting.", where=variable, hint=hint)


def _no_kind(variable: str, name: str, known: Mapping[str, Any] | tuple[()]) -> PlumblineError:
    hint = f"Set {schema.CONNECTION_VARIABLE}{name.upper()}__KIND to qdrant or weaviate."
    if known:
        hint = f"{schema.nearest(name, known)} Else: {hint[0].lower()}{hint[1:]}"
    return PlumblineError(
        "settings",
        f"`{variable}` is for a connection `{name}` that has no `kind`.",
        where=variable,
        hint=hint,
    )


def _skipped(doc: Document | None, name: str, held: Any) -> str:
    where = doc.at(("connections", name)) if doc is not None else "environment"
    hint = ""
    if isinstance(held, dict):
        close = [k for k in cast("dict[str, Any]", held) if schema.nearest(k, ("kind",)).startswith("Did")]
        hint = f" Did you mean `kind` by `{close[0]}`?" if close else ""
    return f"{where}: connections.{name} has no `kind`: it is not Plumbline's and was skipped.{hint}"
