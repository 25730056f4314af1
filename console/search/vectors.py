"""Query vectors as somebody gives them: pasted, in a file, or made of two."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from connectors.errors import PlumblineError
from console.search.request import LONGEST_VECTOR, check_vector, usage

LARGEST_FILE: Final = 4 * 1024 * 1024
STDIN: Final = "-"

_NPY: Final = b"\x93NUMPY"
_FORMS: Final = "Give a JSON list of numbers, numbers between blanks or commas, or a .npy file of one vector."


def read_vector(name: str | Path, where: str = "--vector") -> tuple[float, ...]:
    """The vector of a file (`-`: standard input). Raises `usage` and `not-found`."""
    try:
        if str(name) == STDIN:
            data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise PlumblineError(
            "not-found", "There is no such file.", where=str(name), hint="Name a file that holds a vector."
        ) from None
    except OSError as fault:
        raise usage(f"The file can't be read ({fault.strerror}).", str(name)) from None
    return parse_vector(data, where)


def parse_vector(data: bytes | str, where: str = "vector") -> tuple[float, ...]:
    """A finite vector that is not all zeros, from JSON, plain numbers or the bytes of a .npy file.

    Nothing in it is ever executed: pickled arrays are refused. Raises `usage`.
    """
    if len(data) > LARGEST_FILE:
        raise usage(f"It has more than {LARGEST_FILE:,} bytes.", where, _FORMS)
    if isinstance(data, bytes):
        if data.startswith(_NPY):
            values = _npy(data, where)
        else:
            try:
                values = _text(data.decode("utf-8-sig"), where)
            except UnicodeDecodeError:
                raise usage("It is neither text nor a .npy file.", where, _FORMS) from None
    else:
        values = _text(data, where)
    with np.errstate(over="ignore"):
        vector = tuple(float(v) for v in np.asarray(values, dtype=np.float32))
    check_vector(vector, where)
    return vector


def blend(
    text: npt.NDArray[np.float32], image: npt.NDArray[np.float32], share: float
) -> npt.NDArray[np.float32]:
    """Early fusion: `share` of the text's direction and the rest of the image's, of unit length.

    Both are (d,) and are brought to unit length first, since their norms differ by modality. Raises
    `usage` where one has no direction, or where they cancel each other out.
    """
    mixed = share * _unit(text, "text") + (1 - share) * _unit(image, "image")
    if float(np.linalg.norm(mixed)) < 1e-6:
        raise usage("Text and image cancel each other out at this blend.", "--blend", "Choose another share.")
    return _unit(mixed.astype(np.float32), "blend")


def _unit(vector: npt.NDArray[np.float32], what: str) -> npt.NDArray[np.float32]:
    norm = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(norm) or norm == 0.0:
        raise PlumblineError(
            "encoder-unavailable",
            f"The encoder's vector of the {what} has no direction (length {norm:g}).",
            where=what,
            hint="The encoder's weights are damaged, or it failed on this input.",
        )
    return (vector / norm).astype(np.float32)


def _npy(data: bytes, where: str) -> npt.NDArray[np.float32]:
    try:
        held = cast("npt.NDArray[Any]", np.load(io.BytesIO(data), allow_pickle=False))
    except (ValueError, OSError, EOFError, SyntaxError, MemoryError):
        raise usage("The .npy file can't be read.", where, _FORMS) from None
    if held.dtype.kind not in "fiu":
        raise usage(f"The .npy file holds {held.dtype}, not real numbers.", where, _FORMS)
    if held.ndim == 2 and held.shape[0] == 1:
        held = held[0]
    if held.ndim != 1:
        raise usage(f"The .npy file has the shape {held.shape}, not that of one vector.", where, _FORMS)
    with np.errstate(over="ignore"):
        return held[: LONGEST_VECTOR + 1].astype(np.float32)


def _text(text: str, where: str) -> list[float]:
    text = text.strip()
    if not text:
        raise usage("It is empty.", where, _FORMS)
    if text[0] in "[{":
        return _json(text, where)
    out: list[float] = []
    for word in re.split(r"[\s,;]+", text.strip(",; \t\r\n"), maxsplit=LONGEST_VECTOR + 1)[
        : LONGEST_VECTOR + 1
    ]:
        try:
            out.append(float(word))
        except ValueError:
            raise usage(f"{word[:40]!r} is not a number.", where, _FORMS) from None
    return out


def _json(text: str, where: str) -> list[float]:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise usage("It is not JSON.", where, _FORMS) from None
    if isinstance(data, list) and len(cast("list[Any]", data)) == 1 and isinstance(data[0], list):
        data = cast("list[Any]", data)[0]
    if not isinstance(data, list):
        raise usage("The JSON is not a list of numbers.", where, _FORMS)
    values = cast("list[Any]", data)
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise usage(f"Element {index} of the JSON list is not a number.", where, _FORMS)
    try:
        return [float(v) for v in values]
    except OverflowError:
        raise usage("A number in the JSON list is too large.", where, _FORMS) from None
