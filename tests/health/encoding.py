"""Encoders that need no weights, a reader over plain arrays, and a probing over both."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import Batch, Hit, RowId, Vectors
from connectors.spec import ConnectionSpec
from console.encoders import EncoderSpec
from console.health.evidence import Evidence
from console.health.options import CheckOptions, FieldNames
from console.health.policy import Policy, policy
from console.health.probing import Budget, Probing
from console.settings import Settings, parse_address
from console.workspace import Workspace
from tests.health.building import evidence

D = 32
NAMES = FieldNames(
    modality="modality",
    image="image",
    text="caption",
    groups=("embedding_version", "modality"),
    columns=("embedding_version", "modality", "caption", "image"),
)


class Hashing:
    """Every text and every picture has a direction of its own, another one by each `weights`."""

    def __init__(
        self,
        name: str = "mine",
        weights: str | None = None,
        dimension: int = D,
        modalities: tuple[str, ...] = ("text", "image"),
    ) -> None:
        self.name = name
        self.weights = weights or name
        self.fingerprint = f"print-of-{self.weights}"
        self.dimension = dimension
        self.modalities = modalities
        self.normalizes = True
        self.tags: tuple[str, ...] = ()
        self.context_length = 8
        self.device, self.precision = "cpu", "fp32"
        self.notes: tuple[str, ...] = ()
        self.encoded = 0

    def of(self, what: bytes) -> np.ndarray:
        seed = hashlib.sha256(self.weights.encode() + b"\0" + what).digest()
        held = np.random.default_rng(list(seed)).normal(size=self.dimension)
        return (held / np.linalg.norm(held)).astype(np.float32)

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        self.encoded += len(texts)
        return (
            np.stack([self.of(t.encode()) for t in texts])
            if texts
            else np.zeros((0, self.dimension), np.float32)
        )

    def encode_images(self, pictures: Sequence[Any]) -> np.ndarray:
        self.encoded += len(pictures)
        held = [self.of(np.asarray(p.convert("RGB")).tobytes()) for p in pictures]
        return np.stack(held) if held else np.zeros((0, self.dimension), np.float32)

    def token_counts(self, texts: list[str]) -> list[int]:
        return [len(t.split()) + 2 for t in texts]

    def truncated(self, texts: list[str]) -> list[bool]:
        return [n > self.context_length for n in self.token_counts(texts)]


class Bench(Workspace):
    """A workspace whose encoders are `Hashing` ones."""

    def __init__(
        self, home: Path, encoders: Sequence[Hashing], connections: Mapping[str, ConnectionSpec] | None = None
    ) -> None:
        super().__init__(Settings(home=home, connections=dict(connections or {})))
        self.encoders = {e.name: e for e in encoders}

    def encoder_specs(self) -> Mapping[str, EncoderSpec]:
        return {
            e.name: EncoderSpec(e.name, f"hash:{e.weights}", fingerprint=e.fingerprint, dimension=e.dimension)
            for e in self.encoders.values()
        }

    def load(self, spec: EncoderSpec) -> Hashing:
        return self.encoders[spec.name]


class Arrays:
    """Exact search and fetch over the rows of a table: the whole collection."""

    def __init__(
        self, matrix: np.ndarray, payloads: Sequence[Mapping[str, Any]], ids: Sequence[RowId]
    ) -> None:
        self.matrix, self.payloads, self.ids = matrix, payloads, list(ids)

    def search(self, t: Any, field: str, queries: np.ndarray, k: int, *_: Any, **__: Any) -> list[list[Hit]]:
        scores = queries @ self.matrix.T
        return [
            [Hit(self.ids[int(j)], float(row[j]), "similarity", {}) for j in np.argsort(-row)[:k]]
            for row in scores
        ]

    def fetch(
        self, t: Any, ids: Sequence[RowId], fields: Sequence[str], payload: Any = (), **_: Any
    ) -> Batch:
        place = {row: i for i, row in enumerate(self.ids)}
        at = [place[row] for row in ids if row in place]
        vectors = Vectors(self.matrix[at], np.ones(len(at), np.bool_))
        columns = {path: [self.payloads[i].get(path) for i in at] for path in payload}
        return Batch(tuple(self.ids[i] for i in at), {fields[0]: vectors}, columns)

    def scan(
        self, t: Any, fields: Sequence[str], over: Any = None, payload: Any = (), *_: Any, **__: Any
    ) -> Iterator[Batch]:
        for at in range(0, len(self.ids), 700):
            yield self.fetch(t, self.ids[at : at + 700], fields, payload)


class Refusing(Arrays):
    def scan(self, *_: Any, **__: Any) -> Any:
        raise PlumblineError("unsupported", "It can't be read twice.")

    def search(self, *_: Any, **__: Any) -> Any:
        raise PlumblineError("unsupported", "A snapshot can't be searched.")


def captions(n: int) -> list[str]:
    return [f"row {i} of the shop" for i in range(n)]


def texts(n: int, encoder: Hashing, tag: str | None = "mine") -> tuple[np.ndarray, list[dict[str, Any]]]:
    """n clean rows: a caption, its vector, and the tag."""
    said = captions(n)
    payloads: list[dict[str, Any]] = [{"caption": t, "modality": "text"} for t in said]
    for payload in payloads:
        if tag is not None:
            payload["embedding_version"] = tag
    return encoder.encode_texts(said), payloads


def picture(number: int, side: int = 12) -> Any:
    from PIL import Image

    noise = np.random.default_rng(number).integers(0, 255, (side, side, 3)).astype(np.uint8)
    return Image.fromarray(noise)


def as_uri(image: Any) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


def probing(
    home: Path,
    matrix: np.ndarray,
    payloads: Sequence[Mapping[str, Any]],
    encoders: Sequence[Hashing],
    *,
    names: FieldNames = NAMES,
    reader: Callable[..., Any] = Arrays,
    ids: Sequence[RowId] | None = None,
    seconds: float = 60.0,
    seed: int = 0,
    only: Sequence[int] | None = None,
    rules: Policy | None = None,
    **more: Any,
) -> Probing:
    """`only`: the rows that were scanned, of a larger collection."""
    ids = list(range(len(matrix))) if ids is None else ids
    at = list(range(len(matrix))) if only is None else list(only)
    ws = Bench(home, encoders)
    spec = ws.encoder_specs()[encoders[0].name]
    options = CheckOptions(sample=None if only is None else len(at), encoder=spec.name, seed=seed)
    held: Evidence = evidence(
        matrix[at],
        [payloads[i] for i in at],
        ids=[ids[i] for i in at],
        names=names,
        encoder=spec,
        options=options,
        exact=only is None,
        rows=len(matrix),
        seed=seed,
        **more,
    )
    return Probing(
        ws,
        parse_address("test/rows"),
        reader(matrix, payloads, ids),
        held.description.target,
        held,
        rules or policy(),
        Budget(seconds),
        lambda: ws.load(spec),
    )


def with_result(one: Probing, results: Mapping[type, Any]) -> Evidence:
    return replace(one.evidence, results=results)
