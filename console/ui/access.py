"""Who may change something. Asked by the function that acts, not by the page that shows the button."""

from __future__ import annotations

from connectors.errors import PlumblineError
from console.ui.door import is_loopback
from console.ui.serving import bound_host, open_to_others


def why_read_only() -> str | None:
    """Why nothing can be changed from here, or None where the user is this machine's operator."""
    if open_to_others():
        return (
            f"This console is bound to {bound_host()}, where other machines can reach it, and has no "
            "log-in. You can look and query; databases, settings and choices of encoders stay as they are."
        )
    if not _is_local(_client()):
        return (
            "You reach this console from another machine, and it has no log-in. You can look and query; "
            "databases, settings and choices of encoders stay as they are."
        )
    return None


def require_operator(what: str) -> None:
    """Raises `read-only` where the user is not this machine's operator."""
    if (why := why_read_only()) is not None:
        raise PlumblineError(
            "read-only",
            f"{what} is not possible here. {why}",
            where="console",
            hint="Do it on the machine itself, at the address 127.0.0.1, or with the command line.",
        )


def _client() -> str | None:
    """The address of the browser; None where there is none (tests) or it is this machine."""
    import streamlit as st

    address = st.context.ip_address
    return address if isinstance(address, str) and address else None


def _is_local(address: str | None) -> bool:
    return address is None or is_loopback(address)
