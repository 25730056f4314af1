"""Scores as the database itself gives them, from nearness (higher is nearer) and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from console.health.table import F64

T = TypeVar("T", float, F64)


@dataclass(frozen=True, slots=True)
class Scale:
    """One metric of one kind of database.

    Nearness is cosine, inner product, or the negative of the squared Euclidean, the Manhattan or the Hamming distance.
    Qdrant gives cosines and products as they are and Euclidean distances as their root; Weaviate gives distances
    always: 1 - cosine, the negative product, the squared Euclidean distance.
    """

    own: Callable[[Any], Any]
    near: Callable[[Any], Any]
    rising: bool
    """Whether a nearer row has the higher score."""
    least: float = 0.0
    most: float = math.inf
    """What scores lie between."""

    @classmethod
    def of(cls, kind: str, metric: str) -> Scale:
        if kind == "weaviate" and metric == "cosine":
            return cls(lambda s: 1 - s, lambda s: 1 - s, rising=False, most=2.0)
        if metric in ("cosine", "dot") and kind != "weaviate":
            limit = 1.0 if metric == "cosine" else math.inf
            return cls(lambda s: s, lambda s: s, rising=True, least=-limit, most=limit)
        if metric == "euclid" and kind != "weaviate":
            return cls(lambda s: np.sqrt(np.maximum(-s, 0)), lambda s: -(s * s), rising=False)
        least = -math.inf if metric == "dot" else 0.0
        return cls(lambda s: -s, lambda s: -s, rising=False, least=least)
