"""Encoders: what turns text and pictures into vectors, and which one belongs to a vector field.

Importing this loads neither torch nor Pillow; both come when an encoder or a picture is asked for.

    specs(settings) -> Mapping[str, EncoderSpec]           every encoder by name: configured and built in
    belongs(specs, *, field, explicit, settings, choice, marker, versions, where) -> (spec, known_by) | (None, None)
    resolve_tag(tag, specs) -> EncoderSpec | None          the one encoder that a version tag names

    shared() -> Pool                                       one per process
    Pool.get(spec) -> Encoder                              loads once, thread-safe; raises PlumblineError
    Pool.state(spec) -> EncoderState                       absent | loading | ready | failed; never loads
    Pool.seconds(spec) -> float | None                     how long loading took

    Encoder.encode_texts(list[str]) -> (n, d) float32      Encoder.truncated(list[str]) -> list[bool]
    Encoder.encode_images(pictures) -> (n, d) float32      PIL images or encoded bytes (decoded in threads)
    .name .fingerprint .dimension .normalizes .modalities .tags .context_length .device .precision .notes

    console.encoders.images:     decode(data, limits, where) -> PIL RGB;  thumbnail(picture, side) -> JPEG bytes
    console.encoders.sources:    ImageStore(settings.images, roots=[...])
        .read(reference) -> bytes   .open(reference) -> PIL RGB   .thumbnail(reference, side) -> JPEG bytes
        a reference is a local path inside a root, http(s) on a configured host, a data URI or base64

Errors: `encoder-unavailable`, `encoder-unknown`, `image-refused`, `extra-missing`.
"""

from __future__ import annotations

from console.encoders.belonging import KnownBy, belongs, resolve_tag
from console.encoders.pool import EncoderState, Pool, shared
from console.encoders.protocol import Encoder, Picture
from console.encoders.spec import EncoderSpec, specs

__all__ = [
    "Encoder",
    "EncoderSpec",
    "EncoderState",
    "KnownBy",
    "Picture",
    "Pool",
    "belongs",
    "resolve_tag",
    "shared",
    "specs",
]
