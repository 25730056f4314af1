"""The query page's state: what the widgets hold, the request they make, and the URL that holds it all.

The URL is the truth when somebody arrives with one (reload, a shared link, the browser's back); the
widgets are while the page is used, and each run writes them back into the URL.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, NoReturn

import streamlit as st

from connectors import filters
from connectors.errors import PlumblineError
from console.search import QueryRequest, RowPart, Upload
from console.search.request import BLEND, K
from console.settings import parse_address
from console.ui.conditions import Condition, from_filter, parse_json, to_filter

APART: Final = "side by side"
FUSIONS: Final = {APART: None, "reciprocal rank": "rrf", "weighted": "weighted"}
AS_KNOWN: Final = "each field's own"
LEGS: Final = {"vectors": "vector", "keywords": "keyword"}
_SEEN: Final = "query.seen"
_LAST: Final = "query.last"
_PENDING: Final = "query.pending"
_ALLOWED: Final = "query.allowed"

State = MutableMapping[str, Any]


def arrive() -> PlumblineError | None:
    """Take over a URL that this session did not write itself; what is wrong with it, or None."""
    pending = st.session_state.pop(_PENDING, None)
    if pending is not None:
        fill(st.session_state, pending)
        return leave(pending)
    here = _here()
    if here == st.session_state.get(_SEEN) and "q.k" in st.session_state:
        return None
    pairs, fault = here, None
    if not here and st.session_state.get(_LAST):
        pairs = st.session_state[_LAST]
    try:
        request = QueryRequest.from_params(pairs)
    except PlumblineError as wrong:
        request, fault = QueryRequest(()), wrong
    fill(st.session_state, request)
    st.session_state[_SEEN] = here
    return fault


def leave(request: QueryRequest) -> PlumblineError | None:
    """Write the request into the URL; why it can't be there, or None."""
    try:
        request.to_url()
        pairs = request.to_params()
    except PlumblineError as fault:
        return fault
    if pairs != _here():
        held: dict[str, list[str]] = {}
        for name, value in pairs:
            held.setdefault(name, []).append(value)
        st.query_params.from_dict(held)
    st.session_state[_SEEN] = st.session_state[_LAST] = _here()
    return None


def fill(state: State, request: QueryRequest) -> None:
    """Put a request into the widgets' keys."""
    fusion = next(name for name, value in FUSIONS.items() if value == request.fuse)
    made = {
        "q.addresses": [str(a) for a in request.addresses],
        "q.text": request.text or "",
        "q.k": request.k,
        "q.encoder": request.encoder or AS_KNOWN,
        "q.exact": request.exact,
        "q.cutoff": "" if request.cutoff is None else repr(request.cutoff),
        "q.fuse": fusion,
        "q.legs": [name for wanted in request.legs for name, leg in LEGS.items() if leg == wanted],
        "q.blend": round(request.blend * 100),
        "query.blend": request.blend,
        "q.allow": request.allow_mismatch,
        "q.image": str(request.image) if isinstance(request.image, Upload) else None,
        "q.row": str(request.row) if request.row is not None else "",
        "q.vector": request.vector,
        "q.weights": ", ".join(repr(w) for w in request.weights),
        **filter_keys(request.filter),
    }
    for name, value in made.items():
        state[name] = value
    state["q.filter_turn"] = state.get("q.filter_turn", 0) + 1
    state.pop(_ALLOWED, None)


def filter_keys(what: filters.Filter | None, at: str = "q") -> dict[str, Any]:
    """What the keys of the filter builder at `at` hold for a filter: rows where they can show it, else JSON."""
    shown = from_filter(what)
    rows, join = shown if shown is not None else ((), "all")
    return {
        f"{at}.rows": [asdict(r) for r in rows],
        f"{at}.join": join,
        f"{at}.json": "" if shown is not None or what is None else as_json(what),
        f"{at}.as_json": shown is None,
    }


