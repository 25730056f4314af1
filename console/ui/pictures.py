"""Thumbnails as data URIs: small JPEGs that were decoded and encoded here, never a payload's own bytes."""

from __future__ import annotations

import base64
import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.errors import PlumblineError
from console.search import Upload, uploads
from console.ui import session

if TYPE_CHECKING:
    from console.encoders.sources import ImageStore

SIDE: Final = 256
"""Pixels of a thumbnail's longer side."""
PATIENCE: Final = 3.0
"""Seconds that all pictures of one answer may take; one that comes later is said to be late."""
KEPT: Final = 4_000
FRESH: Final = 600.0
_READERS: Final = 8


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A data URI, or why there is none."""

    uri: str | None
    note: str | None = None


class _Shelf:
    """Thumbnails by generation of the settings and reference; the oldest make room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[int, str], tuple[float, Thumbnail]] = OrderedDict()

    def get(self, key: tuple[int, str]) -> Thumbnail | None:
        with self._lock:
            found = self._held.get(key)
            if found is None or time.monotonic() - found[0] > FRESH:
                return None
            self._held.move_to_end(key)
            return found[1]

    def put(self, key: tuple[int, str], thumbnail: Thumbnail) -> None:
        with self._lock:
            self._held[key] = (time.monotonic(), thumbnail)
            while len(self._held) > KEPT:
                self._held.popitem(last=False)


_SHELF: Final = _Shelf()
_POOL: Final = ThreadPoolExecutor(_READERS, thread_name_prefix="pictures")


def thumbnails(references: Sequence[str | None]) -> list[Thumbnail | None]:
    """A thumbnail for each reference, read at the same time; None where a row names no picture."""
    turn = session.generation()
    jobs = {
        reference: _POOL.submit(_thumbnail, turn, reference)
        for reference in dict.fromkeys(r for r in references if r)
        if _SHELF.get((turn, reference)) is None
    }
    wait(jobs.values(), timeout=PATIENCE)
    return [_ready(turn, r) if r else None for r in references]


def _ready(turn: int, reference: str) -> Thumbnail:
    return _SHELF.get((turn, reference)) or Thumbnail(None, "The picture has not come yet.")


def _thumbnail(turn: int, reference: str) -> None:
    try:
        made = Thumbnail(as_uri(_store(turn).thumbnail(reference, SIDE)))
    except PlumblineError as fault:
        made = Thumbnail(None, fault.message)
    except Exception as fault:
        made = Thumbnail(None, session.explain(fault).message)
    _SHELF.put((turn, reference), made)


@functools.lru_cache(maxsize=2)
def _store(turn: int) -> ImageStore:
    """The reader of pictures for one state of the settings; the demo's folder is always allowed."""
    from console.demo.seed import images_root
    from console.encoders.sources import ImageStore

    workspace = session.workspace()
    return ImageStore(workspace.settings.images, [images_root(workspace.home)])


def as_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def check(data: bytes) -> None:
    """Raises `image-refused` where the bytes are no picture that can be encoded, before they are kept."""
    from console.encoders.images import decode

    decode(data, session.workspace().settings.images.limits, "upload").close()


def of_upload(upload: Upload) -> bytes | None:
    """A small JPEG of an upload, or None where it is no longer here."""
    from console.encoders.images import decode, thumbnail

    workspace = session.workspace()
    try:
        picture = decode(uploads.find(workspace.home, upload), workspace.settings.images.limits, "upload")
    except PlumblineError:
        return None
    return thumbnail(picture, SIDE)
