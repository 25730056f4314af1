"""The keyword leg: Qdrant's full-text index finds the rows, the ranking is made here."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from connectors.filters import MISSING, Filter, fields_of, lookup, matches
from connectors.model import Hit, Payload
from connectors.qdrant import values, wire
from connectors.qdrant.conditions import any_of
from connectors.qdrant.stubs import pb

if TYPE_CHECKING:
    from connectors.qdrant.paging import Scope
    from connectors.qdrant.searching import Searching

RANKED: Final = 1_000
WORDS: Final = 32


def words(text: str) -> list[str]:
    """The distinct words of a text, lower-case, in order; at most 32."""
    return list(dict.fromkeys(w.lower() for w in re.findall(r"\w+", text)))[:WORDS]


def search(
    store: Searching,
    scope: Scope,
    info: Any,
    fields: Sequence[str],
    wanted: Sequence[str],
    k: int,
    where: Filter | None,
    payload: values.Choice,
    timeout: float | None,
) -> list[Hit]:
    """The `k` best rows. A word's weight is ln(1 + (N - n + 0.5) / (n + 0.5)) over the N rows, as in BM25."""
    rows = store._about(scope, None, timeout).rows  # pyright: ignore[reportPrivateUsage]
    holding = {w: any_of([_holds(f, w) for f in fields]) for w in wanted}
    counts = {
        w: store._about(scope, pb.Filter(must=[c]), timeout).rows  # pyright: ignore[reportPrivateUsage]
        for w, c in holding.items()
    }
    there = [w for w in wanted if counts[w]]
    if not there:
        return []
    weight = {w: math.log(1 + (rows - counts[w] + 0.5) / (counts[w] + 0.5)) for w in there}
    server = store.translated(scope, where, info, timeout)
    recheck = None if server.exact else where
    found: dict[Any, tuple[float, Payload]] = {}
    rounds = [[holding[w] for w in there], [any_of([holding[w] for w in there])]]
    for conditions in rounds if len(there) > 1 else rounds[1:]:
        points = _points(
            store, scope, info, [*conditions, *_of(server.filter)], payload, fields, recheck, timeout
        )
        for point in points:
            row, held = wire.row_id(point.id), values.payload(point.payload)
            if row not in found and (recheck is None or matches(recheck, held, row)):
                found[row] = (_score(held, fields, weight, conditions is rounds[0]), held)
        if len(found) >= k:
            break
    best = sorted(found.items(), key=lambda item: -item[1][0])[:k]
    return [Hit(row, score, "similarity", values.chosen(held, payload)) for row, (score, held) in best]


def _score(held: Payload, fields: Sequence[str], weight: dict[str, float], has_all: bool) -> float:
    """Rarity of the words that the row's text holds. A stemmed match may hold none of them as they are written."""
    text = " ".join(str(v) for f in fields if (v := lookup(held, f)) is not MISSING)
    own = [w.lower() for w in re.findall(r"\w+", text)]
    score = sum(
        value * _saturated(sum(o == word for o in own) or any(o.startswith(word) for o in own), len(own))
        for word, value in weight.items()
    )
    return score + (sum(weight.values()) if has_all else 0.0)


def _saturated(times: int, length: int) -> float:
    """More of the same word counts for less, and a long text's words for less than a short one's."""
    return times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / 20)) if times else 0.0


def _holds(field: str, word: str) -> Any:
    key = values.json_path(field) or field
    return pb.Condition(field=pb.FieldCondition(key=key, match=pb.Match(text=word)))


def _of(server: Any | None) -> list[Any]:
    return [] if server is None else [pb.Condition(filter=server)]


def _points(
    store: Searching,
    scope: Scope,
    info: Any,
    conditions: Sequence[Any],
    payload: values.Choice,
    fields: Sequence[str],
    recheck: Filter | None,
    timeout: float | None,
) -> list[Any]:
    request = pb.ScrollPoints(
        collection_name=scope.name, with_payload=values.selector(payload, (*fields, *fields_of(recheck)))
    )
    request.with_vectors.enable = False
    request.filter.must.extend([*conditions, *scope.conditions])
    if (shard := scope.selector()) is not None:
        request.shard_key_selector.CopyFrom(shard)
    found: list[Any] = []
    at = store.where(scope.name)
    for page in store._pages(request, None, 1 << 20, None, info, timeout, at):  # pyright: ignore[reportPrivateUsage]
        found.extend(page)
        if len(found) >= RANKED:
            break
    return found[:RANKED]
