"""What a golden set is made of: queries, judgements of single keys, and rules that judge every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from connectors.filters import MISSING, Filter, lookup
from connectors.model import Payload, RowId
from console.search.request import Upload

MOST_QUERIES: Final = 20_000
MOST_JUDGEMENTS: Final = 500_000
MOST_RULES: Final = 20_000
MOST_GRADE: Final = 100

Qrels = dict[str, dict[str, int]]
"""Query -> key -> grade: 0 not relevant, from 1 on relevant, the higher the more."""


@dataclass(frozen=True, slots=True)
class GoldenQuery:
    """What somebody looks for: a text, a picture, a row that others are to be like, or several at once.

    `row` is a row's id, also where keys are values of a field. `cohort`: what the query is counted under (field -> value).
    `must`, `must_not`: keys that have to be among the first k, or must not be: the smoke items.
    """

    id: str
    text: str | None = None
    image: Upload | None = None
    row: RowId | None = None
    cohort: Mapping[str, str] = field(default_factory=dict[str, str])
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """`text`, `image`, `row`: those that it has, in this order."""
        held = (("text", self.text), ("image", self.image), ("row", self.row))
        return tuple(name for name, value in held if value is not None)

    @property
    def label(self) -> str:
        """What people call it."""
        if self.text is not None:
            return self.text
        return f"row {self.row}" if self.image is None else f"picture {self.image.sha256[:8]}"


@dataclass(frozen=True, slots=True)
class Judgement:
    query: str
    key: str
    grade: int


@dataclass(frozen=True, slots=True)
class Rule:
    """Every row that passes `where` has this grade for the query; with several rules, the highest counts.

    A query with a rule is judged completely: a row that passes none of its rules is not relevant.
    """

    query: str
    where: Filter
    grade: int


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """`version` None: the draft. `key_field` None: keys are row ids as text; else they are this field's values,
    so that judgements outlive a rebuild with new ids."""

    name: str
    version: int | None = None
    key_field: str | None = None
    queries: tuple[GoldenQuery, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    rules: tuple[Rule, ...] = ()
    note: str = ""

    @property
    def label(self) -> str:
        """`shop version 3`, `shop (draft)`."""
        return f"{self.name} (draft)" if self.version is None else f"{self.name} version {self.version}"

    @property
    def closed(self) -> frozenset[str]:
        """The queries that rules judge completely."""
        return frozenset(rule.query for rule in self.rules)

    @property
    def cohort_fields(self) -> tuple[str, ...]:
        return tuple(sorted({name for query in self.queries for name in query.cohort}))

    def query(self, query: str) -> GoldenQuery | None:
        return next((q for q in self.queries if q.id == query), None)

    def grades(self, query: str) -> dict[str, int]:
        """What single judgements say of a query's keys."""
        return {j.key: j.grade for j in self.judgements if j.query == query}

    def but(self, **changes: Any) -> GoldenSet:
        return replace(self, **changes)


def qrels(golden: GoldenSet, resolve: Callable[[Rule], Iterable[str]]) -> Qrels:
    """Grades by key. A single judgement outweighs every rule; `resolve` gives the keys whose rows pass a rule."""
    held: Qrels = {}
    for rule in golden.rules:
        grades = held.setdefault(rule.query, {})
        for key in resolve(rule):
            grades[key] = max(grades.get(key, 0), rule.grade)
    for judgement in golden.judgements:
        held.setdefault(judgement.query, {})[judgement.key] = judgement.grade
    return held


def key_text(value: object) -> str | None:
    """A payload value as a key; None where it is none: missing, empty, a truth value, an object, several values."""
    if isinstance(value, list) and len(cast("list[object]", value)) == 1:
        value = cast("list[object]", value)[0]
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value) if value == value else None
    return str(value) if isinstance(value, int) else None


def key_of(row: RowId, payload: Payload, key_field: str | None) -> str | None:
    """The key of a row with this payload."""
    if key_field is None:
        return str(row)
    value = lookup(payload, key_field)
    return None if value is MISSING else key_text(value)
