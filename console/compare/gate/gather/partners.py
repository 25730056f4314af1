"""A golden set in the ids of both sides: the rows that it asks with, and judges, are named by the ids of one of them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.filters import And, Filter, Ids, Not, Or
from connectors.model import RowId, parse_id
from console.compare.gate.conditions.quality import GONE
from console.compare.gate.gather.reading import read
from console.health.findings import NotMeasured
from console.health.wording import field_text
from console.progress import Cancelled, Progress
from console.search.golden.model import GoldenQuery, GoldenSet, key_text

if TYPE_CHECKING:
    from connectors.model import Batch
    from console.compare.gate.gather.sides import Side
    from console.progress import Tell

PHASE: Final = "Looking for the golden set's rows"
CHUNK: Final = 500
"""Rows that are fetched at once."""
NAMED: Final = 200
"""Ids by which it is told whose they are, as in a comparison."""
SAMPLE: Final = 50
"""Rows whose ids tell of which kind a side's are."""
SEVERAL: Final = 2
"""Rows of one value: whether it is more than one is all that is asked."""
_NOBODYS: Final = uuid.UUID("6f0c1b52-8d0e-4d0a-9b3a-6b6f7c7f2a11")
"""Of the ids that stand for rows without a partner: UUIDs of this namespace (RFC 9562, version 5), so that no row has one."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """The set as it is asked on each side.

    `untold`: rows that it names and that can't be matched by `by`, left out on both sides. `one_name`: a row's key is the
    same on both sides. `nobodys`: what stands for a row without a partner -> that row's id; `of`: the side that has it.
    """

    left: GoldenSet
    right: GoldenSet
    untold: int = 0
    by: str = ""
    one_name: bool = True
    nobodys: Mapping[str, str] = field(default_factory=dict[str, str])
    of: str = ""

    def said(self, value: Any) -> Any:
        """An evaluation's JSON that names rows without a partner by the ids that the golden set has of them."""
        if not self.nobodys:
            return value
        if isinstance(value, str):
            if (whole := self.nobodys.get(value)) is not None:
                return whole
            return _UUID.sub(lambda found: self._one(found[0]), value)
        if isinstance(value, Mapping):
            return {key: self.said(held) for key, held in cast("Mapping[str, Any]", value).items()}
        if isinstance(value, list | tuple):
            return [self.said(held) for held in cast("Sequence[Any]", value)]
        return value

    def _one(self, text: str) -> str:
        held = self.nobodys.get(text)
        return text if held is None else f"{held} of the {self.of} side"


