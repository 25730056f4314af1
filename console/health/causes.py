"""Which findings are causes and which follow from them: folds, peeling, controls, and the group that names a cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health import registry
from console.health.associating import associated
from console.health.findings import Finding, Mask
from console.health.grouping import Groups, chance, name_group
from console.health.likeness import Alike, alike
from console.health.method import CONSTANT
from console.health.parts import among, anew, in_part
from console.health.peeling import Peel, Peeling, Suspect
from console.health.undoing import undone
from console.search.proportions import clopper_pearson

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.policy import Policy
    from console.health.registry import Check

__all__ = ["explain", "name_group"]

WITHIN: Final[Mapping[str, int]] = {
    "encoder-mismatch": 1,
    "metric-mismatch": 1,
    "same-source-different-vector": 2,
    "text-vector-disagreement": 3,
    "low-ann-recall": 1,
}
"""Order inside a stage, 0 where not named: rows of another encoder or on the wrong place are found again by
re-encoding, and by what their neighbours and twins say; a metric suits lengths that are right."""

SOURCES: Final = frozenset({"empty-source", "cut-source"})
"""What was embedded comes before every vector: nothing in a vector explains it."""

NO_EDGE: Final = frozenset({("encoder-mismatch", "duplicate-vectors")})
"""Re-encoding meets every vector that is not the row's own, a placeholder's too; it is not what put it there."""

COLLAPSE: Final = "collapsed-neighbors"
FLOOD: Final = "filter-masking"
MOVED: Final = "text-vector-disagreement"
PAIRS: Final = "same-source-different-vector"
_IDENTITY: Final = registry.STAGES.index("identity")

NO_CAUSE: Final = frozenset({"untagged-rows"})
"""A tag that is not there changes no vector: whoever left it out may have done more, and that is another finding."""


def explain(
    findings: Sequence[Finding],
    evidence: Evidence,
    rules: Policy,
    rng: np.random.Generator,
    *,
    checks: Mapping[str, Check] | None = None,
) -> list[Finding]:
    """The findings that fire, with `because_of` and `group` set; aggregates under their line are dropped.

    `because_of` holds ids of roots, never of something in between. The order of `findings` changes nothing.
    """
    return _Explaining(findings, evidence, rules, rng, registry.checks() if checks is None else checks).done()


class _Explaining:
    def __init__(
        self,
        findings: Sequence[Finding],
        evidence: Evidence,
        rules: Policy,
        rng: np.random.Generator,
        checks: Mapping[str, Check],
    ) -> None:
        self.evidence, self.rules, self.rng, self.checks = evidence, rules, rng, checks
        self.groups = Groups(evidence.table)
        self.firing = [
            self.named(f)
            for f in sorted(
                (f for f in findings if f.severity is not None), key=lambda f: (*self.place(f), f.id)
            )
        ]
        self.direct: dict[str, tuple[str, ...]] = {}
        self.proof: dict[str, dict[str, Any]] = {}
        self.likeness: dict[str, Alike | None] = {}

    def done(self) -> list[Finding]:
        rows = [f for f in self.firing if self.has_rows(f)]
        self.moved()
        for finding in rows:
            if self.kind(finding) == "rows":
                self.fold(finding, rows)
        for finding in self.firing:
            if finding.id not in self.direct and self.kind(finding) in ("aggregate", "drift"):
                self.attempt(finding, rows)
        self.flood()
        return [self.explained(f) for f in self.firing]

    def attempt(self, finding: Finding, rows: Sequence[Finding]) -> None:
        """A figure that can't be evaluated again stands for itself; the report is not lost with it."""
        try:
            self.peel(finding, rows)
        except (ArithmeticError, LookupError, ValueError, TypeError) as fault:
            self.proof[finding.id] = {"causes": [], "not_told": type(fault).__name__}

    def moved(self) -> None:
        """Rows that hold another's text make pairs of one text with two vectors: where there are no more of those than
        the moved rows make, they are the same fault seen twice.

        A share s of moved rows makes 1 - (1 - s)^2 of the pairs differ. Half of the moved rows and more are seen as
        far (`tail` and `rank` of the check), so s is at most twice the upper end of their share; a group that lies
        apart is moved as a whole.
        """
        far = next((f for f in self.firing if f.id == MOVED), None)
        pairs = next((f for f in self.firing if f.id == PAIRS), None)
        if far is None or pairs is None or pairs.interval is None or far.rank < 2:
            return
        if far.effect is None or far.effect.high is None:
            return
        s = min(1.0, max(2 * far.effect.high, (far.share or 0.0) if far.group is not None else 0.0))
        most = 1 - (1 - s) ** 2
        if pairs.interval[0] <= most:
            self.direct[pairs.id] = (far.id,)
            self.proof[pairs.id] = {"causes": [far.id], "pairs": pairs.share, "pairs_of_moved_rows": most}

    def flood(self) -> None:
        """One value that floods results is seen twice where the collapse goes away without its rows."""
        collapses = [f for f in self.firing if f.code == COLLAPSE and f.id not in self.direct]
        floods = [f for f in self.firing if f.code == FLOOD and f.id not in self.direct]
        for collapse in collapses:
            for flood in floods:
                if flood.group is None:
                    continue
                rows = self.groups.rows(flood.group)
                found = self.peeling(collapse).causes([Suspect(flood.id, rows)])
                if found is not None:
                    self.direct[flood.id] = (collapse.id,)
                    self.proof[flood.id] = {**found.to_json(), "causes": [collapse.id], "left_out": flood.id}

    def peeling(self, finding: Finding) -> Peeling:
        return Peeling(finding, self.checks[finding.code], self.evidence, self.rules, self.rng)

    def place(self, finding: Finding) -> tuple[int, int]:
        check = self.checks.get(finding.code)
        if finding.code in SOURCES:
            return -1, 0
        stage = registry.STAGES.index(check.stage) if check else len(registry.STAGES)
        return stage, WITHIN.get(finding.code, 0)

    def kind(self, finding: Finding) -> str:
        check = self.checks.get(finding.code)
        return check.kind if check else "state"

    @staticmethod
    def has_rows(finding: Finding) -> bool:
        return finding.affected is not None and bool(finding.affected.any())

    def named(self, finding: Finding) -> Finding:
        """With the group of its rows, and two fields together where no one does."""
        if finding.group is not None or finding.affected is None:
            return finding
        names = self.evidence.names
        skip = {names.version} if finding.code == "untagged-rows" else set[str]()
        group = self.groups.name(finding.affected, finding.examined, skip)
        if group is not None:
            return finding.but(group=group)
        pair = self.groups.pair(finding.affected, finding.examined, skip)
        if pair is not None:
            return finding.but(evidence={**finding.evidence, "group_pair": pair})
        around = self.groups.within(finding.affected, finding.examined, skip)
        return finding if around is None else finding.but(evidence={**finding.evidence, "within": around})

    def earlier(self, finding: Finding, others: Sequence[Finding]) -> list[Finding]:
        """Findings with rows that an edge to `finding` may come from."""
        place = self.place(finding)
        return [
            o
            for o in others
            if self.place(o) < place and o.code not in NO_CAUSE and (o.code, finding.code) not in NO_EDGE
        ]

    def row_causes(self, finding: Finding, rows: Sequence[Finding]) -> list[Finding]:
        """Rows that an aggregate names are those at which it shows, not those that are at fault: pairs of one source
        hold the wrong row and the right one. They tell of another finding of the same stage, and of nothing else.
        """
        stage = self.place(finding)[0]
        return [
            c
            for c in self.earlier(finding, rows)
            if self.kind(c) == "rows" or self.place(c)[0] == stage == _IDENTITY
        ]

    def fold(self, finding: Finding, rows: Sequence[Finding]) -> None:
        """Row faults: under the one that holds nine tenths of the rows most tightly, else under several that do."""
        held = [
            (cause, inside)
            for cause in self.row_causes(finding, rows)
            if (inside := self.inside(finding, cause)) is not None
        ]
        whole = [(c, i) for c, i in held if i.share >= CONSTANT["fold_share"]]
        if whole:
            cause, inside = max(whole, key=lambda pair: pair[1].jaccard)
            self.direct[finding.id] = (cause.id,)
            self.proof[finding.id] = {"causes": [cause.id], "share_of_rows": inside.share}
            return
        roots = [(c, i) for c, i in held if c.id not in self.direct]
        self.fold_together(finding, [c for c, _ in roots])

    def fold_together(self, finding: Finding, causes: Sequence[Finding]) -> None:
        looked = self.looked(finding, *causes)
        own = _of(finding) & looked
        total = int(np.count_nonzero(own))
        left, chosen = own.copy(), list[Finding]()
        remaining = list(causes)
        while remaining and total:
            counts = [int(np.count_nonzero(left & _of(c))) for c in remaining]
            at = int(np.argmax(counts))
            if counts[at] < CONSTANT["part_share"] * total:
                return
            chosen.append(remaining.pop(at))
            left &= ~_of(chosen[-1])
            share = 1 - int(np.count_nonzero(left)) / total
            if share >= CONSTANT["fold_share"]:
                ids = tuple(c.id for c in self.firing if c in chosen)
                self.direct[finding.id] = ids
                self.proof[finding.id] = {"causes": list(ids), "share_of_rows": share}
                return

    def looked(self, *findings: Finding) -> Mask:
        """The rows that every one of the checks examined."""
        looked = self.evidence.kept
        for finding in findings:
            if finding.examined is not None:
                looked = looked & finding.examined
        return looked

    def inside(self, finding: Finding, cause: Finding) -> _Inside | None:
        """How `finding`'s rows lie in the cause's, among those that both examined; None: no more than by chance."""
        looked = self.looked(finding, cause)
        own, theirs = _of(finding) & looked, _of(cause) & looked
        rows, others = int(np.count_nonzero(own)), int(np.count_nonzero(theirs))
        both = int(np.count_nonzero(own & theirs))
        if not both or chance(both, int(np.count_nonzero(looked)), others, rows) > CONSTANT["chance"]:
            return None
        return _Inside(both / rows, both / (rows + others - both))

    def peel(self, finding: Finding, rows: Sequence[Finding]) -> None:
        roots = [f for f in self.row_causes(finding, rows) if f.id not in self.direct]
        by_query = associated(finding, roots, self.evidence, self.rng)
        if by_query is not None:
            self.direct[finding.id], self.proof[finding.id] = by_query
            return
        suspects = [self.suspect(f) for f in roots]
        if suspects and finding.effect is not None:
            found: Peel | None = self.peeling(finding).causes(suspects)
            if found is not None and self.stays_away(finding, [s for s in suspects if s.id in found.causes]):
                self.direct[finding.id] = found.causes
                told = {c: like.to_json() for c in found.causes if (like := self.likeness.get(c))}
                self.proof[finding.id] = {**found.to_json(), **({"by_likeness": told} if told else {})}
                return
        if any(f.examined is not None and self.likeness.get(f.id) is None for f in roots):
            partly = in_part(finding, roots, self.evidence) or among(
                finding, roots, self.evidence, self.checks[finding.code], self.rules, self.rng
            )
            if partly is not None:
                self.direct[finding.id], self.proof[finding.id] = partly
                return
        same = [f for f in self.firing if f.code == finding.code and f is not finding]
        for cause in (*self.earlier(finding, self.firing), *same):
            left = undone(cause, finding, self.evidence)
            if left is not None:
                self.direct[finding.id] = (cause.id,)
                self.proof[finding.id] = left
                return

    def stays_away(self, finding: Finding, causes: Sequence[Suspect]) -> bool:
        """Whether the figure does not fire either where what it rests on is measured anew without the causes' rows."""
        rows = self.evidence.good.copy()
        for cause in causes:
            rows &= ~cause.rows
        again = anew(finding, rows, self.evidence, self.checks[finding.code], self.rules, self.rng)
        return again is None or (again.rank < finding.rank and again.rank < 2)

    def suspect(self, cause: Finding) -> Suspect:
        """The cause's rows; where it looked at few rows only, also those of the others that its group names, or else
        that are like its own. How many they are is an estimate then.
        """
        rows = _of(cause)
        if cause.examined is None:
            return Suspect(cause.id, rows)
        n, own = int(np.count_nonzero(cause.examined)), int(np.count_nonzero(rows & cause.examined))
        if cause.group is not None:
            rows = rows | (self.groups.rows(cause.group) & ~cause.examined)
        else:
            if cause.id not in self.likeness:
                self.likeness[cause.id] = alike(cause, self.evidence)
            like = self.likeness[cause.id]
            rows = rows if like is None else rows | like.rows
        return Suspect(cause.id, rows, own / n - clopper_pearson(own, n)[0] if n else 0.0)

    def roots(self, finding_id: str) -> tuple[str, ...]:
        causes = self.direct.get(finding_id)
        if causes is None:
            return (finding_id,)
        return tuple(dict.fromkeys(root for c in causes for root in self.roots(c)))

    def explained(self, finding: Finding) -> Finding:
        proof = self.proof.get(finding.id)
        if proof is not None:
            finding = finding.but(evidence={**finding.evidence, "because_of": proof})
        if finding.id not in self.direct:
            return finding
        return finding.but(because_of=self.roots(finding.id))


class _Inside:
    __slots__ = ("jaccard", "share")

    def __init__(self, share: float, jaccard: float) -> None:
        self.share, self.jaccard = share, jaccard


def _of(finding: Finding) -> Mask:
    assert finding.affected is not None
    return finding.affected
