"""`plumbline golden`: golden sets, their drafts and versions, from and to files."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from connectors.errors import PlumblineError
from console.cli.context import Context
from console.cli.output import pairs, printable, table
from console.search.wording import plural, queries

if TYPE_CHECKING:
    from console.search.golden import GoldenSet
    from console.search.golden.formats import Form

_WORDS = {
    "list": (0, "list"),
    "show": (1, "show NAME"),
    "judge": (1, "judge NAME --query ID --key KEY --grade N"),
    "freeze": (1, "freeze NAME"),
    "remove": (1, "remove NAME --confirm NAME"),
    "import": (2, "import NAME FILE"),
    "export": (2, "export NAME FILE"),
}
_BELONGS = {
    "add": ("import",),
    "replace": ("import",),
    "key_field": ("import",),
    "topics": ("import",),
    "form": ("import", "export"),
    "query": ("judge",),
    "text": ("judge",),
    "key": ("judge",),
    "grade": ("judge",),
    "forget": ("judge",),
    "confirm": ("remove",),
}
"""Option -> the actions that take it."""


def golden(args: Namespace, context: Context) -> int:
    """List, show, judge, bring in, take out, freeze or remove golden sets."""
    most, form = _WORDS[args.action]
    given = [w for w in (args.name, args.file) if w is not None]
    if len(given) != most:
        raise PlumblineError("usage", f"It is `plumbline golden {form}`.", where="plumbline golden")
    for option, actions in _BELONGS.items():
        value = getattr(args, option)
        if value is not None and value is not False and args.action not in actions:
            said = "as" if option == "form" else option.replace("_", "-")
            raise PlumblineError(
                "usage", f"--{said} goes with `golden {'` and `'.join(actions)}`.", where="plumbline golden"
            )
    return _ACTIONS[args.action](args, context)


def _list(args: Namespace, context: Context) -> int:
    from console.search.golden import heads

    held = heads(context.workspace)
    data = {"sets": [_head(h) for h in held]}

    def lines() -> list[str]:
        if not held:
            return ["There is no golden set yet: `plumbline golden import NAME FILE` makes one."]
        head = ("Set", "Version", "Queries", "Judgements", "Rules", "Smoke", "At")
        return table(
            head,
            [
                (
                    h["name"],
                    _version(h),
                    h["queries"],
                    h["judgements"],
                    h["rules"],
                    h["smoke"],
                    h["at"][:16].replace("T", " "),
                )
                for h in held
            ],
            whole=[0],
        )

    context.out.show(data, lines)
    return 0


def _show(args: Namespace, context: Context) -> int:
    from console.search.golden import find
    from console.search.golden.form import content_hash, to_json

    found = find(context.workspace, args.name)
    digest = content_hash(found)
    data = {"name": found.name, "version": found.version, "hash": digest, **to_json(found)}

    def lines() -> Iterator[str]:
        yield from pairs(
            [
                ("Set", found.label),
                ("Hash", digest[:12]),
                ("Keys", "row ids" if found.key_field is None else f"values of {found.key_field}"),
                ("Queries", len(found.queries)),
                ("Judgements", len(found.judgements)),
                ("Rules", len(found.rules)),
                ("Note", found.note or None),
            ]
        )
        yield ""
        yield from table(("Query", "Asks", "Relevant", "Not", "Rules", "Must", "Must not"), _queries(found))

    context.out.show(data, lines)
    return 0


def _queries(found: GoldenSet) -> Iterator[Sequence[Any]]:
    good, bad, rules = dict[str, int](), dict[str, int](), dict[str, int]()
    for judgement in found.judgements:
        side = good if judgement.grade else bad
        side[judgement.query] = side.get(judgement.query, 0) + 1
    for rule in found.rules:
        rules[rule.query] = rules.get(rule.query, 0) + 1
    for q in found.queries:
        counts = (good.get(q.id, 0), bad.get(q.id, 0), rules.get(q.id, 0), len(q.must), len(q.must_not))
        yield (q.id, " + ".join((q.label, *q.parts[1:])), *counts)


def _freeze(args: Namespace, context: Context) -> int:
    from console.search.golden import content_hash, freeze

    kept, new = freeze(context.workspace, args.name)
    data = {"name": kept.name, "version": kept.version, "hash": content_hash(kept), "new": new}
    said = "is now" if new else "is already"
    context.out.show(data, lambda: [f"The draft of {kept.name} {said} version {kept.version}."])
    return 0


def _judge(args: Namespace, context: Context) -> int:
    """A thumb: one key's grade for one query of the draft."""
    from console.search.golden import GoldenQuery, asked, judge, query_id

    if (args.query is None) == (args.text is None) or args.key is None or (args.grade is None) != args.forget:
        raise PlumblineError(
            "usage",
            "A judgement is of one query and one key, with one grade.",
            where="plumbline golden judge",
            hint="Give --query ID or --text T, --key KEY, and --grade N or --forget.",
        )
    query = args.query if args.text is None else GoldenQuery(query_id(args.text), args.text)
    draft = judge(context.workspace, args.name, query, args.key, args.grade)
    held = None if isinstance(query, str) else asked(draft, query)
    name = args.query if held is None else held.id
    data = {"name": draft.name, "version": None, "query": name, "key": args.key, "grade": args.grade}
    said = "has no grade any more" if args.grade is None else f"has the grade {args.grade}"
    context.out.show(data, lambda: [printable(f"{args.key} {said} for the query {name} of {draft.label}.")])
    return 0


