"""What goes wrong with a Weaviate server, said with the codes of the contract."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, ConnectionSpec, Range, Target, VectorField
from connectors.weaviate.adapter import WeaviateConnector
from connectors.weaviate.core import parse_version
from tests.connectors.weaviate_kit import ask, collection, plain_rows, uid
from tests.doubles import silent_port
from tests.ports import free_port
from tests.weaviate_server import NoWeaviate, WeaviateServer, skip_or_fail, start_weaviate

KEYS = {"the-admin-key": "ada", "the-viewer-key": "vera", "the-stranger-key": "sam"}


def code_of(call: Callable[[], Any]) -> PlumblineError:
    with pytest.raises(PlumblineError) as caught:
        call()
    return caught.value


@contextmanager
def opened(spec: ConnectionSpec) -> Iterator[WeaviateConnector]:
    connector = WeaviateConnector(spec)
    try:
        yield connector
    finally:
        connector.close()


Answer = Callable[[str, str], tuple[int, dict[str, str], bytes]]
"""(method, path) -> status, headers, body"""


@contextmanager
def http_double(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """An HTTP server that answers as told; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            if length:
                self.rfile.read(length)
            status, headers, body = answer(self.command, self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def meta(version: str = "1.39.0") -> Answer:
    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        if path.endswith("/v1/meta"):
            return 200, {}, json.dumps({"version": version}).encode()
        if path.endswith("/live"):
            return 200, {}, b""
        return 200, {}, b'{"classes": [], "aliases": []}'

    return answer


def spec_of(url: str, **changes: Any) -> ConnectionSpec:
    return ConnectionSpec("wv", "weaviate", url=url, **{"timeout": 5.0, "grpc_port": free_port(), **changes})


# Without a server


def test_nobody_there_is_unreachable_and_quickly_said() -> None:
    with opened(spec_of(f"http://127.0.0.1:{free_port()}", timeout=30)) as wv:
        began = time.perf_counter()
        fault = code_of(lambda: wv.server())
        assert fault.code == "unreachable"
        assert time.perf_counter() - began < 5
        assert fault.where == "wv"
        assert fault.hint


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"url": None}, "url"),
        ({"url": "ftp://host"}, "url"),
        ({"url": "http://user:secretword@host"}, "user"),
        ({"url": "http://host:99999999"}, "url"),
        ({"url": "http://host", "ca_file": "/nowhere.pem"}, "ca_file"),
    ],
)
def test_a_spec_that_can_not_be_used_is_a_setting(changes: dict[str, Any], word: str) -> None:
    fault = code_of(lambda: WeaviateConnector(ConnectionSpec("wv", "weaviate", **changes)))
    assert fault.code == "settings"
    assert word in fault.message
    assert "secretword" not in str(fault)


def test_qdrant_at_that_address_is_named() -> None:
    def qdrant(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/":
            return 200, {}, b'{"title": "qdrant - vector search engine", "version": "1.18.3"}'
        return 404, {}, b""

    with http_double(qdrant) as url, opened(spec_of(url)) as wv:
        fault = code_of(lambda: wv.collections())
        assert fault.code == "wrong-protocol"
        assert "Qdrant" in fault.message
        assert "kind" in fault.hint


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1, 2]", b"{}", b""])
def test_any_other_http_server_is_the_wrong_protocol(body: bytes) -> None:
    with http_double(lambda m, p: (200, {}, body)) as url, opened(spec_of(url)) as wv:
        assert code_of(lambda: wv.server()).code == "wrong-protocol"


def test_a_port_that_speaks_something_else_is_the_wrong_protocol() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"SSH-2.0-OpenSSH_9\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        with opened(spec_of(f"http://127.0.0.1:{listening.getsockname()[1]}")) as wv:
            assert code_of(lambda: wv.server()).code == "wrong-protocol"
        thread.join()


