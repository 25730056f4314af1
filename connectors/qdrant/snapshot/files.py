"""What a snapshot file holds, and its unpacking. The file is untrusted: only plain files and folders leave it."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, cast

from connectors.errors import PlumblineError

ROOM: Final = 256 * 1024 * 1024
"""Bytes that stay free on the disk beside what is unpacked."""
MOST_MEMBERS: Final = 1_000_000
LARGEST_CONFIG: Final = 16 * 1024 * 1024

_SHARD: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_NAME: Final = re.compile(
    r"(?P<name>.+?)(-shard-\d+)?-\d{10,}-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d(-\d+)?\.snapshot(\.tar)?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Contents:
    """`shards`: folders of shards in a collection snapshot, ascending; (0,) of a shard snapshot. `elsewhere`: shards
    of which it holds the settings only, as their rows are on other nodes of a cluster.

    `size`: bytes of all members. `config`: the collection's configuration; None in a shard snapshot.
    """

    kind: Literal["collection", "shard"]
    shards: tuple[int, ...]
    size: int
    config: dict[str, Any] | None
    elsewhere: tuple[int, ...] = ()


def collection_name(file: Path) -> str:
    """The collection that a snapshot is of, by the name that Qdrant gives its files; else the file's own name."""
    found = _NAME.fullmatch(file.name)
    return found["name"] if found else file.name.removesuffix(".snapshot") or file.name


def contents(file: Path) -> Contents:
    """Reads the file's table and configuration, not its rows.

    Raises `not-found`, `damaged` for what is no snapshot or not whole, `unsupported` for a snapshot of a
    whole storage.
    """
    try:
        with tarfile.open(file, "r:") as tar:
            return _contents(tar, file)
    except (tarfile.TarError, EOFError) as fault:
        raise damaged(file, f"it can't be read as a snapshot ({fault})") from None
    except OSError as fault:
        raise _unreadable(file, fault) from None


def _contents(tar: tarfile.TarFile, file: Path) -> Contents:
    size, named, shards, segments = 0, set[int](), set[int](), False
    config: dict[str, Any] | None = None
    inner: list[str] = []
    for number, member in enumerate(tar):
        if number > MOST_MEMBERS:
            raise damaged(file, f"it holds more than {MOST_MEMBERS:,} files")
        first, *rest = PurePosixPath(member.name).parts or ("",)
        size += member.size
        segments = segments or first == "segments"
        if first.isdigit() and rest:
            if not _SHARD.fullmatch(first):
                raise damaged(file, "it holds a shard that no server numbers so")
            named.add(int(first))
            if rest[0] in ("segments", "wal"):
                shards.add(int(first))
        if member.name == "config.json":
            config = _json(tar, member, file)
        if not rest and first.endswith(".snapshot"):
            inner.append(first)
    end = tar.offset
    if file.stat().st_size < end:
        raise damaged(file, "its end is missing")
    if segments:
        return Contents("shard", (0,), size, None)
    if config is not None and "params" in config:
        return Contents("collection", tuple(sorted(shards)), size, config, tuple(sorted(named - shards)))
    if inner:
        raise PlumblineError(
            "unsupported",
            f"This is a snapshot of a whole storage, with {len(inner)} collections in it.",
            where=str(file),
            hint="Unpack it (tar -xf) and name one of the .snapshot files inside.",
        )
    raise damaged(file, "it holds neither a collection nor a shard of Qdrant")


def _json(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> dict[str, Any]:
    if member.size > LARGEST_CONFIG or (stream := tar.extractfile(member)) is None:
        raise damaged(file, "its configuration can't be read")
    try:
        held = json.loads(stream.read())
    except (ValueError, RecursionError):
        raise damaged(file, "its configuration can't be read") from None
    if not isinstance(held, dict):
        raise damaged(file, "its configuration can't be read")
    return cast("dict[str, Any]", held)


def check_room(file: Path, folder: Path, size: int) -> None:
    """The shard, unpacked, and one shard's own archive on its way. Raises `disk-full`."""
    free, needed = shutil.disk_usage(folder).free, 2 * size + ROOM
    if free < needed:
        raise PlumblineError(
            "disk-full",
            f"Unpacking needs {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free.",
            where=str(file),
            hint=f"Make room at {folder.parent}, or set TMPDIR to a folder on a larger disk.",
        )


def shard_archive(file: Path, shard: int, target: Path) -> None:
    """The members of one shard as an archive of their own, which is what the engine unpacks.

    Raises `damaged`, also for a member that is a link or that leads out of its folder.
    """
    prefix = f"{shard}/"
    try:
        with tarfile.open(file, "r:") as source, tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as made:
            for member in source:
                name = member.name.removeprefix("./")
                if not name.startswith(prefix) or name == prefix:
                    continue
                _sound(member, file)
                # A new header: the log's files are sparse, and their own says so.
                plain = tarfile.TarInfo(name.removeprefix(prefix))
                plain.type, plain.mode, plain.mtime = member.type, member.mode, member.mtime
                if member.isfile():
                    plain.type, plain.size = tarfile.REGTYPE, member.size
                made.addfile(plain, source.extractfile(member) if member.isfile() else None)
    except (tarfile.TarError, EOFError) as fault:
        raise damaged(file, f"it can't be read to its end ({fault})") from None
    except OSError as fault:
        raise _unreadable(file, fault) from None


def check_members(file: Path) -> None:
    """A shard snapshot's members. Raises `damaged` as `shard_archive` does."""
    try:
        with tarfile.open(file, "r:") as source:
            for member in source:
                _sound(member, file)
    except (tarfile.TarError, EOFError) as fault:
        raise damaged(file, f"it can't be read to its end ({fault})") from None


def _sound(member: tarfile.TarInfo, file: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise damaged(file, "it holds a link, a device, or a path that leads out of it")


def damaged(file: Path, why: str) -> PlumblineError:
    """The error for a file that is no snapshot or not whole; `why` ends a sentence."""
    return PlumblineError(
        "damaged", f"The snapshot can't be used: {why}.", where=str(file), hint="Take or download it again."
    )


def _unreadable(file: Path, fault: OSError) -> PlumblineError:
    if isinstance(fault, FileNotFoundError):
        return PlumblineError("not-found", "There is no such file.", where=str(file))
    if fault.errno in (28, 122):
        return PlumblineError(
            "disk-full", "There is no room to unpack the snapshot.", where=str(file), hint="Make room."
        )
    return PlumblineError(
        "settings", f"The snapshot can't be read ({fault.strerror or 'input failed'}).", where=str(file)
    )
