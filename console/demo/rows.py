"""The demo's rows: 3,000 unseen scenes, a picture and a caption of each, and their vectors by both encoders."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from console.demo.captions import Language, describe, retell
from console.demo.draw import render
from console.demo.scenes import Scene, unseen_scenes
from console.encoders import Encoder, EncoderSpec, shared
from console.encoders.spec import built_in

SCENES: Final = 3_000
SEED: Final = 2026
CURRENT: Final = "scenes-v2"
OLD: Final = "scenes-v1"
PICTURE_SIDE: Final = 192
FOLDER: Final = "images"
"""Under `<home>/demo`, which pictures' paths are relative to."""
SOURCES: Final = tuple(f"camera-{n}" for n in range(1, 9))
_NAMESPACE: Final = uuid.UUID("6b1c3a52-5a0e-4a51-9d4c-8e1f6f6d2a10")
_START: Final = datetime(2026, 1, 5, 8, tzinfo=UTC)

Matrix = npt.NDArray[np.float32]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class DemoRows:
    """Rows 2i and 2i + 1 are the picture and the caption of scene i. Matrices are `(n, d)` float32.

    `raw` are the current encoder's vectors before normalising, `current` and `old` have unit length.
    """

    ids: tuple[str, ...]
    payloads: tuple[dict[str, Any], ...]
    raw: Matrix
    current: Matrix
    old: Matrix
    placeholder: Matrix
    """`(d,)`: the current encoder's vector of an empty grey picture."""


def demo_scenes(count: int = SCENES) -> list[Scene]:
    return unseen_scenes(count, SEED)


def language_of(at: int) -> Language:
    """One scene in ten is captioned in German, one in ten in Spanish, in words that training never used."""
    return {3: "de", 7: "es"}.get(at % 10, "en")  # pyright: ignore[reportReturnType]


def make_rows(home: Path, count: int = SCENES, say: Say = lambda _: None) -> DemoRows:
    """Draws the pictures into `<home>/demo/images` and embeds everything with both encoders; always the same.

    Raises `extra-missing` without the `clip` extra.
    """
    spec = built_in()[CURRENT]
    current = shared().get(replace(spec, normalize=False))
    old = shared().get(built_in()[OLD])
    scenes = demo_scenes(count)
    say(f"Drawing {count:,} scenes")
    pictures = _pictures(home, scenes)
    captions = [_caption(scene, language_of(i)) for i, scene in enumerate(scenes)]
    say(f"Encoding {2 * count:,} pictures and captions twice")
    raw = _both(current, pictures, captions)
    blank = current.encode_images([_blank()])[0]
    return DemoRows(
        ids=tuple(row_id(i, modality) for i in range(count) for modality in ("image", "text")),
        payloads=tuple(
            payload(scene, i, caption, modality)
            for i, (scene, caption) in enumerate(zip(scenes, captions, strict=True))
            for modality in ("image", "text")
        ),
        raw=raw,
        current=_unit(raw),
        old=_both(old, pictures, captions),
        placeholder=_unit(blank[None])[0],
    )


def row_id(scene: int, modality: str) -> str:
    """The same in every collection and every database: a UUID from the scene's number and the modality."""
    return str(uuid.uuid5(_NAMESPACE, f"{scene}:{modality}"))


def payload(scene: Scene, at: int, caption: str, modality: str) -> dict[str, Any]:
    """What a row says, without its version tag."""
    taken = _START + timedelta(minutes=7 * at)
    said: dict[str, Any] = {
        "caption": caption,
        "modality": modality,
        "language": language_of(at),
        "source": SOURCES[at // 10 % len(SOURCES)],
        "scene": at,
        "pair": row_id(at, "text" if modality == "image" else "image"),
        "shapes": sorted({t.shape for t in scene.things}),
        "colours": sorted({t.colour for t in scene.things}),
        "things": [f"{t.colour} {t.shape}" for t in scene.things],
        "background": scene.background,
        "relation": scene.relation or "alone",
        "ingested_at": taken.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if modality == "image":
        said["image"] = f"{FOLDER}/{at:04d}.jpg"
    return said


def spec_of(name: str) -> EncoderSpec:
    return built_in()[name]


def _caption(scene: Scene, language: Language) -> str:
    return (describe(scene) if language == "en" else retell(scene, language)).text


def _pictures(home: Path, scenes: list[Scene]) -> list[bytes]:
    folder = home / "demo" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    held: list[bytes] = []
    for i, scene in enumerate(scenes):
        out = io.BytesIO()
        render(scene, SEED + i, PICTURE_SIDE).save(out, "JPEG", quality=92, subsampling=0)
        (folder / f"{i:04d}.jpg").write_bytes(out.getvalue())
        held.append(out.getvalue())
    return held


def _blank() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE), (128, 128, 128)).save(out, "JPEG")
    return out.getvalue()


def _both(encoder: Encoder, pictures: list[bytes], captions: list[str]) -> Matrix:
    """`(2 n, d)`, pictures and captions in turn."""
    images, texts = encoder.encode_images(pictures), encoder.encode_texts(captions)
    return np.stack([images, texts], axis=1).reshape(-1, encoder.dimension)


def _unit(matrix: Matrix) -> Matrix:
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    return (matrix / norms).astype(np.float32)