def _remove(args: Namespace, context: Context) -> int:
    """What is gone can't be brought back, so that its name has to be given twice, as with `drop`."""
    from console.search.golden import heads, remove

    ws, name = context.workspace, args.name
    if args.confirm != name:
        held = heads(ws, name)
        if not held:
            remove(ws, name)
        versions = sum(h["version"] is not None for h in held)
        judged = plural(max(h["judgements"] for h in held), "judgement")
        raise PlumblineError(
            "not-confirmed",
            f"Nothing was removed: the draft and {plural(versions, 'version')} with up to {judged} would be gone.",
            where=name,
            hint=f"Export it first; then `plumbline golden remove {name} --confirm {name}`.",
        )
    remove(ws, name)
    context.out.show({"name": name, "removed": True}, lambda: [f"Removed {name}."])
    return 0


def _import(args: Namespace, context: Context) -> int:
    from console.search.golden import content_hash, edit, joined
    from console.search.golden.formats import load

    ws = context.workspace
    if args.add and args.replace:
        raise PlumblineError("usage", "It is --add or --replace, not both.", where="plumbline golden import")
    topics = Path(args.topics) if args.topics is not None else None
    loaded = load(
        Path(args.file),
        args.name,
        cast("Form | None", args.form),
        key_field=args.key_field,
        topics=topics,
        limits=ws.settings.images.limits,
    )

    def change(draft: GoldenSet) -> GoldenSet:
        if args.add:
            return joined(draft, loaded.golden)
        if draft.queries and not args.replace:
            raise PlumblineError(
                "changed",
                f"There is a golden set `{args.name}` already.",
                where=args.name,
                hint="--add puts both together, --replace takes the new one for the draft; versions stay.",
            )
        return loaded.golden

    draft = edit(ws, args.name, change, loaded.pictures)
    for note in loaded.notes:
        context.out.note(note)
    data = {
        "name": draft.name,
        "version": None,
        "hash": content_hash(draft),
        "queries": len(draft.queries),
        "judgements": len(draft.judgements),
        "rules": len(draft.rules),
        "notes": list(loaded.notes),
    }

    def lines() -> list[str]:
        counts = ", ".join(
            (
                queries(len(draft.queries)),
                plural(len(draft.judgements), "judgement"),
                plural(len(draft.rules), "rule"),
            )
        )
        return [
            f"The draft of {draft.name} has {counts}.",
            f"`plumbline golden freeze {draft.name}` makes it a version.",
        ]

    context.out.show(data, lines)
    return 0


def _export(args: Namespace, context: Context) -> int:
    from console.search.golden import find, picture
    from console.search.golden.formats import save

    ws = context.workspace
    found = find(ws, args.name)
    files, lost = save(
        found, Path(args.file), cast("Form | None", args.form), picture=lambda image: picture(ws, image)
    )
    data = {
        "name": found.name,
        "version": found.version,
        "files": [str(f) for f in files],
        "not_held": list(lost),
    }

    def lines() -> Iterator[str]:
        for file in files:
            yield printable(f"Wrote {file}")
        for what in lost:
            yield printable(f"Not in it: {what}")

    context.out.show(data, lines)
    return 0


_ACTIONS = {
    "list": _list,
    "show": _show,
    "judge": _judge,
    "freeze": _freeze,
    "remove": _remove,
    "import": _import,
    "export": _export,
}


def _head(held: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        "name",
        "version",
        "queries",
        "judgements",
        "rules",
        "smoke",
        "cohorts",
        "key_field",
        "hash",
        "at",
    )
    return {**{name: held[name] for name in names}, "changed": held["changed"]}


def _version(held: Mapping[str, Any]) -> str:
    if held["version"] is not None:
        return str(held["version"])
    return "draft, changed" if held["changed"] else "draft"
