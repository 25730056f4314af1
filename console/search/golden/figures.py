"""What rankings are worth by a golden set's judgements: metrics, cohorts, modalities, smoke items. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from console.search import simultaneous
from console.search.golden.model import GoldenQuery, GoldenSet, Qrels
from console.search.golden.ranking import Ranking
from console.search.golden.resolving import Resolved
from console.search.means import F64, Mean, gaps, mean
from console.search.paired import paired
from console.search.request import Part
from console.search.retrieval import Scores, completed, names, score

SMALLEST: Final = 30
"""Queries of a cohort from which on it is held against the others."""
SHOWN: Final = 100
"""Lost rows that are listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One address: its rankings, the grades of every key in question, and each query's metrics."""

    rankings: Mapping[str, Ranking]
    resolved: Resolved
    qrels: Qrels
    scores: Scores
    k: int

    @classmethod
    def of(cls, golden: GoldenSet, rankings: Mapping[str, Ranking], resolved: Resolved, k: int) -> Judged:
        """Queries that could not be asked here have no metrics; nor have those without a relevant key."""
        closed = golden.closed
        qrels: Qrels = {}
        for query, ranking in rankings.items():
            grades = resolved.qrels.get(query, {})
            if query in closed:
                shown = dict.fromkeys((*ranking.keys, *(key for leg in ranking.legs.values() for key in leg)))
                qrels[query] = completed(grades, list(shown), resolved.things_of(query))
            elif grades:
                qrels[query] = grades
        scores = score(qrels, {query: ranking.keys for query, ranking in rankings.items()}, k)
        return cls(rankings, resolved, qrels, scores, k)

    @property
    def scored(self) -> list[str]:
        return list(next(iter(self.scores.values())))

    def relevant(self, query: str) -> set[str]:
        return {key for key, grade in self.qrels.get(query, {}).items() if grade > 0}

    def unjudged(self, query: str) -> int:
        grades = self.qrels.get(query, {})
        return sum(1 for key in self.rankings[query].keys if key not in grades)

    def missed(self, query: str) -> bool:
        """No relevant key among the first k."""
        return not self.scores[f"hit@{self.k}"][query]


def mean_json(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"mean": None, "low": None, "high": None, "queries": 0}
    return as_json(mean(_array(values)))


def as_json(held: Mean) -> dict[str, Any]:
    return {"mean": held.value, "low": held.low, "high": held.high, "queries": held.n}


def metrics(judged: Judged) -> dict[str, Any]:
    return {name: mean_json(list(judged.scores[name].values())) for name in names(judged.k)}


def differences(one: Judged, other: Judged) -> dict[str, Any]:
    """`one` minus `other`, on the queries that have metrics on both."""
    theirs = other.scores[names(other.k)[0]]
    both = [query for query in one.scored if query in theirs]
    if not both:
        return {}
    return {
        name: paired(_array([one.scores[name][q] - other.scores[name][q] for q in both])).to_json()
        for name in names(one.k)
    }


