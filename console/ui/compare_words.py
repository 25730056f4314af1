"""Figures of a comparison in words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from console.ui import words

if TYPE_CHECKING:
    from console.compare.request import CompareRequest

SIDES: Final = ("left", "right")
NOT: Final = "not measured"
_OURS: Final = re.compile(r"[A-Za-z0-9 ,.;:'()/%+@-]{0,80}", re.ASCII)
BETTER: Final = ("Better", ":material/trending_up:", "green")
WORSE: Final = ("Worse", ":material/trending_down:", "red")
EVEN: Final = ("No difference shown", ":material/trending_flat:", "gray")
UNJUDGED: Final = ("Not judged", ":material/help:", "gray")


def asked(request: CompareRequest) -> str:
    """What Compare now asks both sides with: `200 of their rows`."""
    if request.golden is not None:
        return f"the queries of the golden set {words.printable(request.golden)}"
    if request.given:
        parts = [
            words.plural(len(held), noun)
            for held, noun in ((request.texts, "text"), (request.images, "picture"))
            if held
        ]
        return f"your {' and '.join(parts)}"
    return f"{request.queries:,} of their rows"


def number(value: Any, places: int = 3) -> str:
    """`0.621`; what rounds to 1 and is not is said to be below it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return NOT
    if value != 1 and round(value, places) == 1:
        return f"above {1 - 10**-places:.{places}f}" if value < 1 else f"{value:.{places + 2}f}"
    return f"{value:,.{places}f}"


def signed(value: Any, places: int = 3) -> str:
    """`+0.031`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return NOT
    return f"{value:+.{places}f}" if round(value, places) else f"{0:.{places}f}"


def score(value: Any) -> str:
    """A database's own score, with four places."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return NOT
    return words.score(float(value))


def measured(held: Any) -> Mapping[str, Any] | None:
    """A figure that is there, with its mean or value; None where it was not measured. A bare number is its own mean."""
    if isinstance(held, (int, float)) and not isinstance(held, bool):
        return {"mean": held}
    return held if isinstance(held, Mapping) and "not_measured" not in held else None


def why(held: Any) -> str:
    """Why a figure is not there."""
    said = held.get("not_measured") if isinstance(held, Mapping) else None
    return words.printable(str(said)) if said else ""


def beside(text: str) -> str:
    """What may stand beside a figure, where marks would be obeyed: our own words; else where to look."""
    return text if _OURS.fullmatch(text) else "see “Not measured” below"


def interval(held: Mapping[str, Any] | None, places: int = 3, sign: bool = False) -> str:
    """`0.598 to 0.644`; "exact" where low and high are one."""
    low, high = (held or {}).get("low"), (held or {}).get("high")
    if low is None or high is None:
        return ""
    if low == high:
        return "exact"
    say = signed if sign else number
    return f"{say(low, places)} to {say(high, places)}"


def mean(held: Any, places: int = 3) -> str:
    found = measured(held)
    return number(found.get("mean", found.get("value")), places) if found is not None else NOT


def kept(data: Mapping[str, Any]) -> str:
    """The heading: how many of k neighbours stay."""
    k = int(data.get("k") or 0)
    overlap = measured(data.get("overlap_at_k"))
    if overlap is None or not isinstance(overlap.get("mean"), (int, float)):
        return (
            "How many neighbours stay was not measured"
            if why(data.get("overlap_at_k"))
            else "It could not be compared"
        )
    stay = float(overlap["mean"]) * k
    if overlap["mean"] == 1:
        return "The same neighbours" if k > 1 else "The same neighbour"
    if k == 1:
        return f"The nearest neighbour stays for {float(overlap['mean']):.0%} of the queries"
    return f"{min(stay, k - 0.1):.1f} of {k} neighbours stay"


def quality(data: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The judged measure that leads: nDCG, else the first that is there."""
    metrics: Mapping[str, Any] = (data.get("quality") or {}).get("metrics") or {}
    names = sorted(metrics, key=lambda name: not name.startswith("ndcg"))
    return (names[0], metrics[names[0]]) if names else None


def verdict(data: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Word, icon and colour: what the judgements say, and nothing where there are none."""
    held = quality(data)
    return judgement((held[1].get("difference") or {}) if held is not None else {})


def judgement(difference: Mapping[str, Any]) -> tuple[str, str, Any]:
    """As `verdict`, of a difference with its `low` and `high`."""
    low, high = difference.get("low"), difference.get("high")
    if low is None or high is None:
        return UNJUDGED
    return BETTER if low > 0 else WORSE if high < 0 else EVEN


def unchanged(data: Mapping[str, Any]) -> bool:
    """Whether every query has the same neighbours on both sides."""
    overlap = measured(data.get("overlap_at_k"))
    changed: Sequence[Mapping[str, Any]] = data.get("changed") or ()
    return (
        overlap is not None
        and overlap.get("mean") == 1
        and not any(c.get("lost") or c.get("gained") for c in changed)
    )


def metric(name: str) -> str:
    """`nDCG@10` for `ndcg@10`."""
    base, _, depth = name.partition("@")
    spelt = {"ndcg": "nDCG", "mrr": "MRR", "map": "MAP", "recall": "Recall", "precision": "Precision",
             "hit": "Hit rate", "bpref": "bpref", "judged": "Judged"}.get(base, base)  # fmt: skip
    return f"{spelt}@{depth}" if depth else spelt


def size(data: Mapping[str, Any]) -> str:
    """`200 queries, 11,980 rows`."""
    queries, rows = int(data.get("queries") or 0), (data.get("pool") or {}).get("rows")
    said = words.plural(queries, "query", "queries")
    return f"{said}, {words.plural(rows, 'row')}" if isinstance(rows, int) else said


def basis(data: Mapping[str, Any]) -> str:
    """`200 queries drawn from the rows, 11,980 rows in the pool.`"""
    queries, pool = int(data.get("queries") or 0), data.get("pool") or {}
    source = data.get("query_source") or {}
    kind = source.get("kind")
    what = {"golden": "of a golden set", "given": "given by hand"}.get(str(kind), "drawn from the rows")
    golden = source.get("golden")
    if kind == "golden" and isinstance(golden, Mapping):
        version = golden.get("version")
        named = f"version {version}" if isinstance(version, int) else "its draft"
        what = f"of the golden set {words.printable(str(golden.get('name')))}, {named}"
    said = f"{words.plural(queries, 'query', 'queries')} {what}"
    rows, of = pool.get("rows"), pool.get("of")
    if not isinstance(rows, int):
        return f"{said}."
    said += f", {words.plural(rows, 'row')} in the pool"
    if not pool.get("exact", True) and isinstance(of, int):
        said += f" of {of:,} that could be"
    why = words.sentence(str(pool["why"])) if pool.get("why") else ""
    return f"{said}. {why}".strip()


def kind_of_score(data: Mapping[str, Any], side: str) -> str:
    """`cosine similarity`; the metric and which way its scores go."""
    held = (data.get("sides") or {}).get(side) or {}
    return words.printable(f"{held.get('metric') or ''} {held.get('score_kind') or 'score'}".strip())


def plain_list(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
