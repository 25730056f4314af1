"""A golden set as a file, and from files: CSV, JSON Lines, TREC qrels with topics, BEIR's folder as a ZIP."""

from __future__ import annotations

import io
import lzma
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import streamlit as st

from connectors.errors import PlumblineError
from console.search import golden
from console.search.golden import GoldenSet
from console.search.golden.formats import FORMATS, Form, Loaded, load, save
from console.ui import (
    access,
    golden_actions,
    golden_state,
    golden_store,
    golden_versions,
    panels,
    session,
    words,
)

NAMED: Final[dict[Form, str]] = {
    "csv": "CSV",
    "jsonl": "JSON Lines, with pictures",
    "trec": "TREC qrels with topics",
    "beir": "BEIR's folder, as a ZIP",
}
AS_NAMED: Final = "as its name says"
ENDINGS: Final = ["csv", "jsonl", "ndjson", "qrels", "qrel", "txt", "tsv", "topics", "zip"]
LARGEST: Final = 256 * 1024 * 1024
"""Bytes of a ZIP's files together."""
MOST_FILES: Final = 64
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,79}", re.ASCII)
_GRADE: Final = re.compile(r"[+-]?\d{1,9}(\.0+)?", re.ASCII)
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OverflowError,
)
"""What reading a ZIP raises that is cut off, encrypted, made by another packer, or no ZIP at all."""
_DONE: Final = "golden.imported"
_REFUSED: Final = "golden.import_refused"


class Made(NamedTuple):
    """A set as one file: `said` holds what the format could not."""

    data: bytes
    name: str
    mime: str
    said: tuple[str, ...]


def draw(held: GoldenSet, heads: Sequence[Mapping[str, Any]], head: Mapping[str, Any]) -> None:
    golden_versions.draw(held, heads, head)
    left, right = st.columns(2, gap="medium")
    with left:
        _export(held, golden_store.written(head))
    with right:
        st.subheader("Import", anchor=False)
        _told()
        if held.version is None:
            _import(held.name, held.key_field)
        else:
            st.text("A version stays as it is: choose the draft to add to it.")


def take_in_anew() -> None:
    """A set from files, where there is none yet."""
    st.subheader("Import", anchor=False)
    _told()
    name = st.text_input("Name of the set", key="g.import_name", placeholder="shop", width=320)
    _import(str(name or "").strip(), None)


