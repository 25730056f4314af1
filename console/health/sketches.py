"""Lengths of any number of rows in bounded memory: exact while few, a KLL sketch beyond."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import datasketches  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from console.health.table import F32, F64

EXACT: Final = 8_192
"""Lengths kept one by one: those of a sampled check, whose quantiles are then the same at every run."""
K: Final = 1_024
"""Of KLL (Karnin, Lang, Liberty 2016): a rank is right to .3% with 99% confidence."""


_KLL: Final[Any] = getattr(datasketches, "kll_floats_sketch")  # noqa: B009


class Norms:
    """Moments by Welford and Chan in float64 (population standard deviation), extremes, quantiles."""

    def __init__(self) -> None:
        self.n = 0
        self.mean = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf
        self._m2 = 0.0
        self._kept: list[F32] = []
        self._sketch: Any = None

    @property
    def std(self) -> float:
        return math.sqrt(max(self._m2, 0.0) / self.n) if self.n else 0.0

    @property
    def exact(self) -> bool:
        """Quantiles are of the lengths themselves."""
        return self._sketch is None

    def update(self, lengths: F64) -> None:
        """Finite positive lengths."""
        if not len(lengths):
            return
        mean = float(lengths.mean())
        apart = lengths - mean
        self._moments(len(lengths), mean, float(apart @ apart))
        self.minimum = min(self.minimum, float(lengths.min()))
        self.maximum = max(self.maximum, float(lengths.max()))
        self._keep(lengths.astype(np.float32))

    def merge(self, other: Norms) -> Norms:
        out = Norms()
        for one in (self, other):
            if not one.n:
                continue
            out._moments(one.n, one.mean, one._m2)
            out.minimum = min(out.minimum, one.minimum)
            out.maximum = max(out.maximum, one.maximum)
            if one._sketch is None:
                for some in one._kept:
                    out._keep(some)
            else:
                out._as_sketch().merge(one._sketch)
        return out

    def quantiles(self, at: Sequence[float]) -> list[float]:
        """NaN for each where there are no rows."""
        if not self.n:
            return [math.nan] * len(at)
        if self._sketch is None:
            return [float(q) for q in np.quantile(np.concatenate(self._kept), list(at))]
        return [float(q) for q in self._sketch.get_quantiles(list(at), True)]

    def histogram(self, edges: F64) -> F64:
        """Rows per bin of `edges` (ascending lengths): [a, b), the last one with its upper edge."""
        if not self.n or len(edges) < 2:
            return np.zeros(max(0, len(edges) - 1))
        if self._sketch is None:
            return np.histogram(np.concatenate(self._kept), edges)[0].astype(np.float64)
        below = [self._sketch.get_rank(float(e), False) for e in edges[:-1]]
        below.append(self._sketch.get_rank(float(edges[-1]), True))
        return np.diff(np.array(below, np.float64) * self.n)

    def _moments(self, n: int, mean: float, m2: float) -> None:
        total = self.n + n
        apart = mean - self.mean
        self.mean += apart * (n / total)
        self._m2 += m2 + apart * apart * (self.n * (n / total))
        self.n = total

    def _keep(self, lengths: F32) -> None:
        if self._sketch is None and sum(map(len, self._kept)) + len(lengths) <= EXACT:
            self._kept.append(lengths)
            if len(self._kept) > 64:
                self._kept = [np.concatenate(self._kept)]
        else:
            self._as_sketch().update(lengths)

    def _as_sketch(self) -> Any:
        if self._sketch is None:
            made: Any = _KLL(K)
            for some in self._kept:
                made.update(some)
            self._sketch, self._kept = made, []
        return self._sketch