def test_an_old_server_is_unsupported_and_a_new_one_is_noted() -> None:
    with http_double(meta("1.31.4")) as url, opened(spec_of(url)) as wv:
        fault = code_of(lambda: wv.server())
        assert fault.code == "unsupported"
        assert "1.31.4" in fault.message
        assert code_of(lambda: wv.collections()).code == "unsupported"
    with http_double(meta("1.41.0-rc.0")) as url, opened(spec_of(url)) as wv:
        assert any("1.41" in note for note in wv.server().notes)
    assert parse_version("1.39.0-rc.1+5") == (1, 39, 0)
    assert parse_version("nonsense") == (0, 0, 0)


def test_http_that_answers_without_grpc_is_noted_and_named_where_it_is_needed() -> None:
    schema = {"class": "Things", "vectorConfig": {"clip": {"vectorIndexType": "hnsw"}}}

    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        if "/v1/schema/Things" in path:
            return 200, {}, json.dumps(schema).encode()
        return meta()(method, path)

    with http_double(answer) as url, opened(spec_of(url)) as wv:
        server = wv.server()
        assert server.transport == "rest"
        assert "gRPC" in server.notes[0]
        for call in (lambda: list(wv.scan(Target("Things"), [])), lambda: wv.count(Target("Things"))):
            fault = code_of(call)
            assert fault.code == "unreachable"
            assert "grpc_port" in fault.hint


def test_a_grpc_port_that_speaks_http_is_the_wrong_protocol() -> None:
    schema = {"class": "Things", "vectorConfig": {"clip": {"vectorIndexType": "hnsw"}}}

    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        return (200, {}, json.dumps(schema).encode()) if "Things" in path else meta()(method, path)

    with http_double(answer) as url:
        port = int(url.rsplit(":", 1)[1])
        with opened(spec_of(url, grpc_port=port)) as wv:
            fault = code_of(lambda: wv.count(Target("Things")))
            assert fault.code == "wrong-protocol"
            assert "grpc_port" in fault.hint


def _things(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    schema = {"class": "Things", "vectorConfig": {"clip": {"vectorIndexType": "hnsw"}}}
    return (200, {}, json.dumps(schema).encode()) if "Things" in path else meta()(method, path)


def test_a_grpc_port_that_takes_connections_and_says_nothing_is_a_timeout() -> None:
    with (
        silent_port() as port,
        http_double(_things) as url,
        opened(spec_of(url, grpc_port=port, timeout=6.0)) as wv,
    ):
        fault = code_of(lambda: wv.count(Target("Things")))
        assert fault.code == "timeout"
        assert str(port) in fault.message
        assert "grpc_port" in fault.hint


def test_a_proxy_that_speaks_of_tls_on_a_plain_channel_is_no_fault_of_our_tls() -> None:
    from concurrent.futures import ThreadPoolExecutor

    said = "upstream connect error or disconnect/reset before headers: TLS handshake with the upstream failed"

    class Proxy(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                lambda _, context: context.abort(grpc.StatusCode.UNAVAILABLE, said)
            )

    proxy = grpc.server(ThreadPoolExecutor(1), handlers=[Proxy()])
    port = proxy.add_insecure_port("127.0.0.1:0")
    proxy.start()
    try:
        with http_double(_things) as url, opened(spec_of(url, grpc_port=port)) as wv:
            fault = code_of(lambda: wv.count(Target("Things")))
            assert fault.code == "unreachable"
            assert said in fault.message
    finally:
        proxy.stop(None).wait()


def test_a_foreign_grpc_server_is_the_wrong_protocol() -> None:
    from concurrent.futures import ThreadPoolExecutor

    schema = {"class": "Things", "vectorConfig": {"clip": {"vectorIndexType": "hnsw"}}}

    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        return (200, {}, json.dumps(schema).encode()) if "Things" in path else meta()(method, path)

    foreign = grpc.server(ThreadPoolExecutor(1))
    port = foreign.add_insecure_port("127.0.0.1:0")
    foreign.start()
    try:
        with http_double(answer) as url, opened(spec_of(url, grpc_port=port)) as wv:
            fault = code_of(lambda: wv.count(Target("Things")))
            assert fault.code == "wrong-protocol"
            assert str(port) in fault.message
    finally:
        foreign.stop(None).wait()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b"{}", "unauthorised"),
        (403, b'{"error": [{"message": "forbidden: read collections"}]}', "unauthorised"),
        (429, b"slow down", "quota"),
        (503, b"no", "busy"),
        (502, b"<html>bad gateway</html>", "busy"),
        (500, b'{"error": [{"message": "store is read-only"}]}', "read-only"),
        (500, b'{"error": [{"message": "disk usage too high"}]}', "disk-full"),
        (500, b'{"error": [{"message": "not enough memory"}]}', "busy"),
        (500, b'{"error": [{"message": "boom"}]}', "internal"),
        (301, b"", "wrong-protocol"),
        (400, b"Client sent an HTTP request to an HTTPS server.", "tls"),
    ],
)
def test_http_answers_have_their_codes(status: int, body: bytes, code: str) -> None:
    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        return meta()(method, path) if "meta" in path else (status, {"location": "http://127.0.0.2/"}, body)

    with http_double(answer) as url, opened(spec_of(url, timeout=2)) as wv:
        assert code_of(lambda: wv.describe(Target("Things"))).code == code


