"""REST where gRPC can't be reached: the same calls, each as its HTTP request, each answer as the gRPC message.

JSON carries neither NaN nor Inf: the server sends null in their place, which becomes NaN here, and takes none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from connectors.errors import PlumblineError, redact, unsupported
from connectors.qdrant import faults, probe, restanswers, restjson
from connectors.qdrant.probe import Endpoint

Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

CALLS: Final[dict[str, tuple[Verb, str]]] = {
    "Qdrant/HealthCheck": ("GET", "/"),
    "Collections/List": ("GET", "/collections"),
    "Collections/Get": ("GET", "/collections/{}"),
    "Collections/Create": ("PUT", "/collections/{}"),
    "Collections/Update": ("PATCH", "/collections/{}"),
    "Collections/Delete": ("DELETE", "/collections/{}"),
    "Collections/ListAliases": ("GET", "/aliases"),
    "Collections/CollectionClusterInfo": ("GET", "/collections/{}/cluster"),
    "Collections/CreateShardKey": ("PUT", "/collections/{}/shards"),
    "Points/Scroll": ("POST", "/collections/{}/points/scroll"),
    "Points/Get": ("POST", "/collections/{}/points"),
    "Points/Count": ("POST", "/collections/{}/points/count"),
    "Points/Facet": ("POST", "/collections/{}/facet"),
    "Points/QueryBatch": ("POST", "/collections/{}/points/query/batch"),
    "Points/Upsert": ("PUT", "/collections/{}/points"),
    "Points/CreateFieldIndex": ("PUT", "/collections/{}/index"),
}
WAITING: Final = ("Points/Upsert", "Points/CreateFieldIndex")


class Rest:
    """Implements `Transport`. Threads may share it."""

    kind: Literal["grpc", "rest"] = "rest"

    def __init__(
        self,
        base: str,
        headers: Sequence[tuple[str, str]],
        ca_file: str | None,
        secrets: tuple[str, ...],
        direct: bool,
    ) -> None:
        self.place = base
        self._headers = dict(headers)
        self._ca_file = ca_file
        self._secrets = secrets
        self._direct = direct
        self._trusted = False
        self._lock = threading.Lock()
        self._pool: urllib3.PoolManager | None = None

    def call(self, method: str, request: Any, timeout: float, write: bool = False) -> bytes:
        verb, path = CALLS[method]
        name = getattr(request, "collection_name", "")
        url = self.place + path.format(quote(name, safe=""))
        if method in WAITING:
            url += "?" + urlencode({"wait": "true"})
        body = restjson.request(method, request)
        headers = dict(self._headers) if self._trusted or method != "Qdrant/HealthCheck" else {}
        sent = None if body is None else json.dumps(body, allow_nan=False).encode()
        if sent is not None:
            headers["content-type"] = "application/json"
        status, text, wait = self._send(verb, url, sent, headers, timeout)
        if status >= 300:
            raise self._refused(method, status, text, wait, write)
        try:
            held = json.loads(text)
            return restanswers.answer(method, held)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise PlumblineError(
                "wrong-protocol",
                f"{self.place} answers with something other than Qdrant's JSON.",
                hint="Set the connection's URL to the Qdrant server.",
            ) from None

    def told(self, path: str, timeout: float, most: int) -> Any:
        """The `result` of a GET that has no counterpart in gRPC. `most`: bytes, see `_send`."""
        status, text, wait = self._send("GET", self.place + path, None, dict(self._headers), timeout, most)
        if status >= 300:
            raise self._refused("GET", status, text, wait, False)
        try:
            return json.loads(text)["result"]
        except (ValueError, KeyError, TypeError):
            raise PlumblineError(
                "wrong-protocol", f"{self.place} answers with something other than Qdrant's JSON."
            ) from None

    def trust(self) -> None:
        self._trusted = True

    def close(self) -> None:
        with self._lock:
            if self._pool is not None:
                self._pool.clear()
            self._pool = None

    def _send(
        self,
        verb: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str],
        timeout: float,
        most: int | None = None,
    ) -> tuple[int, str, float | None]:
        """`most`: bytes of the answer beyond which it is `unsupported`."""
        try:
            answer = self._opened().request(
                verb,
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=timeout),
                retries=False,
                redirect=False,
                preload_content=most is None,
            )
            wait = faults.retry_after_of(answer.headers.items())
            held = answer.data if most is None else _read(answer, most)
            return answer.status, held.decode("utf-8", "replace"), wait
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.NameResolutionError) as fault:
            raise self._silent(str(fault), min(timeout, 2.0)) from None
        except urllib3.exceptions.ConnectTimeoutError:
            raise PlumblineError(
                "unreachable",
                f"Nothing answered at {self.place} within {timeout:g} s.",
                hint="Is the server running, are host and port right, and does a firewall stand between?",
            ) from None
        except urllib3.exceptions.TimeoutError:
            raise faults.timed_out(seconds=timeout) from None
        except FileNotFoundError:
            raise PlumblineError(
                "tls",
                f"The CA file {self._ca_file} can't be read.",
                hint="Set CA_FILE to the certificate authority's file.",
            ) from None
        except (urllib3.exceptions.HTTPError, OSError) as fault:
            raise self._silent(str(fault), min(timeout, 2.0)) from None

    def _silent(self, said: str, wait: float) -> PlumblineError:
        parts = urlsplit(self.place)
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        end = Endpoint(parts.hostname or "", port, tls, self._ca_file, self._secrets)
        fault = probe.of_silence(end, redact(said, self._secrets), wait)
        if fault.code == "wrong-protocol" and "speaks HTTP" in fault.message:
            return PlumblineError(
                "unreachable", f"The connection to {end.address} was lost.", hint=fault.hint
            )
        return fault

    def _refused(
        self, method: str, status: int, text: str, wait: float | None, write: bool
    ) -> PlumblineError:
        text = redact(text, self._secrets)
        try:
            said = json.loads(text)["status"]["error"]
        except (ValueError, KeyError, TypeError):
            if "weaviate" in text.lower() or '"/v1' in text:
                return PlumblineError(
                    "wrong-protocol", f"{self.place} is a Weaviate server.", hint="Set KIND to weaviate."
                )
            if status in (400, 404, 405, 426, 501, 505) or 300 <= status < 400:
                return PlumblineError(
                    "wrong-protocol",
                    f"{self.place} is no Qdrant server (HTTP status {status}).",
                    hint="Set the connection's URL to the Qdrant server.",
                )
            said = text or f"HTTP status {status}"
        return faults.of_http(status, str(said), write=write, retry_after=wait)

    def _opened(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None:
                parts = urlsplit(self.place)
                proxies = {} if self._direct or proxy_bypass(parts.hostname or "") else getproxies()
                more: dict[str, Any] = {"ca_certs": self._ca_file} if self._ca_file else {}
                proxy = proxies.get(parts.scheme)
                self._pool = (
                    urllib3.ProxyManager(proxy, maxsize=16, **more)
                    if proxy
                    else urllib3.PoolManager(maxsize=16, **more)
                )
            return self._pool


def _read(answer: urllib3.BaseHTTPResponse, most: int) -> bytes:
    try:
        held = answer.read(most + 1)
    finally:
        answer.close()
    if len(held) > most:
        raise unsupported(f"The server's answer is longer than {most >> 20:,} MB.", "")
    return held
