"""Rows of a finding: fetched when somebody asks to see them, exported from what the check wrote down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from connectors.model import Payload, RowId, Target
from console.jobs import rows as kept
from console.search.answer import finite
from console.search.fields import RowFields, row_fields
from console.settings import Address, readable
from console.ui import board, panels, pictures, session, words
from console.ui.grid import Card, grid

SHOWN: Final = 12
FRESH: Final = 120.0
SECONDS: Final = 10.0


def exporter(report: Mapping[str, Any], finding: Mapping[str, Any]) -> Callable[[], bytes]:
    """JSON Lines: a header that says which rows these are, then one object for each row."""
    return lambda: b"".join(
        json.dumps(finite(line), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"
        for line in lines(report, finding)
    )


def written(report: Mapping[str, Any], finding: Mapping[str, Any]) -> Path | None:
    """The file in which the check wrote down the rows of this finding; None where there is none."""
    path = kept.place(session.workspace().home, str(report.get("id")))
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(next(file))
            if "findings" in head:
                return path if finding.get("id") in head["findings"] else None
            return path if any(_of(finding, json.loads(line)) for line in file) else None
    except (OSError, ValueError, StopIteration):
        return None


def _of(finding: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """Two findings may be of one code; files of earlier versions tell codes alone."""
    if "findings" in line:
        return finding.get("id") in line["findings"]
    return finding.get("code") in line["codes"]


def lines(report: Mapping[str, Any], finding: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The affected rows that the check wrote down; else the sampled ids that the report holds."""
    code, own = finding.get("code"), finding.get("id")
    path = written(report, finding)
    if path is not None:
        with path.open(encoding="utf-8") as file:
            head = json.loads(next(file))
            held = [line for line in map(json.loads, file) if _of(finding, line)]
        yield {**head, "affected": len(held), "code": code, "findings": [own]}
        yield from held
        return
    ids = list(finding.get("sample_ids") or ())
    yield {
        "header": True,
        "report": report.get("id"),
        "address": report.get("address"),
        "at": report.get("at"),
        "rows": f"{len(ids)} of the affected rows, which the report holds",
        "every": len(ids) == finding.get("rows") and bool(report.get("exact")),
        "affected": finding.get("rows"),
        "scanned": report.get("scanned"),
        "code": code,
        "findings": [own],
    }
    for row in ids:
        yield {"id": row, "codes": [code], "findings": [own]}


def draw(address: Address, report: Mapping[str, Any], ids: Sequence[RowId], key: str) -> None:
    """Some rows with their pictures. A click shows one with its payload."""
    some = list(ids)[:SHOWN]
    held = board.board().ask(("rows", address, tuple(some)), lambda: _fetched(address, some), FRESH)
    with st.spinner("Fetching the rows"):
        board.glance(held, seconds=SECONDS)
    if held.waiting:
        st.text("The rows have not come yet. The server is slow; show them again in a moment.")
        return
    if held.error is not None:
        panels.error(held.error, title="The rows can't be shown")
        return
    found: Mapping[RowId, Payload] = held.value or {}
    fields = _fields(address, report)
    there = [i for i in some if i in found]
    images = pictures.thumbnails([fields.image_of(found[i]) for i in there])
    if not there:
        st.text("None of these rows is there any more.")
        return
    cards = [
        Card(
            rank=place + 1,
            score=grid_id(row),
            kind="row",
            id=str(row),
            picture=image.uri if image is not None else None,
            text=fields.caption_of(found[row]),
            note=image.note if image is not None else None,
            version=fields.version_of(found[row]),
            modality=fields.modality_of(found[row]),
            can_like=False,
        )
        for place, (row, image) in enumerate(zip(there, images, strict=True))
    ]
    stamp = f"{report.get('id')} {key}"
    picked = grid(
        cards, key=key, label=f"{words.plural(len(cards), 'affected row')}", stamp=stamp, narrow=True
    )
    if len(there) < len(some):
        st.text(f"{words.plural(len(some) - len(there), 'row is', 'rows are')} no longer there.")
    if picked is not None:
        show_row(address, there[picked.index], found[there[picked.index]], images[picked.index])


def grid_id(row: RowId) -> str:
    """A long id's beginning: the drawer has the whole."""
    text = str(row)
    return text if len(text) <= 12 else f"{text[:8]}…"


@st.dialog("Row", width=520, position="right")
def show_row(address: Address, row: RowId, payload: Payload, picture: pictures.Thumbnail | None) -> None:
    """One row in full."""
    import base64

    from console.search import show

    if picture is not None and picture.uri is not None:
        st.image(base64.b64decode(picture.uri.partition(",")[2]), width=320, alt="The picture of this row")
    st.caption("Row")
    st.code(str(row), language=None)
    st.caption("Collection")
    st.code(readable(address), language=None)
    cut = show.preview(payload, 20_000)
    st.caption("Payload" + (", shortened" if cut.cut else ""))
    st.json(words.printable_json(cut.value), expanded=2)


def _fetched(address: Address, ids: Sequence[RowId]) -> dict[RowId, Payload]:
    connector = session.workspace().connector(address.connection)
    batch = connector.fetch(Target(address.collection, address.tenant), ids, [], "*")
    if batch.payloads is None:
        raise PlumblineError("unsupported", "The server gave no payloads.", where=str(address))
    return dict(zip(batch.ids, batch.payloads, strict=True))


def _fields(address: Address, report: Mapping[str, Any]) -> RowFields:
    """What the check found the fields to mean, where the settings say nothing."""
    named: Mapping[str, Any] = report.get("fields") or {}
    base = row_fields(session.workspace().settings, address, address.collection, address.vector, None)
    return RowFields(
        version=str(named.get("version") or base.version),
        modality=base.modality or named.get("modality"),
        image=base.image or named.get("image"),
        text=base.text or named.get("text"),
    )
