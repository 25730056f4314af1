"""What any format's lines say, put together into a golden set; contradictions name both lines."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from connectors import filters
from connectors.errors import PlumblineError
from connectors.filters import Filter
from connectors.model import RowId
from console.search import uploads
from console.search.golden import form
from console.search.golden.editing import query_id
from console.search.golden.formats import pictures
from console.search.golden.formats.reading import Source, inside
from console.search.golden.model import (
    MOST_GRADE,
    MOST_JUDGEMENTS,
    MOST_QUERIES,
    MOST_RULES,
    GoldenQuery,
    GoldenSet,
    Judgement,
    Rule,
    key_text,
)
from console.search.request import Upload

if TYPE_CHECKING:
    from console.settings.model import ImageLimits

_GRADE: Final = re.compile(r"([+-]?\d{1,9})(?:\.0+)?", re.ASCII)
HASHES: Final = (
    "picture is named by its hash only; JSONL holds it whole.",
    "pictures are named by their hash only; JSONL holds them whole.",
)
KEY_FIELD: Final = "key field is not in the files: give it again on import."
NOTE: Final = "note of the set is not in the files."
"""What several formats can't hold."""
PICTURE: Final = "A picture is upload:HASH, or a path below the file's own folder; no link leads out of it."
_HASH: Final = re.compile(r"(?:upload:)?([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A golden set from a file; `pictures`: the bytes that came with it, by SHA-256."""

    golden: GoldenSet
    pictures: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    notes: tuple[str, ...] = ()


class Gathering:
    """Lines in, golden set out. Each method names the file and line at fault."""

    def __init__(self, name: str, key_field: str | None = None, limits: ImageLimits | None = None) -> None:
        self.name = form.check_name(name)
        self.key_field = key_field
        self.note = ""
        self.pictures: dict[str, bytes] = {}
        self.notes: list[str] = []
        self._limits = limits
        self._files: dict[Path, Upload] = {}
        self._queries: dict[str, GoldenQuery] = {}
        self._said: dict[str, tuple[Source, int]] = {}
        self._judged: dict[tuple[str, str], tuple[int, Source, int]] = {}
        self._rules: dict[tuple[str, Filter], tuple[int, int]] = {}
        self._smoke: dict[str, dict[str, bool]] = {}
        self._below = self._again = 0

    def head(self, source: Source, key_field: str | None, note: str) -> None:
        """What a file says of the whole set. Raises `usage`."""
        if key_field is not None:
            self._checked(source, form.check_field, key_field, "")
        self._checked(source, form.check_note, note, "")
        self.key_field, self.note = key_field, note

    def query(self, source: Source, query: GoldenQuery) -> str:
        """A query of its own line. Raises `usage` where its id was given before."""
        if query.id in self._queries:
            first = self._said[query.id][1]
            source.fault(f"The query {query.id[:80]} is there twice: line {first} has it too.")
        self._room(source, len(self._queries), MOST_QUERIES, "queries")
        self._checked(source, form.check_query, query, self.key_field)
        self._queries[query.id] = replace(query, must=(), must_not=())
        self._smoke[query.id] = {**dict.fromkeys(query.must, True), **dict.fromkeys(query.must_not, False)}
        self._said[query.id] = (source, source.line)
        return query.id

    def named(self, source: Source, query: GoldenQuery) -> str:
        """A query that each of its lines names again: what it adds must not contradict the others."""
        held = self._queries.get(query.id)
        if held is None:
            if not query.parts:
                source.fault(f"The query {query.id[:80]} has no text, no picture and no row.")
            return self.query(source, query)
        for mine, new, what in (
            (held.text, query.text, "text"),
            (held.image, query.image, "picture"),
            (held.row, query.row, "row"),
            *((held.cohort.get(n), v, f"cohort {n}") for n, v in query.cohort.items()),
        ):
            if new is not None and new != mine:
                first = self._said[query.id][1]
                source.fault(f"The query {query.id[:80]} has another {what} in line {first}.")
        return query.id

    def known(self, query: str) -> bool:
        return query in self._queries

    def judge(self, source: Source, query: str, key: object, grade: object, *, lenient: bool = False) -> None:
        """`lenient`: a grade below 0 is 0, as public qrels have it for what is no answer at all (TREC's -1 and -2)."""
        self._room(source, len(self._judged), MOST_JUDGEMENTS, "judgements")
        held = self.key(source, key)
        if query not in self._queries:
            source.fault(f"There is no query {query[:80]!r}.")
        value = self.grade(source, grade, lenient=lenient)
        if (before := self._judged.get((query, held))) is None:
            self._judged[query, held] = (value, source, source.line)
        elif before[0] == value:
            self._again += 1
        else:
            place = (
                f"line {before[2]}" if before[1] is source else f"{before[1].path.name}, line {before[2]},"
            )
            source.fault(f"The key {held[:80]} has another grade for this query: {place} says {before[0]}.")

    def rule(self, source: Source, query: str, where: object, grade: object) -> None:
        self._room(source, len(self._rules), MOST_RULES, "rules")
        if query not in self._queries:
            source.fault(f"There is no query {query[:80]!r}.")
        try:
            held = filters.parse(where) if isinstance(where, str) else filters.from_json(where)
        except PlumblineError as fault:
            source.fault(f"The rule can't be read: {fault.message}", fault.hint)
        self._checked(source, form.check_rule, held, query)
        if (query, held) in self._rules:
            source.fault(f"The rule is there twice: line {self._rules[query, held][1]} has it too.")
        self._rules[query, held] = (self.grade(source, grade), source.line)

    def demand(self, source: Source, query: str, key: object, *, there: bool) -> None:
        """A smoke item."""
        if query not in self._queries:
            source.fault(f"There is no query {query[:80]!r}.")
        held, mine = self.key(source, key), self._smoke[query]
        if held in mine:
            source.fault(f"The key {held[:80]} is demanded twice for this query.")
        mine[held] = there

    def row(self, source: Source, row: object) -> RowId:
        return self._checked(source, form.row_id, row)

    def key(self, source: Source, key: object) -> str:
        text = key if isinstance(key, str) else key_text(key)
        if text is None:
            source.fault("A key is a text or a number.")
        if not text.strip():
            source.fault("The key is empty.")
        if self.key_field is None:
            text = str(self._checked(source, form.row_id, text.strip()))
        self._checked(source, form.check_key, text, self.key_field)
        return text

    def grade(self, source: Source, grade: object, *, lenient: bool = False) -> int:
        text = str(grade).strip() if not isinstance(grade, bool) else ""
        found = _GRADE.fullmatch(text)
        value = int(found[1]) if found else -1
        if found and lenient and value < 0:
            self._below += 1
            return 0
        if not 0 <= value <= MOST_GRADE:
            source.fault(
                f"{str(grade)[:40]!r} is no grade.",
                f"A grade is a whole number: 0 not relevant, 1 to {MOST_GRADE} relevant.",
            )
        return value

    def cohort(self, source: Source, name: str, value: object) -> str:
        """A cohort's value as text. Raises `usage` for what is neither a text nor a number."""
        text = (
            value if isinstance(value, str) else key_text(value) if isinstance(value, int | float) else None
        )
        if text is None:
            source.fault(f"The cohort {name[:40]} is neither a text nor a number.")
        return text

    def columns(self, source: Source, said: Mapping[str, Any]) -> None:
        """A flat line: `query`, `text`, `image`, `row`, `cohort.F`, `kind`, `key`, `grade`."""
        text = said.get("text") or None
        image = self.image(source, said["image"]) if said.get("image") else None
        row = None
        if said.get("row") not in (None, ""):
            row = self.row(source, said["row"])
        query = str(said.get("query") or "").strip()
        if not query and (text, image, row) == (None, None, None):
            source.fault("The line names no query: it has no id, no text, no picture and no row.")
        cohort = {
            (of := n.removeprefix("cohort.")): self.cohort(source, of, v)
            for n, v in said.items()
            if n.startswith("cohort.") and v not in (None, "")
        }
        name = self.named(source, GoldenQuery(query or query_id(text, image, row), text, image, row, cohort))
        kind, key, grade = str(said.get("kind") or "judgement"), said.get("key"), said.get("grade")
        if key in (None, ""):
            if grade not in (None, "") or kind != "judgement":
                source.fault("The line has no key.")
            return
        if grade in (None, "") and kind in ("judgement", "rule"):
            source.fault(
                f"The line has a key and no grade{'' if 'grade' in said else ': there is no `grade` in it'}."
            )
        if kind in ("must", "must_not"):
            if grade not in (None, ""):
                source.fault(f"A line of the kind {kind} has no grade.")
            self.demand(source, name, key, there=kind == "must")
        elif kind == "rule":
            self.rule(source, name, key, grade)
        elif kind == "judgement":
            self.judge(source, name, key, grade)
        else:
            source.fault(f"There is no kind {kind[:40]!r}.", "It is judgement, rule, must or must_not.")

    def image(self, source: Source, named: object) -> Upload:
        """`upload:HASH`, or a picture's path below the file's folder. Raises `usage`, `image-refused`."""
        text = str(named).strip()
        if (found := _HASH.fullmatch(text)) is not None:
            return Upload(found[1])
        path = inside(source.path.parent, text, source, PICTURE)
        if path not in self._files:
            self._files[path] = self.picture(source, self._bytes(source, path), f"The picture {text[:80]}")
        return self._files[path]

    def picture(self, source: Source, data: bytes, what: str = "The picture") -> Upload:
        """Bytes that are a picture, decoded once however often they come. Raises `image-refused`."""
        held = Upload(hashlib.sha256(data).hexdigest())
        if held.sha256 in self.pictures:
            return held
        if not 0 < len(data) <= uploads.LARGEST:
            source.fault(f"{what} does not have 1 to {uploads.LARGEST:,} bytes.", code="image-refused")
        try:
            pictures.check(data, self._limits)
        except PlumblineError as fault:
            source.fault(f"{what} can't be used: {fault.message[:300]}", fault.hint, code="image-refused")
        self.pictures[held.sha256] = data
        return held

    def _bytes(self, source: Source, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(uploads.LARGEST + 1)
        except OSError as fault:
            source.fault(
                f"The picture {path.name[:80]} can't be read ({fault.strerror}).", code="image-refused"
            )

    def done(self, source: Source) -> Loaded:
        """Raises `usage` for a set without queries, or what a set can't hold."""
        if not self._queries:
            source.fault("It holds no query.", line=0)
        self._count()
        golden = GoldenSet(
            self.name,
            None,
            self.key_field,
            tuple(self._demanded(query) for query in self._queries.values()),
            tuple(Judgement(query, key, held[0]) for (query, key), held in self._judged.items()),
            tuple(Rule(query, where, held[0]) for (query, where), held in self._rules.items()),
            self.note,
        )
        try:
            form.check(golden)
        except PlumblineError as fault:
            source.fault(f"{fault.where}: {fault.message}", fault.hint, line=0)
        return Loaded(golden, self.pictures, tuple(self.notes))

    def _demanded(self, query: GoldenQuery) -> GoldenQuery:
        held = self._smoke[query.id]
        return replace(
            query,
            must=tuple(key for key, there in held.items() if there),
            must_not=tuple(key for key, there in held.items() if not there),
        )

    def _count(self) -> None:
        """Notes of what was taken otherwise than it stands there."""
        if self._below:
            have = "judgement has a grade" if self._below == 1 else "judgements have grades"
            self.notes.append(f"{self._below:,} {have} below 0, taken as 0: not relevant.")
        if self._again:
            repeat = (
                "judgement repeats an earlier one" if self._again == 1 else "judgements repeat earlier ones"
            )
            self.notes.append(f"{self._again:,} {repeat} with the same grade.")

    def _room(self, source: Source, held: int, most: int, what: str) -> None:
        if held >= most:
            source.fault(f"A golden set has at most {most:,} {what}.")

    def _checked(self, source: Source, call: Any, *given: Any) -> Any:
        try:
            return call(*given, *(("",) if call in (form.check_key, form.row_id) else ()))
        except PlumblineError as fault:
            source.fault(fault.message, fault.hint)


def lost(parts: Sequence[tuple[int, str, str]]) -> tuple[str, ...]:
    """Sentences of what a format could not hold: (how many, what where it is one, what of many); those of none left out."""
    return tuple(f"{n:,} {one if n == 1 else many}" for n, one, many in parts if n)
