"""How this process is served: to whom, and from which settings files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connectors.errors import PlumblineError
from console.ui.door import is_loopback

HOUSE: Final = Path(__file__).resolve().parent.parent.parent
"""The folder that holds `console`, `pages` and `.streamlit`, in a checkout and in the wheel alike."""


def port_taken(host: str, port: int) -> PlumblineError:
    """The error of a port that another program listens on."""
    return PlumblineError(
        "port-taken",
        f"Port {port} is taken by another program.",
        where=f"{host}:{port}",
        hint="Stop that program, or choose another port with --port.",
    )


@dataclass(slots=True)
class Serving:
    """What `plumbline up` was told. Without it (`streamlit run`), what Streamlit's options say."""

    host: str | None = None
    config: str | None = None
    """As `--config` and `--secrets` named them."""
    secrets: str | None = None


SERVING: Final = Serving()


def bound_host() -> str:
    """The address that the console is bound to; unknown is the widest."""
    if SERVING.host is not None:
        return SERVING.host
    import streamlit as st

    return str(st.get_option("server.address") or "0.0.0.0")  # noqa: S104


def known_names() -> tuple[str, ...]:
    """Host names that were configured for this console."""
    import streamlit as st

    address = st.get_option("browser.serverAddress") if _is_set("browser.serverAddress") else None
    return (*(st.get_option("server.allowedHosts") or ()), *([str(address)] if address else ()))


def open_to_others() -> bool:
    """Whether other machines can reach this console: then it is read-only, since it has no log-in."""
    return not is_loopback(bound_host())


def options(house: Path = HOUSE) -> dict[str, Any]:
    """`.streamlit/config.toml` beside the house, as dotted options: the wheel's is found by nobody else."""
    held = tomllib.loads((house / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    return _dotted(held)


def _dotted(held: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in held.items():
        key = f"{at}.{name}" if at else name
        if isinstance(value, Mapping):
            out |= _dotted(value, key)
        else:
            out[key] = value
    return out


def _is_set(option: str) -> bool:
    from streamlit import config

    return bool(config.is_manually_set(option))
