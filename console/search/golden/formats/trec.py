"""TREC: a qrels file (`query iteration key grade`) and a file of topics.

Topics are one line each, `query TAB text`, or TREC's own markup: `<top>` with `<num>` and `<title>`, or `<topic number="…">`
with `<query>` or `<title>`. The markup is looked through by patterns, never given to an XML parser.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from console.search.golden.formats.gathering import KEY_FIELD, NOTE, Gathering, Loaded, lost
from console.search.golden.formats.reading import Source
from console.search.golden.model import GoldenQuery, GoldenSet

TOPICS: Final = ".topics.tsv"
"""Follows the name of the qrels file."""
_OPEN: Final = re.compile(r"<top(?:ic)?\b([^<>]{0,400})>", re.IGNORECASE)
_CLOSE: Final = re.compile(r"</top(?:ic)?\s*>", re.IGNORECASE)
_NUMBER: Final = re.compile(r"<num>\s*(?:Number\s*:)?\s*([^<\s]{1,200})", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"""number\s*=\s*["']?([^"'<>\s]{1,200})""", re.IGNORECASE)
_TITLE: Final = re.compile(r"<(?:title|query)>\s*(?:Topic\s*:)?([^<]*)", re.IGNORECASE)
_MOST_LINES: Final = 2_000
"""Of one topic."""
_MARKUP: Final = re.compile(r"<(?:[?!]|top(?:ics?)?\b)", re.IGNORECASE)
"""How markup begins, whatever follows; another `<` begins it where there is no TAB in the line."""
_BREAKS: Final = re.compile(r"[\t\r\n\v\f]+")


def load(path: Path, topics: Path | None, name: str, key_field: str | None = None) -> Loaded:
    """Raises `usage` and `damaged` with file and line."""
    source = Source(path)
    if topics is None:
        beside = path.with_name(path.name + TOPICS)
        if not beside.is_file():
            source.fault(
                "Qrels hold no texts.", "Name the file of topics: --topics FILE (`query TAB text`).", line=0
            )
        topics = beside
    gathering = Gathering(name, key_field)
    asked = Source(topics)
    for number, text in _topics(asked):
        gathering.query(asked, GoldenQuery(number, text))
    for line in source.lines():
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 4:
            source.fault(
                f"The line has {len(cells)} columns; qrels have four: query, iteration, key, grade.",
                code="damaged",
            )
        query, _, key, grade = cells
        if not gathering.known(query):
            source.fault(f"The query {query[:80]} is not among the topics.", f"They are in {topics}.")
        gathering.judge(source, query, key, grade, lenient=True)
    return gathering.done(source)


def save(golden: GoldenSet) -> tuple[bytes, bytes, tuple[str, ...]]:
    """The qrels, the topics, and what they do not hold."""
    broken = 0
    texts: dict[str, str] = {}
    left: list[GoldenQuery] = []
    for query in golden.queries:
        if query.text is None or _spaced(query.id) or _MARKUP.match(query.id):
            left.append(query)
            continue
        plain = _BREAKS.sub(" ", query.text).strip()
        broken += plain != query.text
        texts[query.id] = plain
    kept = [j for j in golden.judgements if j.query in texts and not _spaced(j.key)]
    qrels = "".join(f"{j.query} 0 {j.key} {j.grade}\n" for j in kept)
    topics = "".join(f"{query}\t{text}\n" for query, text in texts.items())
    held = [q for q in golden.queries if q.id in texts]
    return (
        qrels.encode(),
        topics.encode(),
        lost(
            [
                (
                    len(left),
                    "query without a text, or with an id that has a blank or begins as markup does, is left out.",
                    "queries without a text, or with ids that have a blank or begin as markup does, are left out.",
                ),
                (
                    len(golden.judgements) - len(kept),
                    "judgement of such a query, or of a key with a blank, is left out.",
                    "judgements of such queries, or of keys with a blank, are left out.",
                ),
                (
                    broken,
                    "text has line breaks or tabs, written as blanks, or blanks at its ends.",
                    "texts have line breaks or tabs, written as blanks, or blanks at their ends.",
                ),
                (
                    sum(q.image is not None or q.row is not None for q in held),
                    "query loses its picture or row.",
                    "queries lose their picture or row.",
                ),
                (
                    len(golden.rules),
                    "rule is left out: qrels hold single keys.",
                    "rules are left out: qrels hold single keys.",
                ),
                (
                    sum(len(q.must) + len(q.must_not) for q in golden.queries),
                    "smoke item is left out.",
                    "smoke items are left out.",
                ),
                (
                    sum(bool(q.cohort) for q in held),
                    "query loses its cohorts.",
                    "queries lose their cohorts.",
                ),
                (int(golden.key_field is not None), KEY_FIELD, KEY_FIELD),
                (int(bool(golden.note)), NOTE, NOTE),
            ]
        ),
    )


def _topics(source: Source) -> Iterator[tuple[str, str]]:
    marked: list[str] | None = None
    attributes = ""
    markup: bool | None = None
    for line in source.lines():
        if not line.strip():
            continue
        if markup is None:
            bare = line.strip()
            markup = bare.startswith("<") and ("\t" not in bare or _MARKUP.match(bare) is not None)
        if not markup:
            number, tab, text = line.rstrip("\r\n").partition("\t")
            if not tab or not number.strip():
                source.fault("The line is not `query TAB text`.", code="damaged")
            yield number.strip(), text
            continue
        rest = line
        while rest:
            if marked is None:
                found = _OPEN.search(rest)
                if found is None:
                    break
                marked, attributes, rest = [], found[1], rest[found.end() :]
            end = _CLOSE.search(rest)
            marked.append(rest if end is None else rest[: end.start()])
            if len(marked) > _MOST_LINES:
                source.fault("The topic has no end.", code="damaged")
            if end is None:
                break
            yield _topic(source, attributes, "".join(marked))
            marked, rest = None, rest[end.end() :]
    if marked is not None:
        source.fault("The topic has no end.", code="damaged")


def _topic(source: Source, attributes: str, text: str) -> tuple[str, str]:
    number = _NUMBER.search(text) or _ATTRIBUTE.search(attributes)
    title = _TITLE.search(text)
    if number is None or title is None or not title[1].strip():
        source.fault("The topic has no number or no title.", code="damaged")
    return number[1], html.unescape(" ".join(title[1].split()))


def _spaced(text: str) -> bool:
    return len(text.split()) != 1 or text != text.strip()
