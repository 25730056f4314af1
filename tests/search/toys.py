"""A tiny deterministic stand-in for an encoder, so that what a search does is known to the digit.

Real encoders are used in test_scenes.py; here a word or a colour is an axis, and two encoders of the
same dimension put the same words on different axes, as two real models do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from console.encoders import EncoderSpec

WORDS = ("red", "green", "blue", "circle", "square", "star", "big", "small")
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
CONTEXT = 6


class Toy:
    """Words to axes, rolled by `turn`; a picture is the nearest of three colours."""

    def __init__(self, spec: EncoderSpec, turn: int, dimension: int) -> None:
        self.name = spec.name
        self.fingerprint = f"toy-{turn}-{dimension}"
        self.dimension = dimension
        self.normalizes = True
        self.modalities = ("text", "image")
        self.tags = spec.tags
        self.context_length = CONTEXT
        self.device = "cpu"
        self.precision = "fp32"
        self.notes: tuple[str, ...] = ()
        self.turn = turn
        self.texts_seen: list[str] = []

    def encode_texts(self, texts: list[str]) -> npt.NDArray[np.float32]:
        self.texts_seen += texts
        return np.stack([self.of(t.split()[: CONTEXT - 2]) for t in texts])

    def encode_images(self, pictures: Sequence[Any]) -> npt.NDArray[np.float32]:
        out: list[npt.NDArray[np.float32]] = []
        for picture in pictures:
            pixel = np.asarray(picture.convert("RGB")).reshape(-1, 3).mean(axis=0)
            word = min(COLOURS, key=lambda c: float(np.abs(pixel - COLOURS[c]).sum()))
            out.append(self.of([word]))
        return np.stack(out)

    def token_counts(self, texts: list[str]) -> list[int]:
        return [len(t.split()) + 2 for t in texts]

    def truncated(self, texts: list[str]) -> list[bool]:
        return [n > CONTEXT for n in self.token_counts(texts)]

    def of(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        vector = np.full(self.dimension, 0.01, dtype=np.float32)
        for word in words:
            if word in WORDS:
                vector[(WORDS.index(word) + self.turn) % self.dimension] += 1
        return vector / np.linalg.norm(vector)


class ToyPool:
    """Loads like the real pool: once, slowly enough to be measured."""

    def __init__(self, turns: dict[str, tuple[int, int]], seconds: float = 0.03) -> None:
        self._turns = turns
        self._seconds = seconds
        self._lock = threading.Lock()
        self.loaded: dict[str, Toy] = {}

    def get(self, spec: EncoderSpec) -> Any:
        with self._lock:
            if spec.name not in self.loaded:
                time.sleep(self._seconds)
                self.loaded[spec.name] = Toy(spec, *self._turns[spec.name])
            return self.loaded[spec.name]
