"""Who may speak to the console: pure ASGI, before Streamlit sees a request.

A foreign web page must not play the local operator. Two ways in are closed here, for HTTP and for
WebSocket: DNS rebinding (Host is a name of theirs) and a page on another port of this machine (Origin
is not Host). Streamlit 1.67 takes both, and asks an outside service for this machine's address when
an Origin does not fit.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES: Final = frozenset({"localhost"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), usb=(), payment=(), display-capture=()",
    ),
)
_OURS: Final = frozenset(
    {name for name, _ in _HEADERS} | {b"content-security-policy", b"access-control-allow-origin"}
)


def policy(index: Path) -> str:
    """The Content-Security-Policy for Streamlit's page: its inline scripts by their hashes, no others."""
    hashes = " ".join(f"'sha256-{digest}'" for digest in inline_hashes(index.read_text(encoding="utf-8")))
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {hashes} blob:".replace("  ", " "),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-ancestors 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
        )
    )


def inline_hashes(html: str) -> tuple[str, ...]:
    """The SHA-256 (base64) of each script in the page that has a body, as a browser computes it."""
    html = re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL)
    bodies = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", html, flags=re.DOTALL | re.IGNORECASE)
    return tuple(
        base64.b64encode(hashlib.sha256(body.encode("utf-8")).digest()).decode("ascii")
        for body in bodies
        if body
    )


def host_name(authority: str) -> str | None:
    """The lower-case name or address in `name[:port]`; None where it is not one."""
    try:
        parts = urlsplit(f"//{authority}")
        _ = parts.port
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment or not parts.hostname:
        return None
    return parts.hostname.rstrip(".")


def is_loopback(address: str) -> bool:
    """Whether an address or name reaches this machine only. `localhost` is held to be so."""
    if address.lower() in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


class Doorman:
    """Which Host and Origin are let in.

    A literal address can't be rebound by DNS, so on a wildcard address every literal one is taken;
    a name only where it was configured (`server.allowedHosts`, `browser.serverAddress`).
    """

    def __init__(self, bound: str, names: Iterable[str] = ()) -> None:
        self.bound = bound
        self.names = LOOPBACK_NAMES | {n.strip().lower().rstrip(".") for n in names if n.strip()}

    def knows(self, authority: str) -> bool:
        name = host_name(authority)
        if name is None:
            return False
        if name in self.names or name == self.bound.lower().strip("[]"):
            return True
        try:
            literal = ipaddress.ip_address(name)
        except ValueError:
            return any(n.startswith("*.") and name.endswith(n[1:]) for n in self.names)
        return literal.is_loopback or not is_loopback(self.bound)

    def refusal(self, scope: Scope) -> str | None:
        """Why a request is not let in, or None."""
        hosts = _all(scope, b"host")
        if len(hosts) != 1 or not self.knows(hosts[0]):
            return "This console does not answer to that host name."
        if scope["type"] == "http" and _crossed(scope):
            return "This console does not answer to other sites' pages."
        origins = _all(scope, b"origin")
        if not origins:
            free = scope["type"] == "http" and scope["method"] in _SAFE
            return None if free else "A browser names the page that asks; this request names none."
        if len(origins) != 1 or not _same(origins[0], hosts[0]):
            return "This console answers to its own pages only."
        return None


class Door:
    """The middleware: refuses, or passes on and adds the security headers."""

    def __init__(self, app: Application, doorman: Callable[[], Doorman], csp: str) -> None:
        self.app = app
        self.doorman = doorman
        self.headers = (*_HEADERS, (b"content-security-policy", csp.encode("ascii")))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if (why := self.doorman().refusal(scope)) is not None:
            await self._refuse(scope, send, why)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(n, v) for n, v in message.get("headers", ()) if n.lower() not in _OURS]
                message = {**message, "headers": [*kept, *self.headers]}
            await send(message)

        await self.app(scope, receive, dressed)

    async def _refuse(self, scope: Scope, send: Send, why: str) -> None:
        if scope["type"] == "websocket":
            # Closed before it was accepted: the server answers the handshake with 403.
            await send({"type": "websocket.close", "code": 1008, "reason": why})
            return
        body = f"{why}\n".encode()
        head = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 403, "headers": [*head, *self.headers]})
        await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})


def _all(scope: Scope, name: bytes) -> list[str]:
    return [v.decode("latin-1").strip() for n, v in scope["headers"] if n.lower() == name]


def _same(origin: str, host: str) -> bool:
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _crossed(scope: Scope) -> bool:
    """A sub-request of another site's page (browsers say so); following a link from there is free."""
    sites, modes = _all(scope, b"sec-fetch-site"), _all(scope, b"sec-fetch-mode")
    return any(s in ("cross-site", "same-site") for s in sites) and modes != ["navigate"]
