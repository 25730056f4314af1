"""Changes of a draft: each a pure function from a golden set to the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from connectors.errors import PlumblineError
from connectors.filters import Filter
from connectors.model import RowId
from console.search.golden.form import check_grade, check_key, check_query
from console.search.golden.model import GoldenQuery, GoldenSet, Judgement, Rule
from console.search.request import QueryRequest, Upload


def query_id(text: str | None = None, image: Upload | None = None, row: RowId | None = None) -> str:
    """The id of a query that nobody named: the same for the same query."""
    said = json.dumps([text, image.sha256 if image else None, row], ensure_ascii=True)
    return f"q{hashlib.sha256(said.encode()).hexdigest()[:10]}"


def query_of(request: QueryRequest) -> GoldenQuery:
    """The golden query that a live query is. Raises `usage` for one that is only a vector, or a file's picture."""
    if request.image is not None and not isinstance(request.image, Upload):
        raise PlumblineError("usage", "A golden query's picture is an upload.", where=str(request.image))
    row = request.row.id if request.row is not None else None
    if (request.text, request.image, row) == (None, None, None):
        raise PlumblineError(
            "usage", "A golden query has a text, a picture or a row; a bare vector is none.", where="query"
        )
    return GoldenQuery(query_id(request.text, request.image, row), request.text, request.image, row)


def asked(golden: GoldenSet, query: GoldenQuery) -> GoldenQuery | None:
    """The set's query that asks the same, whatever its id; else the one of this id."""
    wanted = (query.text, query.image, query.row)
    same = (q for q in golden.queries if (q.text, q.image, q.row) == wanted)
    return next(same, None) or golden.query(query.id)


def with_query(golden: GoldenSet, query: GoldenQuery) -> GoldenSet:
    """The query added. Raises `changed` where the set asks it already, or has another one of its id."""
    check_query(query, golden.key_field)
    if (held := asked(golden, query)) is not None:
        raise PlumblineError(
            "changed",
            "The golden set asks this already."
            if held.id != query.id
            else "There is a query of this id already.",
            where=f"{golden.name}: {held.id[:80]}",
            hint="It stays as it is, with its judgements, cohorts and smoke items.",
        )
    return golden.but(version=None, queries=(*golden.queries, query))


def with_smoke(golden: GoldenSet, query: str, must: Sequence[str], must_not: Sequence[str]) -> GoldenSet:
    """A query's smoke items; nothing else of it is touched. Raises `not-found`, `usage`."""
    changed = replace(_there(golden, query), must=tuple(must), must_not=tuple(must_not))
    check_query(changed, golden.key_field)
    return golden.but(version=None, queries=tuple(changed if q.id == query else q for q in golden.queries))


def without_query(golden: GoldenSet, query: str) -> GoldenSet:
    """Without the query, its judgements and its rules. Raises `not-found`."""
    _there(golden, query)
    return golden.but(
        version=None,
        queries=tuple(q for q in golden.queries if q.id != query),
        judgements=tuple(j for j in golden.judgements if j.query != query),
        rules=tuple(r for r in golden.rules if r.query != query),
    )


def judged(golden: GoldenSet, query: GoldenQuery | str, key: str, grade: int | None) -> GoldenSet:
    """One key's grade for a query; None takes the judgement back.

    A whole query that the set does not ask yet (see `asked`) is added with its first grade; one that is meant by its id
    has to be there.

    Raises `usage` for a bad key or grade, `not-found` for the id of a query that is not there, and where there is
    nothing to take back.
    """
    if grade is None:
        return _taken_back(golden, query, key)
    if isinstance(query, str):
        name = _there(golden, query).id
    elif (held := asked(golden, query)) is not None:
        name = held.id
    else:
        name, golden = query.id, with_query(golden, query)
    check_key(key, golden.key_field, name)
    check_grade(grade, name)
    others = tuple(j for j in golden.judgements if (j.query, j.key) != (name, key))
    place = next((i for i, j in enumerate(golden.judgements) if (j.query, j.key) == (name, key)), len(others))
    made = Judgement(name, key, grade)
    return golden.but(version=None, judgements=(*others[:place], made, *others[place:]))