def both(
    golden: GoldenSet,
    left: Side,
    right: Side,
    match_on: str | None,
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Both | NotMeasured:
    """The set in the ids of either side, matched as the sides' rows are; why it can't be asked of both, else.

    A row without a partner is missing on the other side. One that can't be matched, since it has no value or shares it, is
    left out on both, with the queries that ask with it.
    """
    tell(Progress(PHASE))
    named = list(dict.fromkeys(_named(golden)))
    if not named or left.same_rows(right):
        return Both(golden, golden)
    looking = _Looking(match_on, tell, cancelled)
    if match_on is None:
        why = looking.strange(golden, named, left, right)
        return NotMeasured("quality", why) if why else Both(golden, golden)
    counts = [len(looking.fetched(side, named[:NAMED])) for side in (left, right)]
    if not any(counts):
        return Both(golden, golden)
    of_right = counts[1] > counts[0]
    source, other = (right, left) if of_right else (left, right)
    matched = looking.partners([*named, *_smoke(golden)], source, other)
    own, theirs = matched.sets(golden)
    untold = {row for row in named if row in matched.untold}
    if why := _unmatched(golden, own, named, matched, match_on, "old" if of_right else "new"):
        return NotMeasured("quality", why)
    same = all(row == partner for row, partner in matched.of.items())
    of = "new" if of_right else "old"
    sets = (theirs, own) if of_right else (own, theirs)
    nobodys = {str(stand): str(row) for row, stand in matched.gone.items()}
    return Both(*sets, len(untold), match_on, same or golden.key_field is not None, nobodys, of)


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """`of`: a row -> its partner. `gone`: one that has none -> the id that stands for it. `valueless`, `shared`: those of
    which it can't be told."""

    of: Mapping[RowId, RowId]
    gone: Mapping[RowId, RowId]
    valueless: frozenset[RowId]
    shared: frozenset[RowId]

    @property
    def untold(self) -> frozenset[RowId]:
        return self.valueless | self.shared

    def partner(self, row: RowId) -> RowId:
        held = parse_id(row)
        return self.of.get(held, self.gone.get(held, held))

    def key(self, key: str) -> str:
        return str(self.partner(parse_id(key)))

    def sets(self, golden: GoldenSet) -> tuple[GoldenSet, GoldenSet]:
        """The set without what can't be told, in the ids that it has and in the other side's."""
        untold, by_id = self.untold, golden.key_field is None

        def told(key: str) -> bool:
            return not by_id or parse_id(key) not in untold

        asks = {rule.query for rule in golden.rules if untold & set(_of_rule(rule.where))}
        asks |= {q.id for q in golden.queries if q.row is not None and parse_id(q.row) in untold}
        own = golden.but(
            queries=tuple(
                replace(
                    q,
                    must=tuple(k for k in q.must if told(k)),
                    must_not=tuple(k for k in q.must_not if told(k)),
                )
                for q in golden.queries
                if q.id not in asks
            ),
            judgements=tuple(j for j in golden.judgements if j.query not in asks and told(j.key)),
            rules=tuple(rule for rule in golden.rules if rule.query not in asks),
        )
        theirs = own.but(
            queries=tuple(self._query(q, by_id) for q in own.queries),
            judgements=tuple(replace(j, key=self.key(j.key)) for j in own.judgements)
            if by_id
            else own.judgements,
            rules=tuple(replace(rule, where=self._rule(rule.where)) for rule in own.rules),
        )
        return own, theirs

    def _query(self, query: GoldenQuery, by_id: bool) -> GoldenQuery:
        row = None if query.row is None else self.partner(query.row)
        if not by_id:
            return replace(query, row=row)
        must, must_not = (tuple(self.key(k) for k in keys) for keys in (query.must, query.must_not))
        return replace(query, row=row, must=must, must_not=must_not)

    def _rule(self, what: Filter) -> Filter:
        if isinstance(what, Ids):
            return Ids(tuple(self.partner(row) for row in what.ids))
        if isinstance(what, And | Or):
            return replace(what, parts=tuple(self._rule(part) for part in what.parts))
        return Not(self._rule(what.part)) if isinstance(what, Not) else what


@dataclass(frozen=True, slots=True)
class _Looking:
    """`by`: the field that rows are matched by; None: their ids."""

    by: str | None
    tell: Tell
    cancelled: Callable[[], bool]

    def fetched(
        self, side: Side, rows: Sequence[RowId], enough: int | None = None
    ) -> dict[RowId, str | None]:
        """Those of the rows that a side has, with their value of the field; no more are looked for once `enough` are."""
        columns = () if self.by is None else (self.by,)
        # Weaviate refuses what is no UUID.
        wanted = [row for row in rows if isinstance(row, str) or side.reader.spec.kind != "weaviate"]
        found: dict[RowId, str | None] = {}
        for at in range(0, len(wanted), CHUNK):
            if self.cancelled():
                raise Cancelled
            batch = side.reader.fetch(side.target, wanted[at : at + CHUNK], (), columns)
            values = [None] * len(batch) if self.by is None else batch.columns[self.by]
            found.update({row: key_text(value) for row, value in zip(batch.ids, values, strict=True)})
            if enough is not None and len(found) >= enough:
                break
        return found

    def strange(self, golden: GoldenSet, named: Sequence[RowId], left: Side, right: Side) -> str:
        """Why rows that are matched by their ids are those of one side alone; "" where they are not."""
        there = [bool(self.fetched(side, named, 1)) for side in (left, right)]
        if there[0] == there[1]:
            return ""
        side, which = (right, "new") if there[0] else (left, "old")
        kind, its = _kind(named), self._kind_of(side)
        use = "Where a payload field tells which row is which on both sides: --match-on FIELD."
        if kind and its and kind != its:
            return f"The rows' ids in the golden set are {kind}, those of the {which} side {its}. {use}"
        if not _rests(golden):
            return ""
        return (
            f"None of the {len(named):,} rows that the golden set names is on the {which} side: they have other ids there, or"
            f" are gone. {use}"
        )

    def _kind_of(self, side: Side) -> str:
        if side.reader.spec.kind == "weaviate":
            return "UUIDs"
        return _kind(side.reader.sample(side.target, SAMPLE).ids)

    def partners(self, rows: Sequence[RowId], source: Side, other: Side) -> _Matched:
        """A row's partner is the row of its id and its value, or else the only one of its value, where it is the only
        one itself."""
        here, there = self.fetched(source, rows), self.fetched(other, rows)
        of = {row: row for row, value in here.items() if value is not None and there.get(row) == value}
        asked = {row: value for row, value in here.items() if value is not None and row not in of}
        wanted = frozenset(asked.values())
        own, theirs = (self._holders(side, wanted) for side in (source, other))
        single = {
            row: theirs[value][0]
            for row, value in asked.items()
            if len(own.get(value, ())) == len(theirs.get(value, ())) == 1
        }
        missing = [row for row, value in asked.items() if value not in theirs]
        missing += [row for row in rows if row not in here]
        valueless = frozenset(row for row, value in here.items() if value is None)
        shared = frozenset(asked) - frozenset(single) - frozenset(missing)
        gone: dict[RowId, RowId] = {row: str(uuid.uuid5(_NOBODYS, str(row))) for row in missing}
        return _Matched({**of, **single}, gone, valueless, shared)

    def _holders(self, side: Side, wanted: frozenset[str]) -> dict[str, list[RowId]]:
        """Value -> the rows that have it, two of them at most."""
        if not wanted:
            return {}
        assert self.by is not None
        by = self.by

        def see(batch: Batch) -> dict[str, list[RowId]]:
            held: dict[str, list[RowId]] = {}
            for row, value in zip(batch.ids, batch.columns[by], strict=True):
                text = key_text(value)
                if text is not None and text in wanted:
                    held.setdefault(text, []).append(row)
            return {text: rows[:SEVERAL] for text, rows in held.items()}

        found: dict[str, list[RowId]] = {}
        for part in read(side, (), (by,), see, PHASE, self.tell, self.cancelled):
            for text, rows in part.items():
                found[text] = [*found.get(text, ()), *rows][:SEVERAL]
        return found


def _named(golden: GoldenSet) -> Iterable[RowId]:
    """The rows that figures rest on: those that are asked with, judged, or named by a rule."""
    yield from (parse_id(q.row) for q in golden.queries if q.row is not None)
    if golden.key_field is None:
        yield from (parse_id(j.key) for j in golden.judgements)
    for rule in golden.rules:
        yield from _of_rule(rule.where)


def _smoke(golden: GoldenSet) -> list[RowId]:
    """The rows that must be found, or must not be."""
    if golden.key_field is not None:
        return []
    return [parse_id(key) for q in golden.queries for key in (*q.must, *q.must_not)]


def _of_rule(what: Filter) -> Iterable[RowId]:
    if isinstance(what, Ids):
        yield from (parse_id(row) for row in what.ids)
    elif isinstance(what, And | Or):
        for part in what.parts:
            yield from _of_rule(part)
    elif isinstance(what, Not):
        yield from _of_rule(what.part)


def _kind(rows: Sequence[RowId]) -> str:
    """What all of these are; "" where they are of both kinds, or there are none."""
    kinds = {"numbers" if isinstance(row, int) else "UUIDs" for row in rows}
    return kinds.pop() if len(kinds) == 1 else ""


def _rests(golden: GoldenSet) -> bool:
    """Whether the set is nothing without the rows that it names, and not one of text queries with a few of them."""
    asking = sum(q.row is not None for q in golden.queries)
    return asking > GONE * len(golden.queries) or (golden.key_field is None and bool(golden.judgements))


def _unmatched(
    golden: GoldenSet, own: GoldenSet, named: Sequence[RowId], matched: _Matched, by: str, other: str
) -> str:
    """Why the set can't be told to the other side, else ""."""
    queries, judgements = len(golden.queries), len(golden.judgements)
    left_out = queries - len(own.queries), judgements - len(own.judgements)
    if left_out[0] > GONE * queries or left_out[1] > GONE * judgements:
        none, several = (sum(row in held for row in named) for held in (matched.valueless, matched.shared))
        return (
            f"{none + several:,} of the {len(named):,} rows that the golden set names can't be matched by {field_text(by)}:"
            f" {none:,} have no value of it, {several:,} one that several rows have. Match on a field that tells the rows"
            " apart (--match-on)."
        )
    if not any(row in matched.of for row in named) and _rests(golden):
        return (
            f"None of the {len(named):,} rows that the golden set names has a partner on the {other} side: no row has the"
            f" same {field_text(by)} there."
        )
    return ""
