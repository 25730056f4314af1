"""BEIR's layout: `queries.jsonl`, `qrels/*.tsv`, and perhaps `corpus.jsonl`, in one folder.

What BEIR has no place for stands in each query's `metadata` under `plumbline`, which other readers pass over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from connectors import filters
from console.search.golden import form
from console.search.golden.formats.gathering import HASHES, KEY_FIELD, NOTE, Gathering, Loaded, lost
from console.search.golden.formats.reading import Source, held, inside
from console.search.golden.model import GoldenQuery, GoldenSet

if TYPE_CHECKING:
    from console.settings.model import ImageLimits

QUERIES: Final = "queries.jsonl"
QRELS: Final = "qrels"
CORPUS: Final = "corpus.jsonl"
SPLIT: Final = "test.tsv"
OWN: Final = "plumbline"
HEAD: Final = ("query-id", "corpus-id", "score")
_PLAIN: Final = (
    f"{QUERIES}, {QRELS}/*.tsv and {CORPUS} are files in the folder itself; no link leads out of it."
)
_LISTED: Final = 3


def load(folder: Path, name: str, key_field: str | None = None, limits: ImageLimits | None = None) -> Loaded:
    """Every split of `qrels`. Where there is a corpus, judged keys that it lacks are noted.

    Raises `usage`, `damaged` and `image-refused` with file and line.
    """
    top = Source(folder)
    if not folder.is_dir():
        top.fault("It is no folder.", f"BEIR's layout is a folder with {QUERIES} and {QRELS}.", code="usage")
    queries = folder / QUERIES
    if not queries.exists():
        top.fault(f"The folder has no {QUERIES}.")
    source = Source(inside(folder, QUERIES, top, _PLAIN))
    gathering = Gathering(name, key_field, limits)
    smoke: list[tuple[int, str, object, bool]] = []
    rules: list[tuple[int, str, object, object]] = []
    for said in source.objects():
        query, own = _query(source, gathering, said)
        for kind in ("must", "must_not"):
            smoke += [(source.line, query, key, kind == "must") for key in _list(source, own, kind)]
        for rule in _list(source, own, "rules"):
            if not isinstance(rule, Mapping):
                source.fault("A rule is an object with `where` and `grade`.")
            one = cast("Mapping[str, Any]", rule)
            rules.append((source.line, query, one.get("where"), one.get("grade")))
    splits = folder / QRELS
    named = sorted(p.name for p in splits.iterdir() if p.suffix == ".tsv") if splits.is_dir() else []
    for split in named:
        _split(Source(inside(splits, split, top, _PLAIN)), gathering)
    for line, query, key, there in smoke:
        source.line = line
        gathering.demand(source, query, key, there=there)
    for line, query, where, grade in rules:
        source.line = line
        gathering.rule(source, query, where, grade)
    if not named:
        gathering.notes.append(f"There is no {QRELS}/*.tsv: the queries are without judgements.")
    loaded = gathering.done(source)
    if (folder / CORPUS).is_file():
        gathering.notes += _lacking(Source(inside(folder, CORPUS, top, _PLAIN)), loaded.golden)
    return Loaded(loaded.golden, loaded.pictures, tuple(gathering.notes))


def save(golden: GoldenSet) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The folder's files by their path, and what they do not hold."""
    rules: dict[str, list[dict[str, Any]]] = {}
    for r in golden.rules:
        rules.setdefault(r.query, []).append({"where": filters.to_json(r.where), "grade": r.grade})
    lines: list[bytes] = []
    for query in golden.queries:
        own = {k: v for k, v in form.query_json(query).items() if k not in ("id", "text")}
        if query.id in rules:
            own["rules"] = rules[query.id]
        line = {"_id": query.id, "text": query.text or "", "metadata": {OWN: own} if own else {}}
        lines.append(held(json.dumps(line, ensure_ascii=False).encode() + b"\n", query.id))
    qrels = ["\t".join(HEAD) + "\n", *(f"{j.query}\t{j.key}\t{j.grade}\n" for j in golden.judgements)]
    shown = {q.image for q in golden.queries if q.image}
    return (
        {QUERIES: b"".join(lines), f"{QRELS}/{SPLIT}": "".join(qrels).encode()},
        lost(
            [
                (len(shown), *HASHES),
                (
                    sum(q.text is None for q in golden.queries),
                    "query has no text, which other readers expect.",
                    "queries have no text, which other readers expect.",
                ),
                (int(golden.key_field is not None), KEY_FIELD, KEY_FIELD),
                (int(bool(golden.note)), NOTE, NOTE),
            ]
        ),
    )


def _query(source: Source, gathering: Gathering, said: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    name, text = said.get("_id"), said.get("text", "")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not isinstance(text, str):
        source.fault("A query has the texts `_id` and `text`.", code="damaged")
    own = _object(_object(said.get("metadata")).get(OWN))
    if not isinstance(own.get("cohort"), Mapping | None):
        source.fault("`cohort` is no object.")
    row = own.get("row")
    query = GoldenQuery(
        name,
        text or None,
        None if own.get("image") is None else gathering.image(source, own["image"]),
        None if row is None else gathering.row(source, row),
        {k: gathering.cohort(source, k, v) for k, v in _object(own.get("cohort")).items()},
    )
    return gathering.query(source, query), own


def _list(source: Source, own: Mapping[str, Any], name: str) -> list[object]:
    held: object = own.get(name)
    if held is not None and not isinstance(held, list):
        source.fault(f"`{name}` is no list.")
    return cast("list[object]", held or [])


def _object(held: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", held) if isinstance(held, Mapping) else {}


def _split(source: Source, gathering: Gathering) -> None:
    first = True
    for line in source.lines():
        if not line.strip():
            continue
        cells = line.rstrip("\r\n").split("\t")
        begins, first = first, False
        if begins and tuple(c.strip().lower() for c in cells) == HEAD:
            continue
        if len(cells) != 3:
            source.fault(
                f"The line has {len(cells)} columns; there are three: {', '.join(HEAD)}.", code="damaged"
            )
        if not gathering.known(cells[0]):
            source.fault(f"The query {cells[0][:80]} is not in {QUERIES}.")
        gathering.judge(source, *cells, lenient=True)


def _lacking(source: Source, golden: GoldenSet) -> list[str]:
    judged = dict.fromkeys(j.key for j in golden.judgements)
    for said in source.objects():
        judged.pop(str(said.get("_id")), None)
    if not judged:
        return []
    shown = ", ".join(list(judged)[:_LISTED])
    return [
        f"{CORPUS} lacks {len(judged):,} of the judged keys: {shown}{'…' if len(judged) > _LISTED else ''}"
    ]
