"""The demo's rows as a base: real pictures and captions, and the vectors of both of its encoders.

Drawing and encoding is done once and kept under the folder of `tests.needs.cache_folder`, by what it depends on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from console.demo.rows import CURRENT, OLD, make_rows, spec_of
from tests.faults.bases import Base
from tests.needs import cache_folder

SCENES = 1_000
"""Two rows each."""
FIELDS = {
    "image_field": "image",
    "text_field": "caption",
    "modality_field": "modality",
    "time_field": "ingested_at",
}


@dataclass(frozen=True, eq=False)
class Demo:
    """`base`: the current encoder's vectors, tagged so. `old`: (n, d) of the earlier one. `pictures`: their root."""

    base: Base
    old: np.ndarray
    raw: np.ndarray
    pictures: Path


def _key(scenes: int) -> str:
    here = Path(make_rows.__code__.co_filename).parent
    digest = hashlib.sha256(str(scenes).encode())
    for name in ("rows.py", "scenes.py", "draw.py", "captions.py", "bpe.py", "seed.py", "faults.py"):
        digest.update((here / name).read_bytes())
    for encoder in (CURRENT, OLD):
        digest.update((spec_of(encoder).fingerprint or "").encode())
    return digest.hexdigest()[:16]


def _folder(kind: str, scenes: int) -> Path:
    return cache_folder() / f"{kind}-{scenes}-{_key(scenes)}"


@functools.cache
def demo(scenes: int = SCENES) -> Demo:
    """Raises `extra-missing` without the `clip` extra, where nothing is kept yet."""
    folder = _folder("demo-rows", scenes)
    if not (folder / "rows.npz").is_file():
        _make(folder, scenes)
    held = np.load(folder / "rows.npz")
    said = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    payloads = [{**p, "embedding_version": CURRENT} for p in said["payloads"]]
    base = Base("demo", held["current"], payloads, said["ids"], settings=FIELDS)
    return Demo(base, held["old"], held["raw"], folder / "demo")


def _make(folder: Path, scenes: int) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        part = Path(made) / "part"
        rows = make_rows(part, scenes)
        np.savez(part / "rows.npz", current=rows.current, old=rows.old, raw=rows.raw)
        told = {"ids": rows.ids, "payloads": rows.payloads}
        (part / "rows.json").write_text(json.dumps(told), encoding="utf-8")
        _place(part, folder)


def _place(part: Path, folder: Path) -> None:
    """In one step; whoever came first wins."""
    try:
        part.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def demo_home(to: Path, scenes: int = 3_000) -> Path:
    """A console's home with the whole demo in its embedded store: a copy of one that is made once."""
    folder = _folder("demo-home", scenes)
    if not folder.is_dir():
        _make_home(folder, scenes)
    shutil.copytree(folder, to, dirs_exist_ok=True)
    return to


def _make_home(folder: Path, scenes: int) -> None:
    from connectors.qdrant import host
    from connectors.registry import connect
    from console.demo.seed import make_demo
    from console.settings import demo_spec

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        part = Path(made) / "part"
        part.mkdir()
        spec = demo_spec(part)
        connector = connect(spec)
        make_demo(connector, part, scenes=scenes)
        connector.close()
        assert spec.path is not None
        host.stop(Path(spec.path))
        _place(part, folder)