def test_reading_waits_as_long_as_a_busy_server_asks_and_writing_is_not_repeated() -> None:
    asked: list[tuple[str, float]] = []

    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        if "meta" in path:
            return meta()(method, path)
        asked.append((method, time.monotonic()))
        reads = [a for a in asked if a[0] == "GET"]
        if method == "GET" and len(reads) == 2:
            return 404, {}, b""
        return (429, {"retry-after": "0.4"}, b"") if method == "GET" else (503, {}, b"")

    with http_double(answer) as url, opened(spec_of(url)) as wv:
        assert code_of(lambda: wv.create("Things", CollectionPlan((VectorField("a"),)))).code == "busy"
    reads = [at for method, at in asked if method == "GET"]
    assert len(reads) == 2
    assert reads[1] - reads[0] >= 0.4
    assert [method for method, _ in asked].count("POST") == 1


def test_a_server_that_never_answers_times_out() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        opened(spec_of(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.4)) as wv,
    ):
        began = time.perf_counter()
        assert code_of(lambda: wv.collections()).code == "timeout"
        assert time.perf_counter() - began < 3


def test_grpc_that_accepts_and_never_answers_is_named() -> None:
    schema = {"class": "Things", "vectorConfig": {"clip": {"vectorIndexType": "hnsw"}}}

    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        return (200, {}, json.dumps(schema).encode()) if "Things" in path else meta()(method, path)

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        http_double(answer) as url,
        opened(spec_of(url, timeout=0.5, grpc_port=silent.getsockname()[1])) as wv,
    ):
        fault = code_of(lambda: wv.count(Target("Things")))
        assert fault.code == "timeout"
        assert "gRPC" in fault.message


