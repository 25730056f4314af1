"""A golden set as JSON, its hash, and what it may hold."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from connectors import filters
from connectors.errors import PlumblineError
from connectors.filters import Filter
from connectors.model import RowId, parse_id
from console.search.golden.model import (
    MOST_GRADE,
    MOST_JUDGEMENTS,
    MOST_QUERIES,
    MOST_RULES,
    GoldenQuery,
    GoldenSet,
    Judgement,
    Rule,
)
from console.search.request import LONGEST_TEXT, Upload

FORMAT: Final = 1
LONGEST_ID: Final = 200
LONGEST_KEY: Final = 500
LONGEST_NOTE: Final = 2_000
MOST_COHORTS: Final = 20
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)
_LONE: Final = re.compile("[\ud800-\udfff]")
"""Halves of a surrogate pair: JSON can spell them, UTF-8 can't."""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""All of `_CONTROL` but tab and line breaks."""


def to_json(golden: GoldenSet) -> dict[str, Any]:
    """All but name and version; `from_json` gives the same set again."""
    return {
        "format": FORMAT,
        "key_field": golden.key_field,
        "note": golden.note,
        "queries": [query_json(q) for q in golden.queries],
        "judgements": [[j.query, j.key, j.grade] for j in golden.judgements],
        "rules": [[r.query, filters.to_json(r.where), r.grade] for r in golden.rules],
    }


def query_json(query: GoldenQuery) -> dict[str, Any]:
    """Only what the query has."""
    held: dict[str, Any] = {
        "id": query.id,
        "text": query.text,
        "image": query.image.sha256 if query.image else None,
        "row": query.row,
        "cohort": dict(sorted(query.cohort.items())),
        "must": list(query.must),
        "must_not": list(query.must_not),
    }
    return {name: value for name, value in held.items() if value is not None and value not in ({}, [])}


