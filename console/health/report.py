"""The report of one vector field at one time, as CLI.md's contract has it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy.typing as npt

from connectors.errors import PlumblineError
from console.health import accepting, registry
from console.health.accepting import Place
from console.health.baseline import kept
from console.health.estimating import estimated
from console.health.findings import NotMeasured
from console.health.inference import inferred_versions
from console.health.jsonable import jsonable
from console.health.leading import headline, limits
from console.health.probes.poison import blind
from console.health.since import Clock, Since
from console.health.wording import plain, sentence, since_text, whole_collection, with_group
from console.settings import Address, parse_address

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Finding
    from console.health.policy import Policy
    from console.settings import Accepted

Verdict = Literal["healthy", "degraded", "broken", "not_known"]
FORMAT: Final = 1
"""Of the stored JSON; raised when an older reader could not draw it."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """`data`: the JSON of `plumbline check`. `arrays`: what is kept beside it for later comparisons."""

    data: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    findings: Sequence[Finding] = ()
    """With their bitmaps, while the check that made them is at hand; empty for a stored report."""
    evidence: Evidence | None = None

    @property
    def verdict(self) -> Verdict:
        return self.data["verdict"]

    @property
    def id(self) -> str:
        return str(self.data["id"])

    def to_json(self) -> Mapping[str, Any]:
        return self.data

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> Report:
        """A stored report: everything that page and command line draw is in `data`."""
        return cls(data, {} if arrays is None else arrays)


def build(
    evidence: Evidence,
    rules: Policy,
    findings: Sequence[Finding],
    unmeasured: Sequence[NotMeasured],
    *,
    accepted: Sequence[Accepted],
    at: datetime,
    seconds: float,
) -> Report:
    """Ranks, accepts, and writes the report. `at` needs a zone."""
    written = _Writing(evidence, rules, findings, unmeasured, accepted, at, seconds)
    return Report(written.data(), kept(evidence), written.findings, evidence)


class _Writing:
    def __init__(
        self,
        evidence: Evidence,
        rules: Policy,
        findings: Sequence[Finding],
        unmeasured: Sequence[NotMeasured],
        accepted: Sequence[Accepted],
        at: datetime,
        seconds: float,
    ) -> None:
        self.evidence, self.rules, self.at, self.seconds = evidence, rules, at, seconds
        self.unmeasured = list(dict.fromkeys(unmeasured))
        self.place = Place.of(_address(evidence.address), evidence.description, evidence.field.name)
        self.blind = blind(evidence) if evidence.scan.scanned else ""
        self.expired: dict[str, Accepted] = {}
        self.since: dict[str, Since] = {}
        clock = Clock(evidence)
        self.findings = ranked([self._dated(self._accepted(f, accepted), clock) for f in findings])
        self.roots = roots(self.findings)

    def data(self) -> dict[str, Any]:
        evidence, scan = self.evidence, self.evidence.scan
        listed = [self._finding(f) for f in self.findings]
        verdict = verdict_of(self.findings, scan.scanned, self.blind)
        symptoms = {r.id: [f.id for f in self.findings if r.id in f.because_of] for r in self.findings}
        for one in listed:
            one["symptom_ids"] = symptoms[one["id"]]
        data = {
            "id": report_id(evidence.address, self.at, self.seconds),
            "at": self.at.isoformat(timespec="seconds"),
            "address": evidence.address,
            "vector": evidence.field.name,
            "verdict": verdict,
            "headline": headline(verdict, self.findings, self.roots, self.since, evidence, self.blind),
            "server": {"kind": evidence.server.kind, "version": evidence.server.version},
            "rows": scan.rows,
            "scanned": scan.scanned,
            "exact": scan.exact,
            "seed": scan.seed,
            "baseline": None if evidence.baseline is None else evidence.baseline.id,
            "seconds": round(self.seconds, 3),
            "profile": {**_field(evidence), **evidence.profile.to_json()},
            "findings": listed,
            "root_causes": list(dict.fromkeys(f.code for f in self.roots)),
            "root_ids": [f.id for f in self.roots],
            "not_measured": [{"check": u.check, "why": plain(u.why)} for u in self.unmeasured],
            "inferred_versions": inferred_versions(evidence),
            "policy": self.rules.to_json(),
            "limits": limits(evidence),
            "index": _index(evidence),
            "encoder": getattr(evidence.encoder, "name", None),
            "fields": _fields(evidence),
            "started": scan.started or None,
            "collection": evidence.description.target.collection,
            "format": FORMAT,
        }
        return cast("dict[str, Any]", jsonable(data))

    def _accepted(self, finding: Finding, accepted: Sequence[Accepted]) -> Finding:
        today = self.at.astimezone(UTC).date()
        now, once = accepting.acceptance(finding, accepted, self.place, today)
        if once is not None:
            self.expired[finding.id] = once
        return finding if now is None else finding.but(accepted=accepting.to_json(now))

    def _dated(self, finding: Finding, clock: Clock) -> Finding:
        if finding.since is not None:
            self.since[finding.id] = Since(finding.since, "rows")
            return finding
        since = clock.since(finding)
        if since is None:
            return finding
        self.since[finding.id] = since
        return finding.but(since=since.at)

    def _finding(self, finding: Finding) -> dict[str, Any]:
        check = registry.checks().get(finding.code)
        names, since = self.evidence.names, self.since.get(finding.id)
        estimate = estimated(finding, self.evidence)
        parts = [sentence(with_group(finding, names.version, names.modality))]
        if estimate is not None and finding.rows is not None:
            parts.append(whole_collection(estimate, self.evidence.scan.rows))
        if since is not None:
            parts.append(since_text(since.at, since.basis))
        codes = {f.id: f.code for f in self.findings}
        once = self.expired.get(finding.id)
        return {
            "id": finding.id,
            "code": finding.code,
            "key": finding.key,
            "fault": check.fault if check else finding.code,
            "severity": finding.severity,
            "summary": " ".join(parts),
            "basis": finding.basis,
            "rows": finding.rows,
            "rows_estimated": None
            if estimate is None
            else {"value": estimate[0], "low": estimate[1], "high": estimate[2]},
            "share": finding.share,
            "interval": None if finding.interval is None else list(finding.interval),
            "group": None if finding.group is None else finding.group.to_json(),
            "effect": None if finding.effect is None else finding.effect.to_json(),
            "since": finding.since,
            "since_basis": None if since is None else since.basis,
            "sample_ids": list(finding.sample_ids),
            "evidence": finding.evidence,
            "because_of": codes.get(finding.because_of[0]) if finding.because_of else None,
            "because_of_ids": list(finding.because_of),
            "accepted": finding.accepted,
            "accepted_expired": None if once is None else accepting.to_json(once),
            "remedy": finding.remedy.to_json(),
        }


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Roots first, by severity, what spoils every answer before the rest, then share; symptoms after them;
    accepted findings last."""
    places = {code: i for i, code in enumerate(registry.checks())}

    def key(f: Finding) -> tuple[bool, bool, int, bool, float, int, str]:
        return (
            f.accepted is not None,
            bool(f.because_of),
            -f.rank,
            f.code != "non-finite",
            -(f.share or 0.0),
            places.get(f.code, len(places)),
            f.id,
        )

    return sorted(findings, key=key)


