"""`plumbline check`: what is wrong with collections, for people and for CI."""

from __future__ import annotations

import contextlib
import math
import time
from argparse import Namespace
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import PlumblineError
from console.cli import output
from console.cli.context import Context
from console.health.options import SAMPLE, CheckOptions
from console.health.progress import Progress, amounts
from console.settings import Address, readable

if TYPE_CHECKING:
    from connectors.model import CollectionSummary
    from connectors.protocol import Connector
    from console.health.report import Report
    from console.workspace import Workspace

EVERY: Final = 0.2
"""Seconds between two lines of progress."""
SEVERITIES: Final = ("info", "warning", "critical")
NO_DENSE: Final = "Not measured: it has no dense vectors."


def check(args: Namespace, context: Context) -> int:
    """Exit 2 where an address could not be examined, else 1 with findings at `--fail-on` or above, else 0.

    Collections without a dense vector that a connection or --all stands for are skipped, and said.
    """
    ws = context.workspace
    options = _options(args)
    addresses, errors, skipped = _addresses(args, ws)
    reports: list[Report] = []
    several = len(addresses) + len(errors) + len(skipped) > 1
    with _rows_file(args.rows_out) as rows:
        for address in addresses:
            try:
                made = _one(address, ws, options, context)
            except PlumblineError as fault:
                if not several:
                    raise
                errors.append((str(address), fault))
                continue
            reports += made
            if rows is not None:
                rows += made
    show([r.data for r in reports], errors, args.fail_on, context, [(str(a), NO_DENSE) for a in skipped])
    if errors:
        return 2
    return 1 if any(fails(r.data, args.fail_on) for r in reports) else 0


def fails(report: Mapping[str, Any], fail_on: str) -> bool:
    """Whether a finding that is not accepted weighs `fail_on` or more; folded ones count."""
    line = SEVERITIES.index(fail_on)
    return any(f["accepted"] is None and SEVERITIES.index(f["severity"]) >= line for f in report["findings"])


def show(
    reports: Sequence[Mapping[str, Any]],
    errors: Sequence[tuple[str, PlumblineError]],
    fail_on: str,
    context: Context,
    skipped: Sequence[tuple[str, str]] = (),
) -> None:
    """Reports in the format that was asked for; what could not be examined on standard error, too.

    `skipped`: addresses that there was nothing to examine of, and why.
    """
    from console.health import render

    form = context.out.form
    secrets = context.secrets()
    told = [(address, _told(error, secrets)) for address, error in errors]
    if form == "json":
        data: dict[str, Any]
        alone = len(reports) == 1 and not errors and not skipped
        data = dict(reports[0]) if alone else {"reports": list(reports)}
        if skipped:
            data["skipped"] = [{"address": a, "why": why} for a, why in skipped]
        if errors:
            data["error"] = told[0][1]
            data["errors"] = [{"address": a, "error": e} for a, e in told]
        output.write_json(data)
    elif form == "junit":
        output.write_markup(render.to_junit(reports, fail_on, told, skipped))
    elif form == "markdown":
        parts = [*map(render.to_markdown, reports), *(render.unexamined(a, e) for a, e in told)]
        parts += [render.skipped(a, why) for a, why in skipped]
        output.write_line("\n\n".join(parts))
    elif form == "html":
        output.write_markup(render.to_html(list(reports), told, skipped))
    else:
        for i, report in enumerate(reports):
            if i:
                output.write_line("")
            verbose, color = context.out.verbose, output.colors()
            for line in render.to_table(report, output.columns(), color=color, verbose=verbose):
                output.write_line(line)
        if skipped:
            output.write_line("")
        for address, why in skipped:
            output.write_line(output.printable(f"Skipped  {address}  {why}"))
    for address, error in told:
        context.out.note(f"plumbline: {output.sentence(error, address)}")


def _told(error: PlumblineError, secrets: Sequence[str]) -> dict[str, str]:
    from connectors.errors import redact

    return {key: redact(text, secrets) for key, text in error.to_json().items()}


def _one(address: Address, ws: Workspace, options: CheckOptions, context: Context) -> list[Report]:
    from console.health.keeping import keep
    from console.health.run import check as examine
    from console.jobs import rows

    meter = Meter(context, readable(address))
    try:
        reports = examine(ws, address, options, tell=meter)
    finally:
        context.out.status("")
    for report in reports:
        note = keep(ws, report)
        if note:
            context.out.note(f"{readable(address)}: {note}")
        else:
            # The page exports them from there.
            rows.keep(ws.home, report)
    return reports


