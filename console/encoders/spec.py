"""How an encoder is configured. Nothing is loaded to say so."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from console.settings import Settings

BUILT_IN: Final = ("scenes-v1", "scenes-v2")
WEIGHTS: Final = Path(__file__).resolve().parent.parent / "demo" / "weights"
"""Where the built-in encoders' files lie, each in a folder of its name, with `manifest.json` beside them."""


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """A model by open_clip's name, `local-dir:FOLDER` or `hf-hub:ORG/REPO`, and how it is run.

    `pretrained` is a tag of open_clip or a file. `fingerprint` and `dimension` are what is known before loading:
    always for the built-in encoders, for others once this process has loaded them.
    """

    name: str
    model: str
    pretrained: str | None = None
    precision: str = "fp32"
    """`auto`, or one of open_clip's: fp32, fp16, bf16, pure_fp16, pure_bf16."""
    device: str = "auto"
    normalize: bool = True
    tags: tuple[str, ...] = ()
    fingerprint: str | None = field(default=None, compare=False)
    dimension: int | None = field(default=None, compare=False)
    built_in: bool = False

    def claims(self, tag: str) -> bool:
        """Whether a version tag means this encoder: its name, its fingerprint, or one of its tags."""
        return tag in (self.name, self.fingerprint, *self.tags)


def built_in() -> dict[str, EncoderSpec]:
    """The demo's encoders, with what their manifest says of them."""
    manifest = _manifest()
    found: dict[str, EncoderSpec] = {}
    for name in BUILT_IN:
        known = manifest.get(name, {})
        found[name] = EncoderSpec(
            name=name,
            model=f"local-dir:{WEIGHTS / name}",
            fingerprint=known.get("fingerprint"),
            dimension=known.get("dimension"),
            built_in=True,
        )
    return found


def specs(settings: Settings) -> Mapping[str, EncoderSpec]:
    """Every encoder by name: the built-in ones and those of `[encoders.NAME]`.

    A section named like a built-in encoder that names no model of its own only adds to it (its tags, its device).
    """
    from console.encoders.pool import shared

    found = built_in()
    for name, held in settings.encoders.items():
        base = found.get(name)
        if held.model is not None:
            base = None
        model = held.model or (base.model if base else name)
        found[name] = EncoderSpec(
            name=name,
            model=model,
            pretrained=held.pretrained,
            precision=held.precision or "fp32",
            device=held.device or "auto",
            normalize=True if held.normalize is None else held.normalize,
            tags=held.tags,
            fingerprint=base.fingerprint if base and _as_built(held.precision, held.normalize) else None,
            dimension=base.dimension if base else None,
            built_in=base is not None,
        )
    return {name: shared().informed(spec) for name, spec in found.items()}


def _as_built(precision: str | None, normalize: bool | None) -> bool:
    return precision in (None, "fp32") and normalize in (None, True)


@functools.cache
def _manifest() -> dict[str, Any]:
    path = WEIGHTS / "manifest.json"
    if not path.is_file():
        return {}
    encoders: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["encoders"]
    return encoders
