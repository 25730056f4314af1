"""A golden set on one collection: which rows its rules mean, and which of its keys are still there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.errors import PlumblineError
from connectors.filters import Filter
from connectors.model import RowId, Target, parse_id
from connectors.protocol import Reader
from console.progress import Cancelled, Progress, Tell, quiet
from console.search.golden.model import GoldenSet, Qrels, key_text, qrels
from console.search.golden.passing import Passing

MOST_ROWS: Final = 2_000_000
"""Rows that are read to resolve rules and keys of a field."""
MOST_KEYS: Final = 5_000_000
"""Keys that all rules together may mean."""
_ASKED: Final = 1_000
_ENOUGH: Final = 2
"""Rows of one key: whether it is more than one is all that is asked."""
_FIELDS: Final = "the golden set's rules and keys"


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """A golden set as one collection has it. `qrels`: without what no answer can hold, see `own`.

    `missing`: query -> its judged keys that no row has any more, in the order of the set; `missing_smoke`: the same of
    keys that must be found, or must not be.
    `own`: query -> the keys of its own row that no other row has: a query's row is left out of its answer.
    `by_own`: queries whose own row, left out of `qrels`, was judged relevant.
    `rows`: how many rows the collection has; `keys`: how many different keys (None: not counted, keys are ids).
    `read`: rows that were read for it. `modality`: of the keys that are relevant to some query or have to be found,
    where the row says.
    """

    qrels: Qrels
    missing: Mapping[str, tuple[str, ...]]
    missing_smoke: Mapping[str, tuple[str, ...]]
    own: Mapping[str, tuple[str, ...]]
    by_own: frozenset[str]
    rows: int
    keys: int | None
    read: int
    modality: Mapping[str, str]

    @property
    def things(self) -> int:
        """How many different keys a ranking can hold."""
        return self.rows if self.keys is None else self.keys

    def things_of(self, query: str) -> int:
        """The same of one query's ranking."""
        return self.things - len(self.own.get(query, ()))


def resolve(
    golden: GoldenSet,
    connector: Reader,
    target: Target,
    *,
    modality_field: str | None = None,
    tell: Tell = quiet,
    cancelled: Callable[[], bool] = lambda: False,
) -> Resolved:
    """Rules are resolved exactly, by reading the fields that they name of every row; so are keys of a field.

    Without either, only the judged rows are fetched.

    Raises:
        PlumblineError: `usage` for a collection of more than `MOST_ROWS` rows, or rules that mean more than
            `MOST_KEYS` keys; `filter-unsupported` and what the connector raises.
        Cancelled: `cancelled()` said so.
    """
    if golden.rules or golden.key_field is not None:
        return _scanned(golden, connector, target, modality_field, tell, cancelled)
    judged, smoke = _judged(golden), _smoke(golden)
    wanted = list(dict.fromkeys(key for held in (judged, smoke) for keys in held.values() for key in keys))
    there: dict[str, str | None] = {}
    for at in range(0, len(wanted), _ASKED):
        _alive(cancelled)
        tell(Progress("Looking for the judged rows", at, len(wanted)))
        ids = [parse_id(key) for key in wanted[at : at + _ASKED]]
        batch = connector.fetch(target, ids, (), (modality_field,) if modality_field else ())
        said = batch.columns[modality_field] if modality_field else [None] * len(batch)
        there.update({str(row): key_text(value) for row, value in zip(batch.ids, said, strict=True)})
    own = {q.id: (str(q.row),) for q in golden.queries if q.row is not None}
    grades = qrels(golden, lambda _: ())
    by_own = _without(grades, own)
    return Resolved(
        grades,
        _missing(judged, there),
        _missing(smoke, there),
        own,
        by_own,
        connector.count(target).rows,
        None,
        0,
        {key: value for key, value in there.items() if value is not None},
    )