def request_of(state: State, types: dict[str, str]) -> QueryRequest:
    """The request that the widgets make. Raises `usage` naming what is wrong.

    An override of the version guard holds for the query it was given for, and no other.
    """
    request = _read(state, types)
    about = subject(request)
    if request.allow_mismatch and state.get(_ALLOWED, about) != about:
        request = replace(request, allow_mismatch=False)
    if request.allow_mismatch:
        state[_ALLOWED] = about
    else:
        state.pop(_ALLOWED, None)
    return request


def _read(state: State, types: dict[str, str]) -> QueryRequest:
    text = str(state.get("q.text") or "")
    row = str(state.get("q.row") or "").strip()
    blend = float(state.get("query.blend", BLEND))
    percent = int(state.get("q.blend", round(blend * 100)))
    return QueryRequest(
        addresses=tuple(parse_address(a) for a in state.get("q.addresses", ())),
        text=text if text.strip() else None,
        image=Upload.parse(state["q.image"]) if state.get("q.image") else None,
        row=RowPart.parse(row) if row else None,
        vector=state.get("q.vector"),
        # The slider has whole steps: a finer share from a link stays until it is moved.
        blend=blend if percent == round(blend * 100) else percent / 100,
        fuse=FUSIONS[state.get("q.fuse") or APART],  # type: ignore[arg-type]
        legs=tuple(LEGS[n] for n in state.get("q.legs") or ()) or ("vector",),  # type: ignore[arg-type]
        weights=_weights(str(state.get("q.weights") or "")),
        encoder=None if state.get("q.encoder", AS_KNOWN) in (None, AS_KNOWN) else state["q.encoder"],
        k=int(state.get("q.k") or K),
        filter=filter_of(state, types),
        exact=bool(state.get("q.exact")),
        cutoff=_cutoff(str(state.get("q.cutoff") or "")),
        allow_mismatch=bool(state.get("q.allow")),
    )


def filter_of(state: State, types: dict[str, str], at: str = "q") -> filters.Filter | None:
    """The filter of the builder at `at`, from its rows or its JSON. Raises `usage`."""
    if state.get(f"{at}.as_json"):
        return parse_json(str(state.get(f"{at}.json") or ""))
    rows = [Condition(**r) for r in state.get(f"{at}.rows", ())]
    return to_filter(rows, state.get(f"{at}.join", "all"), types)


def send(request: QueryRequest) -> NoReturn:
    """Ask this instead: the widgets are filled with it before they are drawn again."""
    st.session_state[_PENDING] = request
    st.rerun()


def subject(request: QueryRequest) -> tuple[object, ...]:
    """What an override of the version guard is about: it does not outlive a change of these."""
    return (
        request.addresses, request.text, request.image, request.row, request.vector, request.encoder,
        request.legs,
    )  # fmt: skip


def _here() -> list[tuple[str, str]]:
    names = list(st.query_params.keys())
    return [(name, value) for name in names for value in st.query_params.get_all(name)]


def as_json(what: filters.Filter) -> str:
    return json.dumps(filters.to_json(what), ensure_ascii=False, indent=2)


def _weights(text: str) -> tuple[float, ...]:
    words = [w for w in text.replace(",", " ").split() if w]
    try:
        return tuple(float(w) for w in words)
    except ValueError:
        raise PlumblineError(
            "usage",
            "The weights are numbers with commas between.",
            where="weights",
            hint="For example 0.6, 0.4.",
        ) from None


def _cutoff(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise PlumblineError(
            "usage", f"{text[:40]!r} is not a cutoff.", where="cutoff", hint="Give a number."
        ) from None


def is_empty(request: QueryRequest) -> bool:
    """Whether nothing is asked yet."""
    return not any(part is not None for part in (request.text, request.image, request.row, request.vector))


def with_addresses(current: Sequence[str], listed: Sequence[str]) -> list[str]:
    """What the collections' field offers: what is listed, and what was named by hand or by the URL."""
    return list(dict.fromkeys([*listed, *current]))
