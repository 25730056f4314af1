"""A report's pictures as inline SVG beside HTML text: no script, nothing fetched, no style of their own.

Only shapes stand in the SVG, stretched to the width that there is; words and figures stay HTML, so that they are
as large on a telephone. Each picture says its numbers in `aria-label` and `title`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Any, Final, cast

from console.health.charts import drawn
from console.health.render import reading
from console.health.render.reading import Data
from console.health.wording import percent, plain

WIDTH: Final = 960
HEIGHT: Final = 100
COLOURS: Final = 6
"""Classes `s0` to `s5` of the page's style; `s6` is all others, `s7` no value."""
WIDE: Final = 20.0
"""Largest variance / smallest from which on the axis is a logarithm."""
MOST: Final = 4_096
"""Columns that are drawn; no report of ours has more."""
STYLE: Final = """
:root { --s0: #0f5f73; --s1: #c8742b; --s2: #6b7f3a; --s3: #8a4f7d; --s4: #3d6fb4; --s5: #a8423f; --s6: #6b7a82;
  --s7: #b4bfc5; }
@media (prefers-color-scheme: dark) { :root { --s0: #5bb8cc; --s1: #e0a066; --s2: #a9bd72; --s3: #c48fb8; --s4: #86aee6;
  --s5: #e0837f; --s6: #8b9aa2; --s7: #56656d; } }
figure { margin: .6rem 0 1.2rem; } figcaption { margin: .5rem 0 .2rem; } figure p { margin: .5rem 0 .1rem; font-size: .9rem;
  overflow-wrap: anywhere; }
svg.plot { display: block; width: 100%; height: 7rem; border-bottom: 1px solid var(--quiet); }
svg.row { display: block; width: 100%; height: 2.6rem; border-bottom: 1px solid var(--line); }
svg.key { width: .8rem; height: .8rem; margin-right: .4rem; }
.axis { display: flex; justify-content: space-between; gap: 1rem; font-size: .85rem; color: var(--quiet); }
.axis span:last-child { text-align: right; }
ul.keys { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; font-size: .9rem;
  overflow-wrap: anywhere; }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); } .s4 { fill: var(--s4); }
.s5 { fill: var(--s5); } .s6 { fill: var(--s6); } .s7 { fill: var(--s7); } .dead { fill: var(--red); }
"""


def pictures(data: Data) -> list[str]:
    """Lengths by group, the version mix, the dimensions; what a report lacks, or holds in another form, is left out."""
    first = _leading_field(data)
    makers: tuple[tuple[str, str, Callable[[Data], list[str]]], ...] = (
        ("norms", "Lengths of the vectors", lambda held: _norms(held, first)),
        ("versions", "Version mix", _versions),
        ("dimensions", "Dimensions", _dimensions),
    )
    out: list[str] = []
    for name, title, make in makers:
        held = drawn(data, name)
        if not isinstance(held, Mapping):
            continue
        try:
            made = make(cast("Data", held))
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
            continue
        if made:
            out += [f"<h2>{title}</h2>", *made]
    return out


def _leading_field(data: Data) -> str | None:
    """The field that the first cause is named by."""
    roots = reading.parts(data).roots
    group = roots[0].finding.get("group") if roots else None
    return str(cast("Data", group).get("field")) if isinstance(group, Mapping) else None


def _norms(held: Data, first: str | None) -> list[str]:
    rows, median = int(held["rows"]), reading.value(float(held["median"]))
    apart = int(held["left_out"])
    rest = f" {apart:,} zero, non-finite or missing ones are left out." if apart else ""
    if held["flat"]:
        return [f"<p>All {rows:,} lengths are {median}.{rest}</p>"]
    edges = _numbers(held["edges"])
    low, high = reading.value(float(held["min"])), reading.value(float(held["max"]))
    axis = _axis(low, f"length{', log' if held['log'] else ''}", high)
    told = f"{rows:,} lengths, median {median}, from {low} to {high}.{rest}"
    out = [
        "<figure>",
        f"<figcaption>{_e(told)}</figcaption>",
        _plot([("s0", _bars(_counts(held["all"]), _peak(held["all"])))], _where(held["all"], edges), "plot"),
        axis,
        "</figure>",
    ]
    groups = cast("Mapping[str, Sequence[Data]]", held["groups"])
    names = sorted(groups, key=lambda name: name != first)
    for place, name in enumerate(names):
        drawing = ["<figure>", f"<figcaption>By <code>{_e(name)}</code>, each to its own height</figcaption>"]
        for one in groups[name]:
            drawing.append(f"<p>{_e(_label(one))} <span class='quiet'>{int(one['rows']):,} rows</span></p>")
            shape = _bars(_counts(one["counts"]), _peak(one["counts"]))
            drawing.append(
                _plot([(_colour(one, 0), shape)], f"{_label(one)}: {_where(one['counts'], edges)}", "row")
            )
        drawing += [axis, "</figure>"]
        if place:
            drawing = [f"<details><summary>By <code>{_e(name)}</code></summary>", *drawing, "</details>"]
        out += drawing
    return out


