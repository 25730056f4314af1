"""What went wrong, in the console's own codes: gRPC statuses, HTTP answers, and a look at a silent port."""

from __future__ import annotations

import re
from typing import Any, Final

import grpc

from connectors.errors import Code, PlumblineError


def of_status(
    status: grpc.StatusCode, details: str, *, write: bool, retry_after: float | None = None
) -> PlumblineError:
    """An error that the server itself sent (not a broken connection). Details are the server's words."""
    said = _sentence(details)
    low = details.lower()
    match status:
        case grpc.StatusCode.UNAUTHENTICATED:
            return unauthorised(said)
        case grpc.StatusCode.PERMISSION_DENIED:
            return forbidden(said, low, write)
        case grpc.StatusCode.NOT_FOUND:
            return PlumblineError("not-found", said, hint="List what is there with `plumbline collections`.")
        case grpc.StatusCode.ALREADY_EXISTS:
            return PlumblineError("changed", said, hint="Choose another name, or remove the old one first.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return exhausted(said, low, retry_after)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return timed_out(said)
        case grpc.StatusCode.UNAVAILABLE:
            return PlumblineError(
                "busy", f"The server can't answer just now: {said}", hint=_LATER, retry_after=retry_after
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return PlumblineError(
                "unsupported",
                f"The server doesn't know this call: {said}",
                hint="It is older than the call, or it is no Qdrant server.",
            )
        case grpc.StatusCode.DATA_LOSS:
            return _damaged(said)
        case _:
            return of_words(said, low)


def of_words(said: str, low: str) -> PlumblineError:
    """Qdrant says much under two codes only, invalid argument and internal: its words tell them apart."""
    code: Code = "internal"
    hint = "The server's own log says more."
    if "no space left" in low or "disk space" in low or "out of disk" in low or "disk is full" in low:
        code, hint = "disk-full", "Free some disk on the server."
    elif any(w in low for w in ("inconsistent storage", "corrupt", "checksum", "damaged", "data loss")):
        return _damaged(said)
    elif "dimension error" in low or ("dim" in low and "expected" in low):
        code, hint = "dimension-mismatch", "Use an encoder of the field's own dimension."
    elif "already exists" in low:
        code, hint = "changed", "Choose another name, or remove the old one first."
    elif "help:" in low or "strict mode" in low:
        code, hint = (
            "strict-mode",
            "The collection's strict mode forbids this; its settings say what it allows.",
        )
    elif "doesn't exist" in low or "not existing vector name" in low or "not found" in low:
        code, hint = "not-found", "Describe the collection to see what it has."
    elif "locked" in low or "read-only" in low or "read only" in low or "write-lock" in low:
        code, hint = "read-only", "The server takes no writes now."
    elif "failed to connect to http" in low or "currently unavailable" in low:
        code, hint = (
            "busy",
            "A node of the cluster does not answer, and no other has what it holds: start it.",
        )
    elif "out of memory" in low or "timed out" in low or "timeout" in low or "temporarily" in low:
        code, hint = "busy", _LATER
    elif low.startswith(
        ("wrong input", "bad request", "validation error", "invalid", "format error", "unable")
    ):
        code, hint = "usage", "The server refused what was asked for."
    return PlumblineError(code, said, hint=hint)


def unauthorised(said: str = "") -> PlumblineError:
    return PlumblineError(
        "unauthorised",
        f"The server refused the key: {said}" if said else "The server refused the key.",
        hint="Set the connection's API_KEY to a key that this server knows.",
    )


def forbidden(said: str, low: str, write: bool) -> PlumblineError:
    if any(w in low for w in ("invalid", "api-key", "api key", "expired", "jwt, ")):
        return unauthorised(said)
    if write:
        return PlumblineError(
            "read-only",
            f"The key may not write: {said}",
            hint="Use a key with write access to this collection.",
        )
    return PlumblineError(
        "unauthorised", f"The key may not do this: {said}", hint="Use a key with access to this collection."
    )


def exhausted(said: str, low: str, retry_after: float | None) -> PlumblineError:
    if "quota" in low:
        return PlumblineError("quota", said, hint="The plan's limit is reached.", retry_after=retry_after)
    if "disk" in low or "no space" in low:
        return PlumblineError("disk-full", said, hint="Free some disk on the server.")
    wait = f" It asks to wait {retry_after:g} s." if retry_after else ""
    return PlumblineError(
        "busy", f"The server is asked too much: {said}{wait}", hint=_LATER, retry_after=retry_after
    )


def timed_out(said: str = "", seconds: float | None = None) -> PlumblineError:
    span = f" within {seconds:g} s" if seconds is not None else ""
    words = f": {said}" if said and said.lower().rstrip(".") != "deadline exceeded" else "."
    return PlumblineError(
        "timeout", f"No answer came{span}{words}", hint="Set a longer TIMEOUT, or look at the server's load."
    )


def of_http(status: int, body: str, *, write: bool, retry_after: float | None = None) -> PlumblineError:
    """An HTTP answer that is no success."""
    said = _sentence(body)
    low = body.lower()
    match status:
        case 401:
            return unauthorised(said)
        case 403:
            return forbidden(said, low, write)
        case 404:
            return PlumblineError("not-found", said, hint="List what is there with `plumbline collections`.")
        case 409:
            return PlumblineError("changed", said, hint="Choose another name, or remove the old one first.")
        case 408 | 504:
            return timed_out(said)
        case 429:
            return exhausted(said, low, retry_after)
        case 502 | 503:
            return PlumblineError(
                "busy", f"The server can't answer just now: {said}", hint=_LATER, retry_after=retry_after
            )
        case 507:
            return PlumblineError("disk-full", said, hint="Free some disk on the server.")
        case _:
            return of_words(said, low)


def lost(details: str) -> bool:
    """Whether an UNAVAILABLE speaks of the connection and not of the server's state."""
    return re.search(_LOST, details, re.IGNORECASE) is not None


def retry_after_of(metadata: Any) -> float | None:
    """The wait in seconds that an answer's headers ask for."""
    for key, value in metadata or ():
        if str(key).lower() == "retry-after":
            try:
                return float(value)
            except ValueError:
                return None
    return None


def _damaged(said: str) -> PlumblineError:
    return PlumblineError(
        "damaged", said, hint="The stored data can't be trusted: restore it from a snapshot or a backup."
    )


def _sentence(text: str) -> str:
    said = short(text)
    return said if said[-1] in ".!?…" else said + "."


def short(text: str) -> str:
    text = text.strip().rstrip(".") or "no words given"
    return text if len(text) <= 300 else text[:299] + "…"


_LATER: Final = "Try again later, or with less at once."
_LOST: Final = (
    r"failed to connect|connect(ion)? (refused|reset|timed out|aborted)|socket closed|dns|name resolution|broken pipe|"
    r"handshake|http1|http/1|goaway|ping|stream removed|endpoint closing|endpoint read failed|network is|"
    r"no route|channel (closed|is closed)|transport|recvmsg|sendmsg|eof|unreachable host|host is|tcp|"
    r"disconnected|cancelling all calls|end of|settings frame|http2 (error|exception)|protocol error"
)
