"""What rows were embedded from: their text or picture, read within the settings' limits and encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from connectors.errors import PlumblineError
from connectors.filters import MISSING, lookup
from console.health.table import F32

if TYPE_CHECKING:
    from connectors.model import Payload
    from console.encoders import Encoder
    from console.encoders.sources import ImageStore
    from console.health.options import FieldNames
    from console.health.probing import Budget
    from console.settings import Settings

TEXTS: Final = 64
PICTURES: Final = 16
"""Sources encoded between two looks at the clock."""
LONGEST: Final = 20_000
"""Characters of a text that are encoded: far past what any encoder reads, and no novel is tokenised whole."""
REASONS: Final = 5
"""Different reasons for refused pictures that are kept."""

LATE: Final = "There was no time left to read it."

Modality = Literal["text", "image"]


@dataclass(frozen=True, slots=True)
class Origin:
    """A text, or a reference to a picture."""

    modality: Modality
    value: str


@dataclass(slots=True, eq=False)
class Encodings:
    """`matrix`: (n, d) float32, NaN where there is none. `refused`: reason -> pictures. `done`: how far it got."""

    matrix: F32
    refused: Counter[str] = field(default_factory=lambda: Counter[str]())
    done: int = 0

    @property
    def held(self) -> Any:
        """(n,) bool: rows that have a vector."""
        return np.isfinite(self.matrix).all(axis=1)


def plain(text: str) -> str:
    """Text that a tokenizer can take: no lone surrogates, `LONGEST` characters at most."""
    return text[:LONGEST].encode("utf-8", "replace").decode()


def value_at(payload: Payload, path: str | None) -> Any:
    """The value at a field path, None where there is none; payloads may be flat or nested."""
    if path is None:
        return None
    if path in payload:
        return payload[path]
    found = lookup(payload, path)
    return None if found is MISSING else found


def text_of(payload: Payload, names: FieldNames) -> str | None:
    value = value_at(payload, names.text)
    return value if isinstance(value, str) and value.strip() else None


def picture_of(payload: Payload, names: FieldNames) -> str | None:
    value = value_at(payload, names.image)
    return value if isinstance(value, str) and value.strip() else None


def origin_of(payload: Payload, names: FieldNames, modalities: Sequence[str]) -> Origin | None:
    """The picture where the row has one (and the encoder takes pictures), else the text."""
    picture = picture_of(payload, names)
    if picture is not None and "image" in modalities:
        return Origin("image", picture)
    text = text_of(payload, names)
    return Origin("text", text) if text is not None and "text" in modalities else None


def pictures(settings: Settings) -> ImageStore:
    """Reads what payloads refer to, inside the configured roots and hosts, and of the demo's own pictures."""
    from console.encoders.sources import ImageStore
    from console.settings import demo_mark

    return ImageStore(settings.images, [demo_mark(settings.home).parent])


def opened(
    origins: Sequence[Origin | None],
    store: ImageStore,
    refused: Counter[str],
    enough: Callable[[], bool] = lambda: False,
) -> list[Any]:
    """The PIL pictures; None where there is none or it was refused, which `refused` counts by reason.

    Hosts may be slow: once `enough()`, the others are not read.
    """
    out: list[Any] = []
    for one in origins:
        picture = None
        if one is not None and one.modality == "image" and enough():
            refused[LATE] += 1
        elif one is not None and one.modality == "image":
            try:
                picture = store.open(one.value)
            except PlumblineError as error:
                known = len(refused) < REASONS or error.message in refused
                refused[error.message if known else "for other reasons"] += 1
        out.append(picture)
    return out


def encode(
    encoder: Encoder,
    origins: Sequence[Origin | None],
    store: ImageStore,
    *,
    enough: Callable[[], bool] = lambda: False,
    step: Callable[[int], None] = lambda _done: None,
    alter: Callable[[Origin, Any], Any] | None = None,
) -> Encodings:
    """Encodes the sources in their order, until `enough()`; those without one stay NaN.

    `alter(origin, text or picture)`: what is encoded in its place. Raises what encoding raises.
    """
    out = Encodings(np.full((len(origins), encoder.dimension), np.nan, np.float32))
    size = PICTURES if any(o is not None and o.modality == "image" for o in origins) else TEXTS
    for at in range(0, len(origins), size):
        if enough():
            break
        part = origins[at : at + size]
        held = opened(part, store, out.refused, enough)
        texts = [i for i, o in enumerate(part) if o is not None and o.modality == "text"]
        shown = [i for i, p in enumerate(held) if p is not None]
        change = alter or _unchanged
        if texts:
            said = [change(cast("Origin", part[i]), plain(cast("Origin", part[i]).value)) for i in texts]
            out.matrix[[at + i for i in texts]] = encoder.encode_texts(said)
        if shown:
            seen = [change(cast("Origin", part[i]), held[i]) for i in shown]
            out.matrix[[at + i for i in shown]] = encoder.encode_images(seen)
        out.done = at + len(part)
        step(out.done)
    return out


def patience(budget: Budget, share: float) -> Callable[[], bool]:
    """Whether a share of what the budget had left is used up; raises `Cancelled` where somebody asked for it."""
    end = budget.left * (1 - share)

    def enough() -> bool:
        if budget.left > 0:
            budget.check()
        return budget.left <= end

    return enough


def fitted(matrix: F32, dimension: int) -> F32:
    """(n, dimension): the first dimensions, or filled up with zeros."""
    have = matrix.shape[1]
    if have >= dimension:
        return matrix[:, :dimension]
    return np.pad(matrix, ((0, 0), (0, dimension - have)))


def cosines(one: F32, other: F32) -> F32:
    """(n,) cosines of the rows of two (n, d) matrices in float64; NaN where one has no direction."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(all="ignore"):
        found = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return np.where(np.isfinite(found), found, np.nan).astype(np.float32)


def counted(refused: Mapping[str, int]) -> str:
    """ "12 pictures were refused (The picture is damaged.)", or "" for none."""
    total = sum(refused.values())
    if not total:
        return ""
    why = max(refused, key=lambda w: refused[w])
    return f"{total:,} {'picture was' if total == 1 else 'pictures were'} refused ({why[:160].rstrip('.')})"


def _unchanged(_origin: Origin, what: Any) -> Any:
    return what
