"""The command line's grammar. Importing this loads neither settings nor any database's client."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from connectors.errors import PlumblineError
from console.cli import options
from console.cli.output import Format

COMMANDS: Final = (
    "demo",
    "up",
    "connections",
    "collections",
    "describe",
    "encoder",
    "query",
    "check",
    "reports",
    "report",
    "baseline",
    "compare",
    "comparisons",
    "comparison",
    "golden",
    "eval",
    "evaluations",
    "evaluation",
    "gate",
    "gates",
    "settings",
    "store",
)
LATER: Final = (
    "renormalize",
    "quarantine",
    "tag",
    "dedupe",
    "rebuild",
    "restore",
    "cutover",
    "rollback",
    "undo",
    "drop",
    "jobs",
    "worker",
    "audit",
)
"""Commands of the contract that this version does not have yet."""

PORT: Final = 8501
_VALUE_OF: Final = ("--format", "--config", "--secrets")
_NEEDS_VALUE: Final = re.compile(r"expected (one|at least one) argument")


class Parser(argparse.ArgumentParser):
    """Raises `usage` where argparse would print and leave."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, allow_abbrev=False, **more)
        self.commands: dict[str, argparse.ArgumentParser] = {}
        self._negative_number_matcher = re.compile(r"-\.?\d|-(inf|nan)\Z", re.IGNORECASE)

    def error(self, message: str) -> NoReturn:
        hint = f"See `{self.prog} --help`."
        if _NEEDS_VALUE.search(message):
            hint = "A value that begins with a dash is written with an equals sign: --text=-x."
        raise PlumblineError("usage", f"{message[:1].upper()}{message[1:]}.", where=self.prog, hint=hint)


def wanted_format(argv: Sequence[str]) -> Format:
    """The format that was asked for, also where the rest of the line can't be read."""
    form: Format = "table"
    for i, word in enumerate(argv):
        if word == "--":
            break
        value = argv[i + 1] if word == "--format" and i + 1 < len(argv) else word.removeprefix("--format=")
        if word.startswith("--format"):
            form = "json" if value == "json" else "table"
    return form


def command_of(argv: Sequence[str]) -> str | None:
    """The first word that is neither an option of every command nor its value."""
    words = iter(argv)
    for word in words:
        if word in _VALUE_OF:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None


def refuse_unknown(command: str | None) -> None:
    """Raises `unsupported` for a command of a later version and `usage` for one that will never be."""
    if command is None or command in COMMANDS:
        return
    if command in LATER:
        raise PlumblineError(
            "unsupported",
            f"`plumbline {command}` comes with a later version.",
            where=command,
            hint=f"This version has {', '.join(COMMANDS)}.",
        )
    from console.settings.schema import nearest

    raise PlumblineError(
        "usage", f"There is no command `{command}`.", where="plumbline", hint=nearest(command, COMMANDS)
    )


def refuse_words(grammar: Parser, command: str, words: Sequence[str]) -> NoReturn:
    """Raises `usage` for words that a command does not take, with the option that was probably meant."""
    from console.settings.schema import nearest

    first = next((w for w in words if w.startswith("-")), words[0])
    own = grammar.commands[command]
    hint = f"See `plumbline {command} --help`."
    if first.startswith("--"):
        close = nearest(first.partition("=")[0], re.findall(r"--[a-z-]+", own.format_usage()))
        hint = f"{close} {hint}" if close.startswith("Did") else hint
    raise PlumblineError(
        "usage", f"`plumbline {command}` does not take `{first}`.", where=f"plumbline {command}", hint=hint
    )


