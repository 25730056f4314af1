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
AT_ONCE: Final = 2_048
"""Lengths that are counted in at once: 128 values of 16 fields hold 32 MiB of them at most."""
K: Final = 1_024
"""Of KLL (Karnin, Lang, Liberty 2016): a rank is right to .3% with 99% confidence."""


_KLL: Final[Any] = getattr(datasketches, "kll_floats_sketch")  # noqa: B009


class Norms:
    """Moments by Welford and Chan in float64 (population standard deviation), extremes, quantiles.

    Lengths that come a few at a time wait until they are `AT_ONCE`, or somebody asks: a call costs more than they do.
    """

    def __init__(self) -> None:
        self._n = 0
        self._mean = 0.0
        self._minimum = math.inf
        self._maximum = -math.inf
        self._m2 = 0.0
        self._kept: list[F32] = []
        self._sketch: Any = None
        self._waiting: list[F64] = []
        self._wait = 0

    @property
    def n(self) -> int:
        return self._n + self._wait

    @property
    def mean(self) -> float:
        self._settle()
        return self._mean

    @property
    def minimum(self) -> float:
        self._settle()
        return self._minimum

    @property
    def maximum(self) -> float:
        self._settle()
        return self._maximum

    @property
    def std(self) -> float:
        self._settle()
        return math.sqrt(max(self._m2, 0.0) / self._n) if self._n else 0.0

    @property
    def exact(self) -> bool:
        """Quantiles are of the lengths themselves."""
        self._settle()
        return self._sketch is None

    def update(self, lengths: F64) -> None:
        """Finite positive lengths."""
        if not len(lengths):
            return
        # A copy: a few lengths of a page would hold the whole page.
        self._waiting.append(lengths.copy())
        self._wait += len(lengths)
        if self._wait >= AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        if not self._wait:
            return
        lengths = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        self._waiting, self._wait = [], 0
        mean = float(lengths.mean())
        apart = lengths - mean
        self._moments(len(lengths), mean, float(apart @ apart))
        self._minimum = min(self._minimum, float(lengths.min()))
        self._maximum = max(self._maximum, float(lengths.max()))
        self._keep(lengths.astype(np.float32))

    def merge(self, other: Norms) -> Norms:
        out = Norms()
        for one in (self, other):
            if not one.n:
                continue
            one._settle()
            out._moments(one._n, one._mean, one._m2)
            out._minimum = min(out._minimum, one._minimum)
            out._maximum = max(out._maximum, one._maximum)
            if one._sketch is None:
                for some in one._kept:
                    out._keep(some)
            else:
                out._as_sketch().merge(one._sketch)
        return out

    def quantiles(self, at: Sequence[float]) -> list[float]:
        """NaN for each where there are no rows."""
        self._settle()
        if not self._n:
            return [math.nan] * len(at)
        if self._sketch is None:
            return [float(q) for q in np.quantile(np.concatenate(self._kept), list(at))]
        return [float(q) for q in self._sketch.get_quantiles(list(at), True)]

    def histogram(self, edges: F64) -> F64:
        """Rows per bin of `edges` (ascending lengths): [a, b), the last one with its upper edge."""
        self._settle()
        if not self._n or len(edges) < 2:
            return np.zeros(max(0, len(edges) - 1))
        if self._sketch is None:
            return np.histogram(np.concatenate(self._kept), edges)[0].astype(np.float64)
        below = [self._sketch.get_rank(float(e), False) for e in edges[:-1]]
        below.append(self._sketch.get_rank(float(edges[-1]), True))
        return np.diff(np.array(below, np.float64) * self._n)

    def _moments(self, n: int, mean: float, m2: float) -> None:
        total = self._n + n
        apart = mean - self._mean
        self._mean += apart * (n / total)
        self._m2 += m2 + apart * apart * (self._n * (n / total))
        self._n = total

    def _keep(self, lengths: F32) -> None:
        if self._sketch is None and sum(map(len, self._kept)) + len(lengths) <= EXACT:
            self._kept.append(lengths)
            if len(self._kept) > 64:
                self._kept = [np.concatenate(self._kept)]
        else:
            # In order they go in in half the time.
            self._as_sketch().update(np.sort(lengths))

    def _as_sketch(self) -> Any:
        if self._sketch is None:
            made: Any = _KLL(K)
            for some in self._kept:
                made.update(some)
            self._sketch, self._kept = made, []
        return self._sketch
