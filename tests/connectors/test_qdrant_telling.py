"""Copies and deleted rows out of what a Qdrant server tells: newer words, damaged figures, and what nobody copies."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import PlumblineError
from connectors.qdrant import restanswers
from connectors.qdrant.stubs import pb
from connectors.qdrant.telling import copies, tombstones


def cluster(*states: tuple[int, int, int]) -> Any:
    """(shard, node, state) of each copy; node 1 answers."""
    made = pb.CollectionClusterInfoResponse(peer_id=1)
    for shard, node, state in states:
        into = made.local_shards if node == 1 else made.remote_shards
        entry = into.add(shard_id=shard, state=state)
        if node != 1:
            entry.peer_id = node
    return made


def test_a_state_of_a_newer_server_is_not_known_and_is_no_copy_in_use() -> None:
    one, other = copies(cluster((0, 1, 0), (0, 2, 99)), {}, "things")
    assert (one.state, one.said, one.known) == ("active", "Active", True)
    assert (other.state, other.said, other.known) == (None, "state 99", False)


@pytest.mark.parametrize("more", [{"state": "Brandnew"}, {}])
def test_a_new_word_by_rest_is_no_copy_in_use_either(more: dict[str, str]) -> None:
    shard = {"shard_id": 0, "points_count": 1, **more}
    held = {"peer_id": 1, "shard_count": 1, "local_shards": [shard], "remote_shards": []}
    raw = restanswers.answer("Collections/CollectionClusterInfo", {"result": held})
    (told,) = copies(pb.CollectionClusterInfoResponse.FromString(raw), {}, "things")
    assert (told.state, told.known) == (None, False)


def test_only_the_copy_that_a_transfer_leads_to_is_being_copied() -> None:
    told = cluster((0, 1, 0), (0, 2, 2), (0, 3, 2))
    move = told.shard_transfers.add(shard_id=0, to=3)
    setattr(move, "from", 1)
    assert [c.state for c in copies(told, {}, "things")] == ["active", "dead", "copying"]
    # Into a new shard, as resharding does it.
    apart = cluster((0, 1, 0), (4, 3, 7), (5, 3, 7))
    move = apart.shard_transfers.add(shard_id=0, to_shard_id=4, to=3)
    assert [c.state for c in copies(apart, {}, "things")] == ["active", "copying", "dead"]
    apart.resharding_operations.add(shard_id=5, peer_id=1)
    assert [c.state for c in copies(apart, {}, "things")] == ["active", "copying", "copying"]


def telemetry(*segments: Any) -> Any:
    """One shard for each: what stands in its place under `info` of its only segment."""
    shards = [{"id": i, "local": {"segments": [{"info": held}]}} for i, held in enumerate(segments)]
    return {"collections": {"collections": [{"id": "things", "shards": shards}]}}


SOUND = {"num_deleted_vectors": 2, "num_points": 5}
DAMAGED = [
    {"num_deleted_vectors": None, "num_points": 5},
    {"num_points": "many"},
    {**SOUND, "num_points": -1},
    None,
    7,
]


@pytest.mark.parametrize("bad", DAMAGED)
def test_shards_whose_figures_are_damaged_are_left_out(bad: Any) -> None:
    told = tombstones(telemetry(SOUND, bad), "things")
    assert (told.deleted, told.living, told.shards) == (2, 5, (1, 2))
    with pytest.raises(PlumblineError, match="tells nothing of its segments") as caught:
        tombstones(telemetry(bad), "things")
    assert caught.value.code == "unsupported"


def test_a_node_without_a_shard_of_the_collection_says_so() -> None:
    held = {"collections": {"collections": [{"id": "things", "shards": [{"id": 0, "local": None}]}]}}
    with pytest.raises(PlumblineError, match="holds no shard of this collection"):
        tombstones(held, "things")


@pytest.mark.parametrize("shard", [{}, {"id": "x"}, {"id": None}, {"id": -1}, {"id": [0]}])
@pytest.mark.parametrize("replica", [{"peer_id": 1}, {}, {"peer_id": None}])
def test_rows_of_copies_that_are_not_named_are_left_out(shard: Any, replica: Any) -> None:
    known = {"status": "green", "num_points": 5}
    sound = {"id": 1, "replicas": [{**known, "peer_id": 2}, known]}
    damaged = {**shard, "replicas": [{**known, **replica}, {**known, "num_points": "x", "peer_id": 1}]}
    told = {"collections": {"things": {"shards": [damaged, sound]}}}
    assert [c.rows for c in copies(cluster((0, 1, 0), (1, 2, 0)), told, "things")] == [None, 5]
