"""The connection itself: opened on first use, by gRPC where that can be, asked again where that is worth it."""

from __future__ import annotations

import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from connectors.errors import PlumblineError
from connectors.model import ServerInfo, Target
from connectors.qdrant.endpoints import Address, address, is_loopback
from connectors.qdrant.probe import Endpoint
from connectors.qdrant.stubs import message, pb
from connectors.qdrant.transport import Grpc, Transport
from connectors.spec import ConnectionSpec

Version = tuple[int, int, int]

OLDEST: Final[Version] = (1, 12, 0)
NEWEST: Final[Version] = (1, 19, 99)
ATTEMPTS: Final = 4
WORKERS: Final = 16


class Link:
    """What every part of the connector stands on. Safe to share between threads."""

    spec: ConnectionSpec

    def __init__(self, spec: ConnectionSpec) -> None:
        """Reaches nothing yet. Raises `settings`."""
        self.spec = spec
        self._address: Address | None = None if spec.path is not None else address(spec)
        self._lock = threading.RLock()
        self._open: Transport | None = None
        self._version: Version | None = None
        self._version_text: str | None = None
        self._notes: tuple[str, ...] = ()
        self._workers: ThreadPoolExecutor | None = None
        self._closed = False
        if any(not k.isascii() or not v.isascii() for k, v in self._metadata(spec.api_key)):
            raise PlumblineError("settings", "HEADERS and API_KEY hold ASCII only.", where=spec.name)

    # What the parts call

    def where(self, t: Target | str | None = None) -> str:
        name = t.collection if isinstance(t, Target) else t
        return f"{self.spec.name}/{name}" if name else self.spec.name

    def timeout(self, timeout: float | None) -> float:
        return self.spec.timeout if timeout is None else timeout

    def ask(
        self,
        method: str,
        request: Any,
        timeout: float | None,
        *,
        at: str = "",
        write: bool = False,
        again: bool = True,
    ) -> bytes:
        """One request, asked again after a pause where the fault passes by itself, within the timeout.

        `again`: a write that is not the same when it is done twice is not asked again once it may have arrived.
        """
        at = at or self.spec.name
        total = self.timeout(timeout)
        deadline = time.monotonic() + total
        for attempt in range(1, ATTEMPTS + 1):
            way: Transport | None = None
            known = self._open is not None
            try:
                way = self.transport(deadline)
                return way.call(method, request, max(deadline - time.monotonic(), 0.001), write)
            except PlumblineError as fault:
                if way is not None and fault.code == "unreachable":
                    self._forget(way)
                # Before there is a way nothing was sent, so nothing can be done twice.
                unsent = way is None
                pause = self._pause(fault, attempt, known or self.spec.path is not None, again or unsent)
                if pause is None or time.monotonic() + pause >= deadline or attempt == ATTEMPTS:
                    raise fault.at(at) from None
                time.sleep(pause)
        raise AssertionError

    def get(self, method: str, request: Any, answer: str, timeout: float | None, **more: Any) -> Any:
        """`ask`, with the answer parsed as a message of qdrant-client's."""
        return message(answer).FromString(self.ask(method, request, timeout, **more))

    def info(self, t: Target | str, timeout: float | None = None) -> Any:
        """`CollectionInfo`. Raises `not-found`."""
        name = t.collection if isinstance(t, Target) else t
        request = pb.GetCollectionInfoRequest(collection_name=name)
        answer = self.get(
            "Collections/Get", request, "GetCollectionInfoResponse", timeout, at=self.where(name)
        )
        return answer.result

    def version(self, timeout: float | None = None) -> Version | None:
        """The server's version, None where it says none. Reaches the server once."""
        self.transport(time.monotonic() + self.timeout(timeout))
        return self._version

    def since(self, *version: int) -> bool | None:
        """Whether the server is of this version or later; None where its version is not known."""
        known = self.version()
        return None if known is None else known >= version

    @property
    def json(self) -> bool:
        """Whether requests travel as JSON."""
        return self._open is not None and self._open.kind == "rest"

    def writable(self, at: str) -> None:
        if self.spec.read_only:
            raise PlumblineError(
                "read-only",
                "This connection is configured read-only.",
                where=at,
                hint=f"Set READ_ONLY of the connection {self.spec.name} to false to write through it.",
            )

    @property
    def workers(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise PlumblineError("internal", "The connection is closed.", where=self.spec.name)
            if self._workers is None:
                self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="qdrant")
            return self._workers

    def server(self, *, timeout: float | None = None) -> ServerInfo:
        """Looks at the server anew, and whether it takes the key."""
        deadline = time.monotonic() + self.timeout(timeout)
        if self._open is not None and self._open.kind == "rest":
            self._forget(self._open)
        self.transport(deadline)
        started = time.monotonic()
        answer = self.get("Qdrant/HealthCheck", pb.HealthCheckRequest(), "HealthCheckReply", timeout)
        latency = (time.monotonic() - started) * 1000
        self._note_version(answer.version)
        self.ask("Collections/List", pb.ListCollectionsRequest(), max(deadline - time.monotonic(), 0.001))
        way = self.transport(deadline)
        return ServerInfo(
            "qdrant",
            self._version_text,
            way.kind,
            latency,
            self.spec.path is not None,
            (*self._notes, *self._version_notes()),
        )

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._open is not None:
                self._open.close()
            self._open = None
            if self._workers is not None:
                self._workers.shutdown(wait=False, cancel_futures=True)

    # Opening

    def transport(self, deadline: float) -> Transport:
        if (way := self._open) is not None:
            return way
        with self._lock:
            if self._closed:
                raise PlumblineError("internal", "The connection is closed.", where=self.spec.name)
            if self._open is None:
                self._open = self._embedded(deadline) if self._address is None else self._reach(deadline)
            return self._open

    def _embedded(self, deadline: float) -> Transport:
        from connectors.qdrant import host

        assert self.spec.path is not None
        found = host.ensure(Path(self.spec.path), max(deadline - time.monotonic(), 0.1))
        end = Endpoint(found.host, found.port, False, None, (found.key,))
        way = Grpc(end, self._metadata(found.key), direct=True, trusted=True)
        return self._greeted(way, max(deadline - time.monotonic(), 0.1))

    def _reach(self, deadline: float) -> Transport:
        assert self._address is not None
        there = self._address
        first: PlumblineError | None = None
        chances = len(there.grpc) + (there.rest is not None)
        for end in there.grpc:
            way = Grpc(end, self._metadata(self.spec.api_key), direct=is_loopback(end.host))
            try:
                span = max((deadline - time.monotonic()) / chances, 0.05)
                chances -= 1
                self._greeted(way, span)
            except PlumblineError as fault:
                way.close()
                first = first or fault
                continue
            self._notes = self._plain_key_note()
            return way
        if there.rest is None:
            assert first is not None
            raise first.at(self.spec.name)
        return self._reach_rest(there, first, deadline)

    def _reach_rest(self, there: Address, first: PlumblineError | None, deadline: float) -> Transport:
        from connectors.qdrant.rest import Rest

        assert there.rest is not None
        way = Rest(
            there.rest,
            self._metadata(self.spec.api_key),
            self.spec.ca_file,
            self.spec.secrets(),
            direct=there.loopback,
        )
        try:
            self._greeted(way, max(deadline - time.monotonic(), 0.05))
        except PlumblineError as fault:
            way.close()
            # Where both are silent, the HTTP address is the one that was configured.
            telling = first is not None and (
                first.code in ("tls", "timeout")
                or (first.code == "wrong-protocol" and fault.code == "unreachable")
            )
            raise (first if first is not None and telling else fault).at(self.spec.name) from None
        why = (
            f"gRPC can't be reached: {first.message}"
            if first
            else "its URL has a path, which passes HTTP only."
        )
        self._notes = (f"Read over REST, where NaN and Inf are not seen; {why}", *self._plain_key_note())
        return way

    def _greeted(self, way: Transport, timeout: float) -> Transport:
        """The way, once the server behind it said that it is Qdrant, which needs no key. A proxy may need it."""
        deadline = time.monotonic() + timeout
        try:
            raw = way.call("Qdrant/HealthCheck", pb.HealthCheckRequest(), timeout)
        except PlumblineError as fault:
            if fault.code == "unsupported":
                raise PlumblineError(
                    "wrong-protocol",
                    f"{way.place} speaks gRPC, and is no Qdrant server.",
                    hint="Set the connection's URL and GRPC_PORT to the Qdrant server.",
                ) from None
            if fault.code != "unauthorised" or not self._metadata(self.spec.api_key):
                raise
            way.trust()
            raw = way.call(
                "Qdrant/HealthCheck", pb.HealthCheckRequest(), max(deadline - time.monotonic(), 0.05)
            )
        answer = pb.HealthCheckReply.FromString(raw)
        if "qdrant" not in answer.title.lower():
            raise PlumblineError(
                "wrong-protocol",
                f"{way.place} is no Qdrant server.",
                hint="Set the connection's URL to the Qdrant server.",
            )
        self._note_version(answer.version)
        return way

    def _note_version(self, text: str) -> None:
        found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
        self._version_text = text or None
        self._version = (int(found[1]), int(found[2]), int(found[3])) if found else None

    def _version_notes(self) -> tuple[str, ...]:
        if self._version is None:
            return ("The server's version is not known; what depends on it is not used.",)
        if self._version < OLDEST:
            return (
                f"Qdrant {self._version_text} is older than 1.12, the oldest that Plumbline is made for.",
            )
        if self._version > NEWEST:
            return (
                f"Qdrant {self._version_text} is newer than 1.19, the newest that Plumbline was made for.",
            )
        return ()

    def _plain_key_note(self) -> tuple[str, ...]:
        there = self._address
        if there is None or there.tls or there.loopback or not self.spec.secrets():
            return ()
        return ("The key travels unencrypted: the URL is http://, not https://.",)

    def _metadata(self, key: str | None) -> tuple[tuple[str, str], ...]:
        made = [(name.lower(), value) for name, value in self.spec.headers.items()]
        if key:
            made.append(("api-key", key))
        return tuple(made)

    def _forget(self, way: Transport) -> None:
        """Close a lost connection, so that the next request opens a new one (an embedded store's host may have moved)."""
        if self.spec.path is None and way.kind == "grpc":
            return
        with self._lock:
            if self._open is way:
                self._open = None
                way.close()

    def _pause(self, fault: PlumblineError, attempt: int, known: bool, again: bool) -> float | None:
        """Seconds until the next attempt, None where another is not worth it."""
        jitter = random.uniform(0.5, 1.0)  # noqa: S311
        if fault.code == "busy":
            return fault.retry_after if fault.retry_after else jitter * 0.2 * 2**attempt
        if fault.code == "unreachable" and known and again:
            return jitter * 0.1 * 2**attempt
        return None
