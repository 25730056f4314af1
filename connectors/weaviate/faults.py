"""What a Weaviate server, its proxies, httpx and gRPC report, as one of our codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import grpc
import httpx

from connectors.errors import Code, PlumblineError, redact

_SAYS: Final[tuple[tuple[str, Code, str], ...]] = (
    (
        r"status code: 401|unauthenticated|unauthorized: invalid|anonymous access not enabled",
        "unauthorised",
        "Check the API key of this connection.",
    ),
    (
        r"forbidden action|permission denied|insufficient permissions|rbac:|forbidden: user",
        "unauthorised",
        "The key's user lacks the permission for this.",
    ),
    (
        r"tenant not active|tenant .*not active|tenant status .*(cold|frozen|inactive|offloaded)",
        "unsupported",
        "The tenant is not active, and Plumbline wakes none. Activate it first.",
    ),
    (r"tenant not found|tenant .* does not exist", "not-found", "`describe` lists the tenants."),
    (
        r"could not find class|class .* not found|class not found|no such class",
        "not-found",
        "The collection is not there (any more). `collections` lists what is.",
    ),
    (
        r"multi-tenancy disabled, but request was with tenant",
        "not-found",
        "This collection has no tenants: leave the tenant out of the address.",
    ),
    (
        r"no such prop with name|property .* not found",
        "not-found",
        "The property is not in the schema; it may have changed meanwhile.",
    ),
    (
        r"vector lengths don't match|dimensions do not match|vector with length \d+",
        "dimension-mismatch",
        "The vector has another dimension than those of the collection.",
    ),
    (
        r"disk.*(usage|full|threshold)|no space left|disk_use_readonly",
        "disk-full",
        "Free disk space on the server; Weaviate stays read-only until its shards are set READY again.",
    ),
    (
        r"read-only|readonly|read_only|scale_out mode|operational mode",
        "read-only",
        "The server or one of its shards is read-only: often its disk is nearly full, or its operational mode forbids writes.",
    ),
    (
        r"not enough memory|out of memory|memory pressure|too many requests|overloaded|leader not found|no leader|node is not ready|shutting ?down|store is closed|no (read|write) replica found|not ready|already being shut",
        "busy",
        "The server is overloaded, starting or stopping. Try again in a moment.",
    ),
    (r"deadline exceeded|context canceled|timed? ?out", "timeout", "The server took too long."),
    (
        r"query maximum results exceeded",
        "quota",
        "The server's QUERY_MAXIMUM_RESULTS is lower than what was asked for.",
    ),
)
_RULES: Final[tuple[tuple[re.Pattern[str], Code, str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, hint) for pattern, code, hint in _SAYS
)
_TLS: Final = ("ssl", "tls", "certificate", "handshake")
_SILENT: Final = (
    "timed out before receiving settings frame",
    "did not receive http/2 settings",
    "handshake timed out",
)
_NOT_GRPC: Final = ("http1", "http/1", "http2 preface", "settings frame", "failed parsing http/2")
_STATUS_IN_HTTP2: Final = re.compile(r"http2 header with status: (\d{3})")


def from_text(text: str, where: str, secrets: Iterable[str], code: Code = "internal") -> PlumblineError:
    """The error that a server's own sentence stands for; `code` where no rule knows it."""
    said = redact(text, secrets)
    for pattern, known, hint in _RULES:
        if pattern.search(text):
            return PlumblineError(known, f"The server says: {said}", where=where, hint=hint)
    return PlumblineError(code, f"The server says: {said or 'nothing'}", where=where)


def from_status(
    status: int, text: str, where: str, secrets: Iterable[str], retry_after: str | None = None
) -> PlumblineError:
    """The error of an HTTP answer that is not a success. `text` is the server's message."""
    said = redact(text, secrets)
    wait = float(retry_after) if retry_after and re.fullmatch(r"\d{1,5}(\.\d+)?", retry_after) else None
    match status:
        case 401:
            return PlumblineError(
                "unauthorised",
                "The server wants an API key, or refuses the one it got.",
                where=where,
                hint="Set `api_key` of this connection in secrets.toml or the environment.",
            )
        case 403:
            return PlumblineError(
                "unauthorised",
                f"The server forbids this: {said or 'HTTP 403'}",
                where=where,
                hint="The key's user lacks the permission for this.",
            )
        case 404:
            known = from_text(text, where, secrets, "not-found")
            return known if known.code != "internal" else PlumblineError("not-found", said, where=where)
        case 429:
            return PlumblineError(
                "quota",
                "The server limits the rate of requests (HTTP 429).",
                where=where,
                hint="Ask less often, or raise the server's limit.",
                retry_after=wait,
            )
        case 502 | 503 | 504:
            known = from_text(text, where, secrets, "busy")
            if known.code in ("disk-full", "read-only", "unauthorised"):
                return known
            return PlumblineError(
                "busy",
                f"The server or a proxy in front of it is not ready (HTTP {status}). {said}",
                where=where,
                hint="Wait until the server has started, or look at its log.",
                retry_after=wait,
            )
        case 400 if "HTTP request to an HTTPS server" in text or "plain HTTP request was sent" in text:
            return PlumblineError(
                "tls", "The server speaks HTTPS there.", where=where, hint="Use https:// in the URL."
            )
        case 300 | 301 | 302 | 303 | 307 | 308:
            return PlumblineError(
                "wrong-protocol",
                f"The address redirects (HTTP {status}); redirects are not followed.",
                where=where,
                hint="Use the server's own URL.",
            )
        case _:
            return from_text(f"HTTP {status} {text}", where, secrets)


