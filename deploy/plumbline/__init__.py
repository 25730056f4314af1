"""Plumbline as an installed package: one name in site-packages, the house inside it.

The folders `console`, `connectors` and `pages` have ordinary names that other packages may own,
so the wheel keeps them inside `plumbline/` and this module puts that folder first on `sys.path`.
In a checkout the same folders stand two levels up.
"""

import sys
from pathlib import Path

__version__ = "0.1.0"

_here = Path(__file__).resolve().parent
HOUSE = _here if (_here / "console").is_dir() else _here.parent.parent


def enter() -> None:
    """Put the house first on `sys.path`, so that `console`, `connectors` and `pages` are ours."""
    house = str(HOUSE)
    if not sys.path or sys.path[0] != house:
        sys.path.insert(0, house)


def main() -> int:
    """Run the command line; returns its exit code."""
    enter()
    from console.cli import main as run

    return run()
