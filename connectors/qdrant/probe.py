"""A look at a port that gave no gRPC answer: what speaks there, and what that means for the operator."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

from connectors.errors import PlumblineError, redact
from connectors.qdrant.faults import short

Speaks = Literal["nothing", "silence", "http", "http2", "tls", "weaviate", "other"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One port of a server, and what may never be repeated about it."""

    host: str
    port: int
    tls: bool
    ca_file: str | None = None
    secrets: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def of_silence(endpoint: Endpoint, details: str, wait: float) -> PlumblineError:
    """Why a port gave no gRPC answer: it is looked at, for at most `wait` seconds."""
    details = redact(details, endpoint.secrets)
    place = endpoint.address
    if "WRONG_VERSION_NUMBER" in details:
        return _tls(place, "it speaks no TLS: write http:// in URL")
    if re.search(r"CERTIFICATE_VERIFY_FAILED|self.signed|unknown ca", details):
        return _tls(place, "its certificate is not trusted")
    speaks, said = look(endpoint, wait)
    match speaks:
        case "nothing":
            return PlumblineError(
                "unreachable",
                f"Nothing answers at {place} ({said}).",
                hint="Is the server running, and are host and port right?",
            )
        case "tls":
            return _tls(place, said)
        case "http":
            return PlumblineError(
                "wrong-protocol",
                f"{place} speaks HTTP, not gRPC.",
                hint="Give Qdrant's gRPC port (6334 by default) as GRPC_PORT, and its HTTP port in URL.",
            )
        case "weaviate":
            return PlumblineError(
                "wrong-protocol",
                f"{place} is a Weaviate server.",
                hint="Set the connection's KIND to weaviate.",
            )
        case "other":
            return PlumblineError(
                "wrong-protocol",
                f"{place} is no Qdrant server ({said}).",
                hint="Set the connection's URL to the Qdrant server.",
            )
        case _:
            return PlumblineError(
                "unreachable",
                f"The connection to {place} was lost ({short(details)}).",
                hint="Is the server restarting, or does a proxy stand between?",
            )


def of_foreign(endpoint: Endpoint, status: int, wait: float) -> PlumblineError:
    """Something answered a gRPC call with an HTTP page."""
    speaks, _ = look(endpoint, wait)
    if speaks in ("weaviate", "http"):
        return of_silence(endpoint, "", wait)
    return PlumblineError(
        "wrong-protocol",
        f"{endpoint.address} answers gRPC with HTTP status {status}: it is no Qdrant server.",
        hint="Set the connection's URL and GRPC_PORT to the Qdrant server.",
    )


def look(endpoint: Endpoint, wait: float) -> tuple[Speaks, str]:
    """What a port speaks: one connection, one HTTP/1.1 request for `/`, no key."""
    wait = max(wait, 0.05)
    try:
        with socket.create_connection((endpoint.host, endpoint.port), timeout=wait) as plain:
            if endpoint.tls:
                context = ssl.create_default_context(cafile=endpoint.ca_file)
                with context.wrap_socket(plain, server_hostname=endpoint.host) as safe:
                    return _ask(safe, endpoint.host)
            found = _ask(plain, endpoint.host)
        if found[0] == "silence" and _speaks_tls(endpoint, wait):
            return "tls", "it speaks TLS: write https:// in URL"
        return found
    except ssl.SSLCertVerificationError as fault:
        return "tls", f"its certificate is not trusted: {fault.verify_message}"
    except ssl.SSLError as fault:
        return "tls", f"no TLS connection: {fault.reason or fault}"
    except socket.gaierror as fault:
        return "nothing", f"the name is not known: {fault.strerror or fault}"
    except TimeoutError:
        return "nothing", "no answer to a connection"
    except OSError as fault:
        return "nothing", (fault.strerror or str(fault)).lower()


def _speaks_tls(endpoint: Endpoint, wait: float) -> bool:
    """Whether a handshake succeeds; nothing is sent over it, so the certificate does not matter."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout=wait) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host),
        ):
            return True
    except OSError:
        return False


def _ask(connection: socket.socket, host: str) -> tuple[Speaks, str]:
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("ascii", "replace")
    answer = b""
    try:
        connection.sendall(request)
        while len(answer) < 4096 and (more := connection.recv(4096)):
            answer += more
            if not answer.startswith(b"HTTP/1"):
                break
    except OSError:
        pass
    if not answer:
        return "silence", ""
    if answer[:2] == b"\x15\x03":
        return "tls", "it speaks TLS: write https:// in URL"
    if not answer.startswith(b"HTTP/1"):
        return "http2", ""
    text = answer.decode("latin-1").lower()
    if "http request to an https server" in text or "plain http request was sent to https" in text:
        return "tls", "it speaks TLS: write https:// in URL"
    if "qdrant" in text:
        return "http", ""
    if "weaviate" in text or '"/v1' in text:
        return "weaviate", ""
    return "http" if "invalid_preface" in text else "other", text.splitlines()[0][:60]


def _tls(place: str, said: str) -> PlumblineError:
    return PlumblineError(
        "tls",
        f"No safe connection to {place}: {short(said)}.",
        hint="Set CA_FILE to the certificate authority's file, or correct http:// or https:// in URL.",
    )
