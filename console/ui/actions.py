"""What the pages can change. Each asks for the right itself, whoever shows the button."""

from __future__ import annotations

from console.settings import Address
from console.ui import access, board, session


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