def counts(finding: Finding) -> bool:
    """Whether it weighs in the verdict: a warning or worse that nobody accepted; folded ones do."""
    return finding.accepted is None and finding.rank >= 2


def roots(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that follow from no other and count, or explain one that does."""
    explaining = {cause for f in findings if counts(f) for cause in f.because_of}
    return [f for f in findings if not f.because_of and (counts(f) or f.id in explaining)]


def verdict_of(findings: Sequence[Finding], scanned: int, blind: str) -> Verdict:
    """`blind`: why the poison probe was not possible, else ""."""
    worst = max((f.rank for f in findings if counts(f)), default=0)
    if worst >= 3:
        return "broken"
    if worst == 2:
        return "degraded"
    return "not_known" if not scanned or blind else "healthy"


def report_id(address: str, at: datetime, seconds: float) -> str:
    """`20261121T041203Z9f3c21ab`: sorts by time; two fields of one check differ; a double click selects the whole.

    Earlier versions wrote `20261121-041203-9f3c21ab`, which sorts before it and is read as before.
    """
    told = f"{address}|{at.isoformat()}|{seconds!r}".encode()
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}{hashlib.sha256(told).hexdigest()[:8]}"


def _address(text: str) -> Address:
    """The parsed address; a file's stands as it is, and no entry of the settings can mean it."""
    try:
        return parse_address(text)
    except PlumblineError:
        return Address(text, "")


def _field(evidence: Evidence) -> dict[str, Any]:
    return {"dimension": evidence.field.dimension, "metric": evidence.field.metric}


def _index(evidence: Evidence) -> dict[str, Any]:
    state = evidence.index_state
    return {
        "status": state.status,
        "why": plain(state.why),
        "rows": state.rows,
        "indexed": state.indexed,
        "queue": state.queue,
    }


def _fields(evidence: Evidence) -> dict[str, Any]:
    names = evidence.names
    return {
        "version": names.version,
        "modality": names.modality,
        "image": names.image,
        "text": names.text,
        "time": names.time,
        "groups": list(names.groups),
    }
