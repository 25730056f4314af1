"""The command line. `main` is its only door; each command imports what it needs when it runs."""

from console.cli.run import main

__all__ = ["main"]
