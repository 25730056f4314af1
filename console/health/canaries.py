"""Fixed texts and pictures, and where their vectors are kept: how a change of an encoder is noticed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from connectors.errors import PlumblineError
from console.settings.choices import locked, trouble, write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

    from console.health.table import F32

FOLDER: Final = "canaries"
"""Under PLUMBLINE_HOME: a folder for each encoder name, a file for each fingerprint."""
FORM: Final = 1
SIDE: Final = 96
MOST_BYTES: Final = 16 * 1024 * 1024

TEXTS: Final[tuple[str, ...]] = (
    "a red circle on a white background",
    "two blue squares side by side",
    "a small green triangle above a large yellow star",
    "a photo of a dog running on the beach",
    "a black and white photograph of a city street at night",
    "a close-up of a ripe tomato on a wooden table",
    "children playing football in the rain",
    "an aerial view of a river delta",
    "a bicycle leaning against a brick wall",
    "an empty parking lot covered with snow",
    "portrait of an old man with a grey beard",
    "a plate of spaghetti with basil leaves",
    "stainless steel water bottle, 750 ml, matte black",
    "men's running shoes, size 42, breathable mesh",
    "wireless headphones with noise cancelling and a charging case",
    "cotton bed sheet set, four pieces, light blue",
    "invoice number 20418, due on 1 March",
    "how do I reset my password?",
    "the quick brown fox jumps over the lazy dog",
    "database index rebuild takes longer than expected",
    "ein roter Kreis auf weißem Grund",
    "ein Hund läuft am Strand entlang",
    "un gato negro duerme sobre el sofá",
    "une voiture rouge garée devant la maison",
    "日本の桜と富士山",
    "красный круг на белом фоне",
    "left",
    "no people",
    "0123456789",
    "A, B; C: D? E! (F) [G] {H} #I @J & K",
    "very very very very very very very very very very very very very very very very very very very very "
    "very very very very very very very very very very very very very very very very very very very very "
    "very very very very very very very very very very very very very very very very very very long text",
    "a",
)
PICTURES: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """The vectors that an encoder gave: `texts` (32, d), `pictures` (16, d) or (0, d). `at`: ISO 8601."""

    name: str
    fingerprint: str
    at: str
    texts: F32
    pictures: F32
    libraries: Mapping[str, str]

    @property
    def matrix(self) -> F32:
        return np.concatenate([self.texts, self.pictures])


def pictures() -> list[Image]:
    """`PICTURES` RGB pictures by whole-number arithmetic alone: the same on every machine and in every release."""
    from PIL import Image

    return [Image.fromarray(_drawn(i)) for i in range(PICTURES)]


def pixels() -> list[npt.NDArray[np.uint8]]:
    """The pictures as (96, 96, 3) arrays."""
    return [_drawn(i) for i in range(PICTURES)]


def keep(home: Path, kept: Kept) -> None:
    """Writes one file in one step. Raises `settings`, `disk-full`."""
    file = path_of(home, kept.name, kept.fingerprint)
    meta = {
        "form": FORM,
        "name": kept.name,
        "fingerprint": kept.fingerprint,
        "at": kept.at,
        "libraries": dict(kept.libraries),
        "questions": questions(),
    }
    out = io.BytesIO()
    told = np.frombuffer(json.dumps(meta, ensure_ascii=True).encode(), np.uint8)
    np.savez(out, meta=told, texts=kept.texts, pictures=kept.pictures)
    with locked(file.with_suffix(".lock")):
        if not file.exists():
            write_whole(file, out.getvalue())


def read(home: Path, name: str, fingerprint: str) -> Kept | None:
    """What was kept, None for nothing. Raises `damaged` for a file that can't be read, `settings`."""
    file = path_of(home, name, fingerprint)
    return _read(file) if file.exists() else None


def earlier(home: Path, name: str, fingerprint: str) -> list[Kept]:
    """What the same name gave under other fingerprints, oldest first; files that can't be read are passed over."""
    folder = path_of(home, name, fingerprint).parent
    found: list[Kept] = []
    for file in sorted(folder.glob("*.npz")) if folder.is_dir() else ():
        try:
            kept = _read(file)
        except PlumblineError:
            continue
        if kept.fingerprint != fingerprint:
            found.append(kept)
    return sorted(found, key=lambda k: k.at)


