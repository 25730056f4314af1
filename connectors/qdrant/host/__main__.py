"""`python -m connectors.qdrant.host FOLDER [IDLE_SECONDS]`: the host's process, as `ensure` starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from connectors.qdrant.host import IDLE_SECONDS, process


def main(arguments: Sequence[str]) -> int:
    """Standard output gets one line for whoever waits, and is closed; everything else goes to standard error."""
    root = Path(arguments[0]).resolve()
    idle = float(arguments[1]) if len(arguments) > 1 else IDLE_SECONDS
    with os.fdopen(os.dup(1), "w") as ready:
        os.dup2(2, 1)
        return process.run(root, idle, ready)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