def _export(held: GoldenSet, written: str) -> None:
    st.subheader("Export", anchor=False)
    form = st.selectbox("Format", FORMATS, key="g.export", format_func=NAMED.__getitem__, width=320)
    if not held.queries:
        st.text("There is no query to export yet.")
        return
    made = _made(session.generation(), held.name, held.version, written, form)
    for line in made.said:
        st.text(f"Not in this format: {words.sentence(line)}")
    st.download_button(
        f"{held.label} as {NAMED[form]}",
        made.data,
        file_name=made.name,
        mime=made.mime,
        key="golden.export",
        on_click="ignore",
        icon=":material/download:",
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _made(generation: int, name: str, version: int | None, written: str, form: Form) -> Made:
    """A set in a format, made once for what it says (see `golden_store.written`)."""
    workspace = session.workspace()
    held = golden.find(workspace, f"{name}@{version or 'draft'}")
    stem = f"{name}-{version or 'draft'}"
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        ending = {"csv": ".csv", "jsonl": ".jsonl", "trec": ".qrels", "beir": ""}[form]
        files, said = save(
            held,
            Path(folder) / f"{stem}{ending}",
            form,
            picture=lambda image: golden.picture(workspace, image),
        )
        if len(files) == 1:
            mime = "text/csv" if form == "csv" else "application/jsonl"
            return Made(files[0].read_bytes(), files[0].name, mime, said)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in files:
                packed.write(file, file.relative_to(folder))
        return Made(out.getvalue(), f"{stem}-{form}.zip", "application/zip", said)


def _import(name: str, key_field: str | None) -> None:
    read_only = access.why_read_only() is not None
    turn = st.session_state.get("golden.import_turn", 0)
    st.file_uploader(
        "Files",
        type=ENDINGS,
        accept_multiple_files=True,
        key=f"g.files.{turn}",
        disabled=read_only,
        help="One CSV or JSON Lines file; TREC qrels and their topics, or a ZIP of the two; or BEIR's folder as a ZIP.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Format",
            [AS_NAMED, *FORMATS],
            key="g.form",
            format_func=lambda f: NAMED.get(f, f),
            width=230,
            disabled=read_only,
        )
        st.toggle("In place of the draft", key="g.replace", disabled=read_only)
        st.button(
            "Import",
            key="golden.import",
            on_click=_taken,
            args=(name, key_field, turn),
            disabled=read_only or not name,
        )


def _taken(name: str, key_field: str | None, turn: int) -> None:
    state = st.session_state
    form = state.get("g.form")
    try:
        access.require_operator("Importing a golden set")
        given = {_name(f.name, n): f.getvalue() for n, f in enumerate(state.get(f"g.files.{turn}") or ())}
        loaded = read(given, name, None if form in (None, AS_NAMED) else form, key_field)
        made = golden_actions.take_in(name, loaded.golden, loaded.pictures, bool(state.get("g.replace")))
    except PlumblineError as fault:
        state[_REFUSED] = fault
        return
    state["golden.import_turn"] = turn + 1
    queries = words.plural(len(loaded.golden.queries), "query", "queries")
    judgements = words.plural(len(loaded.golden.judgements), "judgement")
    state[_DONE] = (
        f"{queries} and {judgements} were read; the draft now has {words.plural(len(made.queries), 'query', 'queries')}.",
        loaded.notes,
    )
    golden_state.choose(name)
    golden_state.look(part="files")


def _told() -> None:
    """What came of the last import."""
    state = st.session_state
    if (fault := state.pop(_REFUSED, None)) is not None:
        panels.error(fault, title="Nothing was imported")
    if (done := state.pop(_DONE, None)) is not None:
        st.text(done[0])
        for line in done[1]:
            st.text(words.printable(str(line)))


def _name(name: str, number: int) -> str:
    """A file's own name where it is a plain one: it stands in what is said of its lines."""
    last = Path(name.replace("\\", "/")).name
    return last if _SAFE.fullmatch(last) else f"file-{number}{Path(last).suffix[:12]}"


def read(given: Mapping[str, bytes], name: str, form: Form | None, key_field: str | None = None) -> Loaded:
    """The golden set of uploaded files. Raises `usage`, `damaged`, `image-refused`, each with file and line."""
    if not given:
        raise PlumblineError(
            "usage", "There is no file to import.", where="files", hint="Choose a file first."
        )
    with tempfile.TemporaryDirectory(prefix="golden-") as made:
        folder = Path(made)
        try:
            for file, data in given.items():
                (folder / file).write_bytes(data)
            return _loaded(folder, list(given), name, form, key_field)
        except PlumblineError as fault:
            raise _here(fault, folder) from None


def _loaded(folder: Path, files: list[str], name: str, form: Form | None, key_field: str | None) -> Loaded:
    if len(files) == 1 and (form == "beir" or files[0].lower().endswith(".zip")):
        unpacked = folder / "unpacked"
        _unpack(folder / files[0], unpacked)
        return _of_zip(unpacked, files[0], name, form, key_field)
    if len(files) == 1:
        return _load(folder / files[0], name, form, key_field)
    if form in (None, "trec") and (pair := _qrels_and_topics([folder / f for f in files])) is not None:
        return load(pair[0], name, "trec", key_field=key_field, topics=pair[1])
    raise PlumblineError(
        "usage",
        f"These {len(files)} files are not one golden set.",
        where="files",
        hint="One CSV or JSON Lines file; TREC qrels and their topics; or BEIR's folder as a ZIP.",
    )


def _load(path: Path, name: str, form: Form | None, key_field: str | None) -> Loaded:
    """Pictures are held to the limits of the settings."""
    return load(path, name, form, key_field=key_field, limits=session.workspace().settings.images.limits)


def _of_zip(folder: Path, zipped: str, name: str, form: Form | None, key_field: str | None) -> Loaded:
    """What a ZIP holds is told by its files: BEIR has `queries.jsonl`, TREC is qrels with topics."""
    held = sorted(p for p in folder.rglob("*") if p.is_file())
    if form != "trec" and any(p.name == "queries.jsonl" for p in held):
        return _load(_data_set(folder, zipped), name, "beir", key_field)
    if form in (None, "trec") and (pair := _qrels_and_topics(held)) is not None:
        return load(pair[0], name, "trec", key_field=key_field, topics=pair[1])
    wanted = {"beir": "queries.jsonl of BEIR", "trec": "qrels with topics of TREC"}
    raise PlumblineError(
        "usage",
        f"The ZIP holds no {wanted[form]}."
        if form in wanted
        else f"The ZIP holds neither {wanted['beir']} nor {wanted['trec']}.",
        where=zipped,
        hint="BEIR's folder has queries.jsonl and qrels/; TREC's ZIP has two files, the qrels and the topics.",
    )


def _qrels_and_topics(files: Sequence[Path]) -> tuple[Path, Path] | None:
    """Two files told apart by what is in them; None where they are not one of each."""
    topics = [f for f in files if _is_topics(f)]
    if len(files) != 2 or len(topics) != 1:
        return None
    return next(f for f in files if f not in topics), topics[0]


def _is_topics(path: Path) -> bool:
    """Topics are told from qrels by their first line that is not blank: qrels have four columns, the last a grade."""
    lines = path.read_bytes()[:2000].decode("utf-8-sig", "replace").split("\n")
    first = next((cells for line in lines if (cells := line.split())), [])
    return not (len(first) == 4 and _GRADE.fullmatch(first[-1]))


def _unpack(path: Path, folder: Path) -> None:
    """A ZIP's files below a folder. Raises `usage`, `damaged`."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(path) as packed:
            held = [i for i in packed.infolist() if not i.is_dir() and "__MACOSX" not in i.filename]
            if len(held) > MOST_FILES or sum(i.file_size for i in held) > LARGEST:
                raise PlumblineError("usage", "The ZIP holds too much.", where=path.name)
            for info in held:
                target = (folder / info.filename).resolve()
                if not target.is_relative_to(folder.resolve()):
                    raise PlumblineError("usage", "The ZIP names a file outside of it.", where=path.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(info) as source, target.open("wb") as out:
                    data = source.read(LARGEST + 1)
                    if len(data) > info.file_size:
                        raise PlumblineError("damaged", "The ZIP is not what it says.", where=path.name)
                    out.write(data)
    except _UNREADABLE:
        raise PlumblineError("damaged", "The ZIP can't be read.", where=path.name) from None


def _data_set(folder: Path, zipped: str) -> Path:
    """The one folder with a `queries.jsonl`. Raises `usage`."""
    found = sorted(folder.rglob("queries.jsonl"))
    if len(found) > 1:
        named = ", ".join(str(p.relative_to(folder)) for p in found[:3])
        raise PlumblineError(
            "usage",
            f"The ZIP holds {len(found)} data sets: {named}{', …' if len(found) > 3 else ''}.",
            where=zipped,
            hint="Import each by itself: one queries.jsonl and its qrels/ in a ZIP.",
        )
    return found[0].parent


def _here(fault: PlumblineError, folder: Path) -> PlumblineError:
    """Without the folder of the moment, which tells nobody anything."""
    short = fault.where
    for prefix in (f"{folder}/unpacked/", f"{folder}/"):
        short = short.replace(prefix, "")
    return PlumblineError(fault.code, fault.message, where=short, hint=fault.hint)
