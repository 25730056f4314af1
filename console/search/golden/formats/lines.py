"""JSON Lines: everything that a golden set holds, pictures too."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from connectors import filters
from console.search.golden import form
from console.search.golden.formats.gathering import Gathering, Loaded
from console.search.golden.formats.reading import Source, held
from console.search.golden.model import GoldenQuery, GoldenSet
from console.search.request import Upload

if TYPE_CHECKING:
    from console.settings.model import ImageLimits

HEAD: Final = "golden"
_FLAT: Final = frozenset({"query", "text", "image", "row", "kind", "key", "grade", "cohort"})


def load(path: Path, name: str, key_field: str | None = None, limits: ImageLimits | None = None) -> Loaded:
    """Lines as `save` writes them, or flat ones with the columns of the CSV (`cohort` an object).

    Raises `usage`, `damaged` and `image-refused` with the line.
    """
    source = Source(path)
    gathering = Gathering(name, key_field, limits)
    for said in source.objects():
        _line(source, gathering, said)
    return gathering.done(source)


def save(golden: GoldenSet, picture: Callable[[Upload], bytes]) -> Iterator[bytes]:
    """The file's lines. Raises what `picture` raises."""

    def line(said: Mapping[str, Any], query: str = "") -> bytes:
        return held(json.dumps(said, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n", query)

    yield line({HEAD: {"format": form.FORMAT, "key_field": golden.key_field, "note": golden.note}})
    for image in dict.fromkeys(q.image for q in golden.queries if q.image):
        data = base64.b64encode(picture(image)).decode("ascii")
        yield line({"picture": {"sha256": image.sha256, "data": data}})
    for query in golden.queries:
        yield line({"query": form.query_json(query)}, query.id)
    for j in golden.judgements:
        yield line({"judgement": {"query": j.query, "key": j.key, "grade": j.grade}})
    for r in golden.rules:
        yield line({"rule": {"query": r.query, "where": filters.to_json(r.where), "grade": r.grade}}, r.query)


def _line(source: Source, gathering: Gathering, said: Mapping[str, Any]) -> None:
    if len(said) == 1:
        ((kind, body),) = said.items()
        if isinstance(body, Mapping) and kind in (HEAD, "picture", "query", "judgement", "rule"):
            _whole(source, gathering, kind, cast("Mapping[str, Any]", body))
            return
    if unknown := set(said) - _FLAT:
        source.fault(
            f"There is no {min(unknown)[:40]!r} in a line.",
            f"A line is one of golden, picture, query, judgement, rule, or has {', '.join(sorted(_FLAT))}.",
        )
    cohort: object = said.get("cohort") or {}
    if not isinstance(cohort, Mapping):
        source.fault("`cohort` is no object.")
    flat = {name: value for name, value in said.items() if name != "cohort"}
    for name in ("query", "text", "image", "kind"):
        if not isinstance(flat.get(name, ""), str | None):
            source.fault(f"`{name}` is no text.")
    named = cast("Mapping[str, Any]", cohort)
    gathering.columns(source, {**flat, **{f"cohort.{n}": v for n, v in named.items()}})


def _whole(source: Source, gathering: Gathering, kind: str, body: Mapping[str, Any]) -> None:
    if kind == HEAD:
        _head(source, gathering, body)
    elif kind == "picture":
        _picture(source, gathering, body)
    elif kind == "query":
        gathering.query(source, _query(source, gathering, body))
    else:
        wanted = {"query", "key" if kind == "judgement" else "where", "grade"}
        if set(body) != wanted or not isinstance(body["query"], str):
            source.fault(f"A {kind} has {', '.join(sorted(wanted))}.")
        if kind == "judgement":
            gathering.judge(source, body["query"], body["key"], body["grade"])
        else:
            gathering.rule(source, body["query"], body["where"], body["grade"])


def _head(source: Source, gathering: Gathering, body: Mapping[str, Any]) -> None:
    if body.get("format") != form.FORMAT:
        source.fault("The file was written by a newer version of Plumbline.", code="damaged")
    named, note = body.get("key_field"), body.get("note") or ""
    if not isinstance(named, str | None) or not isinstance(note, str):
        source.fault("`key_field` and `note` are texts.", code="damaged")
    if gathering.key_field not in (None, named):
        source.fault(f"The keys are {'row ids' if named is None else f'of the field {named}'}.")
    gathering.head(source, named, note)


def _picture(source: Source, gathering: Gathering, body: Mapping[str, Any]) -> None:
    try:
        data = base64.b64decode(str(body["data"]), validate=True)
    except (KeyError, binascii.Error, ValueError):
        source.fault("The picture is no base64.", code="damaged")
    if hashlib.sha256(data).hexdigest() != body.get("sha256"):
        source.fault("The picture is not the one that its hash names.", code="damaged")
    gathering.picture(source, data)


def _query(source: Source, gathering: Gathering, body: Mapping[str, Any]) -> GoldenQuery:
    """Each value of the kind that it has to be."""
    kinds: Mapping[str, type] = {
        "id": str,
        "text": str,
        "image": str,
        "cohort": Mapping,
        "must": list,
        "must_not": list,
    }
    for name, value in body.items():
        kind = kinds.get(name, object)
        if name not in (*kinds, "row") or not isinstance(value, kind):
            source.fault(f"`{name[:40]}` of the query can't be read.")
    if not isinstance(body.get("id"), str):
        source.fault("The query has no id.")
    cohort = cast("Mapping[str, Any]", body.get("cohort") or {})
    if not all(isinstance(v, str) for v in cohort.values()):
        source.fault("The query's cohorts are texts.")

    def keys(name: str) -> tuple[str, ...]:
        return tuple(gathering.key(source, key) for key in cast("list[object]", body.get(name) or []))

    row = body.get("row")
    try:
        return GoldenQuery(
            body["id"],
            body.get("text"),
            None if body.get("image") is None else gathering.image(source, body["image"]),
            None if row is None else form.row_id(row, body["id"]),
            dict(cohort),
            keys("must"),
            keys("must_not"),
        )
    except form.PlumblineError as fault:
        source.fault(fault.message, fault.hint)
