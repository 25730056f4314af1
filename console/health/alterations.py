"""What may stand between an encoder and a vector that is its own after all: prompts, cuts, another field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.origins import Origin, cosines, encode, fitted, text_of
from console.health.table import F32, U16

if TYPE_CHECKING:
    from connectors.model import Payload
    from console.encoders import Encoder
    from console.encoders.sources import ImageStore
    from console.health.findings import Mask
    from console.health.options import FieldNames

TRIED: Final = 24
"""Rows that a transform is tried on first."""
ENOUGH: Final = 0.25
"""Share of those that it must explain to be tried on the others: one fault may hide among several."""

WORDS: Final[Mapping[str, Callable[[str], str]]] = {
    "the text in lower case": str.lower,
    "the text without spaces around it": str.strip,
    'the prompt "a photo of"': lambda t: f"a photo of {t}",
    'the prompt "a photo of a"': lambda t: f"a photo of a {t}",
    'the prompt "a photo of a" and a full stop': lambda t: f"a photo of a {t}.",
    'the prompt "a picture of"': lambda t: f"a picture of {t}",
    'the prefix "query: "': lambda t: f"query: {t}",
    'the prefix "passage: "': lambda t: f"passage: {t}",
    'the prefix "search_document: "': lambda t: f"search_document: {t}",
}
"""CLIP's prompts (Radford et al. 2021, 3.1.4), and the prefixes of E5 and Nomic."""
CHANNELS: Final = "red and blue swapped in the picture"
TEXT: Final = "the text field in place of the picture"
MEAN: Final = "the mean of picture and text"
FIRST: Final = "its first {} dimensions"
SHORTEST: Final = 8
"""Dimensions that a cut leaves at least: fewer agree by chance."""
FAULTY: Final = frozenset({CHANNELS})
"""Transforms that explain a vector and are faults themselves."""


def tried(
    encoder: Encoder,
    origins: Sequence[Origin],
    payloads: Sequence[Payload],
    vectors: F32,
    stored: F32,
    tails: U16,
    low: Mask,
    names: FieldNames,
    store: ImageStore,
    enough: Callable[[], bool],
    same: float,
) -> dict[str, F32]:
    """Transform -> (m,) cosines to the stored vectors, NaN where not tried; only transforms that explain some row.

    `low`: the rows to explain. `tails`: their vectors' trailing zeros.
    """
    out: dict[str, F32] = {}
    left = low.copy()

    def keep(name: str, cosine: F32) -> None:
        held = np.where(low, cosine, np.nan).astype(np.float32)
        if (held >= same).any():
            out[name] = held
            left[held >= same] = False

    _cuts(vectors, stored, tails, low, keep)
    text = np.array([o.modality == "text" for o in origins], np.bool_)
    for name, change in WORDS.items():
        if enough():
            return out

        def reworded(_origin: Origin, what: Any, change: Callable[[str], str] = change) -> str:
            return change(what)

        keep(name, _stepwise(encoder, origins, left & text, stored, store, same, enough, reworded))
    if (left & ~text).any() and not enough():
        said = [text_of(p, names) for p in payloads]
        other = [None if t is None else Origin("text", t) for t in said]
        both = left & ~text & np.array([t is not None for t in said], np.bool_)
        if both.any() and "text" in encoder.modalities:
            chosen: list[Origin | None] = [o if b else None for o, b in zip(other, both, strict=True)]
            encoded = encode(encoder, chosen, store)
            words = fitted(encoded.matrix, stored.shape[1])
            keep(TEXT, cosines(words, stored))
            keep(MEAN, cosines(_unit(words) + _unit(vectors), stored))
    if (left & ~text).any() and not enough():
        keep(CHANNELS, _stepwise(encoder, origins, left & ~text, stored, store, same, enough, _swapped))
    return out


def _cuts(vectors: F32, stored: F32, tails: U16, low: Mask, keep: Callable[[str, F32], None]) -> None:
    """Rows whose tail is zero, against as many first dimensions of what the encoder makes; the commonest cuts."""
    d = stored.shape[1]
    seen = Counter(int(t) for t in tails[low] if 0 < t <= d - SHORTEST)
    for tail, _ in seen.most_common(3):
        cut = np.where((tails == tail)[:, None], vectors, np.nan)[:, : d - tail]
        keep(FIRST.format(d - tail), cosines(cut.astype(np.float32), stored[:, : d - tail]))


def _stepwise(
    encoder: Encoder,
    origins: Sequence[Origin],
    among: Mask,
    stored: F32,
    store: ImageStore,
    same: float,
    enough: Callable[[], bool],
    alter: Callable[[Origin, Any], Any],
) -> F32:
    """A few rows first; all of `among` where the transform explains enough of those."""
    places = np.flatnonzero(among)
    out = np.full(len(origins), np.nan, np.float32)
    for part in (places[:TRIED], places[TRIED:]):
        if not len(part) or enough():
            break
        found = encode(encoder, [origins[int(i)] for i in part], store, enough=enough, alter=alter)
        out[part] = cosines(fitted(found.matrix, stored.shape[1]), stored[part])
        if float((out[part] >= same).mean()) < ENOUGH:
            break
    return out


def _swapped(_origin: Origin, picture: Any) -> Any:
    from PIL import Image

    return Image.merge("RGB", picture.split()[::-1])


def _unit(matrix: F32) -> F32:
    with np.errstate(all="ignore"):
        return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
