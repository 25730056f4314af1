"""What texts that mean nothing find: a cutoff that lets them in rejects nothing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import numpy as np

from connectors.errors import PlumblineError
from console.compare.sides import Encoded, Side
from console.health.table import F32
from console.progress import Progress, Tell

if TYPE_CHECKING:
    from console.workspace import Workspace

TEXTS: Final = 30
NO_TEXTS: Final = "its encoder takes no text."
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def texts(seed: int = 0) -> list[str]:
    """Words of random letters, 2 to 5 a text."""
    rng = np.random.default_rng([seed, 77])
    return [
        " ".join(
            "".join(LETTERS[int(i)] for i in rng.integers(0, len(LETTERS), rng.integers(4, 10)))
            for _ in range(int(rng.integers(2, 6)))
        )
        for _ in range(TEXTS)
    ]


def encoded(ws: Workspace, left: Side, right: Side, seed: int, *, tell: Tell) -> tuple[F32, F32] | str:
    """The vectors (t, d) of each text on both sides, by each side's own encoder; or why there are none."""
    tell(Progress("Embedding nonsense"))
    found: list[F32] = []
    for side in (left, right):
        try:
            queries = _encoded(ws, side, texts(seed))
        except PlumblineError as fault:
            return f"{side.address}: {fault.message} ({fault.code})"
        if isinstance(queries, str):
            return f"{side.address}: {queries}"
        found.append(queries)
    return found[0], found[1]


def _encoded(ws: Workspace, side: Side, asked: list[str]) -> F32 | str:
    if isinstance(side, Encoded):
        return side.encoder.encode_texts(asked) if "text" in side.encoder.modalities else NO_TEXTS
    used = side.opened.encoder
    spec = ws.encoder_specs().get(used.name) if used is not None else None
    if spec is None:
        return "which encoder made its vectors is not known."
    if find_spec("open_clip") is None:
        return "embedding texts needs the extra plumbline[clip]."
    from console.encoders import shared

    encoder = shared().get(spec)
    if "text" not in encoder.modalities:
        return NO_TEXTS
    if encoder.dimension != side.opened.vector.dimension:
        return f"the encoder {spec.name} gives {encoder.dimension} numbers, the field holds others."
    return encoder.encode_texts(asked)
