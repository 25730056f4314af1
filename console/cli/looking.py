"""`plumbline connections`, `collections` and `describe`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from connectors.errors import PlumblineError
from console import catalogue
from console.catalogue import ConnectionState, Described, Listed
from console.cli.context import Context
from console.cli.output import pairs, printable, sentence, shown, table
from console.settings import Address, readable

_NONE = "No connection is configured. `plumbline demo` makes one; see `plumbline settings` for your own."


def connections(args: Namespace, context: Context) -> int:
    """Every connection, asked at the same time. Exit 2 where there are some and none answered."""
    words: list[str] = args.action
    if words and (words[0] != "test" or len(words) != 2):
        raise PlumblineError(
            "usage",
            "It is `plumbline connections`, or `plumbline connections test NAME`.",
            where="connections",
        )
    ws = context.workspace
    found = (catalogue.connection(ws, words[1]),) if words else catalogue.connections(ws)
    data: dict[str, Any] = {"connections": [c.to_json() for c in found]}
    failed = bool(found) and all(c.error is not None for c in found)
    if failed:
        data["error"] = _first([c.error for c in found])

    def lines() -> Iterator[str]:
        if not found:
            yield _NONE
            return
        yield from table(
            ("Connection", "Kind", "State", "Version", "ms", "Remark"),
            [_connection(c) for c in found],
        )
        if words:
            yield ""
            yield from _capabilities(found[0])
        yield from _faults((c.name, c.error) for c in found)

    context.out.show(data, lines)
    return 2 if failed else 0


def _connection(c: ConnectionState) -> tuple[Any, ...]:
    s = c.server
    if s is None:
        return (c.name, c.kind, c.state, None, None, (c.error or {}).get("code", ""))
    remark = "; ".join(("embedded" if s.embedded else s.transport, *s.notes))
    return (c.name, c.kind, c.state, s.version, round(s.latency_ms, 1), remark)


def _capabilities(c: ConnectionState) -> list[str]:
    if c.capabilities is None:
        return []
    return capability_lines(c.capabilities.to_json())


def capability_lines(held: Mapping[str, Any]) -> list[str]:
    def said(value: Any) -> str:
        if not isinstance(value, Mapping):
            return shown(value)
        one = cast("Mapping[str, Any]", value)
        word = {True: "yes", False: "no", None: "not known"}[one["supported"]]
        return f"{word}: {one['why']}" if one["why"] else word

    return pairs((name.replace("_", " "), said(value)) for name, value in held.items())


def collections(args: Namespace, context: Context) -> int:
    """The collections of one connection, or of all. Exit 2 where none answered."""
    found = catalogue.collections(context.workspace, args.connection)
    data: dict[str, Any] = {"collections": [c.to_json() for c in found]}
    asked = {args.connection} if args.connection else set(context.settings.connections)
    failed = bool(asked) and asked <= {c.connection for c in found if c.summary is None}
    if failed:
        data["error"] = _first([c.error for c in found])

    def lines() -> Iterator[str]:
        if not context.settings.connections:
            yield _NONE
            return
        held = [c for c in found if c.summary is not None]
        if held:
            yield from table(
                ("Address", "Rows", "Vectors", "Aliases"), [_collection(c) for c in held], whole=[0]
            )
        elif not failed:
            yield "There are no collections."
        yield from _faults(
            (
                c.connection if c.summary is None else str(Address(c.connection, c.summary.name)),
                c.error if c.summary is None else c.summary.error,
            )
            for c in found
        )

    context.out.show(data, lines)
    return 2 if failed else 0


def _collection(c: Listed) -> tuple[Any, ...]:
    assert c.summary is not None
    vectors = ", ".join(
        f"{f.name}{' ' if f.name else ''}{f.dimension if f.dimension is not None else f.kind}"
        f"{f' {f.metric}' if f.metric else ''}"
        for f in c.summary.vectors
    )
    address = str(Address(c.connection, c.summary.name))
    return (address, c.summary.rows, vectors or "none", ", ".join(c.summary.aliases) or None)


def describe(args: Namespace, context: Context) -> int:
    """One collection in full."""
    ws = context.workspace
    found = catalogue.describe(ws, ws.address(args.address))
    context.out.show(found.to_json(), lambda: _described(found))
    return 0


def _described(found: Described) -> Iterator[str]:
    d, state = found.description, found.index_state
    alias = f"{d.via_alias} -> {d.target.collection}" if d.via_alias else ", ".join(d.aliases) or None
    yield from pairs(
        [
            ("Address", readable(found.address)),
            ("Kind", found.kind),
            ("Rows", d.rows),
            ("Index", f"{state.status}{f': {state.why}' if state.why else ''}"),
            ("Aliases", alias),
            ("Version field", found.version_field),
        ]
    )
    yield ""
    data = found.to_json()
    yield from table(
        ("Vector", "Dimension", "Metric", "Storage", "Quantization", "Encoder"),
        [_vector(v) for v in data["vectors"]],
    )
    if d.payload:
        yield ""
        yield from table(("Payload", "Type", "Indexed"), [(p.name, p.type, p.indexed) for p in d.payload])
    if d.tenants is not None:
        yield ""
        yield from table(("Tenant", "State", "Rows"), [(t.name, t.state, t.rows) for t in d.tenants])
    yield ""
    yield from capability_lines(found.capabilities.to_json())
    for note in found.notes:
        yield ""
        yield printable(note)


def _vector(v: Mapping[str, Any]) -> tuple[Any, ...]:
    encoder = v["encoder"]
    known = f"{encoder['name']} (by {encoder['known_by']})" if encoder else "not known"
    quantization = v["quantization"]
    return (
        v["name"] or "(unnamed)",
        v["dimension"] if v["dimension"] is not None else v["kind"],
        v["metric"],
        v["storage"],
        ", ".join(quantization) if quantization else "none",
        known,
    )


def _first(errors: Sequence[Mapping[str, str] | None]) -> dict[str, str]:
    return dict(next(e for e in errors if e is not None))


def _faults(places: Any) -> Iterator[str]:
    for name, error in places:
        if error is not None:
            yield ""
            yield sentence(error, name)
