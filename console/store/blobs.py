"""Arrays as bytes and back: npz, and never a pickle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from connectors.errors import PlumblineError

Arrays = Mapping[str, npt.NDArray[Any]]

SAMPLE: Final = "sample."
"""Arrays of this prefix are kept apart: they are needed for reading the same rows again, and large."""


def packed(arrays: Arrays) -> bytes:
    """Raises ValueError for an array of objects."""
    out = io.BytesIO()
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"{name} holds objects")
    np.savez_compressed(out, allow_pickle=False, **dict(arrays))
    return out.getvalue()


def unpacked(data: bytes, where: str) -> dict[str, npt.NDArray[Any]]:
    """Raises `damaged`."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile):
        raise PlumblineError("damaged", "What was kept beside a report can't be read.", where=where) from None


def parts(arrays: Arrays) -> dict[str, Arrays]:
    """`kept` and, where there are sampled ids, `sample`."""
    sample = {k: v for k, v in arrays.items() if k.startswith(SAMPLE)}
    kept = {k: v for k, v in arrays.items() if not k.startswith(SAMPLE)}
    return {name: held for name, held in (("kept", kept), ("sample", sample)) if held}
