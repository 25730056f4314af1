"""A golden set against an address: production searches through the index, with the address's own encoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import PlumblineError, clean
from console.progress import Progress, Tell, quiet
from console.search import wording
from console.search.answer import finite
from console.search.encoding import Encoders
from console.search.golden import figures
from console.search.golden.asking import Opened, opened
from console.search.golden.figures import Judged
from console.search.golden.form import check, content_hash
from console.search.golden.kept import find, unfrozen
from console.search.golden.model import GoldenQuery, GoldenSet
from console.search.golden.ranking import PER_KEY, ranked
from console.search.golden.resolving import resolve
from console.search.guard import Mixes
from console.search.request import MOST_HITS, K, usage
from console.search.retrieval import PADDING, Scores
from console.settings import Address
from console.store import new_id

if TYPE_CHECKING:
    from console.workspace import Workspace

DRAFT: Final = "draft"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """`data`: the JSON of `plumbline eval`. `scores`: metric -> query -> value, of the address and of the other one.

    `error`: why nothing could be measured, which is in `data`, too.
    """

    data: Mapping[str, Any]
    scores: Scores
    against: Scores | None = None
    error: PlumblineError | None = None

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def smoke_failed(self) -> int:
        """Keys that had to be found and were not, or were found and must not be, at the address."""
        return int(self.data["smoke_failed"])

    def to_json(self) -> dict[str, Any]:
        return dict(self.data)


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    opened: Opened
    judged: Judged


def evaluate(
    ws: Workspace,
    golden: GoldenSet | str,
    address: Address,
    *,
    k: int = K,
    tell: Tell = quiet,
    cancelled: Callable[[], bool] = lambda: False,
    against: Address | None = None,
    pool: Encoders | None = None,
    mixes: Mixes | None = None,
    original: GoldenSet | None = None,
) -> Evaluation:
    """Every query of the set, searched as `console.search.run` does, and judged.

    Args:
        golden: a set, or `NAME`, `NAME@3`, `NAME@draft` as `golden.find` reads them.
        k: how many hits count.
        against: a second address; metrics are then paired query by query.
        original: the set that `golden` says in the ids of the address; the hash and what became of it are that one's.

    Raises:
        PlumblineError: `encoder-mismatch` where the version guard stops an address, `encoder-unknown`, `usage`,
            `not-found` for the set, and what connectors raise.
        Cancelled: `cancelled()` said so.
    """
    began, at = time.perf_counter(), datetime.now(UTC)
    if isinstance(golden, str):
        golden = find(ws, golden)
    check(golden)
    if not 1 <= k <= MOST_HITS // PER_KEY:
        raise usage(f"{k} is not a number of hits.", "-k", f"Take 1 to {MOST_HITS // PER_KEY:,}.")
    if not golden.queries:
        raise usage("The golden set has no query.", golden.label)
    sides = [
        _side(ws, golden, a, k, tell, cancelled, pool, mixes) for a in (address, against) if a is not None
    ]
    tell(Progress("Counting"))
    side, other = sides[0], sides[1] if len(sides) > 1 else None
    queries = {q.id: q for q in golden.queries}
    held: dict[str, Any] = {
        "id": new_id(at, "e"),
        "at": at.isoformat(timespec="seconds"),
        "seconds": 0.0,
        "golden": golden.name,
        "version": DRAFT if golden.version is None else golden.version,
        "hash": content_hash(original or golden),
        "k": k,
        "queries": len(golden.queries),
        **_json(golden, side, None if other is None else other.judged),
        "against": None,
        "warnings": _warnings(ws, original or golden, sides),
    }
    if other is not None:
        held["against"] = {
            **_json(golden, other, None),
            "difference": figures.differences(side.judged, other.judged),
        }
    held["per_query"] = _per_query(golden, side.judged, None if other is None else other.judged)
    held["cohorts"] = figures.cohorts(
        side.judged, None if other is None else other.judged, queries, golden.cohort_fields
    )
    error = next((fault for s in sides if (fault := _could_not(golden, s)) is not None), None)
    if error is not None:
        held["error"] = error.to_json()
    held["seconds"] = round(time.perf_counter() - began, 3)
    return Evaluation(finite(held), side.judged.scores, None if other is None else other.judged.scores, error)


def _side(
    ws: Workspace,
    golden: GoldenSet,
    address: Address,
    k: int,
    tell: Tell,
    cancelled: Callable[[], bool],
    pool: Encoders | None,
    mixes: Mixes | None,
) -> _Side:
    held = opened(ws, address, golden.queries, pool=pool, mixes=mixes, tell=tell, cancelled=cancelled)
    modality = held.modality_field
    resolved = resolve(
        golden, held.connector, held.target, modality_field=modality, tell=tell, cancelled=cancelled
    )
    rankings = ranked(held, golden.queries, golden.key_field, k, tell=tell, cancelled=cancelled)
    return _Side(held, Judged.of(golden, rankings, resolved, k))


def _json(golden: GoldenSet, side: _Side, other: Judged | None) -> dict[str, Any]:
    """What is said of one address."""
    judged, held = side.judged, side.opened
    queries = {q.id: q for q in golden.queries}
    metrics = figures.metrics(judged)
    smoke = figures.smoke(golden, judged, held.dropped)
    hits = sum(len(judged.rankings[q].keys) for q in judged.scored)
    unjudged = [judged.unjudged(q) for q in judged.scored]
    return {
        "address": str(held.address.with_vector(held.vector.name)),
        "vector": held.vector.name,
        "metric": held.vector.metric,
        "rows": judged.resolved.rows,
        "encoder": held.encoder.to_json() if held.encoder else None,
        "scored": len(judged.scored),
        "metrics": metrics,
        f"judged@{judged.k}": metrics[f"judged@{judged.k}"]["mean"],
        "unjudged": {"hits": sum(unjudged), "of": hits, "queries": sum(1 for n in unjudged if n)},
        "failed_modality": figures.failed_modality(judged, queries),
        "by_modality": figures.by_modality(judged),
        "smoke": smoke,
        "smoke_failed": sum(not item["passed"] for item in smoke),
        "missing": _missing(queries, judged.resolved.missing),
        "missing_smoke": _missing(queries, judged.resolved.missing_smoke),
        "not_scored": _not_scored(golden, side),
        "rules": {"rows_read": judged.resolved.read} if golden.rules else None,
    }


def _missing(queries: Mapping[str, GoldenQuery], held: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"query": query, "label": queries[query].label, "keys": list(keys)} for query, keys in held.items()
    ]


def _not_scored(golden: GoldenSet, side: _Side) -> list[dict[str, Any]]:
    """The queries without metrics, with the reason; those that are nothing but smoke items left out."""
    scored = side.judged.scores[f"hit@{side.judged.k}"]
    closed = golden.closed
    judged = closed | {j.query for j in golden.judgements}
    out: list[dict[str, Any]] = []
    for query in golden.queries:
        if query.id in scored:
            continue
        if (why := side.opened.dropped.get(query.id)) is not None:
            pass
        elif query.id in side.judged.resolved.by_own:
            why = "Only its own row is judged relevant to it, and that is left out of its answer."
        elif query.id in closed and not side.judged.resolved.qrels.get(query.id):
            why = "No row passes its rules."
        elif query.id in judged:
            why = "Nothing is judged relevant to it."
        elif query.must or query.must_not:
            continue
        else:
            why = "Nothing is judged for it."
        out.append({"query": query.id, "label": query.label, "why": why})
    return out


def _could_not(golden: GoldenSet, side: _Side) -> PlumblineError | None:
    """Why there is not one figure of an address; None where there is, or where smoke items were all that was asked."""
    dropped, where = side.opened.dropped, str(side.opened.address)
    if side.judged.scored:
        return None
    if len(dropped) == len(golden.queries):
        return PlumblineError(
            "not-found",
            "No query of the golden set could be asked here.",
            where=where,
            hint=f"The first one: {next(iter(dropped.values()))}",
        )
    if golden.judgements or golden.rules:
        return PlumblineError(
            "not-found",
            "No query of the golden set has anything relevant here: there is nothing to measure.",
            where=where,
            hint="`not_scored` says why of each.",
        )
    if any(q.must or q.must_not for q in golden.queries):
        return None
    return PlumblineError(
        "usage",
        "The golden set holds no judgement, no rule and no smoke item: there is nothing to measure.",
        where=golden.label,
        hint="Judge results with the thumbs of the page Query or with `plumbline golden judge`, or import judgements.",
    )


def _per_query(golden: GoldenSet, judged: Judged, other: Judged | None) -> list[dict[str, Any]]:
    """The worst first, by nDCG; where there is a second address, the greatest loss first."""
    main = f"ndcg@{judged.k}"
    out: list[dict[str, Any]] = []
    for query in golden.queries:
        if query.id not in judged.scores[main]:
            continue
        grades = judged.qrels[query.id]
        relevant = judged.relevant(query.id)
        ranking = judged.rankings[query.id]
        line: dict[str, Any] = {
            "query": query.id,
            "label": query.label,
            "kind": "+".join(query.parts),
            "cohort": dict(query.cohort),
            "metrics": {name: values[query.id] for name, values in judged.scores.items()},
            "relevant": len(relevant),
            "found": sum(key in relevant for key in ranking.keys),
            "unjudged": judged.unjudged(query.id),
            "failed": query.parts[0] if (what := figures.failed(judged, query.id)) == "part" else what,
            "hits": [
                {"key": None if key.startswith(PADDING) else key, "grade": grades.get(key)}
                for key in ranking.keys
            ],
            "against": None,
            "difference": None,
        }
        if other is not None and query.id in other.scores[main]:
            line["against"] = {name: values[query.id] for name, values in other.scores.items()}
            line["difference"] = judged.scores[main][query.id] - other.scores[main][query.id]
        out.append(line)
    return sorted(
        out, key=lambda q: (q["difference"] if q["difference"] is not None else 0.0, q["metrics"][main])
    )


def _warnings(ws: Workspace, golden: GoldenSet, sides: Sequence[_Side]) -> list[str]:
    out = [w for side in sides for w in side.opened.warnings]
    if unfrozen(ws, golden):
        out.append(
            f"The draft of {golden.name} has changed since version {golden.version}: "
            f"{golden.name}@{DRAFT} evaluates it, `plumbline golden freeze {golden.name}` makes it a version."
        )
    for side in sides:
        where = str(side.opened.address)
        resolved = side.judged.resolved
        gone, smoke = (
            len({key for keys in held.values() for key in keys})
            for held in (resolved.missing, resolved.missing_smoke)
        )
        if gone:
            out.append(
                f"{where}: {gone:,} of the judged keys {'are' if gone > 1 else 'is'} no longer there;"
                f" where relevant, {'they count' if gone > 1 else 'it counts'} as missed."
            )
        if smoke:
            out.append(
                f"{where}: {smoke:,} of the smoke items' keys {'are' if smoke > 1 else 'is'} no longer there;"
                f" {'those' if smoke > 1 else 'one'} that must be found can't be."
            )
        if side.opened.dropped:
            out.append(f"{where}: {wording.queries(len(side.opened.dropped))} could not be asked.")
        if side.opened.described.rows == 0:
            out.append(f"{where}: the collection is empty.")
    return list(dict.fromkeys(clean(w) for w in out))
