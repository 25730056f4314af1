"""The console as an ASGI application: `plumbline up`, `streamlit run console/asgi.py`, or uvicorn.

No state lives here: `streamlit run` imports this file as `asgi`, beside `console.asgi`.
"""

from __future__ import annotations

import errno
import gc
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

_HOUSE = Path(__file__).resolve().parent.parent
if str(_HOUSE) not in sys.path:
    sys.path.insert(0, str(_HOUSE))

import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import JSONResponse, Response  # noqa: E402
from starlette.routing import Route  # noqa: E402
from streamlit import file_util  # noqa: E402

from connectors.errors import PlumblineError  # noqa: E402
from console.ui import serving  # noqa: E402
from console.ui.door import Door, Doorman, is_loopback, policy  # noqa: E402

PORT = 8501


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncGenerator[dict[str, Any] | None]:
    """What is imported by now never becomes garbage: full collections pass over it."""
    gc.collect()
    gc.freeze()
    yield None
    from console.ui import session

    session.close()


async def healthz(_request: Request) -> JSONResponse:
    """Whether the console answers; says nothing of the databases."""
    return JSONResponse({"status": "ok"})


def metrics(_request: Request) -> Response:
    """What the last checks found; runs in a thread, since the store may be another machine."""
    from console.ui.metrics import CONTENT_TYPE, exposition

    return Response(exposition(), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})


def _doorman() -> Doorman:
    return Doorman(serving.bound_host(), serving.known_names())


app = st.App(
    _HOUSE / "console" / "app.py",
    lifespan=lifespan,
    routes=[Route("/healthz", healthz), Route("/metrics", metrics, methods=["GET"])],
    middleware=[
        Middleware(Door, doorman=_doorman, csp=policy(Path(file_util.get_static_dir()) / "index.html"))
    ],
)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `port-taken`, or `usage` where the address is not this machine's."""
    try:
        family, kind, proto, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        held = socket.socket(family, kind, proto)
    except (OSError, UnicodeError, OverflowError) as fault:
        raise PlumblineError(
            "usage", f"{host}:{port} is not an address to bind to ({fault}).", where="up"
        ) from None
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(place)
        held.listen(2048)
    except OSError as fault:
        held.close()
        raise _not_bound(host, port, fault) from None
    held.set_inheritable(True)
    return held


def _not_bound(host: str, port: int, fault: OSError) -> PlumblineError:
    if fault.errno == errno.EADDRINUSE:
        return serving.port_taken(host, port)
    if fault.errno == errno.EACCES:
        return PlumblineError(
            "port-taken",
            f"Port {port} may not be used by this user.",
            where=f"{host}:{port}",
            hint="Choose a port above 1023 with --port.",
        )
    return PlumblineError(
        "usage",
        f"{host} is not an address of this machine ({fault.strerror}).",
        where="up",
        hint="Take 127.0.0.1, or an address that this machine has.",
    )


def serve(
    host: str = "127.0.0.1",
    port: int = PORT,
    *,
    config: str | None = None,
    secrets: str | None = None,
    say: Callable[[str], None] | None = None,
    opened: Callable[[str], None] | None = None,
) -> None:
    """Serve the console until it is stopped by a signal. Port 0 takes a free one.

    `config` and `secrets` are the settings files that `--config` and `--secrets` named. `say` gets each
    line for the operator (default: standard error); `opened` gets the URL once the port is bound.
    Raises `port-taken`, `usage`.
    """
    import uvicorn
    from streamlit.web import bootstrap

    tell = say or _to_stderr
    held = bind(host, port)
    with held:
        real = int(held.getsockname()[1])
        shown = f"[{host}]" if ":" in host else host
        if host in ("0.0.0.0", "::"):  # noqa: S104
            shown = "localhost"
        url = f"http://{shown}:{real}"
        serving.SERVING.host, serving.SERVING.config, serving.SERVING.secrets = host, config, secrets
        over = {"server.address": host, "server.port": real}
        bootstrap.load_config_options({**serving.options(), **over})
        tell(f"Plumbline is at {url} (stop it with Ctrl+C).")
        if not is_loopback(host):
            tell(
                f"It is bound to {host}, where other machines can reach it, and has no log-in: read-only. "
                "Databases, settings and choices of encoders can't be changed from it."
            )
        if opened is not None:
            opened(url)
        settings = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=3,
        )
        uvicorn.Server(settings).run(sockets=[held])


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    serve()
