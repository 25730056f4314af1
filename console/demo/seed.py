"""Making the demo in a database, and taking it away: never a collection that the demo did not make."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, Metric, PayloadField, Row, Target, VectorField
from connectors.protocol import Connector
from console.demo.faults import break_rows, tagged
from console.demo.golden import NAME as GOLDEN
from console.demo.golden import drop_golden, keep_golden
from console.demo.rows import CURRENT, FOLDER, OLD, SCENES, DemoRows, Matrix, make_rows, spec_of
from console.encoders import EncoderSpec
from console.encoders.belonging import MARKER_KEY, marker_entry
from console.settings import Settings, demo_mark

VECTOR: Final = "clip"
FORMAT: Final = 1
"""Of the rows: raised when they change, so that a demo of an earlier Plumbline is made anew."""
NAMES: Final[Mapping[str, tuple[str, str, str]]] = {
    "qdrant": ("scenes", "scenes-old", "scenes-broken"),
    "weaviate": ("Scenes", "ScenesOld", "ScenesBroken"),
}
FIELDS: Final = (
    PayloadField("caption", "text", indexed=True),
    PayloadField("modality", "keyword", indexed=True),
    PayloadField("language", "keyword", indexed=True),
    PayloadField("source", "keyword", indexed=True),
    PayloadField("embedding_version", "keyword", indexed=True),
    PayloadField("scene", "integer", indexed=True),
    PayloadField("pair", "keyword"),
    PayloadField("shapes", "keyword[]", indexed=True),
    PayloadField("colours", "keyword[]", indexed=True),
    PayloadField("things", "keyword[]", indexed=True),
    PayloadField("background", "keyword", indexed=True),
    PayloadField("relation", "keyword", indexed=True),
    PayloadField("ingested_at", "datetime", indexed=True),
    PayloadField("image", "keyword"),
)
_HINTS: Final = {"version": "embedding_version", "modality": "modality", "image": "image", "text": "caption"}
_CHUNK: Final = 500
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Seeded:
    """One collection of the demo. `made` is False where it was there already, whole and current."""

    name: str
    rows: int
    made: bool


@dataclass(frozen=True, slots=True)
class Made:
    collections: tuple[Seeded, ...]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    name: str
    spec: EncoderSpec
    metric: Metric
    matrix: Matrix
    payloads: Sequence[Mapping[str, Any]]


def manifest_path(home: Path) -> Path:
    """What is broken in `scenes-broken`, row by row (JSON; see `faults.Broken.manifest`)."""
    return home / "demo" / "faults.json"


def images_root(home: Path) -> Path:
    """The folder that the rows' picture paths are relative to."""
    return home / "demo"


def make_demo(
    connector: Connector,
    home: Path,
    *,
    scenes: int = SCENES,
    reset: bool = False,
    say: Say = lambda _: None,
    settings: Settings | None = None,
) -> Made:
    """Makes the three collections, or finds them whole. `reset` makes them anew.

    The demo's own store also gets its mark (`demo_mark`), by which the connection `demo` is there. With
    `settings`, the golden set `demo` is kept in the store that they name.

    Raises:
        PlumblineError: `changed` where a collection of such a name is there that the demo did not make;
            nothing is written then. `extra-missing` without the `clip` extra, and what the connector raises.
    """
    started = time.perf_counter()
    names = collection_names(connector)
    owned = _owned(connector, names)
    found = {name: None if reset else _whole(connector, name, scenes) for name in owned}
    if all(found.get(name) for name in names) and _files_are_there(home, scenes):
        seeded = tuple(Seeded(name, 2 * scenes, made=False) for name in names)
    else:
        rows = make_rows(home, scenes, say)
        seeded = tuple(
            Seeded(
                c.name,
                len(c.payloads),
                _fill(connector, rows, c, c.name in owned, bool(found.get(c.name)), say),
            )
            for c in _contents(home, rows, names)
        )
    if _is_own_store(connector, home):
        _write_mark(home, seeded)
    if settings is not None and not keep_golden(settings):
        say(f"The golden set `{GOLDEN}` is somebody else's and stays as it is")
    return Made(seeded, time.perf_counter() - started)


def remove_demo(
    connector: Connector,
    home: Path,
    *,
    say: Say = lambda _: None,
    settings: Settings | None = None,
) -> tuple[str, ...]:
    """Drops the demo's collections, and what lies in `home` for its own store; returns the dropped names.

    A collection that only bears such a name stays; so does, with `settings`, a golden set `demo` that somebody
    has gone on with.
    """
    own = _is_own_store(connector, home)
    if own:
        demo_mark(home).unlink(missing_ok=True)
    dropped: list[str] = []
    for name in collection_names(connector):
        if _marker(connector, name):
            say(f"Dropping {name}")
            connector.drop(name)
            dropped.append(name)
    if own:
        shutil.rmtree(home / "demo" / FOLDER, ignore_errors=True)
        manifest_path(home).unlink(missing_ok=True)
    if settings is not None and drop_golden(settings):
        say(f"Removed the golden set `{GOLDEN}`")
    return tuple(dropped)