def from_httpx(fault: Exception, url: str, where: str, secrets: Iterable[str]) -> PlumblineError:
    """The error of a request that had no answer."""
    said = redact(f"{fault}" or type(fault).__name__, secrets)
    if isinstance(fault, httpx.TimeoutException):
        return PlumblineError(
            "timeout",
            f"No answer from {url} in time.",
            where=where,
            hint="Is the server overloaded or the address wrong? `timeout` of the connection sets how long is waited.",
        )
    if "SSL" in said or "CERTIFICATE" in said.upper():
        return PlumblineError(
            "tls",
            f"No secure connection to {url}: {said}",
            where=where,
            hint="Is it http:// rather than https://? `ca_file` names a private certificate authority.",
        )
    if isinstance(fault, (httpx.RemoteProtocolError, httpx.DecodingError)):
        return PlumblineError(
            "wrong-protocol",
            f"What answers at {url} does not speak HTTP as Weaviate does: {said}",
            where=where,
            hint="Is this the gRPC port, or an https:// server? The URL is that of Weaviate's REST interface.",
        )
    if isinstance(fault, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return PlumblineError("settings", f"{url} can't be used: {said}", where=where)
    return PlumblineError(
        "unreachable",
        f"{url} can't be reached: {said}",
        where=where,
        hint="Is the server up, and are host and port right?",
    )


def from_grpc(
    fault: grpc.RpcError, endpoint: str, where: str, secrets: Iterable[str], timeout: float, *, secure: bool
) -> PlumblineError:
    """The error of a gRPC call. `secure`: over TLS; a plain channel has handshakes too, and they are no TLS."""
    code: grpc.StatusCode | None = fault.code() if isinstance(fault, grpc.Call) else None
    text = str(fault.details() or "") if isinstance(fault, grpc.Call) else str(fault)
    said = redact(text, secrets)
    hint = "Is `grpc_port` (50051 by default; `grpc_host` where it differs) right and open?"
    status = _STATUS_IN_HTTP2.search(text)
    if status:
        known = from_status(int(status[1]), text, where, secrets)
        if known.code == "not-found" or known.code == "internal":
            return PlumblineError(
                "wrong-protocol", f"{endpoint} does not speak Weaviate's gRPC: {said}", where=where, hint=hint
            )
        return known
    if code is grpc.StatusCode.UNAVAILABLE:
        lowered = text.lower()
        if any(sign in lowered for sign in _SILENT):
            return PlumblineError(
                "timeout",
                f"{endpoint} takes connections, but does not begin to speak gRPC: {said}",
                where=where,
                hint=f"{hint} Or is the server overloaded, or https:// where the URL says http://?",
            )
        if secure and any(sign in lowered for sign in _TLS):
            return PlumblineError(
                "tls",
                f"No secure gRPC connection to {endpoint}: {said}",
                where=where,
                hint="`ca_file` names a private certificate authority; gRPC is secured where the URL is https://.",
            )
        if any(sign in lowered for sign in _NOT_GRPC):
            return PlumblineError(
                "wrong-protocol", f"{endpoint} does not speak gRPC: {said}", where=where, hint=hint
            )
        if "failed to connect" not in lowered:
            known = from_text(text, where, secrets, "unreachable")
            if known.code in ("busy", "unauthorised", "read-only", "disk-full"):
                return known
        return PlumblineError(
            "unreachable",
            f"gRPC at {endpoint} can't be reached, which searching and scanning need: {said}",
            where=where,
            hint=hint,
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return PlumblineError(
            "wrong-protocol", f"{endpoint} speaks gRPC, but not Weaviate's: {said}", where=where, hint=hint
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return PlumblineError(
            "timeout",
            f"No answer from gRPC at {endpoint} within {timeout:.3g} s.",
            where=where,
            hint="`timeout` of the connection sets how long is waited.",
        )
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return from_status(401, text, where, secrets)
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return from_status(403, text, where, secrets)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        if "larger than max" in text:
            return PlumblineError("quota", f"A message is larger than the server allows: {said}", where=where)
        return PlumblineError("quota", f"The server limits requests: {said}", where=where)
    if secure and "certificate" in text.lower() and code is grpc.StatusCode.UNKNOWN:
        return PlumblineError("tls", f"No secure gRPC connection to {endpoint}: {said}", where=where)
    return from_text(text, where, secrets)
