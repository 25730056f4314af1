"""Recall of the index: 200 rows as queries, under a filter, with texts, with and without rescoring, per cohort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np

from connectors.errors import PlumblineError
from connectors.filters import Equals, lookup, matches
from connectors.model import SearchOptions
from console.health.asking import Asked
from console.health.findings import NotMeasured
from console.health.judging import Judge, Query
from console.health.probing import BudgetSpent
from console.health.registry import probe

if TYPE_CHECKING:
    from connectors.filters import Filter
    from console.health.evidence import Evidence
    from console.health.probing import Probing
    from console.health.table import I64, Codes

T = TypeVar("T")

QUERIES: Final = 200
FILTERED: Final = 100
PER_COHORT: Final = 40
"""Queries of each cohort: ten more than a difference needs, since peeling drops some."""
COHORTS: Final = 12
"""Cohorts of one field that get queries of their own, the largest first."""
FIELDS: Final = 3
FEWEST: Final = 30
FLAT_CUTOFF: Final = 40_000
"""Weaviate's default `flatSearchCutoff`."""
OVERSAMPLING: Final = 4.0
MIDDLE: Final = (0.1, 0.5)
"""Share of rows that pass the filter under which recall is measured: neither nearly all nor a handful."""
LANGUAGES: Final = ("language", "lang", "locale")


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """What the index was asked, each part measured or not. `filter`: (field, value) of `filtered`.

    `served`: quantization as the server applies it by itself; `rescored`: with rescoring and oversampling;
    `unrescored`: without. `cohorts`: the queries of `plain` and further ones of each value of `cohort_fields`.
    """

    plain: Asked | NotMeasured
    filtered: Asked | NotMeasured
    texts: Asked | NotMeasured
    rescored: Asked | NotMeasured
    unrescored: Asked | NotMeasured
    cohorts: Asked | NotMeasured
    filter: tuple[str, Any] | None = None
    cohort_fields: tuple[str, ...] = ()


@probe(Recall, order=40, name="Recall of the index")
def recall(probing: Probing) -> Recall | NotMeasured:
    e = probing.evidence
    if e.field.metric is None:
        return NotMeasured("Recall", "The field's metric is not one that the console can compute.")
    if len(e.places) < 2:
        return NotMeasured("Recall", f"{len(e.places):,} rows with a direction were read; two are needed.")
    rng = probing.rng("recall")
    judge = Judge(probing)
    base = np.sort(rng.choice(e.places, min(QUERIES, len(e.places)), replace=False))
    plain = judge.ask(_rows(e, base))
    held = _attempt(lambda: _quantized(e, judge, base))
    rescored, unrescored = (held, held) if isinstance(held, NotMeasured) else held
    found = _attempt(lambda: _filtered(e, judge, rng.permutation(base)[:FILTERED]))
    filtered, where = (found, None) if isinstance(found, NotMeasured) else found
    names = cohort_fields(e)
    return Recall(
        plain=plain,
        filtered=filtered,
        texts=_attempt(lambda: _texts(probing, judge)),
        rescored=rescored,
        unrescored=unrescored,
        cohorts=_attempt(lambda: _cohorts(e, judge, plain, base, names, rng)),
        filter=where,
        cohort_fields=names,
    )


def cohort_fields(e: Evidence) -> tuple[str, ...]:
    """Group fields whose values are compared: configured cohorts, `--group-by`, modality, language, tenants."""
    wanted = [*e.names.cohorts, *e.options.group_by]
    if e.names.modality is not None:
        wanted.append(e.names.modality)
    wanted += [g for g in e.names.groups if g.rpartition(".")[2].lower() in LANGUAGES]
    wanted += [str(f) for f in cast("list[Any]", e.description.settings.get("tenant_fields") or [])]
    return tuple(n for n in dict.fromkeys(wanted) if n in e.table.groups)[:FIELDS]


def _attempt(part: Callable[[], T | NotMeasured]) -> T | NotMeasured:
    """A part that fails, or for which no time is left, does not take the others with it."""
    try:
        return part()
    except BudgetSpent:
        return NotMeasured("Recall", "The time for probes was used up.")
    except PlumblineError as error:
        return NotMeasured("Recall", f"{error.message} ({error.code})")


def _rows(e: Evidence, places: I64) -> list[Query]:
    """Rows of the reservoir (positions) as queries."""
    rows = e.reservoir.rows[places]
    return [
        Query(e.reservoir.matrix[p], int(r), e.table.ids.at(int(r)))
        for p, r in zip(places, rows, strict=True)
    ]


