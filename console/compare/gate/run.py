"""One gate from two addresses to a stored verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from console.compare.cutoffs import possible_at
from console.compare.gate.gather import keeping
from console.compare.gate.gather.evidence import Gathering
from console.compare.gate.gather.sides import opened
from console.compare.gate.limits import asked
from console.compare.gate.outcome import Verdict
from console.compare.gate.request import GateRequest
from console.compare.gate.verdict import Judged, answerable, judge, overall, unasked
from console.compare.gate.wording import few, named
from console.compare.request import K
from console.health.jsonable import jsonable
from console.health.policy import policy
from console.progress import Cancelled, Tell, quiet
from console.search.golden import find
from console.store import Gates, new_id

if TYPE_CHECKING:
    from console.compare.gate.gather.sides import Side
    from console.settings import GateSettings
    from console.workspace import Workspace

FORMAT: Final = 1
"""Of the stored JSON; raised when an older reader could not draw it."""


@dataclass(frozen=True, slots=True, eq=False)
class GateResult:
    """`data`: the JSON of `plumbline gate`."""

    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def verdict(self) -> Verdict:
        return self.data["verdict"]

    def to_json(self) -> Mapping[str, Any]:
        return self.data


def run_gate(
    ws: Workspace,
    left: str,
    right: str,
    golden: str | None,
    *,
    waive: Mapping[str, str] | None = None,
    match_on: str | None = None,
    threshold: float | None = None,
    k: int = K,
    seed: int = 0,
    settings: GateSettings | None = None,
    tell: Tell = quiet,
    cancelled: Callable[[], bool] = lambda: False,
) -> GateResult:
    """Whether RIGHT may take over from LEFT. Writes to no database; its report, comparison and evaluations are stored,
    the gate itself by `keep`.

    Args:
        golden: `NAME` (the newest version), `NAME@VERSION` or `NAME@draft`; None: quality can't be measured.
        waive: condition -> reason, for what can't be measured.
        match_on: a payload field by whose value rows are matched; None: by id.
        threshold: a cutoff in LEFT's own score.
        settings: in place of the workspace's `[gate]`.

    Raises:
        PlumblineError: where a side can't be looked at at all, `usage` for a waiver of a condition that is not there or
            not asked for, and for a cutoff that no score can be or that nothing is asked of, `not-found` for a golden set.
        Cancelled: `cancelled()` said so.
    """
    request = GateRequest(left, right, golden, dict(waive or {}), match_on, threshold, k, seed).check()
    began, at = time.monotonic(), datetime.now(UTC)
    wanted = asked(settings or ws.settings.gate, policy(ws.settings.policy), threshold)
    answerable(request.waive, wanted.left_out)
    unasked(threshold, wanted.left_out)
    judging = find(ws, golden) if golden is not None else None
    sides = opened(ws, left), opened(ws, right)
    cutoff, metric = wanted.limits["threshold"]["cutoff"], sides[0].field.metric
    if cutoff is not None and metric is not None and "threshold" in wanted.conditions:
        possible_at(float(cutoff), sides[0].reader.spec.kind, metric)
    gathered = Gathering(ws, request, wanted, sides, judging, tell, cancelled).gather()
    judged = judge(gathered.evidence, wanted.conditions, wanted.limits, request.waive)
    data = {
        "id": new_id(at, "g"),
        "at": at.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 3),
        "left": sides[0].where,
        "right": sides[1].where,
        "golden": None if judging is None else {"name": judging.name, "version": judging.version},
        "verdict": overall(judged),
        "summary": summary(judged),
        "conditions": [one.to_json() for one in judged],
        "left_out": [{"name": name, "why": why} for name, why in wanted.left_out],
        "notes": list(gathered.notes),
        "report": None,
        "comparison": None,
        "evaluations": None,
        **gathered.stored,
        "sides": {"left": _side(sides[0]), "right": _side(sides[1])},
        "limits": {name: dict(wanted.limits[name]) for name in wanted.conditions},
        "request": request.to_json(),
        "format": FORMAT,
    }
    return GateResult(cast("Mapping[str, Any]", jsonable(data)))


def keep(ws: Workspace, result: GateResult) -> str:
    """Stores a gate as evidence; returns its id. Raises what the store raises."""
    return Gates.open(ws).save(result.data)


def kept(ws: Workspace, result: GateResult) -> GateResult:
    """The same, stored; without an id, and with a sentence in `notes`, where the store does not take it."""
    notes: list[str] = list(result.data["notes"])
    made = keeping.kept("gate", lambda: keep(ws, result), notes)
    return GateResult({**result.data, "id": made, "notes": notes})


def run(ws: Workspace, request: Mapping[str, Any], tell: Tell, cancelled: Callable[[], bool]) -> str:
    """A gate from its request as JSON to the id of what was stored. Raises as `run_gate` and `keep` do."""
    asked_for = GateRequest.from_json(request)
    found = run_gate(
        ws,
        asked_for.left,
        asked_for.right,
        asked_for.golden,
        waive=asked_for.waive,
        match_on=asked_for.match_on,
        threshold=asked_for.threshold,
        k=asked_for.k,
        seed=asked_for.seed,
        tell=tell,
        cancelled=cancelled,
    )
    if cancelled():
        raise Cancelled
    return keep(ws, found)


def summary(judged: Sequence[Judged]) -> str:
    """One sentence: whether the new side may take over, and what stands against it."""
    failed = [one.name for one in judged if one.outcome.verdict == "fail"]
    open_ = [one.name for one in judged if one.outcome.verdict == "not_measurable" and not one.holds]
    waived = [one.name for one in judged if one.effect == "waived"]
    if failed:
        more = f", and {named(open_)} can't be measured" if open_ else ""
        return f"The new side may not take over: {named(failed)} failed{more}."
    if open_ or not judged:
        told = f"{named(open_)} can't be measured" if open_ else "no condition was asked for"
        return f"Whether the new side may take over is not known: {told}."
    passed = len(judged) - len(waived)
    if not passed:
        told = few(len(waived), "the only condition was", "all {} conditions were")
        return f"Nothing was measured: {told} waived, and the new side may take over by that alone."
    more = f", {named(waived)} waived" if waived else ""
    return f"The new side may take over: {passed} condition{'s' * (passed != 1)} passed{more}."


def _side(side: Side) -> dict[str, Any]:
    server = side.reader.server()
    return {
        "address": side.where,
        "collection": side.target.collection,
        "vector": side.field.name,
        "dimension": side.field.dimension,
        "metric": side.field.metric,
        "rows": side.description.rows,
        "server": {"kind": server.kind, "version": server.version},
    }
