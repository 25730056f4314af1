"""`plumbline eval`, `evaluations` and `evaluation`: a golden set against an address, or two."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connectors.errors import PlumblineError
from console.cli.context import Context
from console.cli.output import columns, pairs, printable, sentence, table, write_error, write_markup
from console.search.wording import chance
from console.settings import readable

if TYPE_CHECKING:
    from console.progress import Progress

_WORST = 10


def eval(args: Namespace, context: Context) -> int:
    """A golden set against an address; exit 1 where a smoke item failed, 2 where there is not one figure."""
    from console.search.evaluate import evaluate
    from console.store import Evaluations

    ws = context.workspace
    address = ws.address(args.address)
    against = ws.address(args.against) if args.against is not None else None

    def tell(progress: Progress) -> None:
        done = f" {progress.done:,} of {progress.total:,}" if progress.total else ""
        context.out.status(f"{progress.phase}{done}")

    try:
        done = evaluate(ws, args.golden, address, k=args.k, against=against, tell=tell)
    finally:
        context.out.status("")
    try:
        Evaluations.open(ws).save(done.data)
    except PlumblineError as fault:
        context.out.note(f"The evaluation could not be kept: {sentence(fault.to_json())}")
    for warning in done.data["warnings"] if context.out.json else ():
        context.out.note(f"Warning: {warning}")
    _show(done.data, context)
    if done.error is not None:
        # The answer is printed all the same: it says of each query why there is nothing.
        write_error(f"plumbline: {sentence(done.error.to_json())}")
        return 2
    return 1 if done.smoke_failed else 0


def evaluations(args: Namespace, context: Context) -> int:
    """The evaluations that were kept, newest first; of one address, of one golden set or of one version of it.

    Raises `usage` for what is no name of a set, and `not-found` for one that neither the store nor any evaluation knows.
    """
    from console.search.golden import find, reference
    from console.store import Evaluations

    ws = context.workspace
    address = None if args.address is None else ws.address(args.address)
    wanted = (None, None) if args.golden is None else reference(args.golden)
    room = Evaluations.open(ws)
    held = room.list(args.limit, address, *wanted)
    if not held and args.golden is not None and not room.list(1, None, *wanted):
        find(ws, args.golden)

    def lines() -> list[str]:
        if not held:
            return [_none(None if address is None else readable(address), args.golden)]
        rows = [
            (
                h["id"],
                _when(str(h["at"])),
                readable(str(h["address"])),
                _beside(h),
                f"{h['golden']}@{h['version']}",
                h["k"],
                _leading(h),
            )
            for h in held
        ]
        head = ("Evaluation", "At", "Address", "Against", "Golden", "k", "nDCG")
        failed = [f"{h['id']} {h['smoke_failed']:,}" for h in held if h["smoke_failed"]]
        text = f"Smoke items that failed: {', '.join(failed)}."
        said = ["", *textwrap.wrap(text, columns(), break_long_words=False)] if failed else []
        return [*table(head, rows, whole=[0, 2, 3]), *said]

    context.out.show({"evaluations": [dict(h) for h in held]}, lines)
    return 0


def _none(address: str | None, golden: str | None) -> str:
    """That there is no evaluation of these, and how one is made."""
    of = "" if address is None else f" of {address}"
    by = "" if golden is None else f" with {golden}"
    made = f"plumbline eval {address or 'ADDRESS'} --golden {golden or 'NAME'}"
    return f"There is no evaluation{of}{by} yet: `{made}` makes one."


def evaluation(args: Namespace, context: Context) -> int:
    """One evaluation that was kept, in any format."""
    from console.store import Evaluations

    _show(Evaluations.open(context.workspace).get(args.id), context)
    return 0


def _show(data: Mapping[str, Any], context: Context) -> None:
    """An evaluation in the format that was asked for."""
    if context.out.form == "junit":
        from console.cli.smoke import to_junit

        write_markup(to_junit(data))
    else:
        context.out.show(data, lambda: _evaluation(data))


def _leading(held: Mapping[str, Any]) -> str:
    metrics: Mapping[str, Mapping[str, Any]] = held["metrics"] or {}
    name = f"ndcg@{held['k']}"
    return _figure(metrics[name]["mean"]) if name in metrics else "-"


def _when(at: str) -> str:
    """The time of today, else the day (both UTC): a line of 80 columns has room for five letters."""
    day = at[:10]
    return at[11:16] if day == datetime.now(UTC).date().isoformat() else day[5:]


def _beside(held: Mapping[str, Any]) -> str:
    """What it was held against; evaluations of an older version do not say it in a list."""
    if "against" not in held:
        return "?"
    return readable(str(held["against"])) if held["against"] else "-"


def _version(data: Mapping[str, Any]) -> str:
    return "draft" if data["version"] == "draft" else f"version {data['version']}"


def _evaluation(data: Mapping[str, Any]) -> Iterator[str]:
    for warning in data["warnings"]:
        yield printable(f"Warning: {warning}")
        yield ""
    other = data["against"]
    have = "has" if data["scored"] == 1 else "have"
    yield from pairs(
        [
            ("Address", readable(data["address"])),
            *((("Against", readable(other["address"])),) if other else ()),
            ("Golden set", f"{data['golden']} {_version(data)} ({data['hash'][:12]})"),
            ("Queries", f"{data['queries']:,}, of which {data['scored']:,} {have} something judged relevant"),
        ]
    )
    yield ""
    yield from _metrics(data, other)
    yield from _failures(data)
    for name, rows in data["cohorts"].items():
        yield ""
        yield from _cohort(name, rows, data["k"])
    if data["unjudged"]["hits"]:
        held = data["unjudged"]
        yield ""
        are, they = ("is", "it counts") if held["hits"] == 1 else ("are", "they count")
        yield f"{held['hits']:,} of {held['of']:,} hits {are} not judged; {they} as not relevant."
    yield from _gone(data)
    yield from _smoke(data)


def _metrics(data: Mapping[str, Any], other: Mapping[str, Any] | None) -> list[str]:
    if other is None:
        rows = [(name, _figure(m["mean"]), _interval(m)) for name, m in data["metrics"].items()]
        return table(("Metric", "Mean", "95%"), rows, whole=[0])
    gaps = other["difference"]
    return table(
        ("Metric", "Mean", "95%", "Against", "Difference", "p"),
        [
            (
                name,
                _figure(m["mean"]),
                _interval(m),
                _figure(other["metrics"][name]["mean"]),
                _gap(gaps.get(name)),
                chance(gaps[name]["p_value"]) if name in gaps else "-",
            )
            for name, m in data["metrics"].items()
        ],
        whole=[0, 4],
    )


def _failures(data: Mapping[str, Any]) -> Iterator[str]:
    held: Mapping[str, Any] = data["failed_modality"]
    fusion = held.get("fusion")
    said = [
        f"{name} {held[name]['missed']:,} of {held[name]['queries']:,}"
        for name in ("text", "image", "row")
        if name in held and held[name]["missed"]
    ]
    if fusion and (missed := fusion["missed"] + fusion["missed_by_every_part"]):
        said.append(f"several parts {missed:,} of {fusion['queries']:,}")
    if said:
        yield ""
        yield f"Queries without a relevant hit: {', '.join(said)}."
    legs = [
        f"{name} {leg['missed']:,} of {leg['queries']:,}"
        for name in ("text", "image", "row")
        if name in held and (leg := held[name]["in_fusions"])["missed"]
    ]
    if legs:
        yield f"Of the queries of several parts, a part alone has no relevant hit: {', '.join(legs)}."
    if fusion and fusion["missed"]:
        yield f"The fusion alone failed where a part alone had a relevant hit: {fusion['missed']:,} of {fusion['queries']:,}."
    if fusion and fusion["lost_keys"]:
        had = ", ".join(f"{part} {n:,}" for part, n in fusion["had_by"].items())
        yield f"Relevant rows that a part alone had and the fusion lost: {fusion['lost_keys']:,} (had by {had})."


def _cohort(name: str, rows: Sequence[Mapping[str, Any]], k: int) -> list[str]:
    main = f"ndcg@{k}"
    paired = any(r["difference"] for r in rows)
    return table(
        (printable(name), "Queries", main, "95%", "Difference" if paired else "Worse than the others"),
        [
            (
                r["value"],
                r["queries"],
                _figure(r["metrics"][main]["mean"]),
                _interval(r["metrics"][main]),
                _gap(r["difference"][main] if r["difference"] else None) if paired else _worse(r["gap"]),
            )
            for r in rows
        ],
        whole=[4],
    )


def _gone(data: Mapping[str, Any]) -> Iterator[str]:
    for title, rows in (
        ("Judged, and no longer there", [(m["label"], ", ".join(m["keys"])) for m in data["missing"]]),
        (
            "Smoke items' keys that are no longer there",
            [(m["label"], ", ".join(m["keys"])) for m in data.get("missing_smoke", ())],
        ),
        ("Not scored", [(n["label"], n["why"]) for n in data["not_scored"]]),
    ):
        if rows:
            yield ""
            yield from table(("Query", title), rows[:_WORST])
            if len(rows) > _WORST:
                yield f"and {len(rows) - _WORST:,} more; --format json names all."


def _smoke(data: Mapping[str, Any]) -> Iterator[str]:
    if not data["smoke"]:
        return
    yield ""
    failed = [item for item in data["smoke"] if not item["passed"]]
    yield f"Smoke items: {len(data['smoke']) - len(failed):,} of {len(data['smoke']):,} hold."
    if failed:
        yield from table(
            ("Query", "", "Key", "Rank", "Why"),
            [(i["label"], i["kind"].replace("_", " "), i["key"], i["rank"], i["why"] or "") for i in failed],
            whole=[2],
        )


def _figure(value: float | None, *, sign: bool = False) -> str:
    return "-" if value is None else f"{value:+.3f}" if sign else f"{value:.3f}"


def _interval(held: Mapping[str, Any], *, sign: bool = False) -> str:
    if held["low"] is None:
        return "-"
    return f"{_figure(held['low'], sign=sign)} to {_figure(held['high'], sign=sign)}"


def _gap(held: Mapping[str, Any] | None) -> str:
    if not held:
        return "-"
    mean = _figure(held["mean"], sign=True)
    return mean if held["low"] is None else f"{mean} ({_interval(held, sign=True)})"


def _worse(held: Mapping[str, Any] | None) -> str:
    return f"{_figure(held['value'], sign=True)} ({_interval(held, sign=True)})" if held else "-"
