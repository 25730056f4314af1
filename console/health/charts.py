"""What the page draws of a check, counted here once: a stored report needs no second look at the rows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from console.health.findings import Finding
from console.health.frequent import HEAVY
from console.health.table import ABSENT, F64, I64, Codes
from console.health.tagging import Hidden, hidden, told, two_digits

if TYPE_CHECKING:
    from console.health.evidence import Evidence

BINS: Final = 48
STEPS: Final = 40
"""Bars of the version mix."""
VALUES: Final = 6
"""Values of a field that have a series of their own: as many as a picture has colours."""
COMMON: Final = 3
"""Values that are named of all others."""
FIELDS: Final = 6
COLUMNS: Final = 512
"""Columns of the strip of dimensions; more dimensions than these share columns."""
LISTED: Final = 64
WIDE: Final = 20.0
"""Largest length / smallest from which on a linear axis would hide the smaller ones in one bar."""
FLAT: Final = 1e-3
"""Spread of the lengths, relative to their median, that a picture could not show."""
DEAD: Final = 1e-8
"""Variance relative to the median dimension's, below which a dimension is constant (as `truncated-dimensions`)."""
TIMED: Final = 0.6
"""Share of rows with a time from which on the version mix is drawn over time."""
LONGEST: Final = 80
BOUND: Final = 200_000
"""Bytes of JSON that all pictures of one report may take."""


def charts(evidence: Evidence, findings: Sequence[Finding] = ()) -> dict[str, Any]:
    """`norms`, `versions`, `dimensions`, `figures` and `index`, as plain JSON below `BOUND` bytes.

    `findings`: also those under their line, whose figures are drawn with the line they are held to.
    """
    made: dict[str, Any] = {
        "norms": norms(evidence),
        "versions": versions(evidence),
        "dimensions": dimensions(evidence),
        "figures": figures(findings),
        "index": index(evidence),
    }
    return bounded(made)


def norms(evidence: Evidence) -> dict[str, Any] | None:
    """Rows by length, in common bins for every group; None without a row that has a length.

    `all` and each series count rows per bin of `edges`. Zero, non-finite and missing rows are left out and
    counted apart. `flat`: all lengths are the same to a thousandth, and there are no bins.
    """
    table = evidence.table
    good = np.isfinite(table.norm) & ~evidence.empty
    lengths = table.norm[good].astype(np.float64)
    if not len(lengths):
        return None
    low, high, median = float(lengths.min()), float(lengths.max()), float(np.median(lengths))
    made: dict[str, Any] = {
        "rows": len(lengths),
        "left_out": len(table) - len(lengths),
        "min": low,
        "median": median,
        "max": high,
        "log": False,
        "flat": high - low <= FLAT * median,
        "edges": [],
        "all": [],
        "groups": {},
    }
    if made["flat"]:
        return made
    made["log"] = log = low > 0 and high / low >= WIDE
    edges = np.geomspace(low, high, BINS + 1) if log else np.linspace(low, high, BINS + 1)
    where = np.clip(np.searchsorted(edges, lengths, "right") - 1, 0, BINS - 1)
    made["edges"] = _short(edges)
    made["all"] = _counts(where, BINS)
    for name in _fields(evidence):
        series = _series(evidence, name, good, where, BINS)
        if series:
            made["groups"][shown(name)] = series
    return made


def versions(evidence: Evidence) -> dict[str, Any] | None:
    """Rows by version tag, over time where the rows have one, else over the range of whole-number ids.

    None where no row has a tag. `by`: `time` (edges in seconds since 1970), `id`, or None: no order is known.
    Rows beyond the outermost .2% on each side are counted in the outermost bars.
    """
    table, name = evidence.table, evidence.names.version
    codes = table.groups.get(name)
    if codes is None or not np.any(codes.codes != ABSENT):
        return None
    timed = np.isfinite(table.time)
    everywhere = np.ones(len(table), np.bool_)
    by: str | None = None
    place: F64 = table.time
    used = everywhere
    if len(table) and timed.mean() >= TIMED and np.ptp(table.time[timed]) > 0:
        by, used = "time", timed
    elif len(table) > 1 and bool(table.ids.integer.all()) and len(np.unique(table.ids.low[:2])) > 1:
        by, place = "id", table.ids.low.astype(np.float64)
    edges: F64 = np.zeros(2)
    where: I64 = np.zeros(int(used.sum()), np.int64)
    steps = 1
    if by is not None:
        held = place[used]
        low, high = (float(q) for q in np.quantile(held, [0.002, 0.998]))
        if high <= low:
            low, high = float(held.min()), float(held.max())
        steps = STEPS
        edges = np.linspace(low, high, steps + 1)
        where = np.clip(np.searchsorted(edges, held, "right") - 1, 0, steps - 1)
    return {
        "field": shown(name),
        "by": by,
        "edges": _exact(edges) if by is not None else [],
        "placed": int(used.sum()),
        "rows": len(table),
        "series": _series(evidence, name, used, where, steps, fewest=1),
    }


