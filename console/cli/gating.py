"""`plumbline gate` and `gates`: whether a new collection may take over, for people and for CI."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from connectors.errors import PlumblineError
from console.cli import output
from console.cli.checking import Meter
from console.cli.context import Context
from console.settings import readable

if TYPE_CHECKING:
    from console.store import Gates


def gate(args: Namespace, context: Context) -> int:
    """Exit 0 where every condition passed or was waived, else 1; 2 where a side could not be looked at."""
    from console.compare.gate.run import kept, run_gate
    from console.compare.gate.verdict import waivers

    waive = waivers(args.waive)
    ws = context.workspace
    meter = Meter(context, "gate")
    try:
        found = run_gate(
            ws,
            args.left,
            args.right,
            args.golden,
            waive=waive,
            match_on=args.match_on,
            threshold=args.threshold,
            k=args.k,
            seed=args.seed,
            tell=meter,
        )
    finally:
        context.out.status("")
    return show(kept(ws, found).data, context)


def gates(args: Namespace, context: Context) -> int:
    """The gates that were kept, newest first, of one address those that it is a side of; or one of them by its id, in any
    format and with its exit code."""
    from console.store import Gates, is_id

    room = Gates.open(context.workspace)
    if args.which is not None and is_id(args.which, "g"):
        return show(room.get(args.which), context)
    if args.which is not None and "/" not in args.which:
        raise PlumblineError(
            "usage",
            "That is neither the id of a gate nor an address.",
            where=args.which,
            hint="An id is a g and 11 characters, as `plumbline gates` lists them; an address is CONNECTION/COLLECTION.",
        )
    return _list(args, room, context)


def _list(args: Namespace, room: Gates, context: Context) -> int:
    if context.out.form not in ("table", "json"):
        raise PlumblineError(
            "usage",
            "A list has the formats table and json.",
            where="plumbline gates",
            hint="One gate has all of them: plumbline gates ID.",
        )
    address = None if args.which is None else context.workspace.address(args.which)
    held = room.list(args.limit, address)

    def lines() -> Sequence[str]:
        if not held:
            return ["There is no gate yet: `plumbline gate LEFT RIGHT --golden NAME` makes one."]
        rows = [
            (
                str(h["id"]),
                str(h["at"])[:16].replace("T", " "),
                readable(str(h["left"])),
                readable(str(h["right"])),
                str(h["verdict"]).replace("_", " "),
                _against(h) or "none",
            )
            for h in held
        ]
        return list(output.table(("Gate", "At", "Old", "New", "Verdict", "Against it"), rows, whole=[0, 1]))

    context.out.show({"gates": [dict(h) for h in held]}, lines)
    return 0


def _against(held: Mapping[str, Any]) -> str:
    """The conditions that did not pass."""
    conditions = cast("Sequence[Mapping[str, Any]]", held.get("conditions") or ())
    return ", ".join(
        f"{c['name']} (waived)" if c.get("waived") else str(c["name"])
        for c in conditions
        if c.get("verdict") != "pass"
    )


def show(data: Mapping[str, Any], context: Context) -> int:
    """A gate in the format that was asked for; its exit code."""
    from console.compare.gate import render

    notes = cast("Sequence[str]", data.get("notes") or ())
    for note in notes:
        context.out.note(note)
    form = context.out.form
    if form == "json":
        output.write_json(data)
    elif form == "junit":
        output.write_markup(render.to_junit(data))
    elif form == "markdown":
        output.write_line(render.to_markdown(data))
    else:
        for line in render.to_table(
            data, output.columns(), color=output.colors(), verbose=context.out.verbose
        ):
            output.write_line(line)
    return 0 if data["verdict"] == "pass" else 1
