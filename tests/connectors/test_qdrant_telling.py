"""Copies and deleted rows out of what a Qdrant server tells: newer words, damaged figures, and what nobody copies."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.qdrant import restanswers
from connectors.qdrant.stubs import pb
from connectors.qdrant.telling import copies


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