def _certificate(folder: Path) -> tuple[Path, Path]:
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key)]
    command += ["-out", str(cert), "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return key, cert


def test_tls_faults_are_named_and_a_private_authority_is_taken(tmp_path: Path) -> None:
    key, cert = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with http_double(meta(), context) as url:
        with opened(spec_of(url)) as wv:
            assert code_of(lambda: wv.collections()).code == "tls"
        with opened(spec_of(url, ca_file=str(cert))) as wv:
            assert wv.collections() == ()
        with opened(spec_of(url.replace("https", "http"), ca_file=str(cert))) as wv:
            assert code_of(lambda: wv.collections()).code in ("wrong-protocol", "tls", "unreachable")
    with http_double(meta()) as url, opened(spec_of(url.replace("http", "https"))) as wv:
        assert code_of(lambda: wv.collections()).code == "tls"


def test_a_secret_that_a_server_sends_back_is_masked() -> None:
    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        return (
            meta()(method, path)
            if "meta" in path
            else (500, {}, b'{"message": "bad key my-secret-key \x07"}')
        )

    with http_double(answer) as url, opened(spec_of(url, api_key="my-secret-key")) as wv:
        fault = code_of(lambda: wv.collections())
        assert "my-secret-key" not in str(fault)
        assert "***" in fault.message


def test_a_closed_connector_says_so() -> None:
    with http_double(meta()) as url:
        wv = WeaviateConnector(spec_of(url))
        wv.collections()
        wv.close()
        wv.close()
        assert code_of(lambda: wv.collections()).code == "internal"


# With a server


@pytest.fixture
def own() -> Iterator[WeaviateServer]:
    """A server that a test may stop."""
    try:
        with start_weaviate() as server:
            yield server
    except NoWeaviate as why:
        skip_or_fail(why)


@pytest.fixture(scope="module")
def guarded() -> Iterator[WeaviateServer]:
    try:
        with start_weaviate(api_keys=KEYS, admins=("ada",), viewers=("vera",)) as server:
            yield server
    except NoWeaviate as why:
        skip_or_fail(why)


@pytest.mark.weaviate
def test_keys_are_wanted_checked_and_limited(guarded: WeaviateServer) -> None:
    for key in (None, "wrong-key-entirely"):
        with opened(guarded.spec(api_key=key)) as wv:
            for call in (lambda: wv.server(), lambda: wv.collections()):
                fault = code_of(call)
                assert fault.code == "unauthorised"
                assert "wrong-key-entirely" not in str(fault)
    with opened(guarded.spec(api_key="the-admin-key")) as admin, collection(admin, "Guarded") as t:
        admin.insert(t, plain_rows([uid(1)]))
        with opened(guarded.spec(api_key="the-viewer-key")) as viewer:
            assert viewer.count(t).rows == 1
            fault = code_of(lambda: viewer.insert(t, plain_rows([uid(2)])))
            assert fault.code == "unauthorised"
            assert code_of(lambda: viewer.drop("Guarded")).code == "unauthorised"
        with opened(guarded.spec(headers={"Authorization": "Bearer the-viewer-key"})) as by_header:
            assert by_header.count(t).rows == 1
        with opened(guarded.spec(api_key="the-stranger-key")) as stranger:
            assert code_of(lambda: stranger.count(t)).code == "unauthorised"
    with opened(guarded.spec(api_key="the-admin-key", grpc_port=free_port())) as wv:
        assert wv.server().transport == "rest"


@pytest.mark.weaviate
def test_grpc_at_another_host_and_port_is_used(weaviate_server: WeaviateServer) -> None:
    """gRPC behind a forwarder of its own, as behind a proxy."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()
        listening.settimeout(0.1)

        def pump(source: socket.socket, to: socket.socket) -> None:
            try:
                while data := source.recv(65536):
                    to.sendall(data)
            except OSError:
                pass

        def serve() -> None:
            pairs: list[socket.socket] = []
            while not stop.is_set():
                try:
                    peer, _ = listening.accept()
                except TimeoutError:
                    continue
                behind = socket.create_connection(("127.0.0.1", weaviate_server.grpc_port))
                pairs += [peer, behind]
                for a, b in ((peer, behind), (behind, peer)):
                    threading.Thread(target=pump, args=(a, b), daemon=True).start()
            for one in pairs:
                one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        port = listening.getsockname()[1]
        try:
            with opened(weaviate_server.spec(grpc_host="127.0.0.1", grpc_port=port)) as wv:
                assert wv.server().transport == "grpc"
                with collection(wv, "Forwarded") as t:
                    wv.insert(t, plain_rows([uid(1)]))
                    assert wv.count(t).rows == 1
        finally:
            stop.set()
            thread.join()


@pytest.mark.weaviate
def test_what_is_not_there_is_not_found(weaviate_server: WeaviateServer) -> None:
    with opened(weaviate_server.spec()) as wv:
        for name in ("Nothing", "no/thing", "", "Ünicode", "a b", "x" * 300):
            fault = code_of(lambda: wv.count(Target(name)))  # noqa: B023
            assert fault.code == "not-found"
            assert code_of(lambda: list(wv.scan(Target(name), []))).code == "not-found"  # noqa: B023


@pytest.mark.weaviate
def test_a_scan_goes_on_after_the_server_came_back(own: WeaviateServer) -> None:
    with opened(own.spec(timeout=60)) as wv, collection(wv, "Interrupted") as t:
        ids = [uid(n * 2**100) for n in range(1, 3001)]
        assert len(wv.insert(t, plain_rows(ids, 64), "replace").done) == 3000
        got: list[Any] = []
        for at, batch in enumerate(wv.scan(t, ["clip"], page_bytes=40_000)):
            got += batch.ids
            if at == 3:
                own.stop()
                own.start()
        assert got == ids
        with opened(own.spec(timeout=3)) as hasty:
            assert hasty.count(t).rows == 3000
            begun = hasty.scan(t, ["clip"], Range(), page_bytes=40_000)
            next(begun)
            own.stop()
            fault = code_of(lambda: list(begun))
            assert fault.code in ("unreachable", "timeout")
            assert "Interrupted" in fault.where
            own.start()
            assert len(list(wv.export(t, Range(None, ids[10], ids[20])))) == 10


@pytest.mark.weaviate
def test_a_collection_dropped_while_it_is_scanned_is_not_found(weaviate_server: WeaviateServer) -> None:
    with opened(weaviate_server.spec()) as wv:
        wv.create("Vanishing", CollectionPlan((VectorField("clip"),)))
        wv.insert(Target("Vanishing"), plain_rows([uid(n) for n in range(1, 500)], 64), "replace")
        pages = wv.scan(Target("Vanishing"), ["clip"], page_bytes=5000)
        next(pages)
        wv.drop("Vanishing")
        assert code_of(lambda: list(pages)).code == "not-found"


@pytest.mark.weaviate
def test_a_server_in_read_only_mode_says_so(own: WeaviateServer) -> None:
    with opened(own.spec()) as wv:
        wv.create("Frozen", CollectionPlan((VectorField("clip"),)))
        t = Target("Frozen")
        wv.insert(t, plain_rows([uid(1)]))
        own.stop()
        own.environment = {**own.environment, "OPERATIONAL_MODE": "ReadOnly"}
        own.start()
        fault = code_of(lambda: wv.create("Another", CollectionPlan((VectorField("clip"),))))
        assert fault.code == "read-only"
        assert code_of(lambda: wv.insert(t, plain_rows([uid(2)]))).code == "read-only"
        assert wv.count(t).rows == 1


@pytest.mark.weaviate
def test_nothing_but_the_server_is_asked_and_nothing_is_printed(weaviate_server: WeaviateServer) -> None:
    """A process of its own: what it connects to, what it imports and what it prints."""
    import sys

    program = f"""
import socket, sys
asked = set()
sys.addaudithook(lambda name, args: asked.add(str(args[name == "socket.connect"])) if name in ("socket.connect", "socket.getaddrinfo") else None)
from connectors.model import ConnectionSpec
from connectors.registry import connect
wv = connect(ConnectionSpec("wv", "weaviate", url={weaviate_server.url!r}, grpc_port={weaviate_server.grpc_port}))
wv.server(), wv.collections()
wv.close()
assert "weaviate" not in sys.modules and "qdrant_client" not in sys.modules
print(sorted(a for a in asked if "127.0.0.1" not in a and "/" not in a))
import weaviate
assert weaviate.connect_to_local
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[]"


@pytest.mark.weaviate
def test_ask_is_a_plain_client(weaviate_server: WeaviateServer) -> None:
    assert ask(weaviate_server.spec(), "GET", "/meta")["version"].startswith("1.")
