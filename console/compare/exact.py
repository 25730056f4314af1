"""The exact lists of both sides, on the rows that both can find: one pass over each side's vectors, or its server's own
exact search, and another where that leaves something open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from connectors.errors import PlumblineError
from console.compare import serverside
from console.compare.reading import Read, read, sample_size
from console.compare.settling import anew_numbers, restricted, settled
from console.compare.sides import Encoded, Side, Stored
from console.health.findings import Mask
from console.health.table import F32, I64

if TYPE_CHECKING:
    from console.compare.nearest import Nearest
    from console.compare.pool import Pool
    from console.compare.queries import Questions
    from console.compare.request import CompareRequest
    from console.progress import Tell

Both = tuple[F32, F32]


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """`pool`: the rows that both sides can find, and `questions` by their numbers in it. `lists`: of q queries.
    `samples`: (s, d) vectors of the first s rows. `senseless`: lists of what else was asked, None of nothing.
    `without`: rows that were in the pool and can't be found on each side: they have no vector, or none with a
    direction.
    """

    pool: Pool
    questions: Questions
    lists: tuple[Nearest, Nearest]
    samples: Both
    senseless: tuple[Nearest, Nearest] | None
    without: tuple[int, int]


def exactly(
    left: Side,
    right: Side,
    pool: Pool,
    questions: Questions,
    senseless: Both | None,
    request: CompareRequest,
    *,
    warn: Callable[[str], None],
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Exact:
    """`senseless`: vectors of further queries on both sides, which are no row. Raises what reading raises, and
    `Cancelled`.
    """
    size = sample_size(pool, max(questions.left.shape[1], questions.right.shape[1]))
    q, own = len(questions), questions.own
    asked: list[F32] = []
    found: list[Read] = []
    for i, (side, vectors) in enumerate(((left, questions.left), (right, questions.right))):
        every = vectors if senseless is None else np.concatenate([vectors, senseless[i]])
        owns = np.concatenate([own, np.full(len(every) - q, -1, np.int64)])
        asked.append(vectors)
        found.append(_read(side, pool, every, owns, q, request, size, warn, tell, cancelled))
    usable = found[0].usable & found[1].usable
    without = tuple(int(np.count_nonzero(~f.usable)) for f in found)
    size = min(len(f.sample) for f in found)
    samples = [f.sample[:size] for f in found]
    lists = [f.nearest for f in found]
    if not usable.all():
        pool, questions = pool.only(usable), _renumbered(questions, usable)
        lists = [restricted(held, usable) for held in lists]
        samples = [sample[usable[:size]] for sample in samples]
        for side in (left, right):
            if isinstance(side, Encoded):
                side.matrix = side.matrix[usable]
    done = [
        settled(side, pool, vectors, held.only(np.arange(q)), request.k, tell=tell, cancelled=cancelled)
        for side, vectors, held in zip((left, right), asked, lists, strict=True)
    ]
    rest = np.arange(q, len(lists[0]))
    return Exact(
        pool,
        questions,
        (done[0], done[1]),
        (samples[0], samples[1]),
        None if senseless is None else (lists[0].only(rest), lists[1].only(rest)),
        (without[0], without[1]),
    )


def _read(
    side: Side,
    pool: Pool,
    queries: F32,
    own: I64,
    asked: int,
    request: CompareRequest,
    size: int,
    warn: Callable[[str], None],
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Read:
    if isinstance(side, Stored) and serverside.worthwhile(side, pool, asked):
        found = None
        try:
            found = serverside.read(
                side, pool, queries, own, request.k, None if side.name == "right" else request.filter,
                tell=tell, cancelled=cancelled,
            )  # fmt: skip
        except PlumblineError as fault:
            warn(f"{side.address}: {fault.message} ({fault.code}): its vectors were read instead.")
        if found is not None:
            side.notes.append("Exact neighbours are those of the server's own exact search.")
            return found
    return read(side, pool, queries, own, request.k, size, tell=tell, cancelled=cancelled)


def _renumbered(questions: Questions, usable: Mask) -> Questions:
    number = anew_numbers(usable)
    queries = [
        replace(query, number=int(number[query.number])) if query.number >= 0 else query
        for query in questions.queries
    ]
    return replace(questions, queries=queries)