def from_json(name: str, version: int | None, data: Mapping[str, Any]) -> GoldenSet:
    """Raises `damaged` where the data is no golden set's."""
    try:
        if data["format"] != FORMAT:
            raise PlumblineError(
                "unsupported", "The golden set was written by a newer version of Plumbline.", where=name
            )
        judgements = cast("Sequence[tuple[str, str, int]]", data["judgements"])
        rules = cast("Sequence[tuple[str, Any, int]]", data["rules"])
        return GoldenSet(
            name,
            version,
            data["key_field"],
            tuple(query_from(q) for q in cast("Sequence[Mapping[str, Any]]", data["queries"])),
            tuple(Judgement(query, key, grade) for query, key, grade in judgements),
            tuple(Rule(query, filters.from_json(where), grade) for query, where, grade in rules),
            data.get("note", ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PlumblineError("damaged", "The stored golden set can't be read.", where=name) from None


def query_from(data: Mapping[str, Any]) -> GoldenQuery:
    """Raises KeyError, TypeError, ValueError where the data is no query's."""
    image = data.get("image")
    return GoldenQuery(
        data["id"],
        data.get("text"),
        None if image is None else Upload(image),
        data.get("row"),
        dict(data.get("cohort") or {}),
        tuple(data.get("must") or ()),
        tuple(data.get("must_not") or ()),
    )


def content_hash(golden: GoldenSet) -> str:
    """SHA-256 of what the set says, whatever its name, its note and the order of its parts and of smoke items."""
    return digest(to_json(golden))


def digest(said: Mapping[str, Any]) -> str:
    """The same of a set's JSON. Raises KeyError and TypeError where it is none."""
    held = {name: value for name, value in said.items() if name != "note"}
    queries = sorted(cast("Sequence[Mapping[str, Any]]", said["queries"]), key=lambda q: str(q["id"]))
    held["queries"] = [
        {**q, **{kind: sorted(q[kind]) for kind in ("must", "must_not") if kind in q}} for q in queries
    ]
    held["judgements"] = sorted(said["judgements"])
    held["rules"] = sorted(said["rules"], key=lambda r: json.dumps(r, sort_keys=True))
    text = json.dumps(held, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check_name(name: str) -> str:
    """Raises `usage`."""
    if not NAME.fullmatch(name):
        raise _wrong(
            f"{name[:80]!r} is no name of a golden set.",
            "golden",
            "Up to 63 letters, digits, `_`, `.` and `-`, a letter or digit first.",
        )
    return name


def check(golden: GoldenSet, before: GoldenSet | None = None) -> GoldenSet:
    """Raises `usage` naming the query at fault; returns the set.

    Args:
        before: a set that was checked: judgements and rules that were taken over from it are not looked at again.
    """
    check_name(golden.name)
    for held, most, what in (
        (golden.queries, MOST_QUERIES, "queries"),
        (golden.judgements, MOST_JUDGEMENTS, "judgements"),
        (golden.rules, MOST_RULES, "rules"),
    ):
        if len(held) > most:
            raise _wrong(f"A golden set has at most {most:,} {what}, not {len(held):,}.", golden.name)
    if golden.key_field is not None:
        check_field(golden.key_field, golden.name)
    check_note(golden.note, golden.name)
    known: set[str] = set()
    for query in golden.queries:
        check_query(query, golden.key_field)
        if query.id in known:
            raise _wrong("There are two queries of this id.", query.id)
        known.add(query.id)
    fine: set[int] = set()
    if before is not None and before.key_field == golden.key_field:
        fine = {id(part) for part in (*before.judgements, *before.rules)}
    pairs: set[tuple[str, str]] = set()
    for judgement in golden.judgements:
        _known(judgement.query, known)
        if id(judgement) not in fine:
            check_key(judgement.key, golden.key_field, judgement.query)
            check_grade(judgement.grade, judgement.query)
        if (judgement.query, judgement.key) in pairs:
            raise _wrong(f"The key {judgement.key} is judged twice.", judgement.query)
        pairs.add((judgement.query, judgement.key))
    for rule in golden.rules:
        _known(rule.query, known)
        if id(rule) not in fine:
            check_grade(rule.grade, rule.query)
            check_rule(rule.where, rule.query)
    return golden


def check_note(note: str, where: str) -> None:
    if len(note) > LONGEST_NOTE:
        raise _wrong(f"The note has more than {LONGEST_NOTE:,} characters.", where)
    if _CONTROL_IN_TEXT.search(note):
        raise _wrong("The note holds control characters.", where)


def check_rule(what: Filter, where: str) -> None:
    """A condition that comes back from its JSON, and that a file in UTF-8 can hold."""
    said = filters.to_json(what)
    filters.from_json(said, f"the rule of {where}")
    if _LONE.search(json.dumps(said, ensure_ascii=False)):
        raise _wrong("The rule holds half a character (a lone surrogate).", where)


def check_query(query: GoldenQuery, key_field: str | None) -> None:
    _plain(query.id, LONGEST_ID, "id of a query", query.id)
    if query.id != query.id.strip():
        raise _wrong("The id of a query begins or ends with a blank.", query.id)
    if not query.parts:
        raise _wrong("The query has no text, no picture and no row.", query.id)
    if query.text is not None:
        check_text(query.text, query.id)
    if query.row is not None:
        row_id(query.row, query.id)
    if len(query.cohort) > MOST_COHORTS:
        raise _wrong(f"A query is in at most {MOST_COHORTS} cohorts.", query.id)
    for name, value in query.cohort.items():
        _plain(name, LONGEST_ID, "name of a cohort", query.id)
        _plain(value, LONGEST_ID, "value of a cohort", query.id)
    if both := set(query.must) & set(query.must_not):
        raise _wrong(f"The key {min(both)} must and must not be found.", query.id)
    for keys in (query.must, query.must_not):
        if len(set(keys)) < len(keys):
            twice = next(key for key, times in Counter(keys).items() if times > 1)
            raise _wrong(f"The key {twice[:80]} is demanded twice.", query.id)
    for key in (*query.must, *query.must_not):
        check_key(key, key_field, query.id)


def check_text(text: str, where: str) -> None:
    if not text.strip():
        raise _wrong("The query's text is empty.", where)
    if len(text) > LONGEST_TEXT:
        raise _wrong(f"The query's text has more than {LONGEST_TEXT:,} characters.", where)
    if _CONTROL_IN_TEXT.search(text):
        raise _wrong("The query's text holds control characters.", where)


def check_key(key: str, key_field: str | None, where: str) -> None:
    _plain(key, LONGEST_KEY, "key", where)
    if key_field is None and str(row_id(key, where)) != key:
        raise _wrong(f"The key {key} is written {row_id(key, where)}.", where)


def check_grade(grade: object, where: str) -> int:
    """The grade where it is a whole number from 0 on."""
    if isinstance(grade, bool) or not isinstance(grade, int) or not 0 <= grade <= MOST_GRADE:
        raise _wrong(
            f"{str(grade)[:40]!r} is no grade.",
            where,
            f"A grade is a whole number: 0 not relevant, 1 to {MOST_GRADE} relevant.",
        )
    return grade


def row_id(key: str | int, where: str) -> RowId:
    """The row id that a key means where keys are ids. Raises `usage`."""
    try:
        return parse_id(key)
    except (ValueError, AttributeError, TypeError):
        raise _wrong(
            f"{str(key)[:80]!r} is no row id: an unsigned integer or a UUID.",
            where,
            "Where the judged things are known by a payload field, name it: --key-field FIELD.",
        ) from None


def check_field(path: str, where: str) -> None:
    """The name of a key field."""
    _plain(path, LONGEST_ID, "key field", where)
    if any(not segment for segment in filters.split_path(path)):
        raise _wrong(f"{path!r} is no field.", where)


def _known(query: str, known: set[str]) -> None:
    if query not in known:
        raise _wrong("There is a judgement or a rule of a query that is not there.", query)


def _plain(text: object, longest: int, what: str, where: object) -> None:
    place = str(where)[:80]
    if not isinstance(text, str) or not text.strip():
        raise _wrong(f"The {what} is empty.", place)
    if len(text) > longest:
        raise _wrong(f"The {what} has more than {longest} characters.", place)
    if _CONTROL.search(text):
        raise _wrong(f"The {what} holds control characters.", place)


def _wrong(message: str, where: str, hint: str = "") -> PlumblineError:
    return PlumblineError("usage", message, where=where, hint=hint)
