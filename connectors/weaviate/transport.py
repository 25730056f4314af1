"""Requests to one Weaviate server: REST by httpx, gRPC by weaviate-client's stub; both are thread-safe.

Neither follows redirects, uses a proxy from the environment or asks a package index for versions.
"""

from __future__ import annotations

import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import grpc
import httpx

from connectors.errors import PlumblineError
from connectors.model import ConnectionSpec
from connectors.weaviate import faults, stubs

T = TypeVar("T")

LARGEST_MESSAGE: Final = 104_858_000
GRPC_PORT: Final = 50051
_RAW: Final = "raw search"
_RETRIED: Final = frozenset({"unreachable", "busy", "quota"})
_MANAGED: Final = (".weaviate.cloud", ".weaviate.network", ".semi.technology")
_CHANNEL: Final[list[tuple[str, Any]]] = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.keepalive_time_ms", 120_000),
]


class Transport:
    """One server's two interfaces. Making one reaches nothing yet.

    Raises `settings` for a URL or CA file that can't be used.
    """

    def __init__(self, spec: ConnectionSpec) -> None:
        self.where = spec.name
        self.timeout = spec.timeout
        self.secrets = spec.secrets()
        if not spec.url:
            raise PlumblineError(
                "settings",
                "A Weaviate connection needs `url`.",
                where=spec.name,
                hint="Such as http://localhost:8080.",
            )
        parts = urlsplit(spec.url if "://" in spec.url else f"http://{spec.url}")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise PlumblineError(
                "settings",
                "The `url` is not an http(s) address.",
                where=spec.name,
                hint="Such as http://localhost:8080.",
            )
        if parts.username or parts.password:
            raise PlumblineError(
                "settings",
                "The `url` holds a user or password.",
                where=spec.name,
                hint="Use `api_key` or `headers`.",
            )
        self.secure = parts.scheme == "https"
        host = parts.hostname
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{parts.scheme}://{shown}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
        managed = self.secure and host.endswith(_MANAGED) and not spec.grpc_host
        grpc_host = spec.grpc_host or (f"grpc-{host}" if managed else host)
        grpc_port = spec.grpc_port or (443 if managed else GRPC_PORT)
        self.endpoint = f"[{grpc_host}]:{grpc_port}" if ":" in grpc_host else f"{grpc_host}:{grpc_port}"
        self._headers = dict(spec.headers)
        if spec.api_key:
            self._headers["Authorization"] = f"Bearer {spec.api_key}"
        self._metadata = tuple((name.lower(), value) for name, value in self._headers.items())
        self._roots = _read_roots(spec)
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._channel: grpc.Channel | None = None
        self._calls: dict[str, Any] = {}
        self._closed = False
        self._answered = False

    def rest(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str | int] | None = None,
        timeout: float | None = None,
        retry: bool | None = None,
        where: str = "",
    ) -> Any:
        """The parsed JSON of a successful answer, None where it is empty. GET is retried, others are not."""
        again = method == "GET" if retry is None else retry
        content = None if body is None else json.dumps(body, allow_nan=False).encode()

        def ask(left: float) -> Any:
            answer = self._send(method, path, content, params, left, where or self.where)
            return _parsed(answer, self.url, where or self.where, self.secrets)

        return self._within(ask, timeout, again)

    def call(
        self,
        name: str,
        request: Any,
        *,
        timeout: float | None = None,
        retry: bool = True,
        where: str = "",
        patient: bool = False,
    ) -> Any:
        """The reply of one gRPC call. `patient`: retry until the time is up, not just a few times."""

        def ask(left: float) -> Any:
            try:
                return self._method(name)(request, timeout=left, metadata=self._metadata)
            except grpc.RpcError as fault:
                raise self._explained(fault, left, where) from None
            except ValueError as fault:
                raise PlumblineError("internal", f"gRPC refused the request: {fault}", where=where) from None

        return self._within(ask, timeout, retry, patient)

    def begin(self, request: Any, *, timeout: float | None = None) -> Any:
        """A search on its way: `finish` it, or `cancel` it."""
        return self._method(_RAW).future(request, timeout=timeout or self.timeout, metadata=self._metadata)

    def finish(self, future: Any, request: Any, *, timeout: float | None, where: str) -> bytes:
        """The bytes of its reply; asked again, patiently, where the first answer was worth a retry."""
        left = timeout or self.timeout
        try:
            reply: bytes = future.result()
        except grpc.RpcError as fault:
            known = self._explained(fault, left, where)
            if known.code not in _RETRIED:
                raise known from None
            return self.call(_RAW, request, timeout=timeout, where=where, patient=True)
        except grpc.FutureCancelledError:
            raise PlumblineError("internal", "The connection was closed.", where=where) from None
        self._answered = True
        return reply

    def close(self) -> None:
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
            channel, self._channel = self._channel, None
            self._calls.clear()
        if client is not None:
            client.close()
        if channel is not None:
            channel.close()

    def _explained(self, fault: grpc.RpcError, left: float, where: str) -> PlumblineError:
        return faults.from_grpc(
            fault, self.endpoint, where or self.where, self.secrets, left, secure=self.secure
        )

    def _within(
        self, ask: Callable[[float], T], timeout: float | None, retry: bool, patient: bool = False
    ) -> T:
        end = time.monotonic() + (timeout or self.timeout)
        attempt = 0
        while True:
            try:
                answer = ask(max(0.001, end - time.monotonic()))
            except PlumblineError as fault:
                attempt += 1
                wait = _pause(attempt, fault)
                worth = fault.code in _RETRIED and (self._answered or fault.code != "unreachable")
                if not (retry and worth and (patient or attempt < 4) and time.monotonic() + wait < end):
                    raise
                time.sleep(wait)
            else:
                self._answered = True
                return answer

    def _send(
        self,
        method: str,
        path: str,
        content: bytes | None,
        params: Mapping[str, str | int] | None,
        left: float,
        where: str,
    ) -> httpx.Response:
        headers = {"content-type": "application/json"} if content is not None else None
        url = f"{self.url}{path}"
        try:
            return self._http().request(
                method, url, content=content, params=params, headers=headers, timeout=left
            )
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as fault:
            raise faults.from_httpx(fault, self.url, where, self.secrets) from None
        except RuntimeError as fault:
            raise PlumblineError("internal", f"The connection was closed ({fault}).", where=where) from None

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._closed:
                raise PlumblineError("internal", "The connection was closed.", where=self.where)
            if self._client is None:
                # Reading the system's authorities takes 30 ms, which plain HTTP need not pay.
                context = (
                    ssl.create_default_context() if self.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                )
                if self._roots is not None:
                    context.load_verify_locations(cadata=self._roots.decode("ascii", "replace"))
                self._client = httpx.Client(
                    headers=self._headers,
                    verify=context,
                    trust_env=False,
                    follow_redirects=False,
                    limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
                )
            return self._client

    def _method(self, name: str) -> Any:
        with self._lock:
            if self._closed:
                raise PlumblineError("internal", "The connection was closed.", where=self.where)
            if self._channel is None:
                if self.secure:
                    credentials = grpc.ssl_channel_credentials(root_certificates=self._roots)
                    self._channel = grpc.secure_channel(self.endpoint, credentials, options=_CHANNEL)
                else:
                    self._channel = grpc.insecure_channel(self.endpoint, options=_CHANNEL)
            if name == _RAW and name not in self._calls:
                self._calls[name] = self._channel.unary_unary(
                    "/weaviate.v1.Weaviate/Search",
                    request_serializer=stubs.search_get.SearchRequest.SerializeToString,
                )
            elif name not in self._calls:
                self._calls[name] = getattr(stubs.stub(self._channel), name)
            return self._calls[name]


