"""One comparison from its request to its figures: sides, pool, queries, one pass over the vectors, measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from connectors.errors import PlumblineError
from connectors.filters import fields_of
from console.compare import figures, indexes, nonsense, quality, spaces, words
from console.compare.cohorting import cohorts_json, fields_for, left_out
from console.compare.cutoffs import possible, scores_json, thresholds_json
from console.compare.exact import Exact, exactly
from console.compare.indexes import Reach
from console.compare.measures import chance
from console.compare.pool import Matched, Pool, alone, hold, match, nothing_matched
from console.compare.queries import Questions, drawn, given, golden_of, none_left, whose
from console.compare.request import ENCODED_ROWS, CompareRequest, P, usage
from console.compare.sides import Encoded, Name, Side, Stored, encode_pool, open_side
from console.health.policy import policy
from console.health.table import F32
from console.progress import Cancelled, Progress, Tell, quiet
from console.search.answer import finite
from console.store import new_id

if TYPE_CHECKING:
    from console.compare.indexes import Found
    from console.compare.nearest import Nearest
    from console.search.golden.model import GoldenQuery, GoldenSet
    from console.workspace import Workspace

FEWEST_ROWS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`data`: the JSON of `plumbline compare`. `arrays`: what is kept beside it, the points of the picture."""

    data: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]

    @property
    def id(self) -> str:
        return str(self.data["id"])