def cohorts(
    judged: Judged, other: Judged | None, queries: Mapping[str, GoldenQuery], fields: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Field -> its values, the worst nDCG first; `gap`: how much worse than the other queries, adjusted for all cohorts.

    Queries without a value, or of a small cohort, are others, too, where they are `SMALLEST` together.
    `difference`: of the value's own queries, with an interval that holds for all cohorts together; that takes
    `SMALLEST` queries, too.
    """
    main = f"ndcg@{judged.k}"
    of: dict[str, dict[str, list[str]]] = {}
    for query in judged.scored:
        for name in fields:
            if (value := queries[query].cohort.get(name)) is not None:
                of.setdefault(name, {}).setdefault(value, []).append(query)
    families = [_family(name, values, judged.scores[main]) for name, values in of.items()]
    apart = {gap.name: gap for gap in gaps(families)}
    moved = {} if other is None else _moved(judged.scores[main], other.scores[main], of)
    out: dict[str, list[dict[str, Any]]] = {}
    for name, values in of.items():
        rows: list[dict[str, Any]] = []
        for value, held in values.items():
            gap, difference = apart.get(f"{name}\0{value}"), moved.get((name, value))
            rows.append(
                {
                    "value": value,
                    "queries": len(held),
                    "metrics": {m: mean_json([judged.scores[m][q] for q in held]) for m in names(judged.k)},
                    "gap": {"value": gap.value, "low": gap.low, "high": gap.high} if gap else None,
                    "difference": None if difference is None else {main: difference},
                }
            )
        out[name] = sorted(rows, key=lambda r: (r["metrics"][main]["mean"], r["value"]))
    return out


def _family(
    name: str, values: Mapping[str, Sequence[str]], scores: Mapping[str, float]
) -> list[tuple[str, F64]]:
    """The scores of a field's cohorts, and of the queries of none of them."""
    large = {value: held for value, held in values.items() if len(held) >= SMALLEST}
    mine = {query for held in large.values() for query in held}
    rest = [query for query in scores if query not in mine]
    family = [(f"{name}\0{value}", _array([scores[q] for q in held])) for value, held in large.items()]
    return [*family, (name, _array([scores[q] for q in rest]))] if len(rest) >= SMALLEST else family


def _moved(
    one: Mapping[str, float], other: Mapping[str, float], of: Mapping[str, Mapping[str, Sequence[str]]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """(field, value) -> the difference on its queries that have the metric on both sides."""
    both = [query for query in one if query in other]
    place = {query: i for i, query in enumerate(both)}
    apart = _array([one[query] - other[query] for query in both])
    members: dict[tuple[str, str], npt.NDArray[np.bool_]] = {}
    for name, values in of.items():
        for value, held in values.items():
            mask = np.zeros(len(both), np.bool_)
            mask[[place[query] for query in held if query in place]] = True
            if mask.any():
                members[name, value] = mask
    large = [key for key, mask in members.items() if np.count_nonzero(mask) >= SMALLEST]
    bounds = dict(zip(large, simultaneous.cohorts(apart, [members[key] for key in large]), strict=True))
    out: dict[tuple[str, str], dict[str, Any]] = {}
    for key, mask in members.items():
        held, bound = apart[mask], bounds.get(key)
        out[key] = {
            "mean": float(held.mean()),
            "low": None if bound is None else max(-1.0, bound.low),
            "high": None if bound is None else min(1.0, bound.high),
            "queries": len(held),
            "differing": int(np.count_nonzero(held)),
        }
    return out


def by_modality(judged: Judged) -> list[dict[str, Any]]:
    """Modality of the results -> how many of the hits are of it and relevant, and how many of its relevant keys were found."""
    hits, right, relevant, found = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    total = 0
    for query in judged.scored:
        ranking, wanted = judged.rankings[query], judged.relevant(query)
        total += len(ranking.keys)
        for key in ranking.keys:
            said = ranking.modality.get(key)
            if said is not None:
                hits[said] += 1
                right[said] += key in wanted
        for key in wanted:
            said = ranking.modality.get(key) or judged.resolved.modality.get(key)
            if said is not None:
                relevant[said] += 1
                found[said] += key in ranking.keys
    return [
        {
            "modality": name,
            "hits": hits[name],
            "share_of_hits": hits[name] / total if total else None,
            "precision": right[name] / hits[name] if hits[name] else None,
            "relevant": relevant[name],
            "found": found[name],
            "recall": found[name] / relevant[name] if relevant[name] else None,
        }
        for name in sorted({*hits, *relevant})
    ]


def failed_modality(judged: Judged, queries: Mapping[str, GoldenQuery]) -> dict[str, Any]:
    """Which part of the queries fails.

    Of each part, the queries that are nothing but it, and how many of them have no relevant key among the first k
    (`missed`); `in_fusions` counts the queries of several parts that have it, and how often it alone would miss. Of
    `fusion`, `missed` are the queries of several parts of which a part alone had one, and the whole had none: the fusion
    lost it; `missed_by_every_part` those of which no part had one. `lost` are the relevant keys that a part had
    among its first k, and the fusion had not.
    """
    out: dict[str, Any] = {}
    several = [q for q in judged.scored if judged.rankings[q].legs]
    for part in ("text", "image", "row"):
        alone = [q for q in judged.scored if queries[q].parts == (part,)]
        legs = [q for q in several if part in queries[q].parts]
        if alone or legs:
            deaf = [q for q in legs if not judged.relevant(q) & set(judged.rankings[q].legs[part])]
            out[part] = {
                "queries": len(alone),
                "missed": sum(judged.missed(q) for q in alone),
                "in_fusions": {"queries": len(legs), "missed": len(deaf)},
            }
    if several:
        out["fusion"] = _fusion(judged, several)
        out["legs"] = _legs(judged, queries, several)
    return out


def failed(judged: Judged, query: str) -> str | None:
    """What missed: the query's only part, `fusion` where a part alone had a relevant key, `every part`; None: nothing."""
    if not judged.missed(query):
        return None
    legs, wanted = judged.rankings[query].legs, judged.relevant(query)
    if not legs:
        return "part"
    return "fusion" if any(wanted & set(keys) for keys in legs.values()) else "every part"


def smoke(golden: GoldenSet, judged: Judged, dropped: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each key that has to be among the first k, or must not be, with its rank (from 1, None: not among them)."""
    out: list[dict[str, Any]] = []
    for query in golden.queries:
        ranking = judged.rankings.get(query.id)
        gone = frozenset(judged.resolved.missing_smoke.get(query.id, ()))
        own = judged.resolved.own.get(query.id, ())
        for kind, keys in (("must", query.must), ("must_not", query.must_not)):
            for key in keys:
                rank = ranking.keys.index(key) + 1 if ranking and key in ranking.keys else None
                why = dropped.get(query.id, "") if ranking is None else ""
                if kind == "must" and rank is None and key in gone:
                    why = "No row of the collection has this key."
                elif kind == "must" and key in own and ranking is not None:
                    why = "It is the query's own row, which is left out of its answer."
                passed = ranking is not None and (rank is not None) == (kind == "must")
                out.append(
                    {
                        "query": query.id,
                        "label": query.label,
                        "kind": kind,
                        "key": key,
                        "rank": rank,
                        "passed": passed,
                        "why": why or None,
                    }
                )
    return out


def _fusion(judged: Judged, several: Sequence[str]) -> dict[str, Any]:
    missed = 0
    had_by: Counter[str] = Counter()
    lost: list[dict[str, Any]] = []
    rows = 0
    for query in several:
        ranking, wanted = judged.rankings[query], judged.relevant(query)
        missed += failed(judged, query) == "fusion"
        for key in sorted(wanted - set(ranking.keys)):
            had = {part: keys.index(key) + 1 for part, keys in ranking.legs.items() if key in keys}
            if had:
                rows += 1
                had_by.update(had.keys())
                lost.append({"query": query, "key": key, "rank": had})
    return {
        "queries": len(several),
        "missed": missed,
        "missed_by_every_part": sum(failed(judged, q) == "every part" for q in several),
        "lost_keys": rows,
        "had_by": dict(had_by),
        "lost": lost[:SHOWN],
    }


def _legs(judged: Judged, queries: Mapping[str, GoldenQuery], several: Sequence[str]) -> dict[str, Any]:
    """nDCG of each part alone and of the fusion, on the queries that have several parts."""
    main = f"ndcg@{judged.k}"
    out: dict[str, Any] = {}
    parts: tuple[Part, ...] = ("text", "image", "row")
    for part in parts:
        with_it = [q for q in several if part in queries[q].parts]
        if with_it:
            run = {q: judged.rankings[q].legs[part] for q in with_it}
            alone = score({q: judged.qrels[q] for q in with_it}, run, judged.k)
            out[part] = mean_json(list(alone[main].values()))
    out["fusion"] = mean_json([judged.scores[main][q] for q in several])
    return out


def _array(values: Sequence[float]) -> F64:
    return np.asarray(values, np.float64)