def _read_roots(spec: ConnectionSpec) -> bytes | None:
    if not spec.ca_file:
        return None
    try:
        pem = Path(spec.ca_file).read_bytes()
        ssl.create_default_context().load_verify_locations(cadata=pem.decode("ascii"))
    except (OSError, ValueError) as fault:
        raise PlumblineError(
            "settings", f"`ca_file` can't be used: {fault}", where=spec.name, hint="It is a PEM file."
        ) from None
    return pem


def _pause(attempt: int, fault: PlumblineError) -> float:
    """Seconds before the next try: doubling from 0.1 to 1 with jitter, or what the server asked for."""
    drawn = min(1.0, 0.1 * 2 ** (attempt - 1)) * (0.5 + random.random())  # noqa: S311
    return max(drawn, fault.retry_after or 0.0)


def _parsed(answer: httpx.Response, url: str, where: str, secrets: tuple[str, ...]) -> Any:
    if not answer.is_success:
        raise faults.from_status(
            answer.status_code, _said(answer), where, secrets, answer.headers.get("retry-after")
        )
    if not answer.content:
        return None
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise PlumblineError(
            "wrong-protocol",
            f"What answers at {url} is not Weaviate: its answer is not JSON.",
            where=where,
            hint="Is this the URL of Weaviate's REST interface?",
        ) from None


def _said(answer: httpx.Response) -> str:
    """The server's own message: {"error": [{"message"}]}, {"message"}, or the start of the text."""
    try:
        data: object = answer.json()
    except (ValueError, RecursionError):
        return answer.text[:300]
    if isinstance(data, dict):
        held = cast("dict[str, Any]", data)
        errors: Any = held.get("error")
        if isinstance(errors, list):
            texts = [
                str(cast("dict[str, Any]", e).get("message", e))
                for e in cast("list[Any]", errors)
                if isinstance(e, dict)
            ]
            return "; ".join(texts)
        if "message" in held:
            return str(held["message"])
    return answer.text[:300]