def compare(
    ws: Workspace,
    request: CompareRequest,
    *,
    tell: Tell = quiet,
    cancelled: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Compares, writes nothing, stores nothing.

    Raises:
        PlumblineError: `usage` for a request that can't be answered (no row in common, no query left), what the sides
            raise (`not-found`, `vector-ambiguous`, `encoder-unknown`, `encoder-mismatch`, `unreachable`, …).
        Cancelled: `cancelled()` said so.
    """
    return _Run(ws, request.check(), tell, cancelled).comparison()


class _Run:
    def __init__(
        self, ws: Workspace, request: CompareRequest, tell: Tell, cancelled: Callable[[], bool]
    ) -> None:
        self.ws, self.request = ws, request
        self.tell, self.cancelled = tell, cancelled
        self.began, self.at = time.monotonic(), datetime.now(UTC)
        self.unmeasured: list[dict[str, str]] = []
        self.warnings: list[str] = []
        self.whose: Name = "left"
        """The side that a golden set's ids are of."""
        self.sampled = False
        """The pool is a random sample of the rows that could be compared."""

    def comparison(self) -> Comparison:
        request = self.request
        golden, asked = golden_of(self.ws, request)
        left, right = (self._opened(name, asked) for name in ("left", "right"))
        possible(request, left)
        matched, pool, reaches, note = self._pool(left, right)
        cohorts = fields_for(self.ws, left, right, request.cohorts)
        questions = self._questions(left, right, pool, golden, asked, cohorts)
        senseless = self._senseless(left, right)
        exact = exactly(
            left, right, pool, questions, None if isinstance(senseless, str) else senseless, request,
            warn=self.warnings.append, tell=self.tell, cancelled=self.cancelled,
        )  # fmt: skip
        matched = self._usable(matched, len(pool), exact)
        pool, questions, samples = exact.pool, exact.questions, exact.samples
        lists = figures.Lists.of(*exact.lists, request.k)
        self._blurred(lists)
        found = [
            self._asked(side, pool, questions, near, reaches.get(side.name))
            for side, near in zip((left, right), exact.lists, strict=True)
        ]
        judged = self._judged(golden, questions, lists, pool, left, right)
        self._say("Counting")
        space = spaces.measured(
            left,
            right,
            pool,
            *samples,
            request.k,
            cohorts,
            sampled=self.sampled or len(samples[0]) < len(pool),
        )
        self.unmeasured += space.unmeasured
        strays = words.outliers(space.structure["outliers"])
        if strays:
            self.warnings.append(strays)
        nothing = exact.senseless or str(senseless)
        thresholds, untold = thresholds_json(
            request, left, right, lists, questions, judged, cohorts, nothing, len(pool)
        )
        self.unmeasured += untold
        measured = figures.neighbour_sets(lists)
        noise = figures.index_noise(lists, found[0], found[1])
        line = policy(self.ws.settings.policy).get("low-ann-recall", "warning")
        low = words.low_indexes(noise, line)
        self.warnings += [words.low_index(name, held, line) for name, held in low.items()]
        data: dict[str, Any] = {
            "id": new_id(self.at, "c"),
            "at": self.at.isoformat(timespec="seconds"),
            "seconds": 0.0,
            "k": request.k,
            "p": P,
            "seed": request.seed,
            "request": request.to_json(),
            "summary": "",
            "left": left.address,
            "right": right.address,
            "sides": {"left": left.to_json(), "right": right.to_json()},
            "queries": len(questions),
            "query_source": self._source(golden, questions),
            "matched": matched.to_json(),
            "pool": {
                "rows": len(pool),
                "of": matched.rows,
                "exact": len(pool) == matched.rows,
                "why": note,
                "without_vector": {"left": exact.without[0], "right": exact.without[1]},
            },
            **measured,
            "noise": {
                "chance": chance(request.k, len(pool) - int(bool((questions.own >= 0).all()))),
                **noise,
                "anchors": space.anchors,
            },
            "structure": space.structure,
            "scores": scores_json(left, right, lists, *samples, request.seed),
            "thresholds": thresholds,
            "quality": None if judged is None else judged.to_json(),
            "cohorts": self._cohorts(lists, questions, judged, cohorts),
            "changed": figures.changed(
                lists, questions.queries, pool, left, right, None if judged is None else judged.grades
            ),
            "map": space.map,
            "not_measured": self.unmeasured,
            "warnings": list(dict.fromkeys(self.warnings)),
        }
        data["summary"] = words.summary(data, low)
        data["seconds"] = round(time.monotonic() - self.began, 3)
        return Comparison(finite(data), space.arrays)

    # Steps

    def _opened(self, name: Any, asked: Sequence[GoldenQuery]) -> Side:
        if self.cancelled():
            raise Cancelled
        address = self.request.left if name == "left" else self.request.right
        # Rows are asked by what is stored of them: see `queries.given`.
        encoded = [q for q in asked if q.text is not None or q.image is not None]
        return open_side(
            self.ws,
            name,
            address,
            [replace(q, row=None) for q in encoded],
            tell=self.tell,
            cancelled=self.cancelled,
        )

    def _pool(self, left: Side, right: Side) -> tuple[Matched, Pool, dict[str, Reach], str | None]:
        request = self.request
        stored = [s for s in (left, right) if isinstance(s, Stored)]
        held = [
            hold(
                side.opened.connector, side.opened.target, match_on=request.match_on if len(stored) > 1 else None,
                counts=request.filter,
                asks=request.query_filter if side is stored[0] else None,
                seed=request.seed, several=side.tenants, phase=f"Reading the ids of the {side.name} side", tell=self.tell,
                cancelled=self.cancelled,
            )
            for side in stored
        ]  # fmt: skip
        if len(held) == 2:
            matched, pool = match(held[0], held[1], request.match_on, request.seed)
            if not matched.rows:
                raise nothing_matched(
                    matched, left.address, right.address, held[0].rows.ids, held[1].rows.ids
                )
        else:
            matched, pool = alone(held[0], request.seed)
            if request.match_on is not None:
                self.warnings.append("--match-on has no effect: one side is encoded from the other's rows.")
        note = None
        if request.filter is not None:
            note = f"Only rows that pass the filter on {', '.join(fields_of(request.filter)) or 'ids'} count."
        most = request.rows
        if len(stored) == 1 and most is None:
            most = ENCODED_ROWS
        if most is not None and most < len(pool):
            note = f"{note or ''} A random sample of {most:,} rows: neighbours in it are farther than in the whole."
            pool, self.sampled = pool.first(most), True
        for side in (left, right):
            if isinstance(side, Encoded):
                before = len(pool)
                pool = encode_pool(self.ws, side, stored[0], pool, self.tell, self.cancelled)
                if before == matched.rows:
                    matched = _encodable(matched, side.name, len(pool))
                elif len(pool) < before:
                    note = f"{note or ''} {before - len(pool):,} rows of it could not be encoded."
        if len(pool) < FEWEST_ROWS:
            raise usage(
                f"{len(pool):,} {'row is' if len(pool) == 1 else 'rows are'} left to compare; two are needed.",
                request.key,
                "Widen the filter, or take more rows.",
            )
        where = request.filter
        reaches = {
            side.name: Reach(where, int(rows.counts.sum()))
            if where is not None and (side is stored[0] or matched.passing)
            else Reach(None, len(rows))
            for side, rows in zip(stored, held, strict=True)
        }
        return matched, pool, reaches, None if note is None else note.strip()

    def _questions(
        self,
        left: Side,
        right: Side,
        pool: Pool,
        golden: GoldenSet | None,
        asked: Sequence[GoldenQuery],
        cohorts: Sequence[str],
    ) -> Questions:
        self._say("Reading the queries")
        if asked and self.request.query_filter is not None:
            self.warnings.append(
                "--query-filter has no effect: the queries are given ones, not rows that are drawn."
            )
        if asked:
            kind = "golden" if golden is not None else None
            self.whose = whose(golden, left, right, pool)
            found = given(left, right, pool, asked, self.request.cohorts, kind, self.whose)
        else:
            found = drawn(left, right, pool, self.request.queries, cohorts)
        if not len(found):
            raise none_left(found, self.request)
        return found

    def _usable(self, matched: Matched, rows: int, exact: Exact) -> Matched:
        """Says which of the pool's `rows` can't be found, and counts them as missing where the pool is all there is."""
        for name, without in zip(("left", "right"), exact.without, strict=True):
            if without:
                have = "row has" if without == 1 else "rows have"
                self.warnings.append(
                    f"{without:,} of the pool's {have} no vector with a direction on the {name} side:"
                    " they are left out on both."
                )
        if len(exact.pool) < FEWEST_ROWS:
            raise usage(
                f"Of {rows:,} rows {len(exact.pool):,} have a vector with a direction on both sides; two are needed.",
                self.request.key,
                "See what `plumbline check` says of each side.",
            )
        if rows != matched.rows:
            return matched
        left, right = matched.left - exact.without[0], matched.right - exact.without[1]
        return replace(matched, rows=len(exact.pool), left=left, right=right)

    def _blurred(self, lists: figures.Lists) -> None:
        count = int(np.count_nonzero(lists.blurred))
        if count:
            self.warnings.append(
                f"{count:,} of {len(lists.blurred):,} queries have so many rows as near as the {lists.k}-th that they"
                " can't all be told: these queries count in no figure of neighbours."
            )

    def _asked(
        self, side: Side, pool: Pool, questions: Questions, near: Nearest, reach: Reach | None
    ) -> Found | str | None:
        request = self.request
        if not isinstance(side, Stored) or reach is None:
            return None
        if side.tenants:
            self.warnings.append(
                "Neighbours are counted over all tenants together; who searches within one compares it alone:"
                " COLLECTION@TENANT."
            )
        if request.rows is not None and len(pool) == request.rows:
            return "The pool is a sample: the index searches all rows."
        if side.opened.connector.spec.snapshot is not None:
            return "A snapshot file has no running index."
        if len(pool) < indexes.SHARE * reach.rows:
            return f"Under {indexes.SHARE:.0%} of the rows that the index searches are in the pool: it finds others."
        queries = questions.left if side.name == "left" else questions.right
        try:
            found = indexes.ask(
                side,
                pool,
                queries,
                questions.own,
                request.k,
                near,
                reach,
                tell=self.tell,
                cancelled=self.cancelled,
            )
        except PlumblineError as fault:
            return f"{fault.message} ({fault.code})"
        if found.unknown.any():
            self.unmeasured.append(
                {
                    "what": f"the {side.name} index, {int(found.unknown.sum()):,} of {len(queries):,} queries",
                    "why": f"Among its {indexes.MOST:,} nearest rows fewer than {request.k} are on both sides.",
                }
            )
        return found

    def _judged(
        self,
        golden: GoldenSet | None,
        questions: Questions,
        lists: figures.Lists,
        pool: Pool,
        left: Side,
        right: Side,
    ) -> quality.Quality | None:
        if golden is None:
            return None
        source = left if self.whose == "left" else right
        assert isinstance(source, Stored)
        self._say("Judging")
        return quality.judge(
            golden, questions.queries, lists, pool, source, tell=self.tell, cancelled=self.cancelled
        )

    def _cohorts(
        self,
        lists: figures.Lists,
        questions: Questions,
        judged: quality.Quality | None,
        fields: Sequence[str],
    ) -> dict[str, Any]:
        self.unmeasured += left_out(questions, fields, self.request.cohorts)
        return cohorts_json(lists, questions, judged, fields, self.request.seed)

    def _senseless(self, left: Side, right: Side) -> tuple[F32, F32] | str:
        request = self.request
        if request.threshold is None and not request.given and request.golden is None:
            return "Asked where there is a threshold, or texts are: it needs the encoders."
        return nonsense.encoded(self.ws, left, right, request.seed, tell=self.tell)

    def _source(self, golden: GoldenSet | None, questions: Questions) -> dict[str, Any]:
        kind = "golden" if golden is not None else "given" if self.request.given else "rows"
        return {
            "kind": kind,
            "golden": None
            if golden is None
            else {"name": golden.name, "version": "draft" if golden.version is None else golden.version},
            "dropped": [{"why": why, "queries": n} for why, n in questions.dropped.most_common()],
        }

    def _say(self, phase: str) -> None:
        if self.cancelled():
            raise Cancelled
        self.tell(Progress(phase))


def _encodable(matched: Matched, side: str, rows: int) -> Matched:
    """Rows that the encoder could not make are not on its side."""
    return replace(matched, rows=rows, left=rows if side == "left" else matched.left,
                   right=rows if side == "right" else matched.right)  # fmt: skip
