"""What Qdrant tells of its storage and its nodes: deleted rows that it keeps, and the copies of every shard.

Both stand in the telemetry, which travels by HTTP only and is gathered when it is asked for: nothing is sent to
anybody. A read-only key may read it (from 1.13 on one for some collections, which sees those). Measured on 1.18.3:
4 kB and 0.15 ms for each collection of the server, so it is asked for once in a check, and never on a page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from connectors.errors import PlumblineError, unsupported
from connectors.model import ShardCopy, Target, Tombstones
from connectors.qdrant.describing import Describing
from connectors.qdrant.link import is_loopback
from connectors.qdrant.stubs import pb
from connectors.qdrant.transport import seconds

MOST: Final = 64 * 1024 * 1024
LONGEST: Final = 10.0
"""Seconds that a server may spend on its telemetry: longer, and it is too busy to be asked."""
COPYING: Final = (
    "Partial",
    "Initializing",
    "PartialSnapshot",
    "Recovery",
    "Resharding",
    "ReshardingScaleDown",
)
DEAD: Final = ("Dead", "ManualRecovery")

Json = Mapping[str, Any]


class Telling(Describing):
    def tombstones(self, t: Target, *, timeout: float | None = None) -> Tombstones:
        """Of the shards on the node that answers. Level 4 is the one with segments.

        Raises `unsupported` with the reason.
        """
        if self.spec.path is not None:
            raise unsupported("The embedded engine does not tell deleted rows.", self.where(t))
        held = self._telemetry("/telemetry?details_level=4", t, timeout)
        try:
            return tombstones(held, t.collection)
        except PlumblineError as fault:
            raise fault.at(self.where(t)) from None

    def copies(self, t: Target, *, timeout: float | None = None) -> tuple[ShardCopy, ...]:
        """States from the collection's own cluster information; rows from the telemetry of all nodes, from 1.17 on.

        Raises `unsupported` with the reason.
        """
        if self.spec.path is not None:
            raise unsupported("The embedded store keeps one copy.", self.where(t))
        deadline = time.monotonic() + self.timeout(timeout)
        request = pb.CollectionClusterInfoRequest(collection_name=t.collection)
        answer = self.get(
            "Collections/CollectionClusterInfo",
            request,
            "CollectionClusterInfoResponse",
            timeout,
            at=self.where(t),
        )
        held: Any = {}
        if answer.remote_shards and self.since(1, 17):
            try:
                left = max(deadline - time.monotonic(), 0.001)
                held = self._telemetry("/cluster/telemetry?details_level=3", t, left)
            except PlumblineError:
                # The states are known all the same.
                held = {}
        return copies(answer, _of(held), t.collection)

    def _telemetry(self, path: str, t: Target, timeout: float | None) -> Any:
        """By HTTP, also where everything else goes by gRPC."""
        from connectors.qdrant.rest import Rest

        if self._address is None or self._address.rest is None:
            raise unsupported(
                "Qdrant tells it by HTTP only, and no URL is configured for this connection.", self.where(t)
            )
        span = min(self.timeout(timeout), LONGEST)
        deadline = time.monotonic() + span
        way = Rest(
            self._address.rest,
            self._metadata(self.spec.api_key),
            self.spec.ca_file,
            self.spec.secrets(),
            direct=is_loopback(self._address.host),
        )
        try:
            # Whoever holds the port hears no key before it has said that it is Qdrant.
            self._greeted(way, span)
            return way.told(f"{path}&timeout={seconds(span)}", max(deadline - time.monotonic(), 0.001), MOST)
        except PlumblineError as fault:
            raise fault.at(self.where(t)) from None
        finally:
            way.close()


def tombstones(held: Any, name: str) -> Tombstones:
    """From the telemetry of one node. Qdrant's `num_deleted_vectors` of a segment counts rows; those of one vector
    field count rows without it too, so they are left alone. Raises `unsupported`.
    """
    listed = _list(_of(_of(held).get("collections")).get("collections"))
    found = next((c for c in listed if c.get("id") == name), None)
    if found is None:
        raise unsupported("The key does not see this collection in the server's telemetry.", "")
    shards = _list(found.get("shards"))
    deleted = living = seen = here = 0
    for shard in shards:
        segments = _list(_of(shard.get("local")).get("segments"))
        here += bool(segments)
        infos = [_of(s.get("info")) for s in segments]
        figures = [(_count(i.get("num_deleted_vectors")), _count(i.get("num_points"))) for i in infos]
        sound = [(d, n) for d, n in figures if d is not None and n is not None]
        if not sound or len(sound) < len(figures):
            continue
        seen += 1
        deleted += sum(d for d, _ in sound)
        living += sum(n for _, n in sound)
    if not seen:
        why = "holds no shard of this collection" if shards and not here else "tells nothing of its segments"
        raise unsupported(f"The node that answered {why}.", "")
    return Tombstones(deleted, living, (seen, len(shards)))


def copies(answer: Any, told: Json, name: str) -> tuple[ShardCopy, ...]:
    """`answer`: the collection's cluster information. `told`: the telemetry of all nodes, empty where there is none."""
    moved = {
        (int(m.to_shard_id if m.HasField("to_shard_id") else m.shard_id), str(m.to))
        for m in answer.shard_transfers
    }
    # Which copies take part in resharding is not told.
    resharded = {int(r.shard_id) for r in answer.resharding_operations}
    silent = {
        str(peer)
        for peer, about in _of(_of(told.get("cluster")).get("peers")).items()
        if _of(about).get("responsive") is False
    }
    rows: dict[tuple[int, str], int] = {}
    for shard in _list(_of(_of(told.get("collections")).get(name)).get("shards")):
        number = _count(shard.get("id"))
        for copy in _list(shard.get("replicas")):
            held, peer = _count(copy.get("num_points")), copy.get("peer_id")
            if number is not None and held is not None and peer is not None and copy.get("status") == "green":
                rows[number, str(peer)] = held
    made: list[ShardCopy] = []
    for shard in (*answer.local_shards, *answer.remote_shards):
        node = str(shard.peer_id if hasattr(shard, "peer_id") else answer.peer_id)
        said = _state(shard.state)
        state: Literal["active", "copying", "dead"] | None = "active"
        if said is None:
            state = None
        elif said in DEAD:
            state = "dead"
        elif said in COPYING:
            # What nobody copies stays incomplete.
            under_way = (int(shard.shard_id), node) in moved or shard.shard_id in resharded
            state = "copying" if under_way else "dead"
        elif node in silent:
            state = None
        known = rows.get((int(shard.shard_id), node)) if said == "Active" else None
        word = f"state {shard.state}" if said is None else said
        made.append(ShardCopy(int(shard.shard_id), node, state, word, known, said is not None))
    return tuple(sorted(made, key=lambda c: (c.shard, c.node)))


def _state(number: int) -> str | None:
    """Qdrant's name of a replica's state, None for one of a newer server."""
    found = pb.ReplicaState.DESCRIPTOR.values_by_number.get(number)
    return None if found is None else str(found.name)


def _count(held: Any) -> int | None:
    return held if isinstance(held, int) and not isinstance(held, bool) and held >= 0 else None


def _of(held: Any) -> Json:
    return cast("Json", held) if isinstance(held, Mapping) else {}


def _list(held: Any) -> list[Json]:
    return [_of(entry) for entry in cast("list[Any]", held)] if isinstance(held, list) else []
