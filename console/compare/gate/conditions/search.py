"""The new side's index finds what is nearest, and as fast as the old one."""

from __future__ import annotations

from console.compare.gate import bounds
from console.compare.gate.evidence import Latency, Recall
from console.compare.gate.outcome import Outcome
from console.compare.gate.registry import Limits, condition


@condition("recall", asks="the new side's index returns the nearest rows", part="recall")
def recall(found: Recall, limits: Limits) -> Outcome:
    """By the bounds of the interval: below the limit for sure, above it for sure, or neither."""
    limit = float(limits["limit"])
    basis = "every row was asked" if found.census else f"95% interval {found.low:.3f} to {found.high:.3f}"
    low, high = (found.mean, found.mean) if found.census else (found.low, found.high)
    told = f"Recall@{found.k} of the index is {found.mean:.3f} ({basis}, {found.queries:,} queries)"
    measured = Outcome(
        "pass",
        f"{told}.",
        found.mean,
        limit,
        (low, high),
        f"recall@{found.k}",
        {"queries": found.queries, "k": found.k, "census": found.census},
    )
    if high < limit:
        return measured.but("fail", f"{told}, below {limit:g}.")
    if low < limit:
        why = f"{told}: it may lie on either side of {limit:g}. Ask more queries."
        return measured.but("not_measurable", why)
    return measured


@condition("latency", asks="searches of the new side are not slower", part="latency")
def latency(times: Latency, limits: Limits) -> Outcome:
    """Slower is by a ratio and by milliseconds that somebody can feel: a fail where it surely is, a pass where it surely
    is not."""
    ratio, most, wanted = float(limits["ratio"]), float(limits["milliseconds"]), int(limits["queries"])
    n = len(times.left)
    if n < wanted:
        why = f"{n:,} searches of each side were made; {wanted:,} are needed."
        return Outcome("not_measurable", why, limit=ratio, unit="times")
    found = bounds.slower(times.left, times.right)
    told = (
        f"95 of 100 searches take at most {found.right:.1f} ms, {found.left:.1f} ms on the old side:"
        f" {found.ratio:.2f} times (bounds {found.low:.2f} and {found.high:.2f}), {found.difference:+.1f} ms (at most"
        f" {found.most:+.1f}; {n:,} searches each in turn{_repeated(times, n)})"
    )
    measured = Outcome(
        "pass",
        f"{told}.",
        found.ratio,
        ratio,
        (found.low, found.high),
        "times",
        {
            "p95_left_ms": found.left,
            "p95_right_ms": found.right,
            "difference_ms": found.difference,
            "most_ms": found.most,
            "limit_ms": most,
            "searches": n,
            "different_rows": list(times.rows),
        },
    )
    decided = found.decides(ratio, most)
    if decided:
        return measured
    if decided is False:
        return measured.but("fail", f"{told}, above {ratio:g} and by more than {most:g} ms.")
    why = f"{told}: it may lie on either side of {ratio:g} times and {most:g} ms. Ask more queries, at a quieter time."
    return measured.but("not_measurable", why)


def _repeated(times: Latency, n: int) -> str:
    fewest = min(times.rows)
    return f", with {fewest:,} different rows that came again and again" if fewest < n else ""
