"""What a report says first, and what it cannot see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from connectors.errors import PlumblineError
from console.health.findings import Finding
from console.health.since import Since
from console.health.stored import of_another_place
from console.health.wording import first_sentence, percent, plain, sentence, since_text, with_group
from console.search.proportions import clopper_pearson
from console.settings import Address, parse_address
from console.settings.address import readable

if TYPE_CHECKING:
    from console.health.evidence import Evidence


def headline(
    verdict: str,
    findings: Sequence[Finding],
    roots: Sequence[Finding],
    since: Mapping[str, Since],
    evidence: Evidence,
    blind: str,
) -> str:
    """What is wrong, which rows, since when and what to do, for somebody who reads nothing else."""
    scan = evidence.scan
    if not roots:
        if not scan.scanned:
            return (
                "Nothing was scanned: the collection has no rows."
                if not scan.rows
                else "Nothing was scanned."
            )
        clean = _clean(evidence)
        if verdict == "not_known":
            return f"{clean} Whether hidden rows spoil searches could not be told: {sentence(plain(blind))}"
        known = sum(f.accepted is not None for f in findings)
        if known:
            clean += f" {known} accepted finding{'s do' if known > 1 else ' does'} not count."
        return clean
    lead, names = roots[0], evidence.names
    held = since.get(lead.id)
    parts = [
        sentence(with_group(lead, names.version, names.modality)),
        since_text(None if held is None else held.at, None if held is None else held.basis),
        _counting(lead, findings),
        first_sentence(plain(lead.remedy.text)),
    ]
    others = len(roots) - 1
    if others:
        parts.append(f"{others} more root cause{'s' if others > 1 else ''} below.")
    return " ".join(p for p in parts if p)


def _counting(lead: Finding, findings: Sequence[Finding]) -> str:
    """Why an accepted cause leads: what follows from it weighs in the verdict; "" for any other."""
    if lead.accepted is None:
        return ""
    open_ = [f.code for f in findings if lead.id in f.because_of and f.accepted is None and f.rank >= 2]
    codes = list(dict.fromkeys(open_))
    told = ", ".join(codes[:3]) + (f" and {len(codes) - 3} more" if len(codes) > 3 else "")
    return f"This cause is accepted; what follows from it is not, and counts: {told}."


def _clean(evidence: Evidence) -> str:
    scan, elsewhere = evidence.scan, _elsewhere(evidence)
    if scan.again:
        said = f"No fault found in the {scan.scanned:,} rows of an earlier sample, read again."
    elif not scan.exact:
        said = f"No fault found in a sample of {scan.scanned:,} of {scan.rows:,} rows."
    elif elsewhere:
        said = f"No fault found in the {scan.scanned:,} rows that this file holds."
    else:
        only = scan.scanned == 1
        said = f"No fault found; {'the one row was' if only else f'all {scan.scanned:,} rows were'} read."
    return f"{said} {elsewhere}" if elsewhere else said


def _elsewhere(evidence: Evidence) -> str:
    """What a snapshot file of one node says of the shards that it lacks, else ""."""
    notes = evidence.description.settings.get("snapshot")
    return sentence(plain(str(notes))) if notes else ""


def _another(evidence: Evidence) -> str:
    """What a baseline of another collection is worth, else ""."""
    base = evidence.baseline
    if base is None:
        return ""
    target = evidence.description.target
    try:
        address = parse_address(evidence.address)
    except PlumblineError:
        address = Address(evidence.address, target.collection)
    if not of_another_place(base.report, address, target.collection):
        return ""
    return (
        f"The baseline is a report of {readable(str(base.report['address']))}: where the two were never meant to be"
        " alike, what moved is no drift."
    )


def limits(evidence: Evidence) -> list[str]:
    """Sentences on what this report cannot know."""
    scan = evidence.scan
    told: list[str] = []
    if scan.again:
        told.append(
            f"The {scan.scanned:,} rows of an earlier sample, read again, of {scan.rows:,} rows now: shares and counts"
            " are of these rows alone."
        )
    elif not scan.exact and scan.scanned:
        high = clopper_pearson(0, scan.scanned)[1]
        told.append(
            f"A sample of {scan.scanned:,} of {scan.rows:,} rows: a single bad row is among them with a "
            f"probability of {percent(min(1.0, scan.scanned / max(scan.rows, scan.scanned)))}, and a fault that "
            f"no row of the sample shows may still be in up to {percent(high)} of all rows."
        )
        told.append("Shares and counts for the whole collection are estimates with 95% intervals.")
    held = len(evidence.reservoir.rows)
    if held < scan.scanned:
        told.append(
            f"Directions, neighbours and near duplicates come from {held:,} random rows of the {scan.scanned:,} read."
        )
    if elsewhere := _elsewhere(evidence):
        told.append(elsewhere)
    if other := _another(evidence):
        told.append(other)
    if scan.bias:
        told.append(sentence(plain(scan.bias)))
    if scan.changed:
        told.append(sentence(plain(scan.changed)))
    return told
