"""Building a collection's index without holding anybody up.

The engine's `optimize` holds its interpreter for as long as it runs (17 s for 30,000 x 512), so the host
never calls it. A child process does, on a copy of the folder: the host copies while no write runs, keeps
what is written meanwhile, repeats it on the built copy, and goes over to that if both hold the same rows.
Until then, and wherever anything fails, the old folder is the collection.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from connectors.qdrant.host import door

CODE: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from connectors.qdrant.host.builder import main; sys.exit(main(sys.argv[2], sys.argv[3]))"
)
JOURNAL_ROWS: Final = 50_000
JOURNAL_BYTES: Final = 64 * 1024 * 1024
_PR_SET_PDEATHSIG: Final = 1


class Build:
    """One build: the child, the folder that it builds, and what was written since the copy was taken."""

    def __init__(self, collection: Path, source: Path, target: Path) -> None:
        """Copy `source`, which nobody writes to while this runs, and start the child."""
        self.target = target
        self.journal: list[Any] = []
        self.overrun = False
        self._bytes = 0
        shutil.rmtree(target, ignore_errors=True)
        try:
            shutil.copytree(source, target)
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
                [sys.executable, "-P", "-c", CODE, str(door.HOUSE), str(collection), str(target)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                close_fds=True,
            )
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise

    def note(self, operation: Any, size: int) -> None:
        """A write that the copy does not have. Too many of them, and the build is given up."""
        self._bytes += size + 256
        if self._bytes > JOURNAL_BYTES or len(self.journal) >= JOURNAL_ROWS:
            self.overrun = True
            self.journal.clear()
        else:
            self.journal.append(operation)

    @property
    def ended(self) -> bool | None:
        """None while the child works; then whether it succeeded."""
        code = self._child.poll()
        return None if code is None else code == 0

    def discard(self) -> None:
        """Stop the child and remove what it made."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        shutil.rmtree(self.target, ignore_errors=True)


def main(collection: str, target: str) -> int:
    """The child: optimise the copy in `target` with the configuration of `collection`; returns an exit code."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(10)
    import qdrant_edge as edge

    from connectors.qdrant.host import schema
    from connectors.qdrant.host.shard import Shard

    config = Shard.load(Path(collection)).config
    shard: Any = edge.EdgeShard.load(target, schema.for_engine(config))
    shard.optimize()
    shard.close()
    return 0
