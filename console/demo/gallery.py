"""The drawn training scenes: groups of four near-twins, and mirrored pairs, rendered once into arrays of bytes."""

# ruff: noqa: S311 - drawing, not secrets

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from console.demo.draw import render
from console.demo.scenes import Scene, draw_scene, near_twin

GROUP: Final = 4
TWIN_GROUPS: Final = 30_000
MIRROR_GROUPS: Final = 10_000
RESOLUTIONS: Final = (32, 64)


@dataclass(frozen=True, slots=True)
class Gallery:
    """Scenes in groups of `GROUP`, and their pictures `(n, size, size, 3)` uint8."""

    scenes: list[Scene]
    pictures: npt.NDArray[np.uint8]


def twin_groups(count: int, seed: int) -> list[Scene]:
    """`count` groups: a scene and three that differ from it in one attribute; all may be trained on."""
    rng = random.Random(seed)
    scenes: list[Scene] = []
    while len(scenes) < count * GROUP:
        base = draw_scene(rng)
        if not base.trainable:
            continue
        group = {base.key: base}
        while len(group) < GROUP:
            twin = near_twin(base, rng)
            if twin.trainable:
                group[twin.key] = twin
        scenes.extend(group.values())
    return scenes


def mirror_groups(count: int, seed: int) -> list[Scene]:
    """`count` groups: a scene of two things, its mirror image, a near-twin and the twin's mirror image."""
    rng = random.Random(seed)
    scenes: list[Scene] = []
    while len(scenes) < count * GROUP:
        base = draw_scene(rng, single_share=0.0)
        twin = near_twin(base, rng)
        group = [base, base.mirrored(), twin, twin.mirrored()]
        if all(s.trainable for s in group) and len({s.key for s in group}) == GROUP:
            scenes.extend(group)
    return scenes


def prepare(folder: Path, name: str, scenes: list[Scene], workers: int = 2) -> None:
    """Renders the scenes at every resolution into `folder`, unless they are there already."""
    wanted = [folder / f"{name}-{size}.npy" for size in RESOLUTIONS]
    if all(path.exists() for path in wanted):
        return
    folder.mkdir(parents=True, exist_ok=True)
    step = 2_000
    chunks = [(scenes[at : at + step], at) for at in range(0, len(scenes), step)]
    arrays = [
        np.lib.format.open_memmap(
            path.with_suffix(".part"), mode="w+", dtype=np.uint8, shape=(len(scenes), size, size, 3)
        )
        for path, size in zip(wanted, RESOLUTIONS, strict=True)
    ]
    with ProcessPoolExecutor(workers) as pool:
        for (part, at), rendered in zip(chunks, pool.map(_render_chunk, chunks), strict=True):
            for array, pictures in zip(arrays, rendered, strict=True):
                array[at : at + len(part)] = pictures
    for array, path in zip(arrays, wanted, strict=True):
        array.flush()
        path.with_suffix(".part").rename(path)


def load(folder: Path, name: str, scenes: list[Scene], size: int) -> Gallery:
    return Gallery(scenes, np.load(folder / f"{name}-{size}.npy", mmap_mode="r"))


def shrink(picture: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """`(size, size, 3)`, as the encoders' own preprocessing resizes (bicubic, antialiased)."""
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))


def _render_chunk(chunk: tuple[Sequence[Scene], int]) -> list[npt.NDArray[np.uint8]]:
    scenes, start = chunk
    pictures = [render(scene, start + i) for i, scene in enumerate(scenes)]
    return [np.stack([shrink(p, size) for p in pictures]) for size in RESOLUTIONS]
