"""CSV: one line for each judgement, rule or smoke item; the query's own cells are repeated or left empty."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from connectors import filters
from console.search.golden.formats.gathering import HASHES, NOTE, Gathering, Loaded, lost
from console.search.golden.formats.reading import LONGEST_LINE, Source, held
from console.search.golden.model import GoldenQuery, GoldenSet

if TYPE_CHECKING:
    from console.settings.model import ImageLimits

COLUMNS: Final = ("query", "text", "image", "row", "kind", "key", "grade")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def load(path: Path, name: str, key_field: str | None = None, limits: ImageLimits | None = None) -> Loaded:
    """A header with some of `COLUMNS` and `cohort.FIELD`; `key.FIELD` in place of `key` names the key field.

    Separated by commas, semicolons or tabs. Raises `usage`, `damaged` and `image-refused` with the line.
    """
    source = Source(path)
    lines = source.lines()
    head = next((line for line in lines if line.strip()), None)
    if head is None:
        source.fault("The file is empty.", line=0)
    # Python's bound of 128 KiB holds for the whole process; a line has one of its own.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))

    def again() -> Iterator[str]:
        yield head
        yield from lines

    gathering: Gathering | None = None
    names: list[str] = []
    try:
        for cells in csv.reader(again(), delimiter=_separator(head), strict=True):
            if gathering is None:
                names, key_field = _names(source, cells, key_field)
                gathering = Gathering(name, key_field, limits)
            elif any(cells):
                if len(cells) != len(names):
                    source.fault(f"The line has {len(cells)} cells, the header {len(names)}.", code="damaged")
                raw = dict(zip(names, cells, strict=True))
                _no_formula(source, raw)
                gathering.columns(source, {name: _plain(cell) for name, cell in raw.items()})
    except csv.Error as fault:
        source.fault(f"The line is no CSV ({fault}).", code="damaged")
    if gathering is None:
        source.fault("The file is empty.", line=0)
    return gathering.done(source)


def save(golden: GoldenSet) -> tuple[bytes, tuple[str, ...]]:
    """The file's bytes, and what it does not hold. No cell is taken for a formula by a spreadsheet."""
    cohorts = golden.cohort_fields
    key = "key" if golden.key_field is None else f"key.{golden.key_field}"
    out = io.BytesIO()
    head = [*COLUMNS[:4], *(f"cohort.{f}" for f in cohorts), "kind", key, "grade"]
    out.write(_line(head))
    judgements: dict[str, list[tuple[str, str, int | str]]] = {q.id: [] for q in golden.queries}
    for j in golden.judgements:
        judgements[j.query].append(("", j.key, j.grade))
    for r in golden.rules:
        judgements[r.query].append(
            ("rule", json.dumps(filters.to_json(r.where), ensure_ascii=False), r.grade)
        )
    for query in golden.queries:
        said = judgements[query.id]
        said += [("must", k, "") for k in query.must] + [("must_not", k, "") for k in query.must_not]
        for kind, of, grade in said or [("", "", "")]:
            line = _line([*_query(query, cohorts), kind, _guarded(of), grade])
            out.write(held(line, query.id))
    shown = {q.image for q in golden.queries if q.image}
    parts = lost(
        [
            (len(shown), *HASHES),
            (int(bool(golden.note)), NOTE, NOTE),
        ]
    )
    return out.getvalue(), parts


def _line(cells: Sequence[object]) -> bytes:
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerow(cells)
    return made.getvalue().encode("utf-8")


def _separator(head: str) -> str:
    """The one by which the header is nothing but names of columns; else the one that is in it most often."""
    for separator in sorted(",;\t", key=head.count, reverse=True):
        cells = next(csv.reader([head], delimiter=separator))
        if all(_name(cell) is not None for cell in cells):
            return separator
    return max(",;\t", key=head.count)


def _name(cell: str) -> str | None:
    """The column that a cell of the header names; None where there is none. A cohort's field, or the keys', is as it
    stands, blanks at its end included; the rest is read whatever its case.
    """
    cell = cell.lstrip()
    kind, dot, of = cell.partition(".")
    if dot and kind.lower() in ("cohort", "key") and of.strip():
        return f"{kind.lower()}.{of}"
    name = cell.strip().lower()
    return name if name in COLUMNS else None


def _query(query: GoldenQuery, cohorts: tuple[str, ...]) -> list[object]:
    return [
        _guarded(query.id),
        _guarded(query.text or ""),
        str(query.image) if query.image else "",
        "" if query.row is None else query.row,
        *(_guarded(query.cohort.get(f, "")) for f in cohorts),
    ]


def _no_formula(source: Source, raw: Mapping[str, str]) -> None:
    """A text may begin with anything; what names something begins so only in a file that means harm, or by a slip."""
    for name in ("query", "image", "row", "key"):
        if (cell := raw.get(name, "").lstrip()).startswith(("=", "@")):
            source.fault(
                f"{cell[:40]!r} is a spreadsheet's formula.",
                f"A {name} that begins so is written with an apostrophe before it.",
            )


def _names(source: Source, cells: list[str], key_field: str | None) -> tuple[list[str], str | None]:
    names: list[str] = []
    for cell in cells:
        name = _name(cell)
        if name is None:
            source.fault(
                f"There is no column {cell.strip()[:40]!r}.",
                f"There are {', '.join(COLUMNS)}, key.FIELD and cohort.FIELD.",
            )
        if name.startswith("key."):
            if key_field not in (None, name[4:]):
                source.fault(f"The keys are of the field {name[4:]}, not {key_field}.")
            key_field, name = name[4:], "key"
        if name in names:
            source.fault(f"The column {name[:40]} is there twice.")
        names.append(name)
    if not {"query", "text", "image", "row"} & set(names):
        source.fault("No column says what is asked.", "Give query, text, image or row.")
    if "key" in names and not {"grade", "kind"} & set(names):
        source.fault(
            "The column `grade` is missing.", "It says how relevant a key is: 0 not, 1 and more relevant."
        )
    if "grade" in names and "key" not in names:
        source.fault("The column `key` is missing.", "It says what is judged.")
    return names, key_field


def _guarded(text: str) -> str:
    """A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection"): an apostrophe stands before it."""
    return f"'{text}" if _told_apart(text) else text


def _plain(text: str) -> str:
    return text[1:] if text.startswith("'") and _told_apart(text[1:]) else text


def _told_apart(text: str) -> bool:
    bare = text.lstrip(" \u00a0\ufeff")
    return bare.startswith(_FORMULA) or (text.startswith("'") and _told_apart(text[1:]))
