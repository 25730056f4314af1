"""`plumbline demo`, `up` and `store`."""

from __future__ import annotations

from argparse import Namespace
from importlib.util import find_spec

from connectors.errors import PlumblineError
from console.cli.context import Context


def up(args: Namespace, context: Context) -> int:
    """Serve the console until it is stopped."""
    need("console", ("streamlit", "plotly"), "up")
    context.settings  # noqa: B018
    _serve(args, context)
    return 0


def _serve(args: Namespace, context: Context) -> None:
    from console.asgi import serve

    serve(args.host, args.port, config=context.config, secrets=context.secrets_file, say=context.out.note)


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
