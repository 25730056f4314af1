"""Which fields queries are told apart by, and what is measured of each of their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from console.compare.cohorts import FEWEST, Row, by_cohort
from console.compare.displacement import displacement
from console.compare.figures import Lists, mean_json
from console.compare.measures import jaccard, rank_biased_overlap, top1
from console.compare.quality import Quality
from console.compare.queries import Questions
from console.compare.request import MOST_COHORTS, P
from console.compare.sides import Side, Stored
from console.health.columns import TENANT
from console.health.naming import tenant_fields
from console.search.fields import MODALITY_GUESS

if TYPE_CHECKING:
    from console.workspace import Workspace

NAMED: Final = 5
LANGUAGES: Final = ("language", "lang", "locale")


def fields_for(ws: Workspace, left: Side, right: Side, asked: Sequence[str]) -> tuple[str, ...]:
    """The fields that were asked for; else the configured cohorts, the modality, a field that names a language, and the
    tenants: Weaviate's as `tenant`, Qdrant's by the fields that are indexed as tenants.

    Nothing is read for it: a field that no row has makes no cohort.
    """
    if asked:
        return tuple(dict.fromkeys(asked))
    source = left if isinstance(left, Stored) else right
    assert isinstance(source, Stored)
    opened = source.opened
    held = ws.configured(opened.address, opened.vector.name, opened.described.target.collection)
    known = {field.name for field in opened.described.payload}
    found = [*(held.cohort_fields or ()), opened.fields.modality or MODALITY_GUESS]
    found += [name for name in LANGUAGES if not known or name in known]
    found += tenant_fields(opened.described)
    if source.tenants:
        found.append(TENANT)
    return tuple(dict.fromkeys(found))[:MOST_COHORTS]


def values_of(questions: Questions, fields: Sequence[str]) -> dict[str, list[str | None]]:
    """Per field the value of each query, None for none; fields that only golden queries have are among them."""
    own = [name for q in questions.queries for name in q.cohort]
    names = dict.fromkeys([*(f for f in fields if f in own), *own])
    return {name: [q.cohort.get(name) for q in questions.queries] for name in list(names)[:MOST_COHORTS]}


def cohorts_json(
    lists: Lists, questions: Questions, judged: Quality | None, fields: Sequence[str], seed: int
) -> dict[str, Any]:
    """Per field the cohorts of at least 30 queries, the worst first; quality is nDCG."""
    name = next((m for m in judged.metrics if m.startswith("ndcg")), None) if judged is not None else None
    quality = None if judged is None or name is None else (judged.left[name], judged.right[name])
    agree = lists.agree
    others = {
        "jaccard": jaccard(agree),
        "rank_biased_overlap": rank_biased_overlap(agree, P),
        "top1": top1(agree),
        "displacement": displacement(lists.left, lists.right, lists.k).kept,
    }
    found = by_cohort(values_of(questions, fields), lists.overlap, quality, seed, others)
    return {
        field: [
            {
                **row.to_json(),
                **{name: mean_json(held) for name, held in row.others.items()},
                "overlap_at_k": mean_json(row.overlap),
                "quality": _quality(row),
            }
            for row in rows
        ]
        for field, rows in found.items()
    }


def left_out(questions: Questions, fields: Sequence[str], asked: Sequence[str]) -> list[dict[str, str]]:
    """Cohorts that are too small to be told, by field; of fields that were asked for also that there are none."""
    out: list[dict[str, str]] = []
    held = values_of(questions, fields)
    for name in dict.fromkeys((*asked, *held)):
        values = Counter(v for v in held.get(name, ()) if v is not None)
        small = {value: n for value, n in values.items() if n < FEWEST}
        if not values and name in asked:
            out.append({"what": f"cohorts by {name}", "why": f"No query has a value of {name}."})
        if small:
            named = ", ".join(f"{value} ({n:,})" for value, n in Counter(small).most_common(NAMED))
            more = f" and {len(small) - NAMED:,} more" if len(small) > NAMED else ""
            out.append(
                {
                    "what": f"cohorts by {name}",
                    "why": f"Fewer than {FEWEST} queries each: {named}{more}. Ask more queries.",
                }
            )
    return out


def _quality(row: Row) -> dict[str, Any] | None:
    if row.quality is None:
        return None
    return {
        **row.quality.to_json(),
        "left": mean_json(row.quality.left),
        "right": mean_json(row.quality.right),
    }
