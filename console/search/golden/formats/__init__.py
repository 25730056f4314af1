"""Golden sets as files: CSV, JSON Lines, TREC qrels with topics, BEIR's folder. `load`, `save`, `guess`."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from connectors.errors import PlumblineError
from console.search.golden.form import check_name
from console.search.golden.formats import beir, lines, table, trec
from console.search.golden.formats.gathering import Loaded
from console.search.golden.model import GoldenSet
from console.search.request import Upload

if TYPE_CHECKING:
    from console.settings.model import ImageLimits

__all__ = ["FORMATS", "Form", "Loaded", "guess", "load", "save"]

Form = Literal["csv", "jsonl", "trec", "beir"]
FORMATS: Final[tuple[Form, ...]] = get_args(Form)
_ENDS: Final[dict[str, Form]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".qrels": "trec",
    ".qrel": "trec",
}


@contextlib.contextmanager
def _named(path: Path) -> Generator[None]:
    """Names that no file system takes (too long, say) are somebody's slip, wherever they are first looked at."""
    try:
        yield
    except OSError as fault:
        raise PlumblineError(
            "usage", f"It can't be looked at ({fault.strerror}).", where=str(path)[-200:]
        ) from None


def guess(path: Path) -> Form:
    """The format that a file's name says; a folder is BEIR's. Raises `usage`."""
    with _named(path):
        folder = path.is_dir()
    if folder:
        return "beir"
    form = _ENDS.get(path.suffix.lower())
    if form is None:
        raise PlumblineError(
            "usage",
            "The name does not say the format.",
            where=str(path)[-200:],
            hint=f"--as {'|'.join(FORMATS)} does.",
        )
    return form


def load(
    path: Path,
    name: str,
    form: Form | None = None,
    *,
    key_field: str | None = None,
    topics: Path | None = None,
    limits: ImageLimits | None = None,
) -> Loaded:
    """The golden set of a file, as a draft of this name.

    Args:
        limits: what one of its pictures may cost.

    Raises `not-found`, `usage` for a value that can't be, `damaged` for a file that can't be read, `image-refused`
    for a picture that can't be decoded; each names file and line.
    """
    check_name(name)
    form = form or guess(path)
    if topics is not None and form != "trec":
        raise PlumblineError("usage", "Topics go with TREC's qrels.", where="--topics")
    with _named(path):
        if form == "csv":
            return table.load(path, name, key_field, limits)
        if form == "jsonl":
            return lines.load(path, name, key_field, limits)
        if form == "trec":
            return trec.load(path, topics, name, key_field)
        return beir.load(path, name, key_field, limits)


def save(
    golden: GoldenSet, path: Path, form: Form | None = None, *, picture: Callable[[Upload], bytes]
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Writes the set; nothing that is there is written over.

    Returns:
        The files, and a sentence for each thing that the format could not hold. Raises `usage` where a file is
        there already or can't be written, and what `picture` raises.
    """
    form = form or ("beir" if not path.suffix else guess(path))
    if form == "beir":
        files, said = beir.save(golden)
        _folder(path, files)
        return tuple(path / name for name in files), said
    if form == "trec":
        qrels, asked, said = trec.save(golden)
        beside = path.with_name(path.name + trec.TOPICS)
        _absent(beside)
        _file(path, [qrels])
        _file(beside, [asked])
        return (path, beside), said
    if form == "csv":
        data, said = table.save(golden)
        _file(path, [data])
        return (path,), said
    _file(path, lines.save(golden, picture))
    return (path,), ()


def _absent(path: Path) -> None:
    with _named(path):
        there = path.exists() or path.is_symlink()
    if there:
        raise PlumblineError(
            "usage", "It is there already.", where=str(path)[-200:], hint="Name another file, or remove it."
        )


def _file(path: Path, parts: Iterable[bytes]) -> None:
    """Whole or not at all: written beside, then given its name."""
    _absent(path)
    try:
        with tempfile.NamedTemporaryFile(prefix=".golden-", dir=path.parent, delete=False) as file:
            try:
                for part in parts:
                    file.write(part)
                file.flush()
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as fault:
        raise _unwritable(path, fault) from None


def _folder(path: Path, files: dict[str, bytes]) -> None:
    _absent(path)
    try:
        path.mkdir()
        try:
            for name, data in files.items():
                (path / name).parent.mkdir(exist_ok=True)
                _file(path / name, [data])
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
    except OSError as fault:
        raise _unwritable(path, fault) from None


def _unwritable(path: Path, fault: OSError) -> PlumblineError:
    code = "disk-full" if fault.errno == 28 else "usage"
    return PlumblineError(code, f"It can't be written ({fault.strerror}).", where=str(path)[-200:])
