"""Whether two spaces have the same geometry: debiased CKA, and Procrustes on rows that it was not fitted on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from console.compare.maps import Map, fitted, ready, widened
from console.health.findings import NotMeasured
from console.health.table import F32, F64

FEWEST: Final = 30
"""Rows below which CKA and its interval say nothing."""
PER_DIMENSION: Final = 5
"""Rows per dimension that a rotation is fitted on: fewer, and it fits noise."""
HELD_OUT: Final = 500
"""Rows that a rotation is tried on at least, where its fit needs the others: their mean residual is known to some 5%."""
WIDEST: Final = 4_096
"""Dimensions of a rotation that is worth its time: its cost grows with their cube."""
UNEXPLAINED: Final = 0.05
"""The share of the right's spread that the left's vectors may leave unexplained. With noise of that size overlap@10 is
about .86 in a space like that of texts and .6 among Gaussian vectors; rounding to int8 leaves .002."""
ALIKE: Final = 0.98
"""The lower bound of CKA where no rotation could be fitted: noise of .02 (Gaussian vectors) to .15 (texts) gives it."""
_NORMAL: Final = 1.959964

Reading = Literal["same", "rotated", "different"]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Debiased linear CKA of `rows` rows, with a 95% jackknife interval. 1: one space is the other, turned and scaled."""

    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class Procrustes:
    """`residual`: the share of the right's spread about its mean that the left's vectors don't explain once they were
    turned and scaled: 0 none, 1 all. Turned by what was fitted on other rows.
    """

    residual: float
    rows_fitted: int
    rows_held_out: int


@dataclass(frozen=True, slots=True)
class Structure:
    """`plain`: the residual without any turn; None where dimensions differ. `reading`: None where nothing decides.
    `turn`: the rotation that was fitted.
    """

    cka: Alignment | NotMeasured
    procrustes: Procrustes | NotMeasured
    plain: float | None
    reading: Reading | None
    turn: Map | NotMeasured


def structure(left: F32, right: F32, left_metric: str | None, right_metric: str | None) -> Structure:
    """Of matched rows (n, d) and (n, d'), row i of both the same, in random order, all with a direction.

    Under cosine vectors are brought to length 1. Same: the left's vectors explain 95% of the right's spread as they
    are. Rotated: after a rotation, fitted on half of the rows; or, where none could be fitted, CKA is at least
    .98 with 97.5% confidence. Different: neither. Raises ValueError on unequal numbers of rows.
    """
    if len(left) != len(right):
        raise ValueError(f"{len(left)} rows on the left, {len(right)} on the right")
    a, b = ready(left, left_metric), ready(right, right_metric)
    cka = debiased_cka(a, b)
    turned, turn = _turned(a, b)
    plain = _residual(a, b) if a.shape == b.shape and len(a) >= FEWEST else None
    return Structure(cka, turned, plain, _reading(cka, turned, plain), turn)


def _reading(
    cka: Alignment | NotMeasured, turned: Procrustes | NotMeasured, plain: float | None
) -> Reading | None:
    if plain is not None and plain <= UNEXPLAINED:
        return "same"
    if isinstance(turned, Procrustes):
        return "rotated" if turned.residual <= UNEXPLAINED else "different"
    if isinstance(cka, Alignment):
        return "rotated" if cka.low >= ALIKE else "different"
    return None


def debiased_cka(x: F64, y: F64) -> Alignment | NotMeasured:
    """CKA of the unbiased estimator of HSIC under linear kernels (Song et al., JMLR 13, 2012, HSIC_1; Murphy,
    Zylberberg and Fyshe, arXiv:2405.01012, 2024), of (n, d) and (n, d').

    The plain estimator says .63 of two independent Gaussian spaces at n = 300, d = 512; this one says 0 on average, and
    may be below. In O(n d d'): with K = X X^T without its diagonal, sums over pairs of rows are sums over dimensions.
    """
    n = len(x)
    if n < FEWEST:
        return NotMeasured("cka", f"{n:,} matched rows were at hand; {FEWEST} are needed.")
    a, b = _centred(x), _centred(y)
    both, own_left, own_right = _Hsic(a, b), _Hsic(a, a), _Hsic(b, b)
    if not (own_left.value > 0 and own_right.value > 0):
        return NotMeasured("cka", "All rows of one side are alike.")
    value = both.value / math.sqrt(own_left.value * own_right.value)
    with np.errstate(invalid="ignore", divide="ignore"):
        without = both.without / np.sqrt(np.maximum(own_left.without * own_right.without, 0))
    held = without[np.isfinite(without)]
    if len(held) < n:
        return NotMeasured("cka", "It hangs on single rows: without one of them nothing varies.")
    spread = math.sqrt((n - 1) / n * float(np.square(held - held.mean()).sum()))
    value = min(value, 1.0)
    return Alignment(value, max(-1.0, value - _NORMAL * spread), min(1.0, value + _NORMAL * spread), n)


