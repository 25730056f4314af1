"""`plumbline demo`, `up` and `store`."""

from __future__ import annotations

import errno
import socket
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from connectors.errors import PlumblineError
from connectors.spec import ConnectionSpec
from console.cli.context import Context
from console.cli.output import flush, pairs, table
from console.settings import DEMO, Address, demo_spec, demo_store
from console.settings.choices import locked


def demo(args: Namespace, context: Context) -> int:
    """Make the demo's collections, or find them whole; then serve the console."""
    serving = not (args.no_serve or args.remove)
    if not args.remove:
        need("clip", ("torch", "open_clip", "PIL"), "demo")
    if serving:
        need("console", ("streamlit", "plotly"), "demo")
        free_port(args.host, args.port)
    spec = _demo_spec(args, context)
    with locked(context.settings.home / "demo.lock"):
        data = _removed(spec, context) if args.remove else _made(args, spec, context)
    data["url"] = None
    if not serving:
        context.out.show(data, lambda: _demo(data))
        return 0

    def opened(url: str) -> None:
        data["url"] = url
        context.out.show(data, lambda: _demo(data))
        flush()

    _serve(args, context, opened)
    return 0


def _demo_spec(args: Namespace, context: Context) -> ConnectionSpec:
    """Where the demo goes: the connection that was named or is configured as `demo`, else its own store."""
    if args.into is not None:
        return context.workspace.spec(args.into)
    settings = context.settings
    return settings.connections.get(DEMO) or demo_spec(settings.home)


def _made(args: Namespace, spec: ConnectionSpec, context: Context) -> dict[str, Any]:
    from connectors.registry import connect
    from console.demo.seed import make_demo

    connector = connect(spec)
    try:
        made = make_demo(
            connector,
            context.settings.home,
            reset=args.reset,
            say=context.out.progress,
            settings=context.settings,
        )
    finally:
        connector.close()
    return {
        "store": spec.path or spec.url,
        "collections": [
            {"address": str(Address(spec.name, c.name)), "rows": c.rows, "made": c.made}
            for c in made.collections
        ],
        "seconds": round(made.seconds, 3),
    }


def _removed(spec: ConnectionSpec, context: Context) -> dict[str, Any]:
    from connectors.registry import connect
    from console.demo.seed import remove_demo

    began = time.monotonic()
    connector = connect(spec)
    try:
        names = remove_demo(
            connector, context.settings.home, say=context.out.progress, settings=context.settings
        )
    finally:
        connector.close()
    return {
        "store": spec.path or spec.url,
        "collections": [],
        "removed": [str(Address(spec.name, name)) for name in names],
        "seconds": round(time.monotonic() - began, 3),
    }


def _demo(data: dict[str, Any]) -> Iterator[str]:
    if "removed" in data:
        yield from (f"Removed {address}" for address in data["removed"])
        if not data["removed"]:
            yield "There was nothing to remove."
        return
    rows = [(c["address"], c["rows"], "made" if c["made"] else "was there") for c in data["collections"]]
    yield from table(("Address", "Rows", ""), rows)
    yield ""
    yield f"Took {data['seconds']:.1f} s. Try: plumbline query {rows[0][0]} --text 'a red circle'"


def up(args: Namespace, context: Context) -> int:
    """Serve the console until it is stopped."""
    need("console", ("streamlit", "plotly"), "up")
    free_port(args.host, args.port)
    context.settings  # noqa: B018

    def opened(url: str) -> None:
        if context.out.json:
            context.out.show({"url": url}, list)
            flush()

    _serve(args, context, opened)
    return 0


def _serve(args: Namespace, context: Context, opened: Callable[[str], None] | None = None) -> None:
    from console.asgi import serve

    serve(
        args.host,
        args.port,
        config=context.config,
        secrets=context.secrets_file,
        say=context.out.note,
        opened=opened,
    )


def free_port(host: str, port: int) -> None:
    """Raises `port-taken` before anything slow is begun; `serve` finds every other fault of an address."""
    try:
        family, kind, proto, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(place)
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            from console.ui.serving import port_taken

            raise port_taken(host, port) from None


def store(args: Namespace, context: Context) -> int:
    """Be the host of an embedded store until it is stopped; `state` shows it, `stop` ends the one that is there."""
    from connectors.qdrant import host

    if not 0 <= args.idle < float("inf"):
        raise PlumblineError("usage", "It must be a number of seconds, 0 or more.", where="--idle")
    folder = _store_folder(args, context)
    data: dict[str, Any] = {"store": str(folder)}
    if args.action == "run":
        context.out.note(f"The host of {folder}; stop it with Ctrl+C.")
        code = host.serve(folder, args.idle)
        if code:
            raise PlumblineError("internal", f"The host ended with {code}.", where=str(folder))
        data["state"] = "stopped"
    elif args.action == "stop":
        data["was_running"] = host.stop(folder)
        data["state"] = "stopped"
    else:
        found = host.status(folder)
        endpoint = found.endpoint
        data["state"] = found.state
        data["address"] = f"{endpoint.host}:{endpoint.port}" if endpoint is not None else None
        data["pid"] = endpoint.pid if endpoint is not None else None
    context.out.show(data, lambda: pairs((k.replace("_", " ").capitalize(), v) for k, v in _table(data)))
    return 0


def _table(data: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(k, str(v) if k == "pid" and v is not None else v) for k, v in data.items()]


def _store_folder(args: Namespace, context: Context) -> Path:
    settings = context.settings
    if args.path is not None:
        return Path(args.path).expanduser().absolute()
    if args.connection is None:
        return demo_store(settings.home)
    spec = context.workspace.spec(args.connection)
    if spec.path is None:
        raise PlumblineError(
            "usage", f"`{spec.name}` is no embedded store.", where="--connection", hint="It has a `url`."
        )
    return Path(spec.path)


def need(extra: str, modules: tuple[str, ...], command: str) -> None:
    """Raises `extra-missing` where a module of an extra is not installed."""
    for module in modules:
        if find_spec(module) is None:
            raise PlumblineError(
                "extra-missing",
                f"`plumbline {command}` needs the extra `{extra}` ({module} is not installed).",
                where=command,
                hint=f"pip install 'plumbline[{extra}]'",
            )
