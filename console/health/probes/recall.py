"""Recall of the index: 200 rows as queries, under a filter, with texts, with and without rescoring, per cohort."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from connectors.errors import PlumblineError
from connectors.filters import lookup
from connectors.model import SearchOptions
from console.health.asking import Asked
from console.health.findings import NotMeasured
from console.health.judging import Judge, Query
from console.health.probing import BudgetSpent
from console.health.registry import probe
from console.health.seeking import FEWEST, FILTERED, cohort_fields, middle, picked
from console.search.golden.kept import find

if TYPE_CHECKING:
    import numpy as np

    from console.health.evidence import Evidence
    from console.health.probing import Probing

T = TypeVar("T")

FLAT_CUTOFF: Final = 40_000
"""Weaviate's default `flatSearchCutoff`."""
OVERSAMPLING: Final = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """What the index was asked, each part measured or not. `filter`: (field, value) of `filtered`.

    `served`: quantization as the server applies it by itself; `rescored`: with rescoring and oversampling;
    `unrescored`: without. `cohorts`: the queries of `plain` and further ones of each value of `cohort_fields`.
    `unquantized`: the same queries by the vectors as they are stored, where these are quantized and a query can choose;
    by the key that low-ann-recall has for the figure: "", `filtered`, `texts`.
    """

    plain: Asked | NotMeasured
    filtered: Asked | NotMeasured
    texts: Asked | NotMeasured
    rescored: Asked | NotMeasured
    unrescored: Asked | NotMeasured
    cohorts: Asked | NotMeasured
    filter: tuple[str, Any] | None = None
    cohort_fields: tuple[str, ...] = ()
    unquantized: Mapping[str, Asked] = field(default_factory=dict[str, Asked])


@probe(Recall, order=40, name="Recall of the index")
def recall(probing: Probing) -> Recall | NotMeasured:
    e = probing.evidence
    if e.field.metric is None:
        return NotMeasured("Recall", "The field's metric is not one that the console can compute.")
    if len(e.places) < 2:
        return NotMeasured("Recall", f"{len(e.places):,} rows with a direction were read; two are needed.")
    judge = Judge(probing)
    unquantized: dict[str, Asked] = {}

    def ask(key: str, queries: Sequence[Query], **among: Any) -> Asked:
        asked = judge.ask(queries, **among)
        if e.field.quantization is not None and e.capabilities.quantization_control:
            again = _attempt(lambda: judge.ask(queries, **among, options=SearchOptions(unquantized=True)))
            if isinstance(again, Asked):
                unquantized[key] = again
        return asked

    names = cohort_fields(e.names, e.options, e.description, e.table.groups)
    base, more = _queries(e, names, probing.rng("recall"))
    plain = ask("", base)
    held = _attempt(lambda: _quantized(e, judge, base))
    rescored, unrescored = (held, held) if isinstance(held, NotMeasured) else held
    found = _attempt(lambda: _filtered(e, ask, base))
    filtered, where = (found, None) if isinstance(found, NotMeasured) else found
    return Recall(
        plain=plain,
        filtered=filtered,
        texts=_attempt(lambda: _texts(probing, ask)),
        rescored=rescored,
        unrescored=unrescored,
        cohorts=_attempt(lambda: _cohorts(judge, plain, more, names)),
        filter=where,
        cohort_fields=names,
        unquantized=unquantized,
    )


def _attempt(part: Callable[[], T | NotMeasured]) -> T | NotMeasured:
    """A part that fails, or for which no time is left, does not take the others with it."""
    try:
        return part()
    except BudgetSpent:
        return NotMeasured("Recall", "The time for probes was used up.")
    except PlumblineError as error:
        return NotMeasured("Recall", f"{error.message} ({error.code})")


