"""The service `qdrant.Collections`."""

from __future__ import annotations

from typing import Any

from connectors.qdrant.host import changes, payload_index
from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.store import Store

_GREEN, _YELLOW = 1, 2


class Collections:
    """One method per method of the service; each takes the request and returns the answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def Get(self, request: Any) -> Any:
        shard = self._store.shard(request.collection_name)
        info = shard.read(lambda e: e.info())
        answer = pb.GetCollectionInfoResponse()
        result = answer.result
        result.status = _YELLOW if shard.building else _GREEN
        result.optimizer_status.ok = True
        result.segments_count = info.segments_count
        result.points_count = info.points_count
        result.indexed_vectors_count = info.indexed_vectors_count
        result.config.CopyFrom(shard.config)
        for name, held in info.payload_schema.items():
            payload_index.write(result.payload_schema[name], held)
        result.update_queue.length = 0
        return answer

    def List(self, request: Any) -> Any:
        return pb.ListCollectionsResponse(
            collections=[pb.CollectionDescription(name=n) for n in self._store.names()]
        )

    def CollectionExists(self, request: Any) -> Any:
        return pb.CollectionExistsResponse(
            result=pb.CollectionExists(exists=self._store.exists(request.collection_name))
        )

    def Create(self, request: Any) -> Any:
        self._store.create(request)
        return pb.CollectionOperationResponse(result=True)

    def Update(self, request: Any) -> Any:
        shard = self._store.shard(request.collection_name)
        with shard.lock:
            changed = pb.CollectionConfig()
            changed.CopyFrom(shard.config)
            rebuild = changes.update(changed, request)
            shard.reconfigure(changed, rebuild)
        return pb.CollectionOperationResponse(result=True)

    def Delete(self, request: Any) -> Any:
        return pb.CollectionOperationResponse(result=self._store.delete(request.collection_name))

    def UpdateAliases(self, request: Any) -> Any:
        self._store.change_aliases(request.actions)
        return pb.CollectionOperationResponse(result=True)

    def ListAliases(self, request: Any) -> Any:
        return _aliases(self._store.aliases())

    def ListCollectionAliases(self, request: Any) -> Any:
        return _aliases(self._store.aliases(request.collection_name))

    def CollectionClusterInfo(self, request: Any) -> Any:
        shard = self._store.shard(request.collection_name)
        local = pb.LocalShardInfo(shard_id=0, points_count=shard.read(lambda e: e.info()).points_count)
        return pb.CollectionClusterInfoResponse(peer_id=0, shard_count=1, local_shards=[local])

    def ListShardKeys(self, request: Any) -> Any:
        self._store.shard(request.collection_name)
        return pb.ListShardKeysResponse()


def _aliases(held: dict[str, str]) -> Any:
    return pb.ListAliasesResponse(
        aliases=[pb.AliasDescription(alias_name=alias, collection_name=held[alias]) for alias in sorted(held)]
    )
