"""A private folder in which the embedded store's host finds the unpacked shards; gone when it is closed."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.errors import PlumblineError
from connectors.qdrant.snapshot import configs, files

PREFIX: Final = "plumbline-snapshot-"
OWNER: Final = "owner"
STORE: Final = "store"
LISTED: Final = 20
"""Shards that a note names."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """`collections`: name in the private store -> shard number. `notes`: what the snapshot lacks.

    `deleted`: rows that its indexed segments mark as deleted; None where the segments keep that in another way.
    """

    root: Path
    collections: Mapping[str, int]
    rows: int
    notes: tuple[str, ...]
    deleted: int | None = None

    @property
    def folder(self) -> Path:
        """Of the embedded store."""
        return self.root / STORE


def unpack(file: Path, name: str) -> Unpacked:
    """Every shard of the file, each as a collection of a private store.

    Raises `not-found`, `damaged`, `unsupported`, `disk-full`.
    """
    held = files.contents(file)
    try:
        notes = _notes(held)
    except ValueError as fault:
        raise files.damaged(file, str(fault)) from None
    sweep()
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        (root / OWNER).write_text(json.dumps({"pid": os.getpid(), "born": _born(os.getpid())}))
        files.check_room(file, root, held.size)
        atexit.register(remove, root)
        return _unpack(file, name, held, root, notes)
    except BaseException:
        remove(root)
        raise


def _unpack(file: Path, name: str, held: files.Contents, root: Path, notes: tuple[str, ...]) -> Unpacked:
    from connectors.qdrant.host import door
    from connectors.qdrant.host.service import ENGINE
    from connectors.qdrant.host.store import folder_name

    if not held.shards:
        if held.elsewhere:
            raise PlumblineError(
                "unsupported",
                "The snapshot holds no rows: every shard is on other nodes of the cluster.",
                where=str(file),
                hint="Take it on a node that holds shards of the collection.",
            )
        raise PlumblineError("damaged", "The snapshot holds no shard.", where=str(file))
    collections: dict[str, int] = {}
    rows, deleted = 0, list[int | None]()
    (root / STORE).mkdir(mode=0o700)
    door.check_format(root / STORE, ENGINE)
    for shard in held.shards:
        own = name if len(held.shards) == 1 else f"{name} shard {shard}"
        folder = root / STORE / "collections" / folder_name(own)
        data = folder / "data-1"
        data.mkdir(mode=0o700, parents=True)
        archive = file
        if held.kind == "collection":
            archive = root / f"shard-{shard}.tar"
            files.shard_archive(file, shard, archive)
        else:
            files.check_members(file)
        with _engine(file):
            rows += _load(archive, data, folder, own, held, deleted)
        if archive != file:
            archive.unlink()
        collections[own] = shard
    told = [n for n in deleted if n is not None]
    whole = sum(told) if len(told) == len(deleted) else None
    return Unpacked(root, collections, rows, notes, whole)


def _load(
    archive: Path, data: Path, folder: Path, name: str, held: files.Contents, deleted: list[int | None]
) -> int:
    import qdrant_edge as edge

    from connectors.qdrant.host import schema, sidecar
    from connectors.qdrant.host.upkeep import CONFIG

    edge.EdgeShard.unpack_snapshot(str(archive), str(data))
    deleted.append(marked(data))
    config = configs.of_collection(held.config) if held.config is not None else configs.of_segments(data)
    made = {"name": name, "data": data.name, "config": config, "frozen": True}
    (folder / CONFIG).write_text(json.dumps(made))
    engine = edge.EdgeShard.load(str(data), schema.for_engine(schema.read(config)))
    rows = int(engine.count(edge.CountRequest()))
    engine.close()
    sidecar.replace(folder / sidecar.CLOSED, json.dumps({"rows": rows, "files": {}}).encode())
    return rows


def marked(data: Path) -> int | None:
    """Rows that a shard's indexed segments mark as deleted: a bit each, in words of 64, without a header (1.18.3: the
    same figures as the server's telemetry gives). Segments that still grow have none: what was deleted there is not
    told. None for segments that keep it elsewhere, as those of older servers do.
    """
    total = 0
    for segment in (data / "segments").glob("*"):
        bits, versions = segment / "id_tracker.deleted", segment / "id_tracker.versions"
        if (segment / "CURRENT").exists() or bits.exists() != versions.exists():
            return None
        if not bits.exists():
            continue
        words = -(-(versions.stat().st_size // 8) // 64)
        if bits.stat().st_size != 8 * words:
            return None
        total += int.from_bytes(bits.read_bytes(), "little").bit_count()
    return total


@contextlib.contextmanager
def _engine(file: Path) -> Generator[None]:
    """The engine's errors and panics, which are no Exceptions, as `damaged`."""
    try:
        yield
    except (PlumblineError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as fault:
        full = "os error 28" in str(fault).lower() or "no space left" in str(fault).lower()
        raise PlumblineError(
            "disk-full" if full else "damaged",
            "There is no room to unpack the snapshot."
            if full
            else f"The engine can't open the snapshot ({fault}).",
            where=str(file),
            hint="Make room." if full else "It may be of a newer server, or not whole: take it again.",
        ) from None


def _notes(held: files.Contents) -> tuple[str, ...]:
    """Raises ValueError for a configuration that names more shards than there are anywhere."""
    if held.config is None:
        return ("A shard snapshot: whether the collection has other shards can't be told from it.",)
    wanted = configs.shards_wanted(held.config)
    lacking = sorted({*wanted, *held.elsewhere} - set(held.shards))
    if not lacking:
        return ()
    whole = len(lacking) + len(held.shards)
    listed = ", ".join(str(s) for s in lacking[:LISTED])
    if len(lacking) > LISTED:
        listed += f" and {len(lacking) - LISTED:,} more"
    many = "shards" if len(lacking) > 1 else "shard"
    return (
        f"The snapshot is of one node of a cluster: {many} {listed} of {whole:,} "
        f"{'are' if len(lacking) > 1 else 'is'} not in it, nor their rows.",
    )


def remove(folder: Path) -> None:
    """End the host of a private folder and remove it; no fault leaves here."""
    from connectors.qdrant import host

    if folder.is_dir():
        with contextlib.suppress(PlumblineError, OSError):
            host.stop(folder / STORE, 10.0)
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove private folders of this user whose process is gone."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            try:
                if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                    continue
                owner = json.loads((folder / OWNER).read_text())
                alive = _born(int(owner["pid"])) == owner["born"]
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if not alive:
                remove(folder)


def _born(pid: int) -> str | None:
    """When a process began, in the system's own clock ticks; None where there is none (or no /proc)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        try:
            os.kill(pid, 0)
        except OSError:
            return None
        return "alive"
