"""How vector lengths are distributed: what lies apart from the body, an atom at 1, groups on another scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from console.health.findings import Mask
from console.health.table import ABSENT, F32, F64, I64, Codes
from console.search.proportions import clopper_pearson

MAD_TO_SD: Final = 1.4826
"""The median absolute deviation of a normal distribution is its standard deviation / 1.4826."""
_LOW_BITS: Final = 11
"""Bits of a float32 that are left away for ranks: lengths within 2^-12 of each other count as tied."""
_BESIDE: Final = 10
"""The stretch beside the atom on either side, in widths of the atom's half."""
Z: Final = 1.959964
TAIL_Z: Final = 4.0
"""Standard errors: one side in 30,000 of a normal count."""
EXPONENTIAL: Final = 1.402
"""Mean of an exponential distribution, in units of 1.4826 times its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Body:
    """Of the logarithms of n lengths: `middle` (median), `spread` s = 1.4826 MAD."""

    n: int
    middle: float
    spread: float

    @property
    def length(self) -> float:
        return math.exp(self.middle)


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """Rows beyond `line` from the middle. `rows`: those on a side that its tail does not explain. `tail`: the others."""

    line: float
    rows: Mask
    tail: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """One value of one field whose rows lie on another scale than all others.

    `auc`: probability that a row of the group is longer than another one (`low`: its 97.5% bound, turned so
    that it is over .5). `ratio` of the medians, over 1.
    """

    field: str
    value: Any
    code: int
    rows: int
    auc: float
    low: float
    ratio: float
    median: float


def body(log: F32) -> Body:
    """Of at least one length; float32 logarithms."""
    middle = float(np.median(log))
    return Body(len(log), middle, MAD_TO_SD * float(np.median(np.abs(log - np.float32(middle)))))


def apart(log: F32, held: Body, line: float, chance: float, once: Mask | None = None) -> Apart:
    """Rows further than `line` from the middle that the tail of the body does not explain, side by side.

    `once`: the rows that count (None: all), where many repeat one vector.

    Masses of equal stretches of a log-concave density (a normal one; the exponential, which the logarithm of a power
    law is, is the heaviest) fall at least by the ratio of the last two: of b and c rows in the second and the last
    third of the way to the line, c r / (1 - r) lie beyond it at most, r = c / b (from the first third where the
    second is empty). A side with more (by `TAIL_Z`
    standard errors) has drifted rows; drifted ones beyond the line enter neither b nor c. On a side without,
    single rows stand out where an exponential of the same spread has fewer than `chance` of n that far.
    """
    away = log - np.float32(held.middle)
    rows, tail = np.zeros(len(log), np.bool_), np.zeros(len(log), np.bool_)
    far = max(line, EXPONENTIAL * held.spread * math.log(max(held.n, 2) / chance))
    for side in (away, -away):
        beyond = side > line
        counted = side if once is None else side[once]
        count = int(np.count_nonzero(counted > line))
        if not count:
            continue
        last = np.count_nonzero((counted > 2 * line / 3) & (counted <= line)) + 0.5
        second = np.count_nonzero((counted > line / 3) & (counted <= 2 * line / 3)) + 0.5
        first = np.count_nonzero((counted >= 0) & (counted <= line / 3)) + 0.5
        ratio = float(last / second if second > 1 else second / first)
        expected = last * ratio / (1 - ratio) if ratio < 1 else math.inf
        error = math.sqrt(expected + expected**2 * (4 / last + 1 / second)) if ratio < 1 else math.inf
        if count > expected + TAIL_Z * error:
            rows |= beyond
        else:
            rows |= side > far
            tail |= beyond & (side <= far)
    return Apart(line, rows, tail)


def atom(norm: F32, width: float, share: float, times: float, *, exact: bool) -> Mask | None:
    """Rows within `width` of 1 where they are at least `share` of all and lie more than `times` as dense as beside.

    Beside: up to ten widths further out on either side. Both are held against 95% Clopper-Pearson bounds, the
    share only where the rows are a sample (`exact` False): a density is an inference either way.
    """
    off = np.abs(norm - np.float32(1))
    held = off < width
    inside = int(np.count_nonzero(held))
    around = int(np.count_nonzero(off < width * (1 + _BESIDE)))
    if not inside:
        return None
    sure = inside / len(norm) if exact else clopper_pearson(inside, len(norm))[0]
    dense = clopper_pearson(inside, around)[0]
    return held if sure >= share and dense > times / (times + _BESIDE) else None


def scales(
    norm: F32,
    groups: Mapping[str, Codes],
    codes: Mapping[str, npt.NDArray[np.uint16]],
    *,
    least: int,
    auc: float,
    ratio: float,
    exact: bool,
) -> list[Scale]:
    """Values whose rows are longer, or shorter, than all others, by Mann-Whitney's U; the clearest first.

    `codes[field]`: (n,) codes of the rows of `norm`. Ranks come from one histogram of the lengths (ties within
    2^-12), so that a field costs one pass. `least` rows on both sides. A sample is held to the 95% bounds.
    """
    found: list[Scale] = []
    rank = _midranks(norm)
    n = len(norm)
    for name, held in groups.items():
        code = codes[name]
        rows = np.bincount(code, minlength=len(held.values) + 1)
        sums = np.bincount(code, weights=rank, minlength=len(rows))
        for i in np.flatnonzero((rows >= least) & (n - rows >= least)):
            at, k = int(i), int(rows[i])
            if at == ABSENT or at == held.other or at > len(held.values):
                continue
            area = float((sums[at] - k * k / 2) / (k * (n - k)))
            far = max(area, 1 - area)
            low = far - Z * area_error(far, k, n - k)
            if (far if exact else low) < auc:
                continue
            mine, rest = norm[code == at], norm[code != at]
            apart_by = _ratio(mine, rest, exact=exact)
            if apart_by >= ratio:
                median = float(np.median(mine))
                found.append(Scale(name, held.values[at - 1], at, k, area, low, apart_by, median))
    return sorted(found, key=lambda s: (-max(s.auc, 1 - s.auc), s.rows, s.field))


def auc(norm: F32, chosen: Mask) -> float:
    """Probability that a chosen row is longer than another one, ties (within 2^-12) counted half."""
    k = int(np.count_nonzero(chosen))
    return float((_midranks(norm)[chosen].sum() - k * k / 2) / (k * (len(norm) - k)))


def area_error(area: float, one: int, other: int) -> float:
    """Standard error of an area under the ROC curve (Hanley and McNeil, Radiology 143, 1982)."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (one - 1) * (q1 - area**2) + (other - 1) * (q2 - area**2)
    return math.sqrt(max(variance, 0.0) / (one * other))


def _midranks(norm: F32) -> F64:
    key: I64 = (np.ascontiguousarray(norm, np.float32).view(np.uint32) >> _LOW_BITS).astype(np.int64)
    key -= key.min()
    counts = np.bincount(key)
    middle: F64 = np.cumsum(counts) - counts / 2
    return middle[key]


def _ratio(one: F32, other: F32, *, exact: bool) -> float:
    """Of the medians, over 1; of the nearer ends of their 95% intervals (order statistics) where sampled."""
    low, high = (one, other) if np.median(one) < np.median(other) else (other, one)
    if exact:
        return float(np.median(high) / np.median(low))
    up = float(np.quantile(low, min(1.0, 0.5 + Z / (2 * math.sqrt(len(low))))))
    down = float(np.quantile(high, max(0.0, 0.5 - Z / (2 * math.sqrt(len(high))))))
    return down / up if up else math.inf


def distinct_share(row: F32) -> float | None:
    """Distinct values as a share of those that are not zero; None where a row has fewer than 32."""
    held = row[row != 0]
    return len(np.unique(held)) / len(held) if len(held) >= 32 else None
