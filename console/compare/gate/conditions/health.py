"""The new side is sound, and of one version."""

from __future__ import annotations

from collections import Counter
from typing import Final

from console.compare.gate.evidence import Health, Versions
from console.compare.gate.outcome import Outcome
from console.compare.gate.registry import Limits, condition
from console.compare.gate.wording import few, named
from console.health.wording import field_text, percent, plain, sentence, value_text

NAMED: Final = 3


@condition("critical-findings", asks="the new side has no critical finding", part="health")
def critical_findings(health: Health, limits: Limits) -> Outcome:
    """Findings that somebody accepted do not count, as in `plumbline check`."""
    of = "" if health.rows is None else f" of {health.rows:,}"
    read = "every row" if health.exact else f"{health.scanned:,}{of} rows"
    which = "The check" if health.report is None else f"The check (report {health.report})"
    which += f" looked at {read}.{_unseen(health)}"
    details = {
        "report": health.report,
        "at": health.at,
        "verdict": health.verdict,
        "codes": [code for code, _ in health.critical],
        "accepted": health.accepted,
        "exact": health.exact,
        "scanned": health.scanned,
        "not_measured": [{"check": what, "why": why} for what, why in health.unmeasured],
    }
    accepted = f" {health.accepted} accepted." if health.accepted else ""
    sound = Outcome(
        "pass",
        f"No critical finding.{accepted} {which}",
        float(len(health.critical)),
        0.0,
        unit="findings",
        details=details,
    )
    if health.critical:
        told = " ".join(f"{code}: {sentence(said)}" for code, said in health.critical[:NAMED])
        more = len(health.critical) - NAMED
        told += f" And {more} more." if more > 0 else ""
        return sound.but("fail", f"{told} {which}")
    if health.verdict == "not_known":
        why = "Whether the new side is sound is not known: rows or searches could not be looked at."
        return sound.but("not_measurable", f"{why} {which}")
    return sound


def _unseen(health: Health) -> str:
    """What the check could not look at."""
    names = list(dict.fromkeys(plain(what, 60) for what, _ in health.unmeasured))
    told = few(len(names), " It could not look at one thing: {{}}.", " It could not look at {} things: {{}}.")
    return told.format(named(names)) if told else ""


@condition("version-mix", asks="all rows of the new side are of one version", part="versions")
def version_mix(versions: Versions, limits: Limits) -> Outcome:
    """By the rule of the finding: one main tag for all rows, but for a modality that has an encoder of its own."""
    name = field_text(versions.field)
    tagged = sum(sum(tags.values()) for tags in versions.rows.values())
    foreign = Counter[str]()
    for modality, held in versions.rows.items():
        foreign.update({tag: rows for tag, rows in held.items() if tag != versions.main[modality]})
    tags = sorted({tag for held in versions.rows.values() for tag in held})
    apart = " (each modality has its own)" if len(tags) > 1 else ""
    one = Outcome(
        "pass",
        f"All {tagged:,} rows are tagged {named([value_text(tag) for tag in tags])}{apart}."
        if tags
        else "No row is tagged.",
        float(foreign.total()),
        0.0,
        unit="rows",
        details={
            "field": versions.field,
            "rows": versions.rows,
            "main": versions.main,
            "untagged": versions.untagged,
        },
    )
    told = one.why
    if foreign:
        ((tag, rows),) = foreign.most_common(1)
        told = f"{one.figure:,.0f} of {tagged:,} tagged rows are not of the main version, most of them tagged"
        told += f" {value_text(tag)} ({rows:,})."
        if not versions.accepted:
            return one.but("fail", told + _untagged(versions, tagged))
        told += f" Accepted: {sentence(versions.accepted)}"
    if not tagged:
        return one.but("not_measurable", f"No row says which encoder made its vector ({name}).")
    if versions.untagged:
        mixed = f"{told} " if foreign else ""
        return one.but("not_measurable", f"{mixed}{_untagged(versions, tagged).strip()}")
    return one.but("pass", told)


def _untagged(versions: Versions, tagged: int) -> str:
    if not versions.untagged:
        return ""
    share = percent(versions.untagged / (tagged + versions.untagged))
    what = few(versions.untagged, "{} row does not say", "{} rows do not say")
    its = "its vector" if versions.untagged == 1 else "their vectors"
    return f" {what} which encoder made {its} ({share}, {field_text(versions.field)})."
