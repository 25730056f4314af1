"""One check from the address to the reports: read, probe, judge, explain."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import Description, Target, VectorField
from console.encoders.belonging import belongs
from console.health import registry
from console.health.causes import explain
from console.health.charts import charts
from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.naming import field_names
from console.health.policy import Policy, policy
from console.health.probes.latency import Latency
from console.health.probing import Budget, BudgetSpent, Probing
from console.health.progress import Progress, Tell, quiet
from console.health.report import Report, build
from console.health.scan import Examined, examine
from console.health.stored import Past, compared, past
from console.health.wording import field_text
from console.search.golden.kept import find

if TYPE_CHECKING:
    from connectors.protocol import Connector
    from console.encoders import Encoder, EncoderSpec
    from console.health.options import CheckOptions, FieldNames
    from console.workspace import Address, Workspace

TENANTS_NAMED: Final = 5
FAILURES: Final = (ArithmeticError, AttributeError, LookupError, ValueError, TypeError)
"""What a fault in one check or probe raises: it must not hide what the others found."""


def check(
    ws: Workspace,
    address: Address,
    options: CheckOptions,
    *,
    tell: Tell = quiet,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Report]:
    """A report of each dense vector field that the address means. Writes nothing, stores nothing.

    Raises `Cancelled`, and what connecting, reading or an encoder that was asked for raises.
    """
    began = time.monotonic()
    rules = policy(ws.settings.policy)
    connector = ws.connector(address.connection)
    tell(Progress("Connecting"))
    target = Target(address.collection, address.tenant)
    description = connector.describe(target)
    real = Target(description.target.collection, address.tenant)
    fields = [ws.field(description, address)] if address.vector is not None else list(description.dense)
    if not fields:
        fields = [ws.field(description, address)]
    against = _asked(ws, address, real, fields, options)
    tell(Progress("Looking at a few rows"))
    names = field_names(ws, address, description, connector, real, options)
    only = then = None
    if options.sample_of is not None:
        before = past(ws, address.with_vector(fields[0].name))
        only, then = before.sampled_ids(options.sample_of), before.rows_of(options.sample_of)
    read = examine(
        connector,
        real,
        description,
        fields,
        names,
        options,
        tell=tell,
        cancelled=cancelled,
        only=only,
        then=then,
        seek=options.budget > 0 and connector.spec.snapshot is None,
        reread=connector.spec.snapshot is None,
    )
    budget = Budget(options.budget, cancelled)
    return [
        _judge(ws, address.with_vector(f.name), connector, real, description, f, names, read[f.name], options,
               rules, budget, tell, began, held=f in against)
        for f in fields
    ]  # fmt: skip


def _asked(
    ws: Workspace, address: Address, target: Target, fields: Sequence[VectorField], options: CheckOptions
) -> Sequence[VectorField]:
    """What was asked for by name is there: said before every row is read, not after.

    Returns the fields that have a baseline to be held against, if there is one: a report named by its id is of one.
    """
    against = fields
    if options.baseline is not None:
        held = [past(ws, address.with_vector(f.name)).baseline(options.baseline) for f in fields]
        if options.baseline != "latest" and held and held[0] is not None:
            against = [compared(held[0].report, address, target.collection, fields)]
    if options.golden is not None:
        find(ws, options.golden)
        if options.encoder is None:
            raise PlumblineError(
                "usage",
                "A golden set's texts are asked by an encoder.",
                where="--golden",
                hint="Name the one that made the vectors: --encoder NAME.",
            )
    if options.encoder is None:
        return against
    belongs(ws.encoder_specs(), field="", explicit=options.encoder, where=str(address))
    if find_spec("torch") is None or find_spec("open_clip") is None:
        raise PlumblineError(
            "extra-missing",
            "Encoding again needs the extra `clip` (torch and open_clip are not installed).",
            where=str(address),
            hint="pip install 'plumbline[clip]'",
        )
    return against


def _judge(
    ws: Workspace,
    address: Address,
    connector: Connector,
    target: Target,
    description: Description,
    field: VectorField,
    names: FieldNames,
    examined: Examined,
    options: CheckOptions,
    rules: Policy,
    budget: Budget,
    tell: Tell,
    began: float,
    *,
    held: bool,
) -> Report:
    configured = ws.configured(address, field.name, description.target.collection)
    before: Past = past(ws, address)
    spec = _encoder(ws, address, field, description, names, examined, options)
    evidence = Evidence(
        address=str(address),
        kind=connector.spec.kind,
        description=description,
        field=field,
        server=connector.server(),
        index_state=connector.index_state(target),
        capabilities=connector.capabilities(target),
        options=options,
        names=names,
        scan=examined.facts,
        profile=examined.profile,
        table=examined.table,
        reservoir=examined.reservoir,
        sought=examined.sought,
        expected_rows=options.expected_rows
        if options.expected_rows is not None
        else configured.expected_rows,
        optional=field.name in (configured.optional_vectors or ()),
        encoder=spec,
        baseline=before.baseline(options.baseline) if held else None,
        history=before.reports,
    )
    load = _loader(spec) if options.encoder is not None else None
    evidence = _probe(ws, address, connector, target, evidence, rules, budget, load, tell)
    tell(Progress("Judging"))
    measured, unmeasured = judge(evidence, rules)
    if before.note:
        unmeasured.append(NotMeasured("history", before.note))
    unmeasured += _unseen(evidence)
    if connector.spec.snapshot is not None:
        unmeasured += _untold(evidence)
    findings = explain(measured, evidence, rules, np.random.default_rng(options.seed))
    evidence.table.rest()
    report = build(
        evidence,
        rules,
        findings,
        unmeasured,
        accepted=ws.settings.accepted,
        at=datetime.now(UTC),
        seconds=time.monotonic() - began,
    )
    return replace(report, data={**report.data, "charts": charts(evidence, measured)})


def judge(evidence: Evidence, rules: Policy) -> tuple[list[Finding], list[NotMeasured]]:
    """Every check on the evidence; a check that fails is "not measured", with what happened."""
    findings: list[Finding] = []
    unmeasured: list[NotMeasured] = []
    for one in registry.checks().values():
        if rules.severity.get(one.code) == "off":
            continue
        try:
            outcomes = one.run(evidence, rules)
        except FAILURES as fault:
            outcomes = [NotMeasured(one.code, f"The check failed ({type(fault).__name__}).")]
        evidence.table.rest()
        for outcome in outcomes:
            if isinstance(outcome, NotMeasured):
                unmeasured.append(outcome)
            else:
                findings.append(_weighed(outcome, rules))
    return _distinct(findings), unmeasured


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    """With ids that differ: whoever looks a finding up by its id must not get another one."""
    seen: dict[str, int] = {}
    out: list[Finding] = []
    for finding in findings:
        count = seen[finding.id] = seen.get(finding.id, 0) + 1
        out.append(
            finding
            if count == 1
            else finding.but(key=f"{finding.key}~{count}" if finding.key else str(count))
        )
    return out


def _unseen(evidence: Evidence) -> list[NotMeasured]:
    """Tenants whose rows could not be read, and fields asked for that no row has."""
    out: list[NotMeasured] = []
    resting = [t.name for t in evidence.description.tenants or () if t.state != "active"]
    if resting and evidence.description.target.tenant is None:
        named = ", ".join(field_text(name) for name in resting[:TENANTS_NAMED])
        more = f" and {len(resting) - TENANTS_NAMED:,} more" if len(resting) > TENANTS_NAMED else ""
        out.append(NotMeasured("tenants", f"Not active, so not read: {named}{more}."))
    for name in dict.fromkeys(evidence.options.group_by):
        held = evidence.table.groups.get(name)
        if evidence.scan.scanned and (held is None or not held.values):
            out.append(NotMeasured(f"group-by {name[:80]}", "No row that was read has this field."))
    return out


def _untold(evidence: Evidence) -> list[NotMeasured]:
    """What a snapshot file can't tell of the server that it was taken from."""
    out = [NotMeasured("aliases", "A snapshot file does not hold aliases.")]
    taken = evidence.get(Latency)
    if isinstance(taken, NotMeasured):
        out.append(taken)
    if notes := evidence.description.settings.get("snapshot"):
        out.append(NotMeasured("shards", str(notes)))
    return out


