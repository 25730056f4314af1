"""What the pages can change. Each asks for the right itself, whoever shows the button."""

from __future__ import annotations

from typing import Final

from connectors.errors import PlumblineError
from console.health.options import CheckOptions
from console.jobs.runs import Runs
from console.settings import Address
from console.ui import access, board, health_store, session
from console.ui.serving import SERVING

LARGEST_SAMPLE: Final = 50_000
"""Rows that a visitor may have read at once."""


def choose_encoder(address: Address, name: str | None) -> None:
    """Keep (None: forget) the operator's choice for a vector field. Raises `read-only`, `encoder-unknown`."""
    access.require_operator("Choosing an encoder")
    session.workspace().set_choice(address, name)
    board.board().forget(("encoders", address.connection), ("described", address.whole))


def reread_settings() -> bool:
    """Read the settings' files and variables again; True where something changed.

    Raises `read-only`, and `settings` where a file is wrong: then the old settings stay.
    """
    return session.reread()


def runs() -> Runs:
    """The readings of this machine, whoever started them."""
    return Runs(session.workspace().home, SERVING.config, SERVING.secrets)


def check_now(address: Address, options: CheckOptions) -> str:
    """Start a check and return its run's id; the running one's where there is one.

    A visitor may have a sample read, no more: a check at a crawl is in everybody's way, and the number of rows that
    should be there, the baseline and the fields' meaning decide the verdict that everybody sees.
    Raises `read-only`, `usage`, `encoder-unknown`, `not-found`, `busy`.
    """
    if options.full or (options.sample or 0) > LARGEST_SAMPLE:
        access.require_operator("Reading every row")
    if options.sample_of is not None:
        access.require_operator("Reading the rows of a report again")
    if options.baseline is not None:
        access.require_operator("Choosing the baseline")
    if options.version_field is not None or options.modality_field is not None:
        access.require_operator("Saying what a field means")
    if options.seed:
        access.require_operator("Choosing the seed")
        if not 0 <= options.seed < 2**63:
            raise PlumblineError("usage", "A seed is a whole number from 0 on.", where=str(address))
    if options.rate is not None:
        access.require_operator("Limiting the rate")
        if not options.rate > 0:
            raise PlumblineError("usage", "Rows a second are more than 0.", where=str(address))
    if options.expected_rows is not None:
        access.require_operator("Saying how many rows should be there")
    if options.sample is not None and options.sample < 1:
        raise PlumblineError("usage", "A sample has at least one row.", where=str(address))
    workspace = session.workspace()
    workspace.spec(address.connection)
    if options.encoder is not None and options.encoder not in workspace.encoder_specs():
        raise PlumblineError(
            "encoder-unknown", f"There is no encoder `{options.encoder}`.", where=str(address)
        )
    return runs().submit(address, options)


def cancel_check(run: str) -> None:
    """End a check. One of every row is the operator's. Raises `read-only`, `not-found`."""
    held = runs()
    if held.progress(run).options.get("sample") is None:
        access.require_operator("Ending a check of every row")
    held.cancel(run)


def set_baseline(address: Address, report: str) -> None:
    """Pin a report as what later checks are held against. Raises `read-only`, `not-found`."""
    access.require_operator("Setting the baseline")
    health_store.store().set_baseline(address, report)


def clear_baseline(address: Address) -> None:
    """Raises `read-only`."""
    access.require_operator("Forgetting the baseline")
    health_store.store().clear_baseline(address)