def build() -> Parser:
    """The whole grammar."""
    shared, exporting = _shared("table", "json"), _shared("table", "json", "junit", "markdown", "html")

    parser = Parser(
        prog="plumbline",
        description="Operator console for vector collections on Qdrant and Weaviate.",
        parents=[shared],
        epilog="An address reads CONNECTION/COLLECTION[@TENANT][#VECTOR]. Exit codes: 0 done, "
        "1 findings, 2 could not look or could not do it, 3 a job failed, 130 interrupted.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, text: str, common: Parser = shared) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[common])
        parser.commands[name] = made
        return made

    demo = command("demo", "make the demo's collections, then serve the console")
    demo.add_argument("--no-serve", action="store_true", help="stop when they are made")
    demo.add_argument("--into", metavar="CONNECTION", help="make them in a configured connection")
    how = demo.add_mutually_exclusive_group()
    how.add_argument("--reset", action="store_true", help="make them anew")
    how.add_argument("--remove", action="store_true", help="take them away")
    _address(demo)

    _address(command("up", "serve the console"))

    connections = command("connections", "the configured connections, asked now")
    connections.add_argument("action", nargs="*", metavar="test NAME", help="ask one connection, thoroughly")

    collections = command("collections", "the collections of one connection, or of all")
    collections.add_argument("connection", nargs="?", metavar="CONNECTION")

    describe = command("describe", "one collection in full")
    describe.add_argument("address", metavar="ADDRESS")

    encoder = command("encoder", "which encoder made a field's vectors; choose it, or forget the choice")
    encoder.add_argument("address", metavar="ADDRESS")
    encoder.add_argument("action", nargs="*", metavar="set NAME | clear")

    options.query(command("query", "search one or several collections by text, image, row or vector"))
    options.check(
        command("check", "what is wrong with a collection, how much, since when, what to do", exporting)
    )
    reports = command("reports", "the reports of an address that were kept")
    reports.add_argument("address", metavar="ADDRESS")
    reports.add_argument("--limit", type=options.whole, default=20, metavar="N", help="default: %(default)s")
    report = command("report", "one report that was kept", exporting)
    report.add_argument("id", metavar="ID")
    report.add_argument("--against", metavar="ID", help="what differs from this earlier one")
    options.fail_on(report)
    baseline = command("baseline", "the report that later ones are held against")
    baseline.add_argument("action", choices=("set", "show", "clear"))
    baseline.add_argument("address", metavar="ADDRESS")
    baseline.add_argument("--report", metavar="ID", help="pin this one (default: the newest)")
    showing = _shared("table", "json", "markdown", "html")
    options.compare(
        command("compare", "how much neighbours change from an old side to a new one, and for whom", showing)
    )
    comparisons = command("comparisons", "the comparisons that were kept")
    comparisons.add_argument("address", nargs="?", metavar="ADDRESS", help="those that it is a side of")
    comparisons.add_argument(
        "--limit", type=options.whole, default=20, metavar="N", help="default: %(default)s"
    )
    comparison = command("comparison", "one comparison that was kept", showing)
    comparison.add_argument("id", metavar="ID")
    options.golden(
        command("golden", "golden sets: queries with what is relevant to them, as drafts and versions")
    )
    testing = _shared("table", "json", "junit")
    options.eval(command("eval", "how well an address answers a golden set, by production searches", testing))
    options.evaluations(command("evaluations", "the evaluations that were kept"))
    command("evaluation", "one evaluation that was kept", testing).add_argument("id", metavar="ID")
    options.gate(
        command(
            "gate",
            "whether a new collection may take over from an old one: pass, fail, or not measurable",
            _shared("table", "json", "junit", "markdown"),
        )
    )
    options.gates(
        command(
            "gates", "the gates that were kept, or one of them", _shared("table", "json", "junit", "markdown")
        )
    )
    command("settings", "each setting with where it came from")

    store = command("store", "the host of an embedded store; it is started by itself")
    store.add_argument("action", nargs="?", choices=("run", "state", "stop"), default="run")
    which = store.add_mutually_exclusive_group()
    which.add_argument("--path", metavar="FOLDER", help="the store's folder (default: the demo's)")
    which.add_argument("--connection", metavar="NAME", help="the store of this connection")
    store.add_argument(
        "--idle",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="end after this long without a call (0: never)",
    )
    return parser


def _shared(*formats: str) -> Parser:
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = shared.add_argument_group("for every command")
    group.add_argument("--format", choices=formats, help="what standard output holds")
    group.add_argument("--quiet", action="store_true", help="no remarks and no progress")
    group.add_argument("--verbose", action="store_true", help="say what is done, and where a fault arose")
    group.add_argument("--config", metavar="FILE", help="plumbline.toml")
    group.add_argument("--secrets", metavar="FILE", help="secrets.toml")
    return shared


def _address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="where to listen (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=_port, default=PORT, metavar="P", help="default: %(default)s; 0: a free one"
    )


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return port