def _queries(
    e: Evidence, names: tuple[str, ...], rng: np.random.Generator
) -> tuple[list[Query], list[Query]]:
    """Rows in random order, and further ones of larger cohorts: those whose nearest rows are known, else any."""
    if e.sought is not None:
        held = e.sought.question
        rows = e.sought.rows
        alive = [i for i in range(len(rows)) if rows[i] >= 0 and e.good[rows[i]]]
        made = {i: Query(held.matrix[i], int(rows[i]), held.ids[i]) for i in alive}
        base = [q for i, q in made.items() if i < held.base]
        return base, [q for i, q in made.items() if i >= held.base]
    here = e.reservoir.rows
    codes = [e.table.groups[name].codes[here] for name in names]
    chosen, count = picked(rng.permutation(e.places), codes)
    queries = [Query(e.reservoir.matrix[p], int(here[p]), e.table.ids.at(int(here[p]))) for p in chosen]
    return queries[:count], queries[count:]


def _quantized(e: Evidence, judge: Judge, queries: list[Query]) -> tuple[Asked, Asked] | NotMeasured:
    if e.field.quantization is None:
        return NotMeasured("stale-quantization", "The vectors are not quantized.")
    control = e.capabilities.quantization_control
    if not control:
        return NotMeasured(
            "stale-quantization", control.why or "It is not known whether a query can switch rescoring."
        )
    return (
        judge.ask(queries, options=SearchOptions(rescore=True, oversampling=OVERSAMPLING)),
        judge.ask(queries, options=SearchOptions(rescore=False)),
    )


def _filtered(
    e: Evidence, ask: Callable[..., Asked], queries: list[Query]
) -> tuple[Asked, tuple[str, Any]] | NotMeasured:
    where = e.sought.question.where if e.sought is not None else None
    if e.sought is not None and where is not None:
        known = set(e.sought.rows[:FILTERED].tolist())
        queries = [q for q in queries if q.row in known]
    if where is None:
        here = e.reservoir.rows
        where = middle(e.table.groups, here, e.names, e.description, e.reservoir.payloads)
    if where is None:
        return NotMeasured("filtered recall", "No group of rows holds between a tenth and half of them.")
    inside = e.table.groups[where.field].mask(where.value)
    if e.kind == "weaviate":
        cutoff = int(e.field.index.get("flatSearchCutoff") or FLAT_CUTOFF)
        if float(inside.mean()) * e.scan.rows < cutoff:
            return NotMeasured(
                "filtered recall",
                f"Weaviate searches fewer than {cutoff:,} rows that pass a filter one by one: recall is 1 by itself.",
            )
    return ask("filtered", queries[:FILTERED], where=where, among=inside), (where.field, where.value)


def _texts(probing: Probing, ask: Callable[..., Asked]) -> Asked | NotMeasured:
    e, what = probing.evidence, "cross-modal recall"
    if probing.load_encoder is None:
        return NotMeasured(what, "No encoder was asked for (--encoder NAME).")
    texts = _golden(probing)
    if texts is None:
        if e.names.image is None or e.names.text is None:
            return NotMeasured(what, "The rows have no field of pictures and of texts.")
        held = [lookup(dict(p), e.names.text) for p in e.payloads]
        texts = list(dict.fromkeys(t for t in held if isinstance(t, str) and t.strip()))
    if len(texts) < FEWEST:
        return NotMeasured(what, f"{len(texts):,} different texts were at hand; {FEWEST} are needed.")
    encoder = probing.load_encoder()
    if not {"text", "image"} <= set(encoder.modalities) or encoder.dimension != e.field.dimension:
        return NotMeasured(
            what, f"The encoder {encoder.name} does not put texts beside this field's pictures."
        )
    rng = probing.rng("recall of texts")
    chosen = [texts[int(i)] for i in rng.permutation(len(texts))[:FILTERED]]
    return ask("texts", [Query(v, -1, None) for v in encoder.encode_texts(chosen)])


def _golden(probing: Probing) -> list[str] | None:
    """The texts of the golden set that was asked for, which lie where people's questions do; None without one."""
    if probing.evidence.options.golden is None:
        return None
    found = find(probing.workspace, probing.evidence.options.golden)
    return list(dict.fromkeys(q.text for q in found.queries if q.text is not None))


def _cohorts(judge: Judge, plain: Asked, more: list[Query], names: tuple[str, ...]) -> Asked | NotMeasured:
    if not names:
        return NotMeasured("cohort-gap", "No cohorts are configured or were found (`cohorts`, --group-by).")
    return judge.joined(plain, judge.ask(more)) if more else plain
