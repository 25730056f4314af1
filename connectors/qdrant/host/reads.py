"""The reading half of `qdrant.Points`: Get, Scroll, Count, Facet."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from connectors.qdrant.host import filters, plan, queries
from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.refused import invalid, wrong
from connectors.qdrant.host.shard import Shard
from connectors.qdrant.host.values import point_id, put_id


class Reads(queries.Queries):
    """One method per method of the service; each takes the request and returns the answer."""

    def Get(self, request: Any) -> Any:
        shard = self._store.asked(request)
        ids = [point_id(i) for i in request.ids]
        payload, wanted = _payload(request), _vectors(request, shard)
        answer = pb.GetResponse()
        for record in shard.read(lambda e: e.retrieve(ids, payload, wanted)):
            queries.put_record(answer.result.add(), record)
        return answer

    def Scroll(self, request: Any) -> Any:
        shard = self._store.asked(request)
        limit = request.limit if request.HasField("limit") else plan.DEFAULT_LIMIT
        if limit == 0:
            raise invalid("Validation error in body: [limit: value 0 invalid, must be 1 or larger]")
        order = plan.order_by(request.order_by) if request.HasField("order_by") else None
        if order is not None and request.HasField("offset"):
            raise wrong(
                "Cannot use an `offset` when using `order_by`. The alternative for paging is to use `order_by.start_from` and a filter to exclude the IDs that you've already seen for the `order_by.start_from` value"
            )
        asked = edge.ScrollRequest(
            offset=point_id(request.offset) if request.HasField("offset") else None,
            limit=limit,
            filter=filters.field(request, "filter"),
            with_payload=_payload(request),
            with_vector=_vectors(request, shard),
            order_by=order,
        )
        records, following = shard.read(lambda e: e.scroll(asked))
        answer = pb.ScrollResponse()
        for record in records:
            queries.put_record(answer.result.add(), record)
        if following is not None and order is None:
            put_id(answer.next_page_offset, following)
        return answer

    def Count(self, request: Any) -> Any:
        shard = self._store.asked(request)
        exact = request.exact if request.HasField("exact") else True
        return pb.CountResponse(
            result=pb.CountResult(count=shard.count(filters.field(request, "filter"), exact))
        )

    def Facet(self, request: Any) -> Any:
        shard = self._store.asked(request)
        asked = edge.FacetRequest(
            request.key,
            request.limit if request.HasField("limit") else plan.DEFAULT_LIMIT,
            request.exact,
            filters.field(request, "filter"),
        )
        answer = pb.FacetResponse()
        for hit in shard.read(lambda e: e.facet(asked)).hits:
            into = answer.hits.add()
            into.count = hit.count
            if isinstance(hit.value, bool):
                into.value.bool_value = hit.value
            elif isinstance(hit.value, int):
                into.value.integer_value = hit.value
            else:
                into.value.string_value = str(hit.value)
        return answer


def _payload(request: Any) -> Any:
    """Scroll and Get give whole payloads unless told otherwise, as the server does over gRPC."""
    return plan.payload_choice(request, default=request.DESCRIPTOR.name == "ScrollPoints" or None)


def _vectors(request: Any, shard: Shard) -> Any:
    return plan.vectors_choice(request, shard.specs)
