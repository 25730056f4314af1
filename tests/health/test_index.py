"""What the server says of its index, state by state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from connectors.model import Capability, IndexState, PayloadField, ServerInfo, ShardCopy, Tombstones
from console.health.checks.index import index_config, unindexed_vectors
from console.health.checks.server import replica_divergence, tombstone_load
from console.health.evidence import Evidence
from console.health.options import FieldNames
from console.health.policy import policy
from console.health.probes import storage
from console.health.probes.replicas import Replicas, copies, flickers, replicas
from console.health.probes.state import Later
from console.health.probes.storage import Kept, ShardCopies
from tests.faults.memory import Memory
from tests.health.building import evidence
from tests.health.served import examined, found, memory, probing, unmeasured

RULES = policy()
THREADS = "max_optimization_threads"
CLOUD = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)


def held(
    state: IndexState | None = None,
    *,
    kind: str = "qdrant",
    index: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    rows: int = 100,
    after: IndexState | None = None,
    embedded: bool = False,
    queue: bool = True,
) -> Evidence:
    made = evidence(CLOUD, [{"kind": "ab"[i % 2]} for i in range(100)], kind=kind, rows=rows)
    state = state or IndexState("ready", rows=rows, indexed=rows)
    field = replace(made.field, index=index or {"type": "hnsw", "m": 16})
    capability = Capability(queue, "" if queue else "from Qdrant 1.17 on; this is 1.16.0")
    return replace(
        made,
        field=field,
        description=replace(made.description, settings=settings or {}, vectors=(field,)),
        server=ServerInfo(kind, "1.18.3", "grpc", 1.0, embedded),  # type: ignore[arg-type]
        index_state=state,
        capabilities=replace(made.capabilities, update_queue=capability),
        results={} if after is None else {Later: Later(after, 3.0)},
    )


def test_a_healthy_index_is_silent() -> None:
    for kind in ("qdrant", "weaviate"):
        made = held(kind=kind)
        assert unindexed_vectors(made, RULES) == []
        assert index_config(made, RULES) == []


@pytest.mark.parametrize(
    ("kind", "first", "after", "key", "severity"),
    [
        ("qdrant", IndexState("failed", "no space"), None, "failed", "critical"),
        ("weaviate", IndexState("stalled", "read-only"), None, "read-only", "warning"),
        ("qdrant", IndexState("building", queue=50), IndexState("building", queue=50), "queue", "warning"),
        ("weaviate", IndexState("building", queue=50), IndexState("building", queue=90), "queue", "warning"),
        ("weaviate", IndexState("building", queue=50), IndexState("building", queue=20), "building", "info"),
        ("qdrant", IndexState("building"), IndexState("building"), "building", "info"),
    ],
)
def test_states(kind: str, first: IndexState, after: IndexState | None, key: str, severity: str) -> None:
    said = found(unindexed_vectors(held(first, kind=kind, after=after), RULES))
    assert (said.key, said.severity) == (key, severity)


def test_a_drained_queue_is_silent_and_a_first_look_alone_is_no_verdict() -> None:
    busy = IndexState("building", queue=50)
    assert unindexed_vectors(held(busy, after=IndexState("ready", queue=0)), RULES) == []
    assert found(unindexed_vectors(held(busy), RULES)).severity == "info"


def test_small_segments_are_left_alone_on_purpose() -> None:
    # 8 dimensions: 32 bytes a row; a threshold of 100 kB leaves 3,200 rows of each segment alone.
    settings = {"optimizer": {"indexing_threshold": 100}}
    for missing, fires in ((0, False), (6_000, False), (7_000, True)):
        state = IndexState("ready", rows=10_000, indexed=10_000 - missing, details={"segments": 2})
        outcomes = unindexed_vectors(held(state, settings=settings, rows=10_000), RULES)
        assert [getattr(o, "key", None) for o in outcomes] == (["behind"] if fires else []), missing
    off = {"optimizer": {"indexing_threshold": 0}}
    state = IndexState("ready", rows=10_000, indexed=0, details={"segments": 2})
    assert unindexed_vectors(held(state, settings=off), RULES) == [], "that is index-config's to say"


def test_an_optimizer_that_is_switched_off_is_not_at_work() -> None:
    """Qdrant 1.18.3 says yellow then, as long as there is something to build."""
    settings = {"optimizer": {"indexing_threshold": 100, THREADS: {"value": 0}}}
    state = IndexState("building", rows=10_000, indexed=0, details={"segments": 2})
    made = held(state, settings=settings, rows=10_000)
    assert found(unindexed_vectors(made, RULES)).key == "behind"
    assert found(index_config(made, RULES)).key == THREADS


def test_a_failure_is_told_in_the_servers_words() -> None:
    said = found(unindexed_vectors(held(IndexState("failed", "Not enough space\navailable. " * 50)), RULES))
    assert "failed: Not enough space available" in said.summary
    assert len(said.summary) < 260


def test_what_can_not_be_seen_is_said() -> None:
    assert "unindexed-vectors" in unmeasured(
        unindexed_vectors(held(IndexState("unknown", "node2 is down")), RULES)
    )
    assert "1.17" in unmeasured(unindexed_vectors(held(queue=False), RULES))["update queue"]
    assert "embedded" in unmeasured(unindexed_vectors(held(embedded=True), RULES))["update queue"]


@pytest.mark.parametrize(
    ("kind", "index", "settings", "rows", "keys"),
    [
        ("qdrant", {"m": 0}, {}, 100, ["m"]),
        ("qdrant", {"m": 0, "payload_m": 16}, {}, 100, []),
        ("qdrant", {"m": 16}, {"optimizer": {"indexing_threshold": 0}}, 100, ["indexing_threshold"]),
        ("qdrant", {"m": 16}, {"optimizer": {"indexing_threshold": 20_000}}, 100, []),
        ("qdrant", {"m": 16}, {"optimizer": {"max_optimization_threads": {"value": 0}}}, 100, [THREADS]),
        ("qdrant", {"m": 16}, {"optimizer": {"deprecated_max_optimization_threads": 0}}, 100, [THREADS]),
        ("qdrant", {"m": 16}, {"optimizer": {"max_optimization_threads": {"setting": "Auto"}}}, 100, []),
        ("weaviate", {"m": 16}, {"optimizer": {"max_optimization_threads": {"value": 0}}}, 100, []),
        ("qdrant", {"m": 16}, {"optimizer": "nonsense"}, 100, []),
        ("weaviate", {"type": "hnsw", "skip": True}, {}, 100, ["skip"]),
        ("weaviate", {"type": "flat"}, {}, 10_001, ["flat"]),
        ("weaviate", {"type": "flat"}, {}, 10_000, []),
        ("weaviate", {"type": "dynamic"}, {}, 1_000_000, []),
    ],
)
def test_settings(
    kind: str, index: dict[str, Any], settings: dict[str, Any], rows: int, keys: list[str]
) -> None:
    outcomes = index_config(held(kind=kind, index=index, settings=settings, rows=rows), RULES)
    assert [o.key for o in outcomes] == keys  # type: ignore[union-attr]
    assert all(o.severity == "warning" for o in outcomes)  # type: ignore[union-attr]


def test_grey_and_fields_without_an_index() -> None:
    assert found(index_config(held(IndexState("stalled", "grey")), RULES)).key == "grey"
    made = held()
    made = replace(made, names=FieldNames(version="kind", groups=("kind",), cohorts=("nowhere",)))
    said = found(index_config(made, RULES))
    assert (said.key, said.severity) == ("field=kind", "info")
    indexed = replace(made.description, payload=(PayloadField("kind", "keyword", True),))
    assert index_config(replace(made, description=indexed), RULES) == []


def test_deleted_rows_where_the_server_tells() -> None:
    for deleted, fires in ((0, False), (200, False), (400, True)):
        state = IndexState("ready", details={"deleted_rows": deleted})
        outcomes = tombstone_load(held(state, rows=1_000), RULES)
        assert len(outcomes) == fires
    assert tombstone_load(held(IndexState("ready", details={"deleted_rows": 90}), rows=100), RULES) == []
    assert "not run" in unmeasured(tombstone_load(held(), RULES))["tombstone-load"]


@pytest.mark.parametrize(
    ("deleted", "living", "shards", "fires"),
    [
        (0, 0, (1, 1), False),
        (200, 800, (1, 1), False),
        (201, 799, (1, 1), True),
        (900, 90, (1, 1), False),
        (400, 600, (2, 3), True),
    ],
)
def test_deleted_rows_as_the_probe_is_told(
    deleted: int, living: int, shards: tuple[int, int], fires: bool
) -> None:
    made = replace(held(), results={Kept: Kept(Tombstones(deleted, living, shards))})
    outcomes = tombstone_load(made, RULES)
    assert len(outcomes) == fires
    if fires:
        said = found(outcomes)
        assert said.severity == "warning"
        assert said.evidence["shards"] == shards[1]
        assert ("2 of 3 shards" in said.summary) == (shards == (2, 3))


def test_shards_that_the_node_does_not_hold_are_not_judged() -> None:
    made = replace(held(), results={Kept: Kept(Tombstones(0, 1_000, (2, 3)))})
    assert "2 of 3 shards" in unmeasured(tombstone_load(made, RULES))["tombstone-load"]


class Copies(Memory):
    """Two copies that answer in turn; the second lacks rows."""

    lacking = 0
    grows = False
    turn = 0

    def count(self, *args: Any, **more: Any) -> Any:
        self.turn += 1
        whole = super().count(*args, **more)
        gone = self.turn if self.grows else -self.lacking * (self.turn % 2)
        return replace(whole, rows=whole.rows + gone)

    def fetch(self, t: Any, ids: Any, fields: Any, payload: Any = (), *, timeout: Any = None) -> Any:
        drop = set(range(self.lacking)) if self.turn % 2 else set()
        return super().fetch(t, [i for i in ids if i not in drop], fields, payload)


def asked(factor: int, lacking: int = 0, grows: bool = False) -> Evidence:
    made = memory(CLOUD, settings={"replication_factor": factor})
    reader = Copies(made.spec, made.held)
    held = examined(made)
    reader.lacking, reader.grows = lacking, grows
    return replace(held, results={Replicas: replicas(probing(reader, held))})


def test_copies_that_disagree() -> None:
    said = found(replica_divergence(asked(2, lacking=40), RULES))
    assert said.severity == "warning"
    assert said.evidence["counts"] == [60, 100] * 5
    assert set(said.sample_ids) <= set(range(40))
    assert said.sample_ids
    assert "one copy" in unmeasured(replica_divergence(asked(1), RULES))["replica-divergence"]
    assert "agreed" in unmeasured(replica_divergence(asked(2), RULES))["replica-divergence"]
    # Rows that arrive meanwhile are no disagreement.
    assert "agreed" in unmeasured(replica_divergence(asked(2, grows=True), RULES))["replica-divergence"]


class Moving(Memory):
    """Rows are written and deleted all the time: every count is another one, up and down, of any copy."""

    turn = 0

    def count(self, t: Any, *args: Any, **kwargs: Any) -> Any:
        self.turn += 1
        held = super().count(t, *args, **kwargs)
        return replace(held, rows=held.rows + (self.turn * 7) % 5)


def test_rows_that_come_and_go_are_no_disagreement_where_the_copies_are_told() -> None:
    made = memory(CLOUD, settings={"replication_factor": 2})
    held = examined(made)
    moved = replicas(probing(Moving(made.spec, made.held), held))
    assert isinstance(moved, Replicas)
    assert moved.unsteady
    both = (one(0, "a"), one(0, "b"))
    known = replace(held, results={Replicas: moved, ShardCopies: ShardCopies(both)})
    assert replica_divergence(known, RULES) == []
    # A row that was there, was not and was there again is never a write, and without the server's word nor are counts.
    flickering = replace(moved, flickering=(3,))
    seen = replace(held, results={Replicas: flickering, ShardCopies: ShardCopies(both)})
    assert found(replica_divergence(seen, RULES)).severity == "warning"
    unknown = ShardCopies((one(0, "a", rows=None), one(0, "b")))
    asked_only = replace(held, results={Replicas: moved, ShardCopies: unknown})
    assert found(replica_divergence(asked_only, RULES)).severity == "warning"
    # A server that lists no copy tells the rows of none.
    none_listed = replace(held, results={Replicas: moved, ShardCopies: ShardCopies(())})
    assert found(replica_divergence(none_listed, RULES)).severity == "warning"


def test_copies_by_either_database_and_what_flickers() -> None:
    assert copies({"replication_factor": 3}) == 3
    assert copies({"replicationConfig": {"factor": 2}}) == 2
    assert copies({}) is None
    assert copies({"replicationConfig": "?"}) is None
    assert not flickers([])
    assert not flickers([1, 1, 2, 2, 3])
    assert flickers([1, 2, 1])
    assert flickers([None, b"x", b"x", None])


class Told(Memory):
    """A server that tells its copies, one answer after the other; the last is kept."""

    answers: list[tuple[ShardCopy, ...]]

    def copies(self, t: Any, *, timeout: float | None = None) -> tuple[ShardCopy, ...]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def told(monkeypatch: pytest.MonkeyPatch, *answers: tuple[ShardCopy, ...]) -> list[Any]:
    monkeypatch.setattr(storage, "APART", 0.0)
    made = memory(CLOUD)
    reader = Told(made.spec, made.held)
    reader.answers = list(answers)
    held = examined(made)
    result = storage.copies(probing(reader, held))
    return replica_divergence(replace(held, results={ShardCopies: result}), RULES)


def one(shard: int, node: str, state: Any = "active", rows: int | None = 100) -> ShardCopy:
    return ShardCopy(shard, node, state, str(state).title(), rows)


@pytest.mark.parametrize(
    ("copies", "keys"),
    [
        ((one(0, "a", "dead"), one(0, "b")), ["dead"]),
        ((one(0, "a", None), one(0, "b"), one(1, "a", None), one(1, "b")), ["dead"]),
        ((one(0, "a", "copying"), one(0, "b")), ["copying"]),
        ((one(0, "a", rows=90), one(0, "b")), ["rows"]),
        ((one(0, "a", rows=None), one(0, "b")), []),
        ((one(0, "a", "dead"), one(0, "b", rows=90), one(0, "c")), ["dead", "rows"]),
        ((one(0, "a", "dead"), one(1, "a")), ["gone"]),
        ((one(0, "a", None), one(0, "b", "dead"), one(1, "a", None), one(1, "b")), ["gone", "dead"]),
        ((one(0, "a", "dead"), one(0, "b", "copying")), ["gone", "copying"]),
    ],
)
def test_copies_as_the_server_tells_them(
    monkeypatch: pytest.MonkeyPatch, copies: tuple[ShardCopy, ...], keys: list[str]
) -> None:
    outcomes = told(monkeypatch, copies)
    assert [o.key for o in outcomes if not hasattr(o, "why")] == keys
    severities = {o.key: o.severity for o in outcomes if not hasattr(o, "why")}
    assert severities == {k: {"copying": "info", "gone": "critical"}.get(k, "warning") for k in keys}


def test_a_shard_without_a_copy_in_use_is_not_said_to_lean_on_others(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = told(monkeypatch, (one(0, "a", "dead"), one(0, "b", "dead"), one(1, "a", None), one(2, "a")))
    lost = found(outcomes, "gone")
    assert (
        lost.summary
        == "2 of 3 shards have no copy in use (a node does not answer): searches fail or lack their rows."
    )
    assert lost.evidence["shards"] == [0, 1]
    assert "restore" in lost.remedy.text
    # A word that is not known here may stand for a copy in use.
    newer = replace(one(0, "b", None), said="Brandnew", known=False)
    outcomes = told(monkeypatch, (one(0, "a", "dead"), newer))
    assert found(outcomes).key == "dead"


def test_a_state_that_is_not_known_here_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = replace(one(0, "a", None), said="Brandnew", known=False)
    outcomes = told(monkeypatch, (newer, one(0, "b")))
    assert len(outcomes) == 1
    assert "Brandnew" in unmeasured(outcomes)["replica-divergence"]


def test_what_passes_between_two_looks_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (one(0, "a"), one(0, "b"))
    for passing in (
        (one(0, "a", "dead"), one(0, "b")),
        (one(0, "a", rows=90), one(0, "b")),
    ):
        assert not [o for o in told(monkeypatch, passing, whole) if not hasattr(o, "why")]
    growing = (one(0, "a", rows=90), one(0, "b")), (one(0, "a", rows=95), one(0, "b", rows=105))
    assert not [o for o in told(monkeypatch, *growing) if not hasattr(o, "why")]