def _scanned(
    golden: GoldenSet,
    connector: Reader,
    target: Target,
    modality_field: str | None,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Resolved:
    rows = connector.count(target).rows
    if rows > MOST_ROWS:
        raise PlumblineError(
            "usage",
            f"To resolve {_FIELDS}, {rows:,} rows would have to be read; at most {MOST_ROWS:,} are.",
            where=golden.name,
            hint="Judge single rows by their ids, or evaluate a smaller collection of the same kind.",
        )
    wanted = list(dict.fromkeys(rule.where for rule in golden.rules))
    passing = Passing(wanted)
    extra = tuple(f for f in (golden.key_field, modality_field) if f is not None)
    columns = tuple(dict.fromkeys((*passing.fields, *extra)))
    found: list[dict[str, None]] = [{} for _ in wanted]
    there: dict[str, str | None] = {}
    own = _Own(golden, connector, target, cancelled)
    read = kept = 0
    for batch in connector.scan(target, (), None, columns):
        _alive(cancelled)
        keys = _keys(golden, batch.ids, batch.columns)
        said = batch.columns[modality_field] if modality_field else [None] * len(batch)
        own.see(batch.ids, keys)
        for key, value in zip(keys, said, strict=True):
            if key is not None and there.get(key) is None:
                there[key] = key_text(value)
        for held, mask in zip(found, passing.masks(batch.ids, batch.columns), strict=True):
            before = len(held)
            for place in mask.nonzero()[0]:
                if (key := keys[place]) is not None:
                    held[key] = None
            kept += len(held) - before
        if kept > MOST_KEYS:
            raise PlumblineError(
                "usage",
                f"The rules mean more than {MOST_KEYS:,} rows: too many to be held at once.",
                where=golden.name,
                hint="Make them narrower.",
            )
        read += len(batch)
        tell(Progress("Resolving the golden set's rules", read, max(rows, read)))
    by_filter: dict[Filter, Iterable[str]] = dict(zip(wanted, found, strict=True))
    grades = qrels(golden, lambda rule: by_filter[rule.where])
    alone = own.alone()
    by_own = _without(grades, alone)
    judged, smoke = _judged(golden), _smoke(golden)
    shown = {key for held in grades.values() for key, grade in held.items() if grade > 0}
    shown.update(key for held in (judged, smoke) for keys in held.values() for key in keys)
    return Resolved(
        grades,
        _missing(judged, there),
        _missing(smoke, there),
        alone,
        by_own,
        read,
        None if golden.key_field is None else len(there),
        read,
        {key: value for key in shown if (value := there.get(key)) is not None},
    )


def _keys(
    golden: GoldenSet, ids: Sequence[RowId], columns: Mapping[str, Sequence[object]]
) -> list[str | None]:
    if golden.key_field is None:
        return [str(row) for row in ids]
    return [key_text(value) for value in columns[golden.key_field]]


class _Own:
    """The keys of the queries' own rows, and whether another row has them, too."""

    def __init__(
        self, golden: GoldenSet, reader: Reader, target: Target, cancelled: Callable[[], bool]
    ) -> None:
        self._rows = {q.id: q.row for q in golden.queries if q.row is not None}
        self._by_id = golden.key_field is None
        self._keys: dict[RowId, set[str]] = {}
        self._holders: dict[str, set[RowId]] = {}
        if golden.key_field is None:
            return
        wanted = list(dict.fromkeys(self._rows.values()))
        for at in range(0, len(wanted), _ASKED):
            _alive(cancelled)
            batch = reader.fetch(target, wanted[at : at + _ASKED], (), (golden.key_field,))
            for row, value in zip(batch.ids, batch.columns[golden.key_field], strict=True):
                if (key := key_text(value)) is not None:
                    self._keys.setdefault(row, set()).add(key)
                    self._holders.setdefault(key, set()).add(row)

    def see(self, ids: Sequence[RowId], keys: Sequence[str | None]) -> None:
        if not self._holders:
            return
        for row, key in zip(ids, keys, strict=True):
            if key in self._holders and len(self._holders[key]) < _ENOUGH:
                self._holders[key].add(row)

    def alone(self) -> dict[str, tuple[str, ...]]:
        """Query -> the keys that only its own row has; those that have none left out."""
        if self._by_id:
            return {query: (str(row),) for query, row in self._rows.items()}
        held = {
            query: tuple(sorted(k for k in self._keys.get(row, ()) if self._holders[k] == {row}))
            for query, row in self._rows.items()
        }
        return {query: keys for query, keys in held.items() if keys}


def _without(grades: Qrels, own: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Takes the queries' own rows out of their grades; returns the queries that lost a relevant one so."""
    lost: set[str] = set()
    for query, keys in own.items():
        held = grades.get(query, {})
        if max(held.pop(key, 0) for key in keys) > 0:
            lost.add(query)
    return frozenset(lost)


def _judged(golden: GoldenSet) -> dict[str, list[str]]:
    """Query -> the keys that are judged one by one."""
    held: dict[str, list[str]] = {q.id: [] for q in golden.queries}
    for judgement in golden.judgements:
        held[judgement.query].append(judgement.key)
    return held


def _smoke(golden: GoldenSet) -> dict[str, list[str]]:
    """Query -> the keys that must be found, or must not be."""
    return {q.id: [*q.must, *q.must_not] for q in golden.queries}


def _missing(named: Mapping[str, Sequence[str]], there: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    held = {query: tuple(key for key in keys if key not in there) for query, keys in named.items()}
    return {query: keys for query, keys in held.items() if keys}


def _alive(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled
