"""What the operator chose and Plumbline keeps: `choices.json` in PLUMBLINE_HOME."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, cast

from connectors.errors import PlumblineError
from console.settings.address import Address

_FORM: Final = 1


class Choices:
    """Encoders chosen for vector fields. Read anew each time; written whole, under a lock."""

    def __init__(self, home: Path) -> None:
        self._file = home / "choices.json"

    def get(self, address: Address) -> str | None:
        """The choice for a vector field, else for its collection. The tenant does not matter."""
        held = self._read()
        place = Address(address.connection, address.collection, vector=address.vector)
        return held.get(str(place)) or held.get(str(place.whole))

    def put(self, address: Address, name: str | None) -> None:
        place = str(Address(address.connection, address.collection, vector=address.vector))
        with locked(self._file.with_suffix(".lock")):
            held = self._read()
            if name is None:
                held.pop(place, None)
            else:
                held[place] = name
            self._write(held)

    def all(self) -> dict[str, str]:
        return self._read()

    def _read(self) -> dict[str, str]:
        try:
            raw = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as fault:
            raise trouble(fault, self._file) from None
        except (ValueError, RecursionError):
            raise self._damaged() from None
        held = cast("dict[str, Any]", raw).get("encoders") if isinstance(raw, dict) else None
        if not isinstance(held, dict):
            raise self._damaged()
        named = cast("dict[str, Any]", held)
        if not all(isinstance(v, str) for v in named.values()):
            raise self._damaged()
        return cast("dict[str, str]", named)

    def _damaged(self) -> PlumblineError:
        return PlumblineError(
            "damaged",
            "The file of the choices that were made can't be read.",
            where=str(self._file),
            hint="Mend it, or move it away to start with none.",
        )

    def _write(self, held: dict[str, str]) -> None:
        text = json.dumps({"form": _FORM, "encoders": held}, indent=1, sort_keys=True, ensure_ascii=True)
        write_whole(self._file, text.encode())


@contextlib.contextmanager
def locked(file: Path) -> Generator[None, None, None]:
    """Hold a lock between processes while something in PLUMBLINE_HOME changes. Raises `settings`, `disk-full`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise trouble(fault, file) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def write_whole(file: Path, content: bytes) -> None:
    """Replace a file in one step: a reader sees the old or the new content, also after a crash."""
    temporary = ""
    try:
        number, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(number, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(file)
    except OSError as fault:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise trouble(fault, file) from None


def trouble(fault: OSError, file: Path) -> PlumblineError:
    """What an operating system's error about a file of PLUMBLINE_HOME means."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return PlumblineError("disk-full", "There is no room to write.", where=str(file))
    return PlumblineError(
        "settings",
        f"The file can't be used ({fault.strerror or 'input or output failed'}).",
        where=str(file),
        hint="PLUMBLINE_HOME must be a folder that you may write to.",
    )
