"""`plumbline demo`, `up` and `store`."""

from __future__ import annotations

from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from connectors.errors import PlumblineError
from console.cli.context import Context
from console.cli.output import pairs
from console.settings import demo_store


def up(args: Namespace, context: Context) -> int:
    """Serve the console until it is stopped."""
    need("console", ("streamlit", "plotly"), "up")
    context.settings  # noqa: B018
    _serve(args, context)
    return 0


def _serve(args: Namespace, context: Context) -> None:
    from console.asgi import serve

    serve(args.host, args.port, config=context.config, secrets=context.secrets_file, say=context.out.note)


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
