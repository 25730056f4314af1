"""One open way to a Qdrant server: gRPC, or REST behind the same face. Answers are bytes, errors are ours."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol, cast

import grpc

from connectors.errors import PlumblineError, redact
from connectors.qdrant import faults, probe
from connectors.qdrant.probe import Endpoint

SERVICES: Final = {
    "Qdrant": ("HealthCheck",),
    "Collections": (
        "List",
        "Get",
        "Create",
        "Update",
        "Delete",
        "ListAliases",
        "ListCollectionAliases",
        "CollectionClusterInfo",
        "CreateShardKey",
    ),
    "Points": ("Scroll", "Get", "Count", "Facet", "QueryBatch", "Upsert", "CreateFieldIndex"),
}


class Transport(Protocol):
    kind: Literal["grpc", "rest"]
    place: str

    def call(self, method: str, request: Any, timeout: float, write: bool = False) -> bytes:
        """One request, e.g. `Points/Scroll`. Raises `PlumblineError` without `where`."""
        ...

    def trust(self) -> None:
        """Send the key with the greeting too."""
        ...

    def close(self) -> None: ...


class Grpc:
    """A channel, with the key in each call's metadata. Threads may share it; a forked child opens its own."""

    kind: Literal["grpc", "rest"] = "grpc"

    def __init__(
        self, endpoint: Endpoint, metadata: Sequence[tuple[str, str]], direct: bool, trusted: bool = False
    ) -> None:
        """`metadata`: key and headers, lower-case names. `direct`: no proxy of the environment.

        `trusted`: the greeting carries the key too. Otherwise whoever holds the port hears no key before it has
        said that it is Qdrant, which needs none for that.
        """
        self.place = endpoint.address
        self._endpoint = endpoint
        self._metadata = tuple(metadata)
        self._direct = direct
        self._trusted = trusted
        self._lock = threading.Lock()
        self._calls: dict[str, Any] = {}
        self._channel: Any = None
        self._process = 0
        self._closed = False
        self._answered = False

    def call(self, method: str, request: Any, timeout: float, write: bool = False) -> bytes:
        started = time.monotonic()
        keyed = () if method == "Qdrant/HealthCheck" and not self._direct else self._metadata
        try:
            made = self._method(method)
            answer = cast("bytes", made(request.SerializeToString(), timeout=timeout, metadata=keyed))
        except grpc.RpcError as fault:
            raise self._fault(cast("Any", fault), timeout, time.monotonic() - started, write) from None
        except ValueError as fault:
            # A closed channel, or headers that can't be sent.
            said = redact(str(fault), self._endpoint.secrets)
            raise PlumblineError(
                "internal" if self._closed else "settings",
                f"The request could not be sent: {said}",
                hint="HEADERS and API_KEY hold printable ASCII only.",
            ) from None
        self._answered = True
        return answer

    def trust(self) -> None:
        self._trusted = True

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._channel is not None and self._process == os.getpid():
                self._channel.close()
            self._channel = None
            self._calls = {}

    def _method(self, method: str) -> Any:
        made = self._calls.get(method)
        if made is not None and self._process == os.getpid():
            return made
        with self._lock:
            if self._closed:
                raise ValueError("the connection is closed")
            if self._channel is None or self._process != os.getpid():
                # After a fork the parent's channel is of no use in the child, and is not the child's to close.
                self._channel, self._calls, self._process = self._open(), {}, os.getpid()
            made = self._channel.unary_unary(f"/qdrant.{method}")
            self._calls[method] = made
            return made

    def _open(self) -> Any:
        end = self._endpoint
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.initial_reconnect_backoff_ms", 100),
            # Not a pause, but the time that a handshake may take: a far or a busy server needs more than the pause.
            ("grpc.min_reconnect_backoff_ms", _HANDSHAKE_MS),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0 if self._direct else 1),
        ]
        if not end.tls:
            return cast("Any", grpc).insecure_channel(end.address, options=options)
        try:
            roots = Path(end.ca_file).read_bytes() if end.ca_file else None
        except OSError as fault:
            raise PlumblineError(
                "tls",
                f"The CA file {end.ca_file} can't be read ({fault.strerror}).",
                hint="Set CA_FILE to the certificate authority's file.",
            ) from None
        credentials = cast("Any", grpc).ssl_channel_credentials(root_certificates=roots)
        return cast("Any", grpc).secure_channel(end.address, credentials, options=options)

    def _fault(self, fault: Any, timeout: float, spent: float, write: bool) -> PlumblineError:
        status: grpc.StatusCode = fault.code()
        details = redact(str(fault.details() or ""), self._endpoint.secrets)
        left = min(max(timeout - spent, 0.3), 2.0)
        wait = faults.retry_after_of(fault.trailing_metadata())
        if (http := _HTTP_STATUS.search(details)) is not None:
            number = int(http.group(1))
            if number in (401, 403, 408, 429, 502, 503, 504, 507):
                return faults.of_http(number, details, write=write, retry_after=wait)
            return probe.of_foreign(self._endpoint, number, left)
        if status is grpc.StatusCode.DEADLINE_EXCEEDED and "deadline exceeded" in details.lower():
            return self._late(timeout, left)
        if "SETTINGS frame" in details:
            return faults.timed_out(seconds=round(spent, 1))
        broken = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN)
        if status is grpc.StatusCode.CANCELLED or (
            status in broken and (faults.lost(details) or not details)
        ):
            return probe.of_silence(self._endpoint, details, left)
        if status is grpc.StatusCode.INTERNAL and ("RST_STREAM" in details or "http2" in details.lower()):
            return probe.of_silence(self._endpoint, details, left)
        self._answered = True
        return faults.of_status(status, details, write=write, retry_after=wait)

    def _late(self, timeout: float, left: float) -> PlumblineError:
        if not self._answered:
            speaks, said = probe.look(self._endpoint, min(left, 0.5))
            if speaks == "nothing":
                return PlumblineError(
                    "unreachable",
                    f"Nothing answered at {self.place} within {timeout:g} s ({said}).",
                    hint="Is the server running, are host and port right, and does a firewall stand between?",
                )
        return faults.timed_out(seconds=timeout)


_HANDSHAKE_MS: Final = 20_000
_HTTP_STATUS: Final = re.compile(r"http2? header with status: (\d{3})", re.IGNORECASE)


def seconds(timeout: float) -> int:
    """A timeout for the server, which counts whole seconds."""
    return max(1, math.ceil(timeout))