def _where(counts: Any, edges: Sequence[float]) -> str:
    """Rows by range of length, in words: the range of the tallest bar, and of the middle 90%."""
    held = _counts(counts)
    total = sum(held)
    if not total:
        return "no rows"
    top = max(range(len(held)), key=held.__getitem__)
    run, low, high = 0.0, 0, len(held) - 1
    for place, count in enumerate(held):
        if run <= 0.05 * total < run + count:
            low = place
        if run < 0.95 * total <= run + count:
            high = place
        run += count

    def between(a: int, b: int) -> str:
        return f"{reading.value(edges[a])} to {reading.value(edges[b + 1])}"

    return (
        f"{int(total):,} rows; most, {int(held[top]):,}, have lengths of {between(top, top)}; "
        f"nine in ten of {between(low, high)}"
    )


def _versions(held: Data) -> list[str]:
    series = cast("Sequence[Data]", held["series"])
    placed = max(1, int(held["placed"]))
    names = [_label(one) if one["kind"] != "none" else "untagged" for one in series]
    shares = ", ".join(
        f"{name} {int(one['rows']):,} rows ({percent(int(one['rows']) / placed)})"
        for name, one in zip(names, series, strict=True)
    )
    by = str(held["by"] or "")
    over = {"time": " over time", "id": " over the range of ids"}.get(by, "")
    colours = [_colour(one, place) for place, one in enumerate(series)]
    columns = [_counts(one["counts"]) for one in series]
    if not by:
        shapes = _across([sum(c) for c in columns])
        picture = _plot(list(zip(colours, shapes, strict=True)), f"Rows by version tag: {shares}", "row")
        axis = ""
    else:
        edges = _numbers(held["edges"])
        totals = [sum(c) for c in zip(*columns, strict=True)]
        floor = [0.0] * len(totals)
        stack: list[tuple[str, str]] = []
        for colour, counts in zip(colours, columns, strict=True):
            stack.append((colour, _bars(counts, max(totals), floor)))
            floor = [a + b for a, b in zip(floor, counts, strict=True)]
        ends = [_moment(e) if by == "time" else f"{int(e):,}" for e in (edges[0], edges[-1])]
        moved = f"; from {ends[0]} to {ends[1]}: {_course(names, columns)}"
        picture = _plot(stack, f"Rows by version tag{over}: {shares}{moved}", "plot")
        axis = _axis(ends[0], "time, UTC" if by == "time" else "id", ends[1])
    return [
        "<figure>",
        f"<figcaption>Rows by <code>{_e(held['field'])}</code>{over}</figcaption>",
        picture,
        axis,
        _keys(list(zip(colours, names, series, strict=True))),
        "</figure>",
    ]