class _Hsic:
    """`value`: HSIC_1 of centred (n, d) and (n, d'), n >= 5; `without`: (n,) the same without each row."""

    def __init__(self, x: F64, y: F64) -> None:
        n = len(x)
        cross = x.T @ y
        a, b = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
        k = x @ x.sum(axis=0) - a
        m = y @ y.sum(axis=0) - b
        # Sums over j of row i: of K M, of M's entries times the row sums of K, and the other way.
        product = np.einsum("ij,ij->i", x @ cross, y) - a * b
        m_k = y @ (y.T @ k) - b * k
        k_m = x @ (x.T @ m) - a * m
        trace, sum_k, sum_m, both = product.sum(), k.sum(), m.sum(), float(k @ m)
        self.value = float(_hsic(n, trace, sum_k, sum_m, both))
        self.without: F64 = _hsic(
            n - 1,
            trace - 2 * product,
            sum_k - 2 * k,
            sum_m - 2 * m,
            both - k * m - m_k - k_m + product,
        )


def _hsic(n: int, trace: F64, sum_k: F64, sum_m: F64, both: F64 | float) -> F64:
    return (trace + sum_k * sum_m / ((n - 1) * (n - 2)) - 2 * both / (n - 2)) / (n * (n - 3))


def needed(d: int) -> int:
    """Rows that a rotation of d dimensions is fitted and tried on, at least."""
    return PER_DIMENSION * d + min(PER_DIMENSION * d, max(HELD_OUT, math.ceil(PER_DIMENSION * d / 9)))


def procrustes(x: F64, y: F64) -> Procrustes | NotMeasured:
    """The best rotation and scale from (n, d) to (n, d'), fitted on one half of the rows and tried on the other; on more
    of them where a half is too few, and on `HELD_OUT` or a tenth of all at least it is tried.

    ||s X R - Y||^2 / ||Y||^2 about the means of the rows it was fitted on; the narrower space is filled up with
    zeros. Fitted on at least 5 rows a dimension (Schönemann, Psychometrika 31, 1966).
    """
    return _turned(x, y)[0]


def _turned(x: F64, y: F64) -> tuple[Procrustes | NotMeasured, Map | NotMeasured]:
    d = max(x.shape[1], y.shape[1])
    tried = min(len(x) - len(x) // 2, max(HELD_OUT, len(x) // 10, len(x) - PER_DIMENSION * d))
    rows = len(x) - tried
    if d > WIDEST:
        return _none(f"Rotations of more than {WIDEST:,} dimensions are not fitted.")
    if rows < PER_DIMENSION * d:
        return _none(
            f"{len(x):,} matched rows were looked at; a rotation of {d:,} dimensions needs {needed(d):,}."
        )
    a, b = widened(x, d), widened(y, d)
    found = fitted(a[:rows], b[:rows], turned=True)
    total = 0.0 if found is None else float(np.square(b[rows:] - found.other).sum())
    if found is None or not total > 0:
        return _none("All rows of one side are alike.")
    left = float(found.residuals(a[rows:], b[rows:]).sum()) * found.spread
    return Procrustes(left / total, rows, tried), found


def _none(why: str) -> tuple[NotMeasured, NotMeasured]:
    held = NotMeasured("procrustes", why)
    return held, held


def _residual(x: F64, y: F64) -> float | None:
    """||s X - Y||^2 / ||Y||^2 about the means, with the best scale that is not negative."""
    a, b = _centred(x), _centred(y)
    size, total = float(np.square(a).sum()), float(np.square(b).sum())
    if not (size > 0 and total > 0):
        return None
    return 1 - max(0.0, float(np.einsum("ij,ij->", a, b))) ** 2 / (size * total)


def _centred(x: F64) -> F64:
    return x - x.mean(axis=0)