def path_of(home: Path, name: str, fingerprint: str) -> Path:
    return home / FOLDER / _safe(name) / f"{_safe(fingerprint)}.npz"


def questions() -> str:
    """A hash of the fixed texts and pictures: vectors of other ones can't be compared."""
    digest = hashlib.sha256("\n".join(TEXTS).encode())
    for picture in pixels():
        digest.update(picture.tobytes())
    return digest.hexdigest()[:16]


def _read(file: Path) -> Kept:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        with np.load(file, allow_pickle=False) as held:
            meta: Any = json.loads(bytes(cast("npt.NDArray[np.uint8]", held["meta"])))
            texts, shown = np.asarray(held["texts"]), np.asarray(held["pictures"])
        if meta["form"] != FORM or meta["questions"] != questions():
            raise ValueError("of another form")
        if texts.shape[0] not in (0, len(TEXTS)) or shown.shape[0] not in (0, PICTURES):
            raise ValueError("of another shape")
        if texts.shape[1] != shown.shape[1] or not np.isfinite(texts).all() or not np.isfinite(shown).all():
            raise ValueError("not vectors")
        return Kept(
            str(meta["name"]),
            str(meta["fingerprint"]),
            str(meta["at"]),
            texts.astype(np.float32),
            shown.astype(np.float32),
            {str(k): str(v) for k, v in dict(meta["libraries"]).items()},
        )
    except (ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, RecursionError):
        raise PlumblineError(
            "damaged",
            "The vectors that were kept of the encoder can't be read.",
            where=str(file),
            hint="Move the file away; the next check keeps new ones, and sees no change that came before.",
        ) from None
    except OSError as fault:
        raise trouble(fault, file) from None


def _safe(name: str) -> str:
    """A file name of letters and digits, one for each name."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _drawn(number: int) -> npt.NDArray[np.uint8]:
    """Gradients, checks, discs, rings, stripes and noise in changing colours."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.int64)
    cx, cy = SIDE // 2 + 7 * (number % 3) - 7, SIDE // 2 + 5 * (number % 5) - 10
    away = (x - cx) ** 2 + (y - cy) ** 2
    kind = number % 8
    if kind == 0:
        value = (x * (number + 2) + y) * 255 // ((number + 3) * SIDE)
    elif kind == 1:
        value = ((x // (6 + number) + y // (6 + number)) % 2) * 255
    elif kind == 2:
        value = (away < (14 + 2 * number) ** 2) * 255
    elif kind == 3:
        value = ((away // (100 + 20 * number)) % 2) * 255
    elif kind == 4:
        value = ((x + number * y) // 9 % 3) * 127
    elif kind == 5:
        value = _noise(x, y, number)
    elif kind == 6:
        value = ((abs(x - cx) < 20) & (abs(y - cy) < 9 + number)) * 255
    else:
        value = (abs(x - cx) + abs(y - cy) < 18 + number) * 200 + (y * 55 // SIDE)
    ground = np.array(_COLOURS[number % len(_COLOURS)], np.int64)
    front = np.array(_COLOURS[(number + 1 + number % 6) % len(_COLOURS)], np.int64)
    value = np.clip(value, 0, 255)[..., None]
    return ((ground * (255 - value) + front * value) // 255).astype(np.uint8)


def _noise(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """A whole-number hash of the place (Wang's), 0 to 255, in blocks of 4 by 4 pixels."""
    h = ((x // 4) * 73_856_093 ^ (y // 4) * 19_349_663 ^ (seed + 1) * 83_492_791) & 0xFFFFFFFF
    h = ((h ^ 61) ^ (h >> 16)) * 9 & 0xFFFFFFFF
    h = h ^ (h >> 4)
    h = h * 0x27D4EB2D & 0xFFFFFFFF
    return (h ^ (h >> 15)) & 255


_COLOURS: Final[Sequence[tuple[int, int, int]]] = (
    (255, 255, 255),
    (200, 30, 40),
    (20, 20, 20),
    (30, 90, 200),
    (240, 210, 60),
    (40, 150, 70),
    (128, 128, 128),
)
