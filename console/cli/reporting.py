"""`plumbline reports`, `report` and `baseline`: what earlier checks found."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import Any

from connectors.errors import PlumblineError
from console.cli.checking import fails, show
from console.cli.context import Context
from console.cli.output import columns, pairs, table
from console.settings import readable


def reports(args: Namespace, context: Context) -> int:
    """The kept reports of an address, newest first; without `#VECTOR`, of all its vector fields."""
    from console.store import Store

    ws = context.workspace
    address = ws.address(args.address)
    with Store.open(ws.settings) as store:
        held = store.reports(address, limit=args.limit)
    data = {"reports": [r.to_json() for r in held]}

    def lines() -> list[str]:
        if not held:
            return [
                f"There is no report of {readable(address)} yet: `plumbline check {readable(address)}` makes one."
            ]
        several = len({r.address for r in held}) > 1
        head = ("Report", "At", *(("Vector",) if several else ()), "Verdict", "Root causes")
        rows = [
            (
                r.id,
                r.at[:16].replace("T", " "),
                *(
                    (f"#{r.address.partition('#')[2]}" if readable(r.address) == r.address else "(unnamed)",)
                    if several
                    else ()
                ),
                r.verdict,
                ", ".join(r.root_causes) or "none",
            )
            for r in held
        ]
        return table(head, rows, whole=[0, 1])

    context.out.show(data, lines)
    return 0


def report(args: Namespace, context: Context) -> int:
    """One kept report, in any format, or what differs from another. Exit code as of its check."""
    from console.store import Store

    with Store.open(context.workspace.settings) as store:
        found = store.report(args.id)
        earlier = store.report(args.against) if args.against else None
    if earlier is None:
        show([found], [], args.fail_on, context)
        return 1 if fails(found, args.fail_on) else 0
    from console.health.compare_reports import compare, lines

    if context.out.form not in ("table", "json"):
        raise PlumblineError("usage", "--against has the formats table and json.", where="plumbline report")
    difference = compare(earlier, found)
    context.out.show(difference, lambda: _wrapped(lines(difference)))
    return 0


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    width = max(columns(), 40)
    for line in lines:
        yield from textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False) or [""]


def baseline(args: Namespace, context: Context) -> int:
    """Pin, show or forget the report that later checks of a vector field are held against."""
    from console.store import Store

    ws = context.workspace
    address = ws.address(args.address)
    if args.report is not None and args.action != "set":
        raise PlumblineError("usage", "--report goes with `baseline set`.", where="plumbline baseline")
    with Store.open(ws.settings) as store:
        if args.action == "set":
            pinned = store.set_baseline(address, args.report)
        elif args.action == "clear":
            pinned = None
            store.clear_baseline(address)
        else:
            pinned = store.baseline(address)
    data: dict[str, Any] = {"address": str(address), "report": pinned.id if pinned else None}

    def lines() -> list[str]:
        if pinned is None:
            return [
                f"{readable(address)} has no baseline: `plumbline baseline set {readable(address)}` pins its newest report."
            ]
        return pairs(
            [
                ("Address", readable(pinned.address)),
                ("Baseline", pinned.id),
                ("At", pinned.at),
                ("Verdict", pinned.verdict),
            ]
        )

    context.out.show(data, lines)
    return 0
