"""`/metrics`: what the last checks found, for Prometheus. From the store only: no database is asked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from connectors.errors import PlumblineError
from console.ui import health_store, health_words, session

if TYPE_CHECKING:
    from console.store import Store

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
VERDICTS: Final = tuple(health_words.VERDICTS)
SEVERITIES: Final = tuple(health_words.SEVERITIES)
LONGEST: Final = 300
"""Characters of an address in a label."""


class Collected:
    """The figures of the newest report of each vector field, for one scrape."""

    def __init__(self, reports: Sequence[Mapping[str, Any]] | None, now: float) -> None:
        self._reports, self._now = reports, now

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("plumbline_store_up", "1 where the store of reports could be read, else 0.")
        up.add_metric([], 0.0 if self._reports is None else 1.0)
        yield up
        if self._reports is None:
            return
        verdict = _gauge(
            "plumbline_verdict", "1 for the verdict of the last check, 0 for the others.", "verdict"
        )
        at = _gauge("plumbline_check_timestamp_seconds", "When the last check was made.")
        age = _gauge("plumbline_check_age_seconds", "Seconds since the last check.")
        found = _gauge(
            "plumbline_findings",
            "Findings of the last check that nobody accepted; symptoms count.",
            "severity",
        )
        each = _gauge(
            "plumbline_finding",
            "Findings of the last check of one code that nobody accepted; symptoms count.",
            "code",
            "severity",
        )
        accepted = _gauge("plumbline_findings_accepted", "Findings of the last check that were accepted.")
        roots = _gauge("plumbline_root_causes", "Root causes that the last check named.")
        rows = _gauge("plumbline_rows", "Rows of the collection at the last check.")
        for report in self._reports:
            labels = [_label(report.get("address")), _label(report.get("vector"))]
            for name in VERDICTS:
                verdict.add_metric([*labels, name], float(report.get("verdict") == name))
            made = health_words.when(report.get("at"))
            if made is not None:
                at.add_metric(labels, made.timestamp())
                age.add_metric(labels, max(0.0, self._now - made.timestamp()))
            held: Sequence[Mapping[str, Any]] = report.get("findings") or ()
            for name in SEVERITIES:
                some = [f for f in held if f.get("severity") == name and not f.get("accepted")]
                found.add_metric([*labels, name], float(len(some)))
            open_ = Counter(
                (_label(f.get("code")), _label(f.get("severity"))) for f in held if not f.get("accepted")
            )
            for (code, severity), count in sorted(open_.items()):
                each.add_metric([*labels, code, severity], float(count))
            accepted.add_metric(labels, float(sum(1 for f in held if f.get("accepted"))))
            roots.add_metric(labels, float(len(report.get("root_ids") or ())))
            if isinstance(report.get("rows"), int):
                rows.add_metric(labels, float(report["rows"]))
        yield from (verdict, at, age, found, each, accepted, roots, rows)


def exposition(now: float | None = None) -> bytes:
    """The answer to a scrape. A store that can't be read is `plumbline_store_up 0`, and says no more."""
    registry = CollectorRegistry(auto_describe=False)
    try:
        reports: Sequence[Mapping[str, Any]] | None = _newest(
            health_store.store(), session.workspace().settings.connections
        )
    except PlumblineError:
        reports = None
    registry.register(Collected(reports, time.time() if now is None else now))
    return generate_latest(registry)


def _newest(store: Store, connections: Container[str]) -> list[Mapping[str, Any]]:
    """Of what is still looked after: a snapshot file is examined once, and a connection that was taken out of the
    settings never again; their age would grow, and an alert on it fire, for ever."""
    kept = [held for held in store.latest_each() if _watched(held.address, connections)]
    return [light for held in kept for light in store.light(held.address, 1)]


def _watched(address: str, connections: Container[str]) -> bool:
    return not address.startswith("snapshot:") and address.partition("/")[0] in connections


def _gauge(name: str, text: str, *more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["address", "vector", *more])


def _label(value: Any) -> str:
    """One line of bounded length; the exposition itself escapes quotes and backslashes."""
    text = str(value if value is not None else "")
    return "".join(c if c.isprintable() else " " for c in text[:LONGEST])
