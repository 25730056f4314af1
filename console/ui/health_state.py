"""What the Health page looks at, in the URL: `?a=ADDRESS&report=ID&against=ID`; and what a check is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.health.options import SAMPLE, CheckOptions
from console.settings import Address, parse_address
from console.ui import board, health_store, session

NAMES: Final = ("a", "report", "against")
if TYPE_CHECKING:
    from console.store import Headline

_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_SEEN: Final = "health.seen"
_LAST: Final = "health.last"
NO_ENCODER: Final = "none"
PREFERRED: Final = "demo/scenes"
_ORDER: Final = ("broken", "degraded", "not_known", "healthy")


def arrive() -> PlumblineError | None:
    """Take over a URL that this session did not write; what is wrong with it, or None."""
    here = _here()
    state = st.session_state
    if here == state.get(_SEEN) and "h.collection" in state:
        return None
    wanted = here or dict(state.get(_LAST, {}))
    fault = None
    try:
        address = _wanted(wanted)
    except PlumblineError as wrong:
        address, fault = None, wrong
    state["h.collection"] = str(address.with_vector(None)) if address is not None else None
    state["h.vector"] = address.vector if address is not None else None
    state["health.report"] = wanted.get("report") if fault is None else None
    state["h.against"] = wanted.get("against") if fault is None else None
    state[_SEEN] = here
    return fault


def leave(address: Address | None) -> None:
    """Write what is looked at into the URL."""
    state = st.session_state
    pairs = {"a": str(address)} if address is not None else {}
    if address is not None:
        pairs |= {"report": state["health.report"]} if state.get("health.report") else {}
        pairs |= {"against": state["h.against"]} if state.get("h.against") else {}
    if pairs != _here():
        st.query_params.from_dict(pairs)
    state[_SEEN] = state[_LAST] = _here()


def show(report: str | None) -> None:
    """Show an earlier report (None: the newest)."""
    st.session_state["health.report"] = report
    st.session_state["h.against"] = None


def _here() -> dict[str, str]:
    return {name: st.query_params[name] for name in NAMES if name in st.query_params}


def _wanted(pairs: Mapping[str, str]) -> Address | None:
    for name in ("report", "against"):
        if name in pairs and not _ID.fullmatch(pairs[name]):
            raise PlumblineError(
                "usage", "That is not the id of a report.", where=name, hint="The history below lists them."
            )
    if "a" in pairs:
        return parse_address(pairs["a"])
    if "report" in pairs:
        held = health_store.report(pairs["report"])
        return parse_address(str(held["address"]))
    return None


def collections(latest: list[Headline]) -> list[str]:
    """What is listed by now, what has a report, and what is looked at."""
    names = list(session.workspace().settings.connections)
    held = [board.collections(n) for n in names]
    board.glance(*held)
    found = [
        str(Address(line.connection, line.summary.name))
        for h in held
        for line in h.value or ()
        if line.summary is not None
    ]
    found += [h.address.partition("#")[0] for h in latest if not h.address.startswith("snapshot:")]
    current = st.session_state.get("h.collection")
    return list(dict.fromkeys([*found, *([current] if current else [])]))


def preferred(options: list[str], latest: list[Headline]) -> tuple[str | None, str | None]:
    """The collection and vector whose last report is worst; else the demo's, else the first."""
    worst = sorted(latest, key=lambda h: _ORDER.index(h.verdict) if h.verdict in _ORDER else 9)
    for one in worst:
        address = one.address.partition("#")[0]
        if address in options:
            return address, parse_address(one.address).vector
    if PREFERRED in options:
        return PREFERRED, None
    return (options[0], None) if options else (None, None)


def vectors(collection: str, latest: list[Headline]) -> list[str]:
    """The dense vector fields of a collection: as listed, else as reports name them."""
    whole = parse_address(collection)
    found: list[str] = []
    if whole.connection in session.workspace().settings.connections:
        for line in board.collections(whole.connection).value or ():
            if line.summary is not None and line.summary.name == whole.collection:
                found += [v.name for v in line.summary.vectors if v.kind == "dense"]
    if not found:
        found += [
            parse_address(h.address).vector or "" for h in latest if h.address.partition("#")[0] == collection
        ]
    current = st.session_state.get("h.vector")
    return list(dict.fromkeys([*found, *([current] if current is not None else [])]))


def sampled(report: Mapping[str, Any] | None) -> bool:
    """Whether a report is of a sample, whose rows can be read again."""
    return bool((report or {}).get("scanned")) and not (report or {}).get("exact")


def same_rows(report: Mapping[str, Any] | None) -> str | None:
    """The id of the report whose rows are wanted again, or None."""
    return str((report or {})["id"]) if st.session_state.get("h.same") and sampled(report) else None


def options(report: Mapping[str, Any] | None = None) -> CheckOptions:
    """The check that the form asks for, beside the report that is shown."""
    state = st.session_state
    encoder, rate, expected = state.get("h.encoder"), state.get("h.rate"), state.get("h.expected")
    same = same_rows(report)
    return CheckOptions(
        sample=None if same is not None or state.get("h.full") else int(state.get("h.sample") or SAMPLE),
        sample_of=same,
        seed=int(state.get("h.seed") or 0),
        group_by=tuple(str(g) for g in state.get("h.groups") or ()),
        encoder=None if encoder in (None, NO_ENCODER) else encoder,
        version_field=_named("h.version"),
        modality_field=_named("h.modality"),
        expected_rows=None if expected is None else int(expected),
        baseline=state.get("h.baseline"),
        rate=None if rate is None else float(rate),
    )


def _named(key: str) -> str | None:
    """A field's name; what is blank is none."""
    return str(st.session_state.get(key) or "").strip() or None


def fields(report: Mapping[str, Any] | None) -> list[str]:
    """Payload fields that rows can be grouped by, as the last report found them."""
    named = ((report or {}).get("fields") or {}).get("groups") or ()
    held = ((report or {}).get("profile") or {}).get("groups") or {}
    chosen = st.session_state.get("h.groups") or ()
    return list(dict.fromkeys([*(str(n) for n in named), *(str(n) for n in held), *chosen]))
