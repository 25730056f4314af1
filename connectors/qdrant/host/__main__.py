"""`python -m connectors.qdrant.host FOLDER [IDLE_SECONDS]`: the host's process, as `ensure` starts it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.qdrant.host import IDLE_SECONDS, process
from connectors.qdrant.host.door import NotAStore


def main(arguments: Sequence[str]) -> int:
    """Standard output gets one line of JSON for whoever waits: the endpoint, `{"busy"}` where another host owns
    the folder, or `{"error"}`. Everything else goes to standard error."""
    root = Path(arguments[0]).resolve()
    idle = float(arguments[1]) if len(arguments) > 1 else IDLE_SECONDS
    waiting = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(**what: Any) -> None:
        with waiting:
            waiting.write(json.dumps(what) + "\n")

    try:
        return process.run(root, idle, tell)
    except BlockingIOError:
        tell(busy=True)
        return 0
    except NotAStore as fault:
        tell(error=str(fault))
    except OSError as fault:
        tell(error=f"{fault.strerror or fault}: {fault.filename or root}")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
