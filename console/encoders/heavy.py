"""The heavy libraries, imported when they are first needed. None of them has types that a checker could hold."""

from __future__ import annotations

import functools
import importlib
from typing import Any


def torch() -> Any:
    return importlib.import_module("torch")


@functools.cache
def threads() -> int:
    """How many threads torch chose for a model of full size, before anything here chose otherwise."""
    return int(torch().get_num_threads())


def open_clip() -> Any:
    return importlib.import_module("open_clip")


def vision() -> Any:
    """torchvision's transforms for tensors."""
    return importlib.import_module("torchvision.transforms.v2")


def huggingface_hub() -> Any:
    return importlib.import_module("huggingface_hub")