def _weighed(finding: Finding, rules: Policy) -> Finding:
    """The policy's severity for this code, where the finding fires at all."""
    wanted = rules.severity.get(finding.code)
    if wanted is None or finding.severity is None:
        return finding
    return finding.but(severity=wanted)


def _probe(
    ws: Workspace,
    address: Address,
    connector: Connector,
    target: Target,
    evidence: Evidence,
    rules: Policy,
    budget: Budget,
    load: Callable[[], Encoder] | None,
    tell: Tell,
) -> Evidence:
    results: dict[type, Any] = {}
    for one in registry.probes():
        tell(Progress(one.name))
        if one.needs_encoder and load is None:
            results[one.result] = NotMeasured(one.name, "No encoder was asked for (--encoder NAME).")
            continue

        def progress(done: int, total: int, name: str = one.name) -> None:
            tell(Progress(name, done, total))

        probing = Probing(ws, address, connector, target, evidence, rules, budget, load, progress)
        try:
            budget.check()
            results[one.result] = one.run(probing)
        except BudgetSpent:
            results[one.result] = NotMeasured(one.name, f"The {budget.seconds:g} s for probes were used up.")
        except PlumblineError as error:
            if one.needs_encoder and error.code in ("encoder-unavailable", "extra-missing"):
                raise
            results[one.result] = NotMeasured(one.name, f"{error.message} ({error.code})")
        except FAILURES as fault:
            results[one.result] = NotMeasured(one.name, f"The probe failed ({type(fault).__name__}).")
        evidence.table.rest()
    return replace(evidence, results=results)


def _encoder(
    ws: Workspace,
    address: Address,
    field: VectorField,
    description: Description,
    names: FieldNames,
    examined: Examined,
    options: CheckOptions,
) -> EncoderSpec | None:
    tags = examined.table.groups.get(names.version)
    shares: dict[str, float] = {}
    if tags is not None:
        counts = np.bincount(tags.codes, minlength=len(tags.values) + 1)
        shares = {str(v): float(counts[i + 1]) for i, v in enumerate(tags.values) if counts[i + 1]}
    spec, _ = ws.known_encoder(
        address, field, description.marker, shares, options.encoder, description.target.collection
    )
    return spec


def _loader(spec: EncoderSpec | None) -> Callable[[], Encoder] | None:
    if spec is None:
        return None

    def load() -> Encoder:
        from console.encoders import shared

        return shared().get(spec)

    return load
