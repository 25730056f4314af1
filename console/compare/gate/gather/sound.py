"""Whether the new side is sound: a check that is made now. A stored report does not count: rows may have been
written over since, and nothing tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.errors import PlumblineError
from console.compare.gate.evidence import Health
from console.health.keeping import keep
from console.health.options import SAMPLE, CheckOptions
from console.health.run import check

if TYPE_CHECKING:
    from console.compare.gate.gather.sides import Side
    from console.progress import Tell
    from console.workspace import Workspace

NO_ENCODER: Final = ("encoder-unavailable", "extra-missing")


def examined(
    ws: Workspace,
    side: Side,
    encoder: str | None,
    *,
    full: bool,
    seed: int,
    notes: list[str],
    tell: Tell,
    cancelled: Callable[[], bool],
) -> Health:
    """The check is stored, so that it can be opened again.

    Args:
        encoder: the name of the side's encoder, which the check then embeds rows again with.
        full: read every row.
    """
    options = CheckOptions(sample=None if full else SAMPLE, seed=seed, encoder=_loadable(encoder))
    try:
        (report,) = check(ws, side.address, options, tell=tell, cancelled=cancelled)
    except PlumblineError as fault:
        if fault.code not in NO_ENCODER:
            raise
        options = CheckOptions(sample=options.sample, seed=seed)
        (report,) = check(ws, side.address, options, tell=tell, cancelled=cancelled)
    note = keep(ws, report)
    notes += [] if note is None else [note]
    return _health(report.data, stored=note is None)


def _health(report: Mapping[str, Any], *, stored: bool) -> Health:
    findings = cast("Sequence[Mapping[str, Any]]", report.get("findings") or ())
    unseen = cast("Sequence[Mapping[str, Any]]", report.get("not_measured") or ())
    critical = [f for f in findings if f["severity"] == "critical"]
    return Health(
        report=str(report["id"]) if stored else None,
        at=str(report["at"]),
        verdict=str(report["verdict"]),
        critical=tuple((str(f["code"]), str(f["summary"])) for f in critical if f["accepted"] is None),
        rows=report.get("rows"),
        scanned=int(report["scanned"]),
        exact=bool(report["exact"]),
        accepted=sum(f["accepted"] is not None for f in critical),
        unmeasured=tuple((str(one["check"]), str(one["why"])) for one in unseen),
    )


def _loadable(encoder: str | None) -> str | None:
    return encoder if find_spec("torch") is not None and find_spec("open_clip") is not None else None