class Meter:
    """Progress as one line of a terminal, a few times a second."""

    def __init__(self, context: Context, address: str) -> None:
        self._context, self._address, self._last, self._phase = context, address, 0.0, ""

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.phase == self._phase and now - self._last < EVERY:
            return
        if progress.phase != self._phase:
            self._context.out.detail(f"{self._address}: {progress.phase}")
        self._last, self._phase = now, progress.phase
        self._context.out.status(f"{self._address}: {said(progress)}")


def said(progress: Progress) -> str:
    """Progress in words: phase, rows, rate, time left."""
    return ", ".join([progress.phase, *amounts(progress, "rows/s")])


def _options(args: Namespace) -> CheckOptions:
    for name in ("rate", "budget"):
        value = getattr(args, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise PlumblineError("usage", f"--{name} takes a number above 0.", where="plumbline check")
    if not 0 <= args.seed < 2**63:
        raise PlumblineError("usage", "--seed takes a whole number from 0 on.", where="plumbline check")
    sampled = None if args.full or args.sample_of else args.sample or SAMPLE
    return CheckOptions(
        sample=sampled,
        sample_of=args.sample_of,
        golden=args.golden,
        seed=args.seed,
        encoder=args.encoder,
        version_field=args.version_field,
        modality_field=args.modality_field,
        group_by=tuple(args.group_by),
        expected_rows=args.expected_rows,
        baseline=args.baseline,
        rate=args.rate,
        budget=args.budget,
    )


def _addresses(
    args: Namespace, ws: Workspace
) -> tuple[list[Address], list[tuple[str, PlumblineError]], list[Address]]:
    """The addresses that were named, which words of several could not be followed, and what has no dense vector.

    A connection's name stands for all its collections. Raises what stands against the only word, `usage`, and
    `unsupported` where no collection has a dense vector: a check that looked at nothing is no success.
    """
    words: list[str] = list(args.addresses)
    if args.all == bool(words):
        raise PlumblineError(
            "usage",
            "Name addresses or connections, or say --all." if not words else "--all takes no address.",
            where="plumbline check",
        )
    found: dict[Address, None] = {}
    errors: dict[str, PlumblineError] = {}
    skipped: dict[Address, None] = {}
    wanted = list(dict.fromkeys(words or ws.settings.connections))
    for word in wanted:
        try:
            if "/" in word or word.startswith("snapshot:"):
                found[ws.address(word)] = None
                continue
            for summary in ws.connector(word).collections():
                sound = _may_have_dense(ws.connector(word), summary)
                (found if sound else skipped)[Address(word, summary.name)] = None
        except PlumblineError as fault:
            if fault.code == "usage" or len(wanted) == 1:
                raise
            errors[word] = fault
    for address in found:
        skipped.pop(address, None)
    if skipped and not found and not errors:
        raise PlumblineError(
            "unsupported", "No collection has a dense vector field.", where=" ".join(map(str, skipped))
        )
    if not found and not errors:
        raise PlumblineError(
            "not-found",
            "There is no collection to check." if ws.settings.connections else "No connection is configured.",
            where="plumbline check",
            hint="See `plumbline collections`, or make the demo by `plumbline demo`.",
        )
    return list(found), list(errors.items()), list(skipped)


def _may_have_dense(connector: Connector, summary: CollectionSummary) -> bool:
    """False where a collection is known to have no dense vector; a list need not name the fields."""
    from connectors.model import Target

    fields = summary.vectors
    if summary.error is not None or any(f.kind == "dense" for f in fields):
        return True
    if fields:
        return False
    try:
        return bool(connector.describe(Target(summary.name)).dense)
    except PlumblineError:
        return True


@contextlib.contextmanager
def _rows_file(name: str | None) -> Generator[list[Report] | None]:
    """Written whole at the end; nothing is written where the check fails."""
    if name is None:
        yield None
        return
    path = Path(name)
    if not name.strip() or path.is_dir():
        raise PlumblineError(
            "usage",
            "That names no file.",
            where=f"--rows-out {name!r}",
            hint="Name a file: --rows-out rows.jsonl.",
        )
    if not path.absolute().parent.is_dir():
        raise PlumblineError("usage", "The folder does not exist.", where=f"--rows-out {name}")
    held: list[Report] = []
    yield held
    from console.health.rowsout import write_rows

    write_rows(path, *held)
