"""The query's own vectors: each encoder is loaded once and asked once, whatever the number of addresses."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from connectors.errors import PlumblineError
from console.search import uploads
from console.search.request import Part, QueryRequest, Upload, usage
from console.search.vectors import blend, parse_vector

if TYPE_CHECKING:
    from console.encoders import Encoder, EncoderSpec
    from console.settings import Settings

Vector = npt.NDArray[np.float32]


class Encoders(Protocol):
    """What is needed of `console.encoders.Pool`."""

    def get(self, spec: EncoderSpec) -> Encoder: ...


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Vectors of the text and the image, or of both in one under `text` where they were blended."""

    vectors: Mapping[Part, Vector]
    warnings: tuple[str, ...]
    milliseconds: float


@dataclass(slots=True, eq=False)
class _Held:
    lock: threading.Lock = field(default_factory=threading.Lock)
    encoded: Encoded | None = None


class Encoding:
    """The text and the image of one query, encoded by any encoder. Shared by the threads of its sides."""

    def __init__(self, request: QueryRequest, pool: Encoders, picture: Any = None) -> None:
        self._request = request
        self._pool = pool
        self._picture = picture
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def load(self, spec: EncoderSpec) -> tuple[Encoder, float]:
        """The encoder, and the milliseconds until it was there."""
        start = time.perf_counter()
        encoder = self._pool.get(spec)
        return encoder, (time.perf_counter() - start) * 1e3

    def encode(self, spec: EncoderSpec, encoder: Encoder) -> Encoded:
        """A second address with the same encoder gets what the first one waited for, in 0 ms."""
        with self._lock:
            held = self._held.setdefault(spec.name, _Held())
        with held.lock:
            if held.encoded is not None:
                return Encoded(held.encoded.vectors, held.encoded.warnings, 0.0)
            held.encoded = self._encode(spec, encoder)
            return held.encoded

    def _encode(self, spec: EncoderSpec, encoder: Encoder) -> Encoded:
        start = time.perf_counter()
        parts = self._request.parts()
        vectors: dict[Part, Vector] = {}
        warnings: list[str] = []
        if "text" in parts and self._request.text is not None:
            text = [self._request.text]
            vectors["text"] = encoder.encode_texts(text)[0]
            if any(encoder.truncated(text)):
                warnings.append(
                    f"The text is longer than the {encoder.context_length} tokens that `{spec.name}` reads:"
                    " its end was cut off."
                )
        if "image" in parts and self._picture is not None:
            vectors["image"] = encoder.encode_images([self._picture])[0]
        if early(self._request):
            vectors = {"text": blend(vectors["text"], vectors["image"], self._request.blend)}
        return Encoded(vectors, tuple(warnings), (time.perf_counter() - start) * 1e3)


def early(request: QueryRequest) -> bool:
    """Whether text and image become one vector: asked for together, alone, and without a fusion of rankings."""
    return request.fuse is None and request.parts() == ("text", "image")


def read_picture(request: QueryRequest, settings: Settings) -> Any:
    """The query's picture, decoded within the limits of the settings; None where it has none.

    Raises `image-refused`, and `not-found` for an upload that is no longer kept.
    """
    if request.image is None or "image" not in request.parts():
        return None
    from console.encoders import images

    limits = settings.images.limits
    data = read_image_file(request.image, settings.home, limits.bytes)
    return images.decode(data, limits, "image")


def read_image_file(image: Path | Upload, home: Path, most: int) -> bytes:
    """The bytes of a file or an upload; never more than `most` are read."""
    if isinstance(image, Upload):
        return uploads.find(home, image)
    try:
        if not image.is_file():
            raise PlumblineError(
                "not-found", "There is no such picture.", where=str(image), hint="Name a picture file."
            )
        with image.open("rb") as file:
            data = file.read(most + 1)
    except OSError as fault:
        raise PlumblineError(
            "image-refused", f"The picture can't be read ({fault.strerror}).", where=str(image)
        ) from None
    if len(data) > most:
        raise PlumblineError(
            "image-refused",
            f"The picture has more than {most:,} bytes.",
            where=str(image),
            hint="`[images.limits] bytes` in plumbline.toml sets the limit.",
        )
    return data


def read_query_vector(request: QueryRequest, home: Path) -> Vector | None:
    """The query's own vector (d,), checked; None where it has none."""
    if request.vector is None or "vector" not in request.parts():
        return None
    values = request.vector
    if isinstance(values, Upload):
        values = parse_vector(uploads.find(home, values), "--vector")
    if not values:
        raise usage("The vector is empty.", "--vector")
    return np.asarray(values, dtype=np.float32)
