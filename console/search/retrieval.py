"""Retrieval metrics of ranked keys against graded judgements, counted by ir-measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

Scores = dict[str, dict[str, float]]
"""Metric -> query -> value in 0 to 1."""

PADDING: Final = "\0"
"""Keys that begin so stand for rows that are known not to be relevant, and that no ranking holds."""


def names(k: int) -> tuple[str, ...]:
    """The metrics of a ranking of k keys, in the order in which they are shown."""
    return (
        f"ndcg@{k}",
        f"precision@{k}",
        f"recall@{k}",
        "mrr",
        "map",
        f"hit@{k}",
        "bpref",
        f"judged@{k}",
    )


def score(qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Sequence[str]], k: int) -> Scores:
    """Metrics of each query that has a relevant key (grade >= 1), over the first k keys of its ranking.

    `mrr` and `map` look no further than k either. nDCG takes the grade itself as gain (Järvelin and Kekäläinen,
    TOIS 20, 2002), as trec_eval does; for bpref see Buckley and Voorhees (SIGIR 2004). A query whose ranking is
    missing or empty scores 0.

    Args:
        qrels: query -> key -> grade.
        run: query -> different keys, best first.

    Returns:
        Metric (`names(k)`) -> query -> value.
    """
    import ir_measures
    from ir_measures import AP, RR, Bpref, Judged, P, R, Success, nDCG

    measures: dict[Any, str] = dict(
        zip((nDCG @ k, P @ k, R @ k, RR, AP, Success @ k, Bpref, Judged @ k), names(k), strict=True)
    )
    scored = [query for query, grades in qrels.items() if any(g > 0 for g in grades.values())]
    found: Scores = {name: dict.fromkeys(scored, 0.0) for name in names(k)}
    given: dict[str, dict[str, int]] = {}
    ranked: dict[str, dict[str, float]] = {}
    for number, query in enumerate(scored):
        # Numbers in place of names: the library's C part takes neither NUL nor lone surrogates.
        numbers: dict[str, str] = {}
        grades = qrels[query]
        given[str(number)] = {
            numbers.setdefault(key, str(len(numbers))): grade for key, grade in grades.items()
        }
        if not (keys := list(dict.fromkeys(run.get(query, ())))[:k]):
            continue
        ranked[str(number)] = {
            numbers.setdefault(key, str(len(numbers))): float(len(keys) - place)
            for place, key in enumerate(keys)
        }
    if not ranked:
        return found
    for one in cast("Any", ir_measures).iter_calc(list(measures), given, ranked):
        found[measures[one.measure]][scored[int(one.query_id)]] = float(one.value)
    return found


def completed(grades: Mapping[str, int], keys: Sequence[str], things: int) -> dict[str, int]:
    """The grades of a query that is judged completely: what it does not name is not relevant.

    Args:
        grades: the keys that are relevant, or explicitly not.
        keys: the query's ranking.
        things: how many keys there are in all.

    Returns:
        The grades with 0 for every other key of the ranking, and with as many padding keys of grade 0 as
        bpref takes into account, which compares the relevant keys with as many that are not.
    """
    held = {**dict.fromkeys(keys, 0), **grades}
    relevant = sum(1 for grade in held.values() if grade > 0)
    others = len(held) - relevant
    wanted = min(relevant, things - relevant) - others
    return {**held, **{f"{PADDING}{i}": 0 for i in range(max(0, wanted))}}
