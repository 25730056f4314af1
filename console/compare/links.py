"""A comparison's request as a URL and as a shell command, and back."""

from __future__ import annotations

import shlex

from connectors import filters
from connectors.filters import Filter
from console.compare import request as asked
from console.compare.request import CompareRequest, Population, usage
from console.search.params import Fields, compact, option
from console.search.request import Params


def to_params(request: CompareRequest) -> list[tuple[str, str]]:
    """See `CompareRequest.to_params`."""
    out = [("l", request.left), ("r", request.right)]
    if request.queries != asked.QUERIES:
        out.append(("n", str(request.queries)))
    if request.golden is not None:
        out.append(("golden", request.golden))
    out += [("text", text) for text in request.texts]
    out += [("image", str(image)) for image in request.images]
    if request.k != asked.K:
        out.append(("k", str(request.k)))
    if request.match_on is not None:
        out.append(("match", request.match_on))
    out += [("cohort", name) for name in request.cohorts]
    if request.threshold is not None:
        out.append(("t", repr(float(request.threshold))))
    if request.population != "top1":
        out.append(("pop", request.population))
    for name, what in (("filter", request.filter), ("qfilter", request.query_filter)):
        if what is not None:
            out.append((name, compact(filters.to_json(what))))
    if request.rows is not None:
        out.append(("rows", str(request.rows)))
    if request.seed:
        out.append(("seed", str(request.seed)))
    return out


def from_params(params: Params) -> CompareRequest:
    """See `CompareRequest.from_params`."""
    held = Fields(params)
    rows = held.whole("rows")
    return CompareRequest(
        left=_side(held, "l"),
        right=_side(held, "r"),
        queries=_or(held.whole("n"), asked.QUERIES),
        golden=held.one("golden"),
        texts=held.every("text"),
        images=held.images("image"),
        k=_or(held.whole("k"), asked.K),
        match_on=held.one("match"),
        cohorts=held.every("cohort"),
        threshold=held.number("t"),
        population=_population(held),
        filter=_filter(held, "filter"),
        query_filter=_filter(held, "qfilter"),
        rows=rows,
        seed=_or(held.whole("seed"), 0),
    )


def to_command(request: CompareRequest, program: str) -> str:
    """See `CompareRequest.to_command`."""
    words = [program, "compare", request.left, request.right]
    if request.golden is not None:
        words += option("--golden", request.golden)
    elif not request.given and request.queries != asked.QUERIES:
        words += ["--queries", str(request.queries)]
    for text in request.texts:
        words += option("--text", text)
    for image in request.images:
        words += ["--image", str(image)]
    if request.k != asked.K:
        words += ["-k", str(request.k)]
    if request.match_on is not None:
        words += option("--match-on", request.match_on)
    for name in request.cohorts:
        words += option("--cohort", name)
    if request.threshold is not None:
        words += option("--threshold", repr(float(request.threshold)))
    if request.population != "top1":
        words += ["--population", request.population]
    for name, what in (("--filter", request.filter), ("--query-filter", request.query_filter)):
        if what is not None:
            words += [name, compact(filters.to_json(what))]
    if request.rows is not None:
        words += ["--rows", str(request.rows)]
    if request.seed:
        words += ["--seed", str(request.seed)]
    return " ".join(shlex.quote(w) for w in words)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _side(held: Fields, name: str) -> str:
    found = held.one(name)
    if not found:
        raise usage(f"`{name}` is missing: a comparison has two sides.", name)
    return found


def _filter(held: Fields, name: str) -> Filter | None:
    text = held.one(name)
    return None if text is None else filters.parse(text)


def _population(held: Fields) -> Population:
    found = held.one("pop")
    if found not in (None, "top1", "topk"):
        raise usage("`pop` in the URL is top1 or topk.", "pop")
    return "topk" if found == "topk" else "top1"
