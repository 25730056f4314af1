"""The doubles do what their description says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from qdrant_client import grpc as wire
from qdrant_client import models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from tests.connectors.test_host_life import make, put, until
from tests.doubles import (
    Double,
    double,
    http_on_grpc_port,
    server_double,
    silent_port,
    tls_on_plain_port,
)
from tests.ports import closed_port

__all__ = ["server_double"]

CODE = grpc.StatusCode


def code(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as said:
        call()
    return said.value.code()  # type: ignore[attr-defined]


def test_a_fault_comes_after_so_many_calls_and_so_many_times(server_double: Double) -> None:
    c = server_double.client()
    make(c, rows=5)
    server_double.faults.fail("Points/Scroll", "UNAVAILABLE", after=2, times=1)
    c.scroll("c")
    c.scroll("c")
    assert code(lambda: c.scroll("c")) is CODE.UNAVAILABLE
    c.scroll("c")
    assert server_double.calls["Points/Scroll"] == 4


def test_a_quota_tells_when_to_come_back(server_double: Double) -> None:
    c = server_double.client()
    make(c)
    server_double.faults.fail("*", "RESOURCE_EXHAUSTED", metadata=(("retry-after", "2"),), times=1)
    with pytest.raises(ResourceExhaustedResponse) as said:
        c.count("c")
    assert said.value.retry_after_s == 2
    assert c.count("c").count == 0


def test_a_delay_is_waited_for_and_let_go(server_double: Double) -> None:
    c = server_double.client()
    server_double.faults.delay("Collections/List", 0.4)
    started = time.perf_counter()
    c.get_collections()
    assert time.perf_counter() - started >= 0.4
    server_double.faults.clear()
    assert code(lambda: server_double.client(api_key="wrong").get_collections()) is CODE.UNAUTHENTICATED


def test_a_reading_key_reads(server_double: Double) -> None:
    c = server_double.client()
    make(c, rows=2)
    server_double.faults.read_only()
    assert c.count("c").count == 2
    assert code(lambda: put(c, [3])) is CODE.PERMISSION_DENIED
    assert code(lambda: c.delete_collection("c")) is CODE.PERMISSION_DENIED


def test_a_cut_connection_comes_back(server_double: Double) -> None:
    make(server_double.client(), rows=2)
    server_double.cut()
    assert code(lambda: server_double.client().count("c")) is CODE.UNAVAILABLE
    server_double.restart()

    def back() -> bool:
        try:
            return server_double.client().count("c").count == 2
        except grpc.RpcError:
            return False

    until(back)  # gRPC itself waits a second or so before it dials again


def test_an_older_server_ignores_what_it_does_not_know(tmp_path: Path) -> None:
    with double(tmp_path, version="1.15.5") as old:
        c = old.client()
        make(c, rows=6)
        assert c.info().version == "1.15.5"
        c.update_collection("c", metadata={"marker": 1})
        assert not c.get_collection("c").config.metadata
        slices = wire.Filter(must=[wire.Condition(slice=wire.SliceCondition(total=3, index=0))])
        answer = c._client.grpc_points.Count(wire.CountPoints(collection_name="c", filter=slices))
        assert answer.result.count == 6
        never = models.Filter(must=[models.HasIdCondition(has_id=[])])
        row = models.PointStruct(id=1, vector=[9.0] * 4)
        c.upsert("c", [row], update_filter=never, wait=True)
        assert c.retrieve("c", [1], with_vectors=True)[0].vector == [9.0] * 4
        assert code(
            lambda: c._client.grpc_points.DeleteVectorName(
                wire.DeleteVectorNameRequest(collection_name="c", vector_name="x")
            )
        ) is (CODE.UNIMPLEMENTED)
        assert code(lambda: old.client(api_key="wrong").get_collections()) is CODE.UNAUTHENTICATED
        assert old.client(api_key="wrong").info().version == "1.15.5"


def test_ports_that_are_no_qdrant(server_double: Double) -> None:
    for port_of in (http_on_grpc_port, tls_on_plain_port, closed_port):
        with port_of() as port:
            other = server_double.client(grpc_port=port, timeout=5)
            assert code(other.get_collections) is CODE.UNAVAILABLE
    with silent_port() as port:
        other = server_double.client(grpc_port=port, timeout=1)
        assert code(other.get_collections) is CODE.DEADLINE_EXCEEDED
