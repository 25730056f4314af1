"""From words to an exit code: 0 done, 1 findings, 2 could not, 3 a job failed, 130 interrupted."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from connectors.errors import PlumblineError, redact
from console import egress
from console.cli import output, parser
from console.cli.context import Context
from console.cli.output import Out, Unwritable

DONE: Final = 0
COULD_NOT: Final = 2
INTERRUPTED: Final = 130

_ROOMS: Final = {
    "demo": "serving",
    "up": "serving",
    "store": "serving",
    "connections": "looking",
    "collections": "looking",
    "describe": "looking",
    "encoder": "choosing",
    "query": "query",
    "check": "checking",
    "reports": "reporting",
    "report": "reporting",
    "baseline": "reporting",
    "compare": "comparing",
    "comparisons": "comparing",
    "comparison": "comparing",
    "golden": "golden",
    "eval": "evaluating",
    "evaluations": "evaluating",
    "evaluation": "evaluating",
    "gate": "gating",
    "gates": "gating",
    "settings": "configured",
}
_LOOKING: Final = frozenset(
    {
        "connections",
        "collections",
        "describe",
        "encoder",
        "query",
        "check",
        "compare",
        "eval",
        "gate",
        "settings",
    }
)
"""Commands that leave nothing half done when they are interrupted."""
PATIENCE: Final = 1.5
"""Seconds that such a command may take to end after an interrupt."""

_EXTRAS: Final = {
    "streamlit": "console",
    "plotly": "console",
    "starlette": "console",
    "uvicorn": "console",
    "PIL": "clip",
    "torch": "clip",
    "torchvision": "clip",
    "open_clip": "clip",
    "safetensors": "clip",
    "huggingface_hub": "clip",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises.

    Interrupted as a program (`argv` None), it ends the process itself: a thread that waits for a server that
    does not answer would hold it for as long as that server's timeout.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    out = Out(parser.wanted_format(words), "--quiet" in words, "--verbose" in words)
    context = Context(out)
    if argv is None:
        # Set in any case: a shell without job control starts its background jobs with SIGINT ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if parser.command_of(words) in _LOOKING:
            _hear_interrupts()
    try:
        code = _guarded(words, context)
        output.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as fault:
        output.mute(sys.stdout)
        _say(f"plumbline: standard output can't be written ({fault.strerror}).")
        code = COULD_NOT
    if code == INTERRUPTED and argv is None:
        _leave(code)
    context.close()
    return code


def _hear_interrupts() -> None:
    """A library may wait for its threads before it lets an interrupt through: for a moment, not for long.

    The thread that ends the process is there beforehand: a handler that started one could do so while the main
    thread holds the lock that starting takes.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def late() -> None:
        while (number := os.read(heard, 1)) and number[0] != signal.SIGINT:
            pass
        if number:
            time.sleep(PATIENCE)
            _say("Interrupted.")
            _leave(INTERRUPTED)

    threading.Thread(target=late, name="interrupt", daemon=True).start()


def _leave(code: int) -> NoReturn:
    with contextlib.suppress(OSError):
        output.flush()
        sys.stderr.flush()
    os._exit(code)


def _guarded(words: list[str], context: Context) -> int:
    recorder = egress.begin()
    try:
        code = _run(words, context)
    except KeyboardInterrupt:
        _say("Interrupted.")
        return INTERRUPTED
    except Unwritable:
        raise
    except PlumblineError as fault:
        _tell(fault, context)
        code = COULD_NOT
    except BaseException as fault:
        _tell(unforeseen(fault), context, fault)
        code = COULD_NOT
    if recorder is not None and recorder.refused:
        _say(f"plumbline: refused {', '.join(sorted(set(recorder.refused)))}")
        return COULD_NOT
    return code


def _run(words: list[str], context: Context) -> int:
    grammar = parser.build()
    if "--help" not in words and "-h" not in words:
        parser.refuse_unknown(parser.command_of(words))
    try:
        args, rest = grammar.parse_known_args(words)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else DONE
    if getattr(args, "version", False):
        return _version(context.out)
    if args.command is None:
        raise PlumblineError(
            "usage",
            "No command was given.",
            where="plumbline",
            hint=f"There are {', '.join(parser.COMMANDS)}; see `plumbline --help`.",
        )
    if rest and args.command == "query" and not any(w.startswith("-") for w in rest):
        args.addresses += rest
    elif rest:
        parser.refuse_words(grammar, args.command, rest)
    context.take(args)
    _calm(context.out)
    room = importlib.import_module(f"console.cli.{_ROOMS[args.command]}")
    run: Callable[[Namespace, Context], int] = getattr(room, args.command)
    return run(args, context)


def _version(out: Out) -> int:
    version = _own_version()
    out.show({"version": version}, lambda: [f"plumbline {version}"])
    return DONE


def _own_version() -> str:
    package = sys.modules.get("plumbline")
    found = getattr(package, "__version__", None)
    if isinstance(found, str):
        return found
    try:
        return importlib.import_module("plumbline").__version__
    except (ImportError, AttributeError):
        return "unknown"


def unforeseen(fault: BaseException) -> PlumblineError:
    """What no other part of Plumbline has put into words."""
    if isinstance(fault, ModuleNotFoundError) and fault.name:
        extra = _EXTRAS.get(fault.name.partition(".")[0])
        if extra is not None:
            return PlumblineError(
                "extra-missing",
                f"This needs the extra `{extra}` ({fault.name} is not installed).",
                where="plumbline",
                hint=f"pip install 'plumbline[{extra}]'",
            )
    if isinstance(fault, MemoryError):
        return PlumblineError("internal", "There is not enough memory.", where="plumbline")
    return PlumblineError(
        "internal",
        f"{type(fault).__name__}: {fault}",
        where="plumbline",
        hint="This is a fault in Plumbline; --verbose shows where it arose.",
    )


def _tell(fault: PlumblineError, context: Context, cause: BaseException | None = None) -> None:
    """An error as JSON on standard output where JSON was asked for, and as a line on standard error."""
    out, secrets = context.out, context.secrets()
    error = {key: redact(text, secrets) for key, text in fault.to_json().items()}
    if out.json:
        output.write_json({"error": error})
    placed = error if error["where"] != "plumbline" else {**error, "where": ""}
    _say(f"plumbline: {output.sentence(placed)}")
    if out.verbose:
        import traceback

        for line in traceback.format_exception(cause or fault):
            for part in redact(line, secrets).rstrip("\n").split("\n"):
                _say(part)


def _say(text: str) -> None:
    try:
        output.write_error(output.printable(text))
    except OSError:
        return


def _calm(out: Out) -> None:
    """Libraries speak on standard error only where somebody wants to hear them."""
    import warnings

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if out.verbose:
        return
    warnings.simplefilter("ignore")
