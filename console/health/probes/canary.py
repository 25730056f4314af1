"""Asks the encoder the same questions as at its first use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

from connectors.errors import PlumblineError
from console.health import canaries
from console.health.findings import NotMeasured
from console.health.origins import cosines
from console.health.registry import probe
from console.health.table import F32

if TYPE_CHECKING:
    from console.encoders import Encoder
    from console.health.probing import Probing

NAME = "Asking the encoder"
LIBRARIES = ("torch", "open_clip_torch", "torchvision", "pillow", "numpy")


@dataclass(frozen=True, slots=True, eq=False)
class Canary:
    """`cosine`: (32 or 48,) now against `since`, texts first; None at the encoder's first use.

    `replaced`: an earlier fingerprint of the same name, with `replaced_cosine` ((0,) where the dimension is
    another one) and since when it was known.
    """

    encoder: str
    fingerprint: str
    cosine: F32 | None
    since: str
    libraries_then: dict[str, str]
    libraries_now: dict[str, str]
    replaced: str | None = None
    replaced_since: str = ""
    replaced_cosine: F32 | None = None


@probe(Canary, order=31, name=NAME, needs_encoder=True)
def canary(probing: Probing) -> Canary | NotMeasured:
    """Keeps the answers at the first use of a name with a fingerprint."""
    if probing.load_encoder is None:
        return NotMeasured(NAME, "No encoder was asked for (--encoder NAME).")
    encoder: Encoder = probing.load_encoder()
    home = probing.workspace.home
    try:
        held = canaries.read(home, encoder.name, encoder.fingerprint)
    except PlumblineError as error:
        return NotMeasured(NAME, f"{error} ({error.code})")
    probing.budget.check()
    now = asked(encoder)
    before = canaries.earlier(home, encoder.name, encoder.fingerprint)
    if held is None:
        try:
            canaries.keep(home, now)
        except PlumblineError as error:
            return NotMeasured(NAME, f"{error} ({error.code})")
    elif held.matrix.shape[1] != now.matrix.shape[1]:
        return NotMeasured(NAME, "The vectors that were kept have another dimension: the file was changed.")
    old = before[-1] if before else None
    return Canary(
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        cosine=None if held is None else between(held, now),
        since=(held or now).at,
        libraries_then=dict((held or now).libraries),
        libraries_now=dict(now.libraries),
        replaced=None if old is None else old.fingerprint,
        replaced_since="" if old is None else old.at,
        replaced_cosine=None if old is None else between(old, now),
    )


def asked(encoder: Encoder) -> canaries.Kept:
    """What the encoder says to the fixed texts and pictures now."""
    texts = encoder.encode_texts(list(canaries.TEXTS)) if "text" in encoder.modalities else None
    shown = encoder.encode_images(canaries.pictures()) if "image" in encoder.modalities else None
    none = np.zeros((0, encoder.dimension), np.float32)
    return canaries.Kept(
        encoder.name,
        encoder.fingerprint,
        datetime.now(UTC).isoformat(timespec="seconds"),
        none if texts is None else texts,
        none if shown is None else shown,
        _libraries(),
    )


def between(one: canaries.Kept, other: canaries.Kept) -> F32:
    """Cosines of the questions that both answered; (0,) where the dimensions differ."""
    if one.matrix.shape[1] != other.matrix.shape[1]:
        return np.zeros(0, np.float32)
    parts = [
        cosines(a, b)
        for a, b in ((one.texts, other.texts), (one.pictures, other.pictures))
        if len(a) and len(a) == len(b)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _libraries() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
