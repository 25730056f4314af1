"""How both sides answer the golden set, query by query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from console.compare.gate.evidence import Quality
from console.compare.gate.gather.keeping import kept
from console.compare.gate.gather.partners import Both
from console.search.evaluate import Evaluation, evaluate
from console.search.golden import GoldenSet
from console.store import Evaluations

if TYPE_CHECKING:
    from console.compare.gate.gather.sides import Side
    from console.progress import Tell
    from console.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """`evaluations`: ids of what was stored, left and right."""

    quality: Quality
    one_encoder: bool
    evaluations: tuple[str | None, str | None]


def answers(
    ws: Workspace,
    golden: GoldenSet,
    left: Side,
    right: Side,
    k: int,
    notes: list[str],
    tell: Tell,
    cancelled: Callable[[], bool],
    asked: Both | None = None,
) -> Answers:
    """Production searches on both sides, by each side's own encoder; the evaluations are stored.

    `asked`: the set in each side's ids; None: they are the same.

    A query that the old side could answer and the new one can't (its row is gone, its picture can't be encoded,
    nothing that was judged relevant is left) counts as 0 on the new side: leaving it out would hide the loss.
    """
    asked = asked or Both(golden, golden)
    old, new = (
        evaluate(ws, held, side.address, k=k, tell=tell, cancelled=cancelled, original=golden)
        for held, side in ((asked.left, left), (asked.right, right))
    )
    metric = f"ndcg@{k}"
    before, after = old.scores[metric], new.scores[metric]
    queries = [query for query in asked.left.queries if query.id in before]
    one_encoder = _fingerprint(old) is not None and _fingerprint(old) == _fingerprint(new)
    same = one_encoder and asked.one_name and _hits(old) == _hits(new)
    quality = Quality(
        metric,
        golden.name,
        golden.version,
        np.array([before[q.id] for q in queries], np.float64),
        np.array([after.get(q.id, 0.0) for q in queries], np.float64),
        "gave the same answers to every query" if same else "",
        {name: [q.cohort.get(name) for q in queries] for name in golden.cohort_fields},
        sum(q.id not in after for q in queries),
        (float(old.data[f"judged@{k}"] or 0.0), float(new.data[f"judged@{k}"] or 0.0)),
        (_unanswered(asked.left, old), _unanswered(asked.right, new)),
        len(_relevant(asked.left)),
        (_gone(asked.left, old), _gone(asked.right, new)),
        asked.untold,
        asked.by,
    )
    stored = [
        kept("evaluation", lambda data=data: Evaluations.open(ws).save(data), notes)
        for data in (asked.said(old.data), asked.said(new.data))
    ]
    return Answers(quality, one_encoder, (stored[0], stored[1]))


def _relevant(golden: GoldenSet) -> set[tuple[str, str]]:
    """(query, key) of single rows that are judged relevant."""
    return {(j.query, j.key) for j in golden.judgements if j.grade > 0}


def _gone(golden: GoldenSet, found: Evaluation) -> int:
    """How many of these the side does not have."""
    lines = cast("Sequence[Mapping[str, Any]]", found.data.get("missing") or ())
    missing = {(str(line["query"]), str(key)) for line in lines for key in line["keys"]}
    return len(missing & _relevant(golden))


def _unanswered(golden: GoldenSet, found: Evaluation) -> int:
    """Queries with something relevant, by judgement or by rule, that the side has no metrics of."""
    lines = cast("Sequence[Mapping[str, Any]]", found.data.get("not_scored") or ())
    judged = {query for query, _ in _relevant(golden)} | golden.closed
    return sum(str(line["query"]) in judged for line in lines)


def _fingerprint(found: Evaluation) -> str | None:
    held: Any = found.data.get("encoder")
    return str(cast("Mapping[str, Any]", held)["fingerprint"]) if isinstance(held, Mapping) else None


def _hits(found: Evaluation) -> Mapping[str, Sequence[Any]]:
    """The keys that each query got; the order of rows with one score is nobody's doing."""
    lines = cast("Sequence[Mapping[str, Any]]", found.data["per_query"])
    return {str(q["query"]): sorted(str(hit["key"]) for hit in q["hits"]) for q in lines}
