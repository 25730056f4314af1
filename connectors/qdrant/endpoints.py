"""Where a configured Qdrant server listens: its HTTP address and its gRPC ports, from what was configured."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.errors import PlumblineError
from connectors.qdrant.probe import Endpoint
from connectors.spec import ConnectionSpec

HTTP_PORT = 6333
GRPC_PORT = 6334


@dataclass(frozen=True, slots=True)
class Address:
    """`grpc`: the ports to try, the likeliest first. `rest`: the base URL, None where only gRPC is configured."""

    grpc: tuple[Endpoint, ...]
    rest: str | None
    host: str
    tls: bool

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def address(spec: ConnectionSpec) -> Address:
    """Raises `settings`.

    Qdrant's gRPC port is the HTTP port's neighbour (6333 and 6334), in containers' port mappings too. A URL that
    names the gRPC port itself is understood. A URL with a path belongs to a proxy, which passes HTTP only, unless
    a gRPC host or port is configured as well.
    """
    if spec.url is None:
        if spec.grpc_host is None:
            raise _settings(spec, "URL is missing.", "For example http://localhost:6333.")
        port = spec.grpc_port or GRPC_PORT
        tls = bool(spec.ca_file)
        end = Endpoint(spec.grpc_host, port, tls, spec.ca_file, spec.secrets())
        return Address((end,), None, spec.grpc_host, tls)
    try:
        parts = urlsplit(spec.url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _settings(spec, "URL can't be read.", "For example http://localhost:6333.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise _settings(
            spec, "URL needs http:// or https:// and a host.", "For example http://localhost:6333."
        )
    if parts.username or parts.password:
        raise _settings(spec, "URL holds a user or a password.", "Put the key into API_KEY.")
    tls = parts.scheme == "https"
    prefix = parts.path.rstrip("/")
    shown = f"[{host}]" if ":" in host else host
    rest_port = port or HTTP_PORT
    if port == GRPC_PORT:
        rest_port = HTTP_PORT
    if prefix and port is None:
        rest_port = 443 if tls else 80
    rest = f"{parts.scheme}://{shown}:{rest_port}{prefix}"
    return Address(_ports(spec, host, port, tls, bool(prefix)), rest, host, tls)


def _ports(
    spec: ConnectionSpec, host: str, port: int | None, tls: bool, prefixed: bool
) -> tuple[Endpoint, ...]:
    def end(number: int) -> Endpoint:
        return Endpoint(spec.grpc_host or host, number, tls, spec.ca_file, spec.secrets())

    if spec.grpc_port is not None:
        return (end(spec.grpc_port),)
    if spec.grpc_host is not None:
        return (end(GRPC_PORT),)
    if prefixed:
        return ()
    if port is None or port == HTTP_PORT:
        return (end(GRPC_PORT),)
    if port == GRPC_PORT:
        return (end(GRPC_PORT),)
    return (end(port + 1), end(port)) if port < 65535 else (end(port),)


def _settings(spec: ConnectionSpec, message: str, hint: str) -> PlumblineError:
    return PlumblineError("settings", message, where=spec.name, hint=hint)