def _quantized(e: Evidence, judge: Judge, base: I64) -> tuple[Asked, Asked] | NotMeasured:
    if e.field.quantization is None:
        return NotMeasured("stale-quantization", "The vectors are not quantized.")
    control = e.capabilities.quantization_control
    if not control:
        return NotMeasured(
            "stale-quantization", control.why or "It is not known whether a query can switch rescoring."
        )
    queries = _rows(e, base)
    return (
        judge.ask(queries, options=SearchOptions(rescore=True, oversampling=OVERSAMPLING)),
        judge.ask(queries, options=SearchOptions(rescore=False)),
    )


def _filtered(e: Evidence, judge: Judge, places: I64) -> tuple[Asked, tuple[str, Any]] | NotMeasured:
    found = _middle(e)
    if found is None:
        return NotMeasured("filtered recall", "No group of rows holds between a tenth and half of them.")
    name, value, share = found
    if e.kind == "weaviate":
        cutoff = int(e.field.index.get("flatSearchCutoff") or FLAT_CUTOFF)
        if share * e.scan.rows < cutoff:
            return NotMeasured(
                "filtered recall",
                f"Weaviate searches fewer than {cutoff:,} rows that pass a filter one by one: recall is 1 by itself.",
            )
    where: Filter = Equals(name, value)
    return judge.ask(_rows(e, places), where=where, among=e.table.groups[name].mask(value)), (name, value)


def _middle(e: Evidence) -> tuple[str, Any, float] | None:
    """The (field, value) whose share of the reservoir is nearest to a quarter; fields with an index first."""
    indexed = {f.name for f in e.description.payload if f.indexed}
    found: list[tuple[tuple[bool, float], tuple[str, Any, float]]] = []
    for name in e.names.groups:
        group: Codes | None = e.table.groups.get(name)
        if group is None or not len(e.reservoir.rows):
            continue
        counts = np.bincount(group.codes[e.reservoir.rows], minlength=len(group.values) + 2)
        for i, value in enumerate(group.values):
            share = float(counts[i + 1] / len(e.reservoir.rows))
            if i + 1 != group.other and MIDDLE[0] <= share <= MIDDLE[1]:
                found.append(((name not in indexed, abs(share - 0.25)), (name, value, share)))
    ranked = (held for _, held in sorted(found, key=lambda one: one[0]))
    return next((held for held in ranked if _says_the_same(e, held[0], held[1])), None)


def _says_the_same(e: Evidence, name: str, value: Any) -> bool:
    """Whether the filter passes the group's rows and no others: lists, objects and cut texts are groups too."""
    where = Equals(name, value)
    mask = e.table.groups[name].mask(value)[e.reservoir.rows]
    return all(
        matches(where, payload) == bool(inside)
        for payload, inside in zip(e.reservoir.payloads, mask, strict=True)
    )


def _texts(probing: Probing, judge: Judge) -> Asked | NotMeasured:
    e, what = probing.evidence, "cross-modal recall"
    if probing.load_encoder is None:
        return NotMeasured(what, "No encoder was asked for (--encoder NAME).")
    if e.names.image is None or e.names.text is None:
        return NotMeasured(what, "The rows have no field of pictures and of texts.")
    held = [lookup(dict(p), e.names.text) for p in e.payloads]
    texts = list(dict.fromkeys(t for t in held if isinstance(t, str) and t.strip()))
    if len(texts) < FEWEST:
        return NotMeasured(what, f"{len(texts):,} different texts were read; {FEWEST} are needed.")
    encoder = probing.load_encoder()
    if not {"text", "image"} <= set(encoder.modalities) or encoder.dimension != e.field.dimension:
        return NotMeasured(
            what, f"The encoder {encoder.name} does not put texts beside this field's pictures."
        )
    rng = probing.rng("recall of texts")
    chosen = [texts[int(i)] for i in rng.permutation(len(texts))[:FILTERED]]
    return judge.ask([Query(v, -1, None) for v in encoder.encode_texts(chosen)])


def _cohorts(
    e: Evidence, judge: Judge, plain: Asked, base: I64, names: tuple[str, ...], rng: np.random.Generator
) -> Asked | NotMeasured:
    if not names:
        return NotMeasured("cohort-gap", "No cohorts are configured or were found (`cohorts`, --group-by).")
    taken: set[int] = {int(p) for p in base}
    for name in names:
        codes = e.table.groups[name].codes[e.reservoir.rows]
        here = codes[e.places]
        sizes = np.bincount(here)
        sizes[0] = 0
        for code in np.argsort(-sizes, kind="stable")[:COHORTS]:
            if sizes[code] < FEWEST:
                continue
            missing = PER_COHORT - sum(int(codes[p]) == code for p in taken)
            free = np.array([p for p in e.places[here == code].tolist() if p not in taken], np.int64)
            taken |= {int(p) for p in rng.permutation(free)[: max(0, missing)]}
    more = np.array(sorted(taken - set(base.tolist())), np.int64)
    return judge.joined(plain, judge.ask(_rows(e, more))) if len(more) else plain