def dimensions(evidence: Evidence) -> dict[str, Any] | None:
    """Mean and variance of each dimension over the good rows, and which are constant; None below two rows.

    With more than `COLUMNS` dimensions `per` neighbours share a column: the mean of their means, their
    smallest and largest variance.
    """
    stats = evidence.profile.dims
    if stats.n < 2 or not len(stats.mean):
        return None
    mean, variance = stats.mean, stats.variance
    d = len(mean)
    per = math.ceil(d / COLUMNS)
    median = float(np.median(variance))
    dead = np.flatnonzero(variance <= DEAD * median)
    starts = np.arange(0, d, per)
    sizes = np.diff(np.append(starts, d))
    made: dict[str, Any] = {
        "dimension": d,
        "per": per,
        "rows": stats.n,
        "mean": _short(np.add.reduceat(mean, starts) / sizes),
        "variance": _short(np.maximum.reduceat(variance, starts)),
        "dead": [int(i) for i in dead[:LISTED]],
        "dead_count": len(dead),
    }
    if per > 1:
        made["least"] = _short(np.minimum.reduceat(variance, starts))
    return made


def figures(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The figures that rules look at, with interval and line; `fires`: a warning or worse came of it."""
    return [
        {"code": f.code, "key": shown(f.key), "basis": f.basis, "fires": f.rank >= 2} | f.effect.to_json()
        for f in findings
        if f.effect is not None and math.isfinite(f.effect.value)
    ]


def index(evidence: Evidence) -> dict[str, Any]:
    """What the server says of its index."""
    state, field = evidence.index_state, evidence.field
    return {
        "status": state.status,
        "why": state.why[:300],
        "rows": state.rows,
        "indexed": state.indexed,
        "queue": state.queue,
        "storage": field.storage,
        "quantization": field.quantization is not None,
    }


def bounded(made: dict[str, Any], limit: int = BOUND) -> dict[str, Any]:
    """The same with the group fields of the norms dropped from the last on, until it is small enough."""
    while len(json.dumps(made, default=str)) > limit:
        held = cast("dict[str, Any]", made.get("norms") or {})
        groups = cast("dict[str, Any] | None", held.get("groups"))
        if groups:
            groups.popitem()
            continue
        large = max((k for k in made if made[k]), key=lambda k: len(json.dumps(made[k], default=str)))
        made[large] = None
    return made


def shown(value: Any) -> str:
    """A payload's value as a label: one printable line of bounded length."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    line = "".join(c if c.isprintable() else " " for c in text[: LONGEST + 1])
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _fields(evidence: Evidence) -> list[str]:
    """Group fields with a picture: version and modality, then the configured ones, then those that were found."""
    names = evidence.names
    wanted = [names.version, names.modality, *evidence.options.group_by, *names.cohorts, *names.groups]
    there = [n for n in dict.fromkeys(wanted) if n is not None and n in evidence.table.groups]
    return there[:FIELDS]


def _series(
    evidence: Evidence,
    name: str,
    used: npt.NDArray[np.bool_],
    where: npt.NDArray[Any],
    bins: int,
    fewest: int = 2,
) -> list[dict[str, Any]]:
    """Rows per bin of the commonest values, of all others together and of rows without one; [] below `fewest` values.

    Of the others also how many `values` they are (`about`: estimated) and the commonest of the heavy ones.
    """
    codes = evidence.table.groups[name]
    held = codes.codes[used].astype(np.int64)
    size = max(len(codes.values) + 1, codes.other + 1 if codes.other is not None else 0)
    grid = np.bincount(held * bins + where, minlength=size * bins).reshape(-1, bins)
    totals = grid.sum(1)
    values = [c for c in range(1, len(codes.values) + 1) if c != codes.other and totals[c]]
    ordered = sorted(values, key=lambda c: -int(totals[c]))
    first = ordered[:VALUES]
    rest = grid.sum(0) - grid[ABSENT] - grid[first].sum(0)
    if len(values) + bool(totals[ABSENT]) < fewest:
        return []
    made = [_one(shown(codes.values[c - 1]), "value", grid[c]) for c in first]
    if rest.any():
        made.append(
            _one("", "other", rest) | _others(hidden(evidence, name, codes, used), codes, totals, ordered)
        )
    if totals[ABSENT]:
        made.append(_one("", "none", grid[ABSENT]))
    return made


def _others(past: Hidden, codes: Codes, totals: I64, ordered: Sequence[int]) -> dict[str, Any]:
    common: list[dict[str, Any]] = [
        {"tag": shown(codes.values[c - 1]), "rows": int(totals[c])} for c in ordered[VALUES : VALUES + COMMON]
    ]
    least = HEAVY * (int(totals[ordered[VALUES:]].sum()) + int(past.others.get("rows", 0)))
    sized = [(int(c.get("rows", c.get("at_least", 0))), c) for c in (*common, *past.heavy)]
    common = [c for n, c in sorted(sized, key=lambda s: -s[0]) if n >= least]
    many = len(ordered[VALUES:]) + past.tags
    return {
        "values": two_digits(many) if past.about else many,
        "about": past.about,
        "common": [told(c) for c in common[:COMMON]],
    }


def _one(value: str, kind: str, counts: npt.NDArray[Any]) -> dict[str, Any]:
    return {"value": value, "kind": kind, "rows": int(counts.sum()), "counts": counts.astype(int).tolist()}


def _counts(where: npt.NDArray[Any], bins: int) -> list[int]:
    return np.bincount(where, minlength=bins).astype(int).tolist()


def _short(values: npt.NDArray[Any]) -> list[float | None]:
    """Five significant digits: what a screen shows."""
    return [float(f"{v:.5g}") if math.isfinite(v) else None for v in values.tolist()]


def _exact(values: npt.NDArray[Any]) -> list[float]:
    return [round(float(v), 3) for v in values]


def drawn(report: Mapping[str, Any], name: str) -> Any:
    """One picture's data of a stored report; None where it has none."""
    held = report.get("charts")
    return cast("Mapping[str, Any]", held).get(name) if isinstance(held, Mapping) else None