def collection_names(connector: Connector) -> tuple[str, str, str]:
    """Of the current, the old and the broken collection, as this kind of database writes names."""
    return NAMES[connector.spec.kind]


def _contents(home: Path, rows: DemoRows, names: tuple[str, str, str]) -> Iterator[_Content]:
    current, old, broken = names
    new_spec, old_spec = spec_of(CURRENT), spec_of(OLD)
    yield _Content(current, new_spec, "cosine", rows.current, [tagged(p, CURRENT) for p in rows.payloads])
    yield _Content(old, old_spec, "cosine", rows.old, [tagged(p, OLD) for p in rows.payloads])
    made = break_rows(rows)
    manifest = made.manifest(rows, broken)
    manifest_path(home).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    yield _Content(broken, new_spec, "dot", made.matrix, made.payloads)


def _fill(connector: Connector, rows: DemoRows, c: _Content, owned: bool, whole: bool, say: Say) -> bool:
    if whole:
        return False
    if owned:
        connector.drop(c.name)
    say(f"Writing {c.name}")
    vector = VectorField(VECTOR, dimension=int(c.matrix.shape[1]), metric=c.metric)
    connector.create(
        c.name, CollectionPlan((vector,), FIELDS, marker=_mark(c.spec, len(c.payloads), whole=False))
    )
    target = Target(c.name)
    for at in range(0, len(c.payloads), _CHUNK):
        part = range(at, min(at + _CHUNK, len(c.payloads)))
        # The collection is new and nobody else's; on Weaviate `new` would cost a request for each row.
        result = connector.insert(
            target, [Row(rows.ids[i], {VECTOR: c.matrix[i]}, dict(c.payloads[i])) for i in part], "replace"
        )
        if result.failed:
            why = next(iter(result.failed.values()))
            raise PlumblineError(
                "internal", f"{len(result.failed)} rows were not written ({why}).", where=c.name
            )
    connector.set_marker(target, _mark(c.spec, len(c.payloads), whole=True))
    return True


def _mark(spec: EncoderSpec, rows: int, *, whole: bool) -> dict[str, Any]:
    return {
        "demo": {"format": FORMAT, "rows": rows, "whole": whole},
        MARKER_KEY: {VECTOR: marker_entry(spec.name, spec.fingerprint or "")},
        "fields": dict(_HINTS),
    }


def _marker(connector: Connector, name: str) -> Mapping[str, Any] | None:
    """The demo's part of a collection's marker; None where the collection is not there, `{}` where it is not ours."""
    try:
        held = connector.marker(Target(name))
    except PlumblineError as error:
        if error.code == "not-found":
            return None
        raise
    mark = (held or {}).get("demo")
    return cast("Mapping[str, Any]", mark) if isinstance(mark, Mapping) else {}


def _owned(connector: Connector, names: Sequence[str]) -> set[str]:
    owned: set[str] = set()
    for name in names:
        mark = _marker(connector, name)
        if mark is None:
            continue
        if not mark:
            raise PlumblineError(
                "changed",
                f"There is a collection `{name}` that the demo did not make; it is left as it is.",
                where=f"{connector.spec.name}/{name}",
                hint="Make the demo in another connection: plumbline demo --into CONNECTION.",
            )
        owned.add(name)
    return owned


def _whole(connector: Connector, name: str, scenes: int) -> bool:
    mark = _marker(connector, name) or {}
    current = {"format": FORMAT, "rows": 2 * scenes, "whole": True}
    if {key: mark.get(key) for key in current} != current:
        return False
    held = (connector.marker(Target(name)) or {}).get(MARKER_KEY)
    spec = spec_of(OLD if name == collection_names(connector)[1] else CURRENT)
    if held != {VECTOR: marker_entry(spec.name, spec.fingerprint or "")}:
        return False
    return connector.count(Target(name)).rows == 2 * scenes


def _files_are_there(home: Path, scenes: int) -> bool:
    folder = home / "demo" / FOLDER
    return manifest_path(home).is_file() and folder.is_dir() and len(list(folder.iterdir())) >= scenes


def _is_own_store(connector: Connector, home: Path) -> bool:
    from console.settings import demo_spec

    return connector.spec.path is not None and Path(connector.spec.path) == Path(demo_spec(home).path or "")


def _write_mark(home: Path, seeded: Sequence[Seeded]) -> None:
    mark = demo_mark(home)
    part = mark.with_suffix(".part")
    told = {"format": FORMAT, "collections": [{"name": s.name, "rows": s.rows} for s in seeded]}
    part.write_text(json.dumps(told) + "\n", encoding="utf-8")
    part.replace(mark)
