"""Strict mode: what a collection's `strict_mode_config` forbids, in the server's words (1.18, verification/)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc

from connectors.qdrant.host.refused import Refused

_PLAIN = ("is_empty", "is_null")


def check(config: Any, request: Any, indexed: frozenset[str], writes: bool = False) -> None:
    """Raise INVALID_ARGUMENT where strict mode is on and forbids the request.

    `indexed` are the payload fields with an index. Rate limits and sizes are not enforced here.
    """
    if not config.HasField("strict_mode_config") or not config.strict_mode_config.enabled:
        return
    strict = config.strict_mode_config
    held = request.DESCRIPTOR.fields_by_name
    if "limit" in held and strict.HasField("max_query_limit") and request.limit > strict.max_query_limit:
        raise _exceeded("limit", request.limit, strict.max_query_limit)
    if "points" in held and strict.HasField("upsert_max_batchsize") and held["points"].is_repeated:
        count = len(request.points)
        if count > strict.upsert_max_batchsize:
            raise _exceeded("upsert limit", count, strict.upsert_max_batchsize)
    _check_filter(strict, request, held, indexed, writes)
    if "exact" in held and request.exact and _forbids(strict, "search_allow_exact"):
        raise _exact()
    if "params" in held and request.HasField("params"):
        _check_params(strict, request.params)


def _check_params(strict: Any, params: Any) -> None:
    if params.exact and _forbids(strict, "search_allow_exact"):
        raise _exact()
    oversampling = params.quantization.oversampling
    if strict.HasField("search_max_oversampling") and oversampling > strict.search_max_oversampling:
        raise _exceeded("oversampling", oversampling, strict.search_max_oversampling)
    if strict.HasField("search_max_hnsw_ef") and params.hnsw_ef > strict.search_max_hnsw_ef:
        raise _exceeded("hnsw_ef", params.hnsw_ef, strict.search_max_hnsw_ef)


def _check_filter(strict: Any, request: Any, held: Any, indexed: frozenset[str], writes: bool) -> None:
    name = "unindexed_filtering_update" if writes else "unindexed_filtering_retrieve"
    given = _filter_of(request, held)
    if given is None:
        return
    keys = list(_keys(given))
    if strict.HasField("filter_max_conditions") and len(keys) > strict.filter_max_conditions:
        raise _refusal(
            f"Filter condition limit reached ({len(keys)} > {strict.filter_max_conditions})",
            "Reduce the amount of conditions of your filter.",
        )
    if _forbids(strict, name):
        for key in keys:
            if key and key not in indexed:
                raise _refusal(
                    f'Index required but not found for "{key}"',
                    "Create an index for this key or use a different filter.",
                )


def _filter_of(request: Any, held: Any) -> Any:
    if "filter" in held and request.HasField("filter"):
        return request.filter
    for name in ("points", "points_selector"):
        field = held.get(name)
        if field is None or field.is_repeated or not request.HasField(name):
            continue
        selector = getattr(request, name)
        if selector.WhichOneof("points_selector_one_of") == "filter":
            return selector.filter
    return None


def _keys(given: Any) -> Iterator[str]:
    """The payload field of each condition; "" for conditions about none."""
    for condition in (*given.must, *given.should, *given.must_not, *given.min_should.conditions):
        kind = condition.WhichOneof("condition_one_of")
        if kind == "filter":
            yield from _keys(condition.filter)
        elif kind == "nested":
            yield from (f"{condition.nested.key}[].{k}" for k in _keys(condition.nested.filter))
        elif kind == "field" or kind in _PLAIN:
            yield getattr(condition, kind).key
        else:
            yield ""


def _forbids(strict: Any, name: str) -> bool:
    return strict.HasField(name) and not getattr(strict, name)


def _refusal(what: str, advice: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, f"Bad request: {what}. Help: {advice}")


def _exact() -> Refused:
    return _refusal("Exact search disabled!", "Set exact=false.")


def _exceeded(name: str, value: float, limit: float) -> Refused:
    return _refusal(
        f'Limit exceeded {value} > {limit} for "{name}"',
        f'Reduce the "{name}" parameter to or below {limit}.',
    )
