"""The hash that tells an encoder apart: configuration, weights, preprocessing, tokenizer, precision, normalisation.

It is the same in every process and on every machine: nothing that was chosen for the machine (device, resolved
`auto` precision) and no path is part of it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from console.encoders import heavy

LENGTH: Final = 32
"""Hexadecimal digits that are kept of the SHA-256: 128 bits."""
_LOCAL_KEYS: Final = frozenset({"tokenizer_kwargs", "hf_model_pretrained", "timm_model_pretrained"})


def fingerprint(
    *,
    model: Mapping[str, Any],
    weights: str,
    preprocess: Mapping[str, Any],
    tokenizer: Mapping[str, Any],
    precision: str,
    normalize: bool,
) -> str:
    """`LENGTH` hexadecimal digits.

    Args:
        model: open_clip's model configuration after any correction of it.
        weights: SHA-256 of the weights.
        preprocess: open_clip's preprocessing configuration; a size given once means a square.
        tokenizer: class, vocabulary hash and context length.
        precision: as configured.
    """
    size = preprocess.get("size")
    told = {
        "model": _portable(model),
        "weights": weights,
        "preprocess": {**_portable(preprocess), "size": [size, size] if isinstance(size, int) else size},
        "tokenizer": _portable(tokenizer),
        "precision": precision,
        "normalize": normalize,
    }
    return hashlib.sha256(canonical(told)).hexdigest()[:LENGTH]


def canonical(value: object) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only; a whole float is written as an integer."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def file_hash(path: Path) -> str:
    """SHA-256 of a file; remembered while its size and time stand."""
    held = path.stat()
    return _file_hash(str(path.resolve()), held.st_size, held.st_mtime_ns)


def tensors_hash(tensors: Mapping[str, Any]) -> str:
    """SHA-256 of torch tensors by name, for a model that no file was read for."""
    torch = heavy.torch()
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(canonical([name, str(tensor.dtype), list(tensor.shape)]))
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()


@functools.lru_cache(maxsize=64)
def _file_hash(path: str, _size: int, _changed: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _portable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Without what names places on this machine, and without what is not set."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        if key in _LOCAL_KEYS or value is None:
            continue
        out[key] = _portable(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
    return out


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(v) for v in cast("Sequence[object]", value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
