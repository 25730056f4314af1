"""A query to servers in trouble: each fault is one side's, has a name, and costs no more than its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from console.search import QueryAnswer, QueryRequest, RowPart, run
from console.search.guard import Mixes
from console.settings import Address, Settings
from tests.doubles import Double, double, silent_port
from tests.search.conftest import PAYLOAD, PHRASES, SPECS, ToyWorkspace, row_id
from tests.search.toys import Toy, ToyPool

HERE = Address("troubled", "toys")
FINE = Address("fine", "toys")


class Trouble:
    """A double with a collection of toys, beside one that is fine."""

    def __init__(self, server: Double, ws: ToyWorkspace) -> None:
        self.server = server
        self.ws = ws
        self.pool = ToyPool({"toy-a": (0, 8), "toy-b": (3, 8)})
        self.mixes = Mixes()

    def ask(self, *addresses: Address, **kwargs: Any) -> QueryAnswer:
        asked = QueryRequest(addresses or (HERE,), **{"text": "big red circle", "k": 3, **kwargs})
        return run(self.ws, asked, pool=self.pool, mixes=self.mixes)


@contextmanager
def trouble(folder: Path, *, payload: tuple[PayloadField, ...] = PAYLOAD, **kwargs: Any) -> Iterator[Trouble]:
    with double(folder / "troubled", **kwargs) as server, double(folder / "fine") as fine:
        connections = {
            "troubled": server.spec(name="troubled", timeout=1.5),
            "fine": fine.spec(name="fine", timeout=5.0),
        }
        with ToyWorkspace(Settings(home=folder / "home", connections=connections)) as ws:
            toy = Toy(SPECS["toy-a"], 0, 8)
            plan = CollectionPlan((VectorField("clip", "dense", 8, "cosine"),), payload)
            for name in connections:
                connector = ws.connector(name)
                connector.create("toys", plan)
                connector.insert(
                    Target("toys"),
                    [
                        Row(
                            row_id(i),
                            {"clip": toy.of(p.split())},
                            {"caption": p, "embedding_version": "toy-a"},
                        )
                        for i, p in enumerate(PHRASES)
                    ],
                )
            yield Trouble(server, ws)


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Trouble]:
    with trouble(tmp_path) as made:
        yield made


def code(answer: QueryAnswer, side: int = 0) -> str:
    fault = answer.sides[side].error
    return "" if fault is None else fault.code


def test_a_slow_search_is_a_timeout_and_keeps_nobody_waiting_for_longer(troubled: Trouble) -> None:
    troubled.server.faults.delay("Points/Query*", 30.0)
    start = time.monotonic()
    answer = troubled.ask(HERE, FINE)
    assert code(answer) == "timeout"
    assert code(answer, 1) == ""
    assert len(answer.hits) == 3
    assert time.monotonic() - start < 15


def test_the_time_of_one_query_can_be_bounded(troubled: Trouble) -> None:
    troubled.server.faults.delay("Points/Query*", 30.0)
    start = time.monotonic()
    assert code(troubled.ask(timeout=0.3)) == "timeout"
    assert time.monotonic() - start < 5


def test_tags_that_take_too_long_do_not_stop_the_search(troubled: Trouble) -> None:
    troubled.server.faults.delay("Points/Facet", 30.0)
    answer = troubled.ask(encoder="toy-a", timeout=1.0)
    assert code(answer) == ""
    assert len(answer.hits) == 3
    assert any("version mix could not be read" in w for w in answer.warnings)
    assert answer.sides[0].versions is None


def test_an_index_that_is_not_ready_yet_means_sampling(troubled: Trouble) -> None:
    troubled.server.faults.fail("Points/Facet", "INVALID_ARGUMENT", text="No appropriate index for faceting")
    answer = troubled.ask()
    assert code(answer) == ""
    assert answer.sides[0].versions is not None
    assert answer.sides[0].versions.shares == {"toy-a": 1.0}


def test_a_connection_that_breaks_is_the_sides_fault(troubled: Trouble) -> None:
    assert code(troubled.ask()) == ""
    troubled.server.cut()
    answer = troubled.ask(HERE, FINE)
    assert code(answer) in ("unreachable", "timeout")
    assert len(answer.hits) == 3


def test_a_port_that_never_answers_is_a_fault_within_its_time(tmp_path: Path) -> None:
    from connectors.spec import ConnectionSpec

    with silent_port() as port:
        spec = ConnectionSpec("mute", "qdrant", url=f"http://127.0.0.1:{port}", grpc_port=port, timeout=1.0)
        with ToyWorkspace(Settings(home=tmp_path, connections={"mute": spec})) as ws:
            start = time.monotonic()
            answer = run(ws, QueryRequest((Address("mute", "x"),), row=RowPart(1)))
    assert code(answer) in ("unreachable", "timeout")
    assert time.monotonic() - start < 10


def test_strict_mode_is_named_where_it_forbids_exact_search(tmp_path: Path) -> None:
    with trouble(tmp_path, strict={"search_allow_exact": False}) as made:
        assert code(made.ask(exact=True)) == "strict-mode"
        assert code(made.ask()) == ""


def test_as_many_hits_as_strict_mode_allows_are_had_beside_the_row_itself(tmp_path: Path) -> None:
    with trouble(tmp_path, strict={"max_query_limit": 3}) as made:
        answer = run(made.ws, QueryRequest((HERE,), row=RowPart(made.ask().hits[0].id), k=3))
        assert code(answer) == ""
        assert len(answer.hits) == 3
        assert answer.request.row is not None
        assert answer.request.row.id not in [hit.id for hit in answer.hits]


def test_an_old_server_answers_too(tmp_path: Path) -> None:
    with trouble(tmp_path, version="1.12.6") as made:
        answer = made.ask(encoder="toy-a")
        assert code(answer) == ""
        assert answer.hits[0].payload["caption"] == "big red circle"
        assert made.ask(row=RowPart(row_id(0))).hits


def test_a_fault_of_ours_is_internal_and_the_others_answer(
    troubled: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = troubled.ws.spec("troubled").api_key
    assert secret

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"key {secret}")

    monkeypatch.setattr(troubled.ws.connector("troubled"), "describe", broken)
    answer = troubled.ask(HERE, FINE)
    fault = answer.sides[0].error
    assert isinstance(fault, PlumblineError)
    assert fault.code == "internal"
    assert secret not in str(fault)
    assert len(answer.hits) == 3