def _course(names: Sequence[str], columns: Sequence[Sequence[float]]) -> str:
    """Each tag's share in the first and the last quarter of the range."""
    quarter = max(1, len(columns[0]) // 4)

    def share(counts: Sequence[float], part: slice) -> str:
        whole = sum(sum(c[part]) for c in columns)
        return percent(sum(counts[part]) / whole) if whole else "no rows"

    first, last = slice(0, quarter), slice(-quarter, None)
    return ", ".join(
        f"{name} {share(c, first)} in the first quarter and {share(c, last)} in the last"
        for name, c in zip(names, columns, strict=True)
    )


def _dimensions(held: Data) -> list[str]:
    d, per, dead = int(held["dimension"]), int(held["per"]), int(held["dead_count"])
    mean, variance = _numbers(held["mean"]), _numbers(held["variance"])
    real = [v for v in variance if v > 0]
    if not real:
        return [f"<p>All {d:,} dimensions are constant.</p>"]
    wide = max(real) > WIDE * min(real)
    least, most = min(real), max(real)
    heights = [_height(v, least, most, wide) for v in variance]
    listed = [int(i) for i in cast("Sequence[Any]", held["dead"])]
    marks = "".join(_bar(i // per, len(variance), 0, HEIGHT) for i in listed if 0 <= i // per < len(variance))
    named = f": {', '.join(str(i) for i in listed[:24])}{' and more' if dead > 24 else ''}" if listed else ""
    constant = f"{dead:,} constant, in red{named}" if dead else "none constant"
    reach = max(abs(m) for m in mean)
    middle = [HEIGHT / 2 * (m / reach if reach else 0.0) for m in mean]
    lines = "".join(_bar(i, len(mean), HEIGHT / 2 + min(0.0, m), abs(m)) for i, m in enumerate(middle))
    shared = f" {per} neighbouring dimensions share a column." if per > 1 else ""
    axis = _axis("dimension 0", "", f"{d - 1:,}")
    spread = f"{reading.value(least)} to {reading.value(most)}{', drawn on a log axis' if wide else ''}"
    where = f"largest in dimension {max(range(len(variance)), key=variance.__getitem__) * per:,}"
    between = f"from {reading.value(min(mean))} to {reading.value(max(mean))}"
    return [
        "<figure>",
        f"<figcaption>{d:,} dimensions over {int(held['rows']):,} rows, {_e(constant)}.{shared}</figcaption>",
        f"<p>Variance, {_e(spread)}</p>",
        _plot(
            [("s0", "".join(_bar(i, len(heights), 0, h) for i, h in enumerate(heights))), ("dead", marks)],
            f"Variance of each of {d:,} dimensions: {spread}, {where}; {constant}",
            "row",
        ),
        f"<p>Mean, {_e(between)}</p>",
        _plot([("s1", lines)], f"Mean of each of {d:,} dimensions: {between}", "row"),
        axis,
        "</figure>",
    ]


def _height(value: float, least: float, most: float, wide: bool) -> float:
    if value <= 0:
        return 0.0
    if wide:
        return HEIGHT * (0.06 + 0.94 * math.log(value / least) / math.log(most / least))
    return HEIGHT * value / most


def _label(series: Data) -> str:
    if series["kind"] == "other":
        many = series.get("values")
        if not isinstance(many, int):
            return "all others"
        return (
            f"all others ({'about ' if series.get('about') else ''}{many:,} value{'s' if many != 1 else ''})"
        )
    return "no value" if series["kind"] == "none" else plain(str(series["value"]), 80)


def _colour(series: Data, place: int) -> str:
    return {"other": "s6", "none": "s7"}.get(str(series["kind"]), f"s{place % COLOURS}")


def _numbers(held: Any) -> list[float]:
    """Finite numbers; what was not measured is 0."""
    values = cast("Sequence[Any]", held)
    if not 0 < len(values) <= MOST:
        raise ValueError(len(values))
    out = [0.0 if v is None else float(v) for v in values]
    if not all(map(math.isfinite, out)):
        raise ValueError("not finite")
    return out


def _counts(held: Any) -> list[float]:
    return [max(0.0, c) for c in _numbers(held)]


def _peak(held: Any) -> float:
    return max(_counts(held))


def _bars(counts: Sequence[float], peak: float, floor: Sequence[float] | None = None) -> str:
    """One path of columns, from the floor up; a column that is not empty is seen."""
    if peak <= 0:
        return ""
    out: list[str] = []
    for place, count in enumerate(counts):
        if count:
            base = floor[place] / peak * HEIGHT if floor is not None else 0.0
            out.append(
                _bar(place, len(counts), base, max(1.5 if floor is None else 0.4, count / peak * HEIGHT))
            )
    return "".join(out)


def _across(totals: Sequence[float]) -> list[str]:
    """One bar from left to right, a path for each part."""
    whole = sum(totals) or 1.0
    starts = [sum(totals[:i]) / whole * WIDTH for i in range(len(totals) + 1)]
    return [f"M{a:.1f} {HEIGHT}V0H{b:.1f}V{HEIGHT}z" for a, b in pairwise(starts)]


def _bar(place: int, of: int, base: float, height: float) -> str:
    left, right = place * WIDTH / of, (place + 1) * WIDTH / of
    low = HEIGHT - base
    return f"M{left:.1f} {low:.1f}V{max(0.0, low - height):.1f}H{right:.1f}V{low:.1f}z"


def _plot(parts: Sequence[tuple[str, str]], told: str, kind: str) -> str:
    said = _e(f"{told}.")
    paths = "".join(f'<path class="{name}" d="{shape}"/>' for name, shape in parts if shape)
    return (
        f'<svg class="{kind}" role="img" aria-label="{said}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="none"><title>{said}</title>{paths}</svg>'
    )


def _axis(low: str, name: str, high: str) -> str:
    return f'<div class="axis"><span>{_e(low)}</span><span>{_e(name)}</span><span>{_e(high)}</span></div>'


def _keys(held: Sequence[tuple[str, str, Data]]) -> str:
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 8 8" aria-hidden="true"><path class="{colour}" d="M0 0h8v8h-8z"/></svg>'
        f"{_e(name)} <span class='quiet'>{int(one['rows']):,} rows</span></li>"
        for colour, name, one in held
    )
    return f'<ul class="keys">{items}</ul>'


def _moment(at: float) -> str:
    time = datetime.fromtimestamp(at, UTC)
    return f"{time.day} {time:%b %Y %H:%M}"


def _e(text: object) -> str:
    return escape(plain(str(text), 2000), quote=True)
