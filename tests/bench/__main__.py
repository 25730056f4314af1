"""`python -m tests.bench [PART]`: each measure in a process of its own, its ratios as one JSON object a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    here = Path(__file__).parent
    failed = 0
    for script in sorted(here.glob("[a-z]*.py")):
        if part in script.stem:
            print(f"# {script.stem}", flush=True)
            failed |= subprocess.run(
                [sys.executable, "-m", f"tests.bench.{script.stem}"], check=False
            ).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
