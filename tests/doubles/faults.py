"""What can be made to go wrong, per method and by count."""

from __future__ import annotations

import fnmatch
import threading
from dataclasses import dataclass, field
from typing import Any

import grpc

from connectors.qdrant.host.protos import Method
from connectors.qdrant.host.refused import Refused
from connectors.qdrant.host.service import Call

_WRITES = (
    "Points/Upsert",
    "Points/Delete*",
    "Points/Update*",
    "Points/SetPayload",
    "Points/OverwritePayload",
    "Points/ClearPayload",
    "Points/Create*",
    "Collections/Create",
    "Collections/Update*",
    "Collections/Delete*",
)
_TEXTS = {
    "UNAVAILABLE": "Shard temporarily unavailable: no replica answered",
    "DEADLINE_EXCEEDED": "Timeout: Operation 'Scroll' timed out after 1s",
    "RESOURCE_EXHAUSTED": "Rate limiting exceeded: Read rate limit exceeded: Operation requires 1 tokens "
    "but only 0.0 were available. Retry after 2s",
    "PERMISSION_DENIED": "Forbidden: Global manage access is required",
    "UNAUTHENTICATED": "Invalid API key or JWT",
    "INTERNAL": "Service internal error: something broke",
}


@dataclass(slots=True)
class _Fault:
    pattern: str
    seconds: float = 0.0
    code: grpc.StatusCode | None = None
    text: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    after: int = 0
    times: int | None = None
    seen: int = 0


@dataclass
class Faults:
    """A script of faults. Patterns are shell-like over `Service/Method` without the package: `Points/*`."""

    _held: list[_Fault] = field(default_factory=list[_Fault])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def delay(self, pattern: str, seconds: float, *, after: int = 0, times: int | None = None) -> None:
        """Answer later by `seconds`; `clear` and the end of the double let waiting calls go on at once."""
        self._add(_Fault(pattern, seconds=seconds, after=after, times=times))

    def fail(
        self,
        pattern: str,
        code: str,
        *,
        text: str | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
        after: int = 0,
        times: int | None = None,
    ) -> None:
        """Answer with a status after `after` good calls, `times` times (None: from then on)."""
        words = _TEXTS.get(code, code) if text is None else text
        self._add(_Fault(pattern, 0.0, grpc.StatusCode[code], words, metadata, after, times))

    def read_only(self) -> None:
        """A key that may read only: every write is refused as a server refuses it."""
        for pattern in _WRITES:
            self.fail(pattern, "PERMISSION_DENIED")

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
            self._released.set()
            self._released = threading.Event()

    def _add(self, fault: _Fault) -> None:
        with self._lock:
            self._held.append(fault)

    def __call__(self, method: Method, request: Any, context: grpc.ServicerContext, call: Call) -> Any:
        name = method.path.removeprefix("/qdrant.")
        due: list[_Fault] = []
        with self._lock:
            released = self._released
            for fault in self._held:
                if fnmatch.fnmatchcase(name, fault.pattern):
                    fault.seen += 1
                    first = fault.seen > fault.after
                    if first and (fault.times is None or fault.seen <= fault.after + fault.times):
                        due.append(fault)
        for fault in due:
            if fault.seconds:
                released.wait(fault.seconds)
            if fault.code is not None:
                raise Refused(fault.code, fault.text, metadata=fault.metadata)
        return call(request)
