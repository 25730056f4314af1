"""Qdrant's gRPC services over one store: keys, errors, the times of calls."""

from __future__ import annotations

import hmac
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, Final

import grpc

from connectors.qdrant.host.collections import Collections
from connectors.qdrant.host.points import Points
from connectors.qdrant.host.protos import METHODS, Method, pb
from connectors.qdrant.host.refused import Refused, translate
from connectors.qdrant.host.store import Store

ENGINE: Final = version("qdrant-edge-py")
TITLE: Final = f"plumbline embedded store (qdrant-edge {ENGINE})"
"""The title in the answer to a health check: by it a client knows an embedded store."""
SEMANTICS: Final = "1.19.0"
"""The server whose semantics qdrant-edge 0.9 has: it knows the filter condition `slice` (new in 1.19)."""

MESSAGE_BYTES: Final = 256 * 1024 * 1024
_THREADS: Final = 16

Call = Callable[[Any], Any]
Around = Callable[[Method, Any, grpc.ServicerContext, Call], Any]
"""What may stand between the wire and a handler: the tests' faults."""


class Health:
    """The service `qdrant.Qdrant`."""

    def HealthCheck(self, request: Any) -> Any:
        return pb.HealthCheckReply(title=TITLE, version=SEMANTICS)


class Service:
    """Handlers of every method. `key` None asks for none, and `open_health` leaves the health check open to
    everybody, as a server does: both are for tests."""

    def __init__(
        self, store: Store, key: str | None, around: Around | None = None, open_health: bool = False
    ) -> None:
        self.store = store
        self.last_call = time.monotonic()
        self._running = 0
        self._closing = False
        self._key = key.encode() if key is not None else None
        self._around = around
        self._open = "/qdrant.Qdrant/HealthCheck" if open_health else None
        self._lock = threading.Lock()
        self._rooms: dict[str, Any] = {
            "qdrant.Qdrant": Health(),
            "qdrant.Collections": Collections(store),
            "qdrant.Points": Points(store),
        }

    @property
    def idle(self) -> float:
        """Seconds since the last call ended; 0 while one runs."""
        return 0.0 if self._running else time.monotonic() - self.last_call

    def drain(self, seconds: float) -> None:
        """Take no more calls, and wait for those that run."""
        self._closing = True
        deadline = time.monotonic() + seconds
        while self._running > 0 and time.monotonic() < deadline:
            time.sleep(0.01)

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        for method in METHODS:
            services.setdefault(method.service, {})[method.name] = grpc.unary_unary_rpc_method_handler(
                self._handler(method),
                request_deserializer=method.request.FromString,
                response_serializer=method.answer.SerializeToString,
            )
        return [grpc.method_handlers_generic_handler(name, held) for name, held in services.items()]

    def _handler(self, method: Method) -> Callable[[Any, grpc.ServicerContext], Any]:
        room = self._rooms.get(method.service)
        call: Call = getattr(room, method.name, None) or _unserved(method)

        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            with self._lock:
                self._running += 1
            try:
                return self._answer(method, call, request, context)
            finally:
                with self._lock:
                    self._running -= 1
                self.last_call = time.monotonic()

        return handle

    def _answer(self, method: Method, call: Call, request: Any, context: grpc.ServicerContext) -> Any:
        started = time.perf_counter()
        try:
            if self._closing:
                raise Refused(grpc.StatusCode.UNAVAILABLE, "The embedded store is closing.")
            if method.path != self._open:
                self._admit(context)
            around = self._around
            answer = call(request) if around is None else around(method, request, context, call)
        except BaseException as fault:
            refused = translate(fault)
            if refused.code is grpc.StatusCode.INTERNAL and not isinstance(fault, Refused):
                traceback.print_exception(fault, file=sys.stderr)
            context.set_trailing_metadata(refused.metadata)
            context.abort(refused.code, refused.text)
            raise
        if "time" in answer.DESCRIPTOR.fields_by_name:
            answer.time = time.perf_counter() - started
        return answer

    def _admit(self, context: grpc.ServicerContext) -> None:
        if self._key is None:
            return
        given = next((v for k, v in context.invocation_metadata() if k == "api-key"), None)
        if given is None:
            raise Refused(
                grpc.StatusCode.UNAUTHENTICATED, "Must provide an API key or an Authorization bearer token"
            )
        sent = given if isinstance(given, bytes) else given.encode()
        if not hmac.compare_digest(sent, self._key):
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "Invalid API key or JWT")


def _unserved(method: Method) -> Call:
    def refuse(request: Any) -> Any:
        raise Refused(
            grpc.StatusCode.UNIMPLEMENTED,
            f"The embedded store does not serve {method.service.removeprefix('qdrant.')}/{method.name}.",
        )

    return refuse


def start(service: Service, port: int = 0, credentials: Any = None) -> tuple[grpc.Server, int]:
    """A running server on 127.0.0.1 and its port (0: any free one)."""
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="call"),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.max_send_message_length", MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    server.add_generic_rpc_handlers(tuple(service.handlers()))
    address = f"127.0.0.1:{port}"
    bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    return server, bound