def has_grade(golden: GoldenSet, query: GoldenQuery | str, key: str) -> bool:
    """Whether a key is judged for a query. Raises `not-found` for a query that is not there, `usage` for a bad key."""
    held = _there(golden, query)
    check_key(key, golden.key_field, held.id)
    return key in golden.grades(held.id)


def _taken_back(golden: GoldenSet, query: GoldenQuery | str, key: str) -> GoldenSet:
    name = _there(golden, query).id
    if not has_grade(golden, query, key):
        raise PlumblineError(
            "not-found",
            f"The key {key[:80]} has no grade for this query: there is nothing to take back.",
            where=f"{golden.name}: {name[:80]}",
        )
    return golden.but(
        version=None, judgements=tuple(j for j in golden.judgements if (j.query, j.key) != (name, key))
    )


def with_rule(golden: GoldenSet, query: str, where: Filter, grade: int) -> GoldenSet:
    """One rule more, or another grade for the same condition. Raises `not-found`, `usage`."""
    _there(golden, query)
    made = Rule(query, where, check_grade(grade, query))
    kept = tuple(r for r in golden.rules if (r.query, r.where) != (query, where))
    return golden.but(version=None, rules=(*kept, made))


def without_rule(golden: GoldenSet, query: str, where: Filter) -> GoldenSet:
    return golden.but(
        version=None, rules=tuple(r for r in golden.rules if (r.query, r.where) != (query, where))
    )


def joined(golden: GoldenSet, other: GoldenSet) -> GoldenSet:
    """Both sets in one. Raises `changed` where they contradict each other."""
    if golden.queries and other.queries and golden.key_field != other.key_field:
        raise _contradiction("the field that their keys are of", golden.name)
    mine = {q.id: q for q in golden.queries}
    for query in other.queries:
        if _ordered(mine.get(query.id, query)) != _ordered(query):
            raise _contradiction("what they ask", query.id)
    grades = {(j.query, j.key): j.grade for j in golden.judgements}
    for judgement in other.judgements:
        if grades.get((judgement.query, judgement.key), judgement.grade) != judgement.grade:
            raise _contradiction(f"the grade of {judgement.key}", judgement.query)
    ruled = {(r.query, r.where): r.grade for r in golden.rules}
    for rule in other.rules:
        if ruled.get((rule.query, rule.where), rule.grade) != rule.grade:
            raise _contradiction("the grade of a rule", rule.query)
    return golden.but(
        version=None,
        key_field=other.key_field if not golden.queries else golden.key_field,
        queries=(*golden.queries, *(q for q in other.queries if q.id not in mine)),
        judgements=(*golden.judgements, *(j for j in other.judgements if (j.query, j.key) not in grades)),
        rules=(*golden.rules, *(r for r in other.rules if (r.query, r.where) not in ruled)),
        note=golden.note or other.note,
    )


def _ordered(query: GoldenQuery) -> GoldenQuery:
    """Smoke items have no order."""
    return replace(query, must=tuple(sorted(query.must)), must_not=tuple(sorted(query.must_not)))


def _there(golden: GoldenSet, query: GoldenQuery | str) -> GoldenQuery:
    """The set's query of this id, or the one that asks this. Raises `not-found`."""
    found = golden.query(query) if isinstance(query, str) else asked(golden, query)
    if found is None:
        name = query if isinstance(query, str) else query.label
        raise PlumblineError("not-found", "There is no such query.", where=f"{golden.name}: {name[:80]}")
    return found


def _contradiction(what: str, where: str) -> PlumblineError:
    return PlumblineError(
        "changed",
        f"The draft and what is added to it differ in {what}.",
        where=where,
        hint="--replace takes the new set in place of the draft.",
    )
