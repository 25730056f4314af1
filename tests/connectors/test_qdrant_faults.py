"""What an operator is told when a server is away, busy, refuses, is something else, or older."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import (
    CollectionPlan,
    ConnectionSpec,
    PayloadField,
    Row,
    SearchOptions,
    Target,
    VectorField,
)
from connectors.qdrant.adapter import QdrantConnector
from tests.doubles import (
    KEY,
    Double,
    double,
    far,
    http_on_grpc_port,
    server_double,
    silent_port,
    tls_on_plain_port,
)
from tests.ports import closed_port

__all__ = ["server_double"]

VERSION = "1.18.3"
PLAN = CollectionPlan((VectorField("clip", "dense", 4, "dot"),))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Double]:
    with double(tmp_path / "double", version=VERSION) as held:
        yield held


@pytest.fixture
def opened() -> Iterator[Callable[[ConnectionSpec], QdrantConnector]]:
    made: list[QdrantConnector] = []

    def connect(spec: ConnectionSpec) -> QdrantConnector:
        made.append(QdrantConnector(spec))
        return made[-1]

    yield connect
    for connector in made:
        connector.close()


Connect = Callable[[ConnectionSpec], QdrantConnector]


def spec(**more: Any) -> ConnectionSpec:
    return ConnectionSpec("here", "qdrant", **{"timeout": 3.0, **more})


def filled(connector: QdrantConnector, rows: int = 20) -> Target:
    connector.create("rows", PLAN)
    ones = np.ones((rows, 4), np.float32)
    result = connector.insert(Target("rows"), [Row(i, {"clip": ones[i]}, {"n": i}) for i in range(rows)])
    assert len(result.done) == rows
    return Target("rows")


def code(call: Callable[[], object]) -> str:
    return fault(call).code


def fault(call: Callable[[], object]) -> PlumblineError:
    with pytest.raises(PlumblineError) as caught:
        call()
    assert caught.value.where.startswith(("here", "double"))
    assert caught.value.hint
    assert KEY not in str(caught.value)
    return caught.value


def test_a_closed_port_is_unreachable_at_once(opened: Connect) -> None:
    with closed_port() as rest, closed_port() as grpc:
        connector = opened(spec(url=f"http://127.0.0.1:{rest}", grpc_port=grpc))
        started = time.monotonic()
        said = fault(connector.server)
        assert said.code == "unreachable"
        assert str(rest) in said.message
        assert time.monotonic() - started < 8


def test_a_name_that_nobody_knows_is_unreachable(opened: Connect) -> None:
    said = fault(opened(spec(url="http://no-such-host.invalid:6333")).server)
    assert said.code == "unreachable"
    assert "no-such-host.invalid" in said.message


def test_a_port_that_never_answers_ends_within_the_timeout(opened: Connect) -> None:
    with silent_port() as rest, silent_port() as grpc:
        connector = opened(spec(url=f"http://127.0.0.1:{rest}", grpc_port=grpc, timeout=1.0))
        started = time.monotonic()
        assert code(connector.server) in ("timeout", "unreachable")
        assert time.monotonic() - started < 8


def test_a_far_server_is_given_the_time_for_a_handshake(opened: Connect, server: Double) -> None:
    with far(server.port, 0.4) as port:
        connector = opened(server.spec(grpc_port=port, timeout=8.0))
        assert connector.server().transport == "grpc"


def test_a_web_server_is_no_qdrant(opened: Connect) -> None:
    with http_on_grpc_port() as port:
        assert code(opened(spec(url=f"http://127.0.0.1:{port}", grpc_port=port)).server) == "wrong-protocol"
        only_grpc = spec(grpc_host="127.0.0.1", grpc_port=port)
        assert code(opened(only_grpc).server) == "wrong-protocol"


def test_tls_where_none_was_said_and_none_where_it_was(opened: Connect, server: Double) -> None:
    with tls_on_plain_port() as port:
        assert code(opened(spec(url=f"http://127.0.0.1:{port}", grpc_port=port)).server) == "tls"
    said = fault(opened(spec(url=f"https://127.0.0.1:{server.rest_port}", grpc_port=server.port)).server)
    assert said.code == "tls"


def test_a_ca_file_that_is_not_there_is_said(opened: Connect, tmp_path: Path) -> None:
    connector = opened(spec(url="https://127.0.0.1:1", grpc_port=1, ca_file=str(tmp_path / "none.pem")))
    assert code(connector.server) in ("tls", "settings")


def test_a_missing_and_a_wrong_key_are_told_from_a_healthy_server(opened: Connect, server: Double) -> None:
    assert code(opened(server.spec(api_key=None)).server) == "unauthorised"
    said = fault(opened(server.spec(api_key="not-the-right-one")).server)
    assert said.code == "unauthorised"
    assert "not-the-right-one" not in str(said)
    assert opened(server.spec()).server().version == VERSION


def test_the_key_is_not_told_to_whom_did_not_say_that_it_is_qdrant(opened: Connect) -> None:
    heard: list[bytes] = []
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(0.3)
                    try:
                        while part := connection.recv(4096):
                            heard.append(part)
                            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        connector = opened(spec(url=f"http://127.0.0.1:{port}", grpc_port=port, api_key="a-very-secret-key"))
        assert code(connector.server) == "wrong-protocol"
        listener.shutdown(socket.SHUT_RDWR)
    assert heard
    assert not any(b"a-very-secret-key" in part for part in heard)


def test_a_scan_that_is_cut_in_the_middle_goes_on_where_it_was(opened: Connect, server: Double) -> None:
    connector = opened(server.spec(timeout=10.0))
    t = filled(connector)
    server.faults.fail("Points/Scroll", "UNAVAILABLE", text="Shard temporarily unavailable", after=2, times=2)
    seen = [row for batch in connector.scan(t, ("clip",), page_bytes=200) for row in batch.ids]
    assert seen == list(range(20))


def test_a_server_that_restarts_in_the_middle_of_a_scan_loses_no_row(opened: Connect, server: Double) -> None:
    connector = opened(server.spec(timeout=10.0))
    t = filled(connector)
    batches = connector.scan(t, ("clip",), page_bytes=200)
    seen = list(next(batches).ids)
    server.cut()
    threading.Timer(0.3, server.restart).start()
    seen += [row for batch in batches for row in batch.ids]
    assert seen == list(range(20))


def test_a_busy_server_is_asked_again_and_then_said(opened: Connect, server: Double) -> None:
    connector = opened(server.spec(timeout=10.0))
    t = filled(connector)
    server.faults.fail("Points/Count", "UNAVAILABLE", text="Shard temporarily unavailable", times=1)
    assert connector.count(t).rows == 20
    server.calls.clear()
    server.faults.fail("Points/Count", "UNAVAILABLE", text="Shard temporarily unavailable")
    assert code(lambda: connector.count(t)) == "busy"
    assert 2 <= server.calls["Points/Count"] <= 5


def test_too_many_requests_say_how_long_to_wait(opened: Connect, server: Double) -> None:
    connector = opened(server.spec(timeout=2.0))
    t = filled(connector)
    server.faults.fail(
        "Points/Count",
        "RESOURCE_EXHAUSTED",
        text="Rate limiting exceeded: Read rate limit exceeded",
        metadata=(("retry-after", "30"),),
    )
    said = fault(lambda: connector.count(t))
    assert (said.code, said.retry_after) == ("busy", 30.0)


def test_a_short_wait_that_the_server_asks_for_is_kept(opened: Connect, server: Double) -> None:
    connector = opened(server.spec(timeout=10.0))
    t = filled(connector)
    server.faults.fail(
        "Points/Count", "RESOURCE_EXHAUSTED", text="slow down", metadata=(("retry-after", "1"),), times=1
    )
    started = time.monotonic()
    assert connector.count(t).rows == 20
    assert time.monotonic() - started >= 1


def test_a_slow_answer_is_a_timeout_and_ends_in_time(opened: Connect, server: Double) -> None:
    connector = opened(server.spec())
    t = filled(connector)
    server.faults.delay("Points/Count", 8.0)
    started = time.monotonic()
    assert code(lambda: connector.count(t, timeout=0.5)) == "timeout"
    assert time.monotonic() - started < 4


WORDS = [
    ("INTERNAL", "Service internal error: No space left on device", "disk-full"),
    ("INTERNAL", "Service internal error: Inconsistent storage: segment 3", "damaged"),
    ("DATA_LOSS", "Checksum mismatch: expected 1, actual 2", "damaged"),
    (
        "INVALID_ARGUMENT",
        'Bad request: Index required but not found for "a". Help: Create an index.',
        "strict-mode",
    ),
    ("INVALID_ARGUMENT", "Wrong input: Vector dimension error: expected dim: 4, got 5", "dimension-mismatch"),
    ("INVALID_ARGUMENT", "Wrong input: something else", "usage"),
    ("NOT_FOUND", "Not found: Collection `rows` doesn't exist!", "not-found"),
    ("UNAUTHENTICATED", "Invalid API key or JWT", "unauthorised"),
    ("PERMISSION_DENIED", "Forbidden: Global access is required", "unauthorised"),
    ("PERMISSION_DENIED", "Invalid api-key", "unauthorised"),
    ("RESOURCE_EXHAUSTED", "quota exceeded", "quota"),
    ("UNIMPLEMENTED", "", "unsupported"),
    ("INTERNAL", "task 12 panicked", "internal"),
    ("DEADLINE_EXCEEDED", "Timeout: operation timed out", "timeout"),
]


@pytest.mark.parametrize(("status", "text", "expected"), WORDS)
def test_the_servers_words_become_the_contracts_codes(
    opened: Connect, server: Double, status: str, text: str, expected: str
) -> None:
    connector = opened(server.spec(timeout=2.0))
    t = filled(connector, 1)
    server.faults.fail("Points/Count", status, text=text)
    assert code(lambda: connector.count(t)) == expected


def test_making_a_collection_may_take_longer_than_a_reading(opened: Connect, server: Double) -> None:
    connector = opened(server.spec(timeout=1.0))
    server.faults.delay("Collections/Create", 1.5)
    connector.create("rows", PLAN)
    assert server.calls["Collections/Create"] == 1
    assert code(lambda: connector.create("more", PLAN, timeout=0.3)) == "timeout"


def test_a_collection_is_made_once_even_where_the_answer_is_lost(opened: Connect, server: Double) -> None:
    connector = opened(server.spec())
    connector.server()
    server.faults.fail("Collections/Create", "UNAVAILABLE", text="Socket closed")
    assert code(lambda: connector.create("rows", PLAN)) == "unreachable"
    assert server.calls["Collections/Create"] == 1


def test_a_key_that_may_only_read_reads_and_says_so_on_a_write(opened: Connect, server: Double) -> None:
    t = filled(opened(server.spec()))
    server.faults.read_only()
    connector = opened(server.spec())
    assert connector.count(t).rows == 20
    row = Row(99, {"clip": np.ones(4, np.float32)}, {})
    for write in (
        lambda: connector.insert(t, [row]),
        lambda: connector.create("other", PLAN),
        lambda: connector.drop("rows"),
        lambda: connector.set_marker(t, {"a": 1}),
        lambda: connector.index_payload(t, [PayloadField("n", "integer")]),
    ):
        assert code(write) == "read-only"


def test_a_connection_that_is_configured_read_only_never_asks_the_server(
    opened: Connect, server: Double
) -> None:
    t = filled(opened(server.spec()))
    connector = opened(server.spec(read_only=True))
    assert connector.count(t).rows == 20
    server.calls.clear()
    row = Row(99, {"clip": np.ones(4, np.float32)}, {})
    for write in (
        lambda: connector.insert(t, [row]),
        lambda: connector.create("other", PLAN),
        lambda: connector.create_like(t, "other"),
        lambda: connector.drop("rows"),
        lambda: connector.set_marker(t, None),
        lambda: connector.index_payload(t, [PayloadField("n", "integer")]),
    ):
        assert code(write) == "read-only"
    assert not server.calls


def test_strict_mode_forbids_exact_search_and_says_so(opened: Connect, tmp_path: Path) -> None:
    with double(tmp_path / "strict", version=VERSION, strict={"search_allow_exact": False}) as server:
        connector = opened(server.spec())
        t = filled(connector)
        capability = connector.capabilities(t).exact_search
        assert capability.supported is False
        assert "search_allow_exact" in capability.why
        query = np.ones((1, 4), np.float32)
        assert (
            code(lambda: connector.search(t, "clip", query, 3, options=SearchOptions(exact=True)))
            == "strict-mode"
        )
        assert len(connector.search(t, "clip", query, 3)[0]) == 3


def test_what_an_older_server_lacks_is_a_capability(opened: Connect, tmp_path: Path) -> None:
    with double(tmp_path / "old", version="1.15.5") as server:
        connector = opened(server.spec())
        t = filled(connector)
        held = connector.capabilities(t)
        for name in ("slices", "insert_only", "conditional_write", "marker", "field_add", "update_queue"):
            capability = getattr(held, name)
            assert capability.supported is False, name
            assert "1.15.5" in capability.why
        assert held.write_guard == "none"
        assert code(lambda: connector.set_marker(t, {"a": 1})) == "unsupported"
        assert connector.marker(t) is None
        ones = np.ones((2, 4), np.float32)
        result = connector.insert(t, [Row(0, {"clip": ones[0] * 5}, {}), Row(50, {"clip": ones[1]}, {})])
        assert result.done == (50,)
        assert set(result.skipped) == {0}
        assert connector.fetch(t, [0], ("clip",)).vectors["clip"].matrix[0, 0] == 1


def test_a_server_that_says_no_version_is_given_no_guess(opened: Connect, server: Double) -> None:
    connector = opened(server.spec())
    connector.server()
    connector._note_version("custom build")
    held = connector.capabilities()
    assert held.insert_only.supported is None
    assert held.insert_only.why


def test_one_collection_that_cannot_be_described_carries_its_error(opened: Connect, server: Double) -> None:
    connector = opened(server.spec())
    filled(connector)
    connector.create("second", PLAN)
    server.faults.fail("Collections/Get", "INTERNAL", text="Service internal error: segment is gone", times=1)
    listed = {c.name: c for c in connector.collections()}
    assert set(listed) == {"rows", "second"}
    (bad,) = [c for c in listed.values() if c.error is not None]
    assert bad.error is not None
    assert bad.error["code"] == "internal"
    assert bad.error["where"] == f"double/{bad.name}"
    (good,) = [c for c in listed.values() if c.error is None]
    assert good.vectors[0].dimension == 4


def test_many_collections_are_described_side_by_side(opened: Connect, server: Double) -> None:
    connector = opened(server.spec())
    for i in range(24):
        connector.create(f"c{i}", PLAN)
    server.faults.delay("Collections/Get", 0.3)
    started = time.monotonic()
    assert all(c.error is None for c in connector.collections())
    assert time.monotonic() - started < 24 * 0.3 * 0.67


def test_what_comes_later_says_so(opened: Connect, server: Double) -> None:
    connector = opened(server.spec())
    t = Target("rows")
    for call in (
        lambda: connector.delete(t, [1], "none"),
        lambda: connector.merge_payload(t, [1], [{}], "none"),
        lambda: connector.add_field(t, None),
        lambda: connector.drop_field(t, "clip"),
        lambda: connector.point_alias("a", "b", None),
        lambda: connector.drop_alias("a"),
        lambda: connector.snapshot(t, "."),
    ):
        with pytest.raises(PlumblineError, match="later version") as caught:
            call()
        assert caught.value.code == "unsupported"


def test_a_write_whose_answer_is_lost_is_said_with_what_was_written(opened: Connect, server: Double) -> None:
    connector = opened(server.spec(timeout=2.0))
    t = filled(connector)
    server.faults.fail(
        "Points/Upsert", "INTERNAL", text="Service internal error: No space left on device", after=1
    )
    ones = np.ones((4_500, 4), np.float32)
    rows = [Row(1_000 + i, {"clip": ones[i]}, {}) for i in range(4_500)]
    said = fault(lambda: connector.insert(t, rows))
    assert said.code == "disk-full"
    assert "2,000 rows were written before" in said.message
