"""What the Compare page looks at and is asked, in the URL: the request, which stored comparison, and what is open.

The URL is the truth when somebody arrives with one; the widgets are while the page is used, and each run
writes them back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.compare.request import CompareRequest
from console.search import Upload
from console.ui import compare_sides, compare_store, query_state, words

State = MutableMapping[str, Any]

POOL: Final = "c.pool"
DRAWN: Final = "c.drawn"
"""Names of the two filter builders: of the rows that count, and of those that queries are drawn from."""
VIEW: Final = ("comparison", "open", "p", "by", "colour", "cutoff")
POPULATIONS: Final = {"the first hit of each query": "top1", "every hit of each query": "topk"}
OPTIONS: Final = (
    "c.queries", "c.k", "c.golden", "c.texts", "c.cohorts", "c.match", "c.threshold", "c.population", "c.rows", "c.seed",
)  # fmt: skip
"""What stands in the options. Each has a widget whose key is `key_of` it."""
_TURN: Final = "compare.options_turn"
_PLACE: Final = "a/b"
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,6}", re.ASCII)
ASKED: Final = (
    "l", "r", "n", "golden", "text", "image", "k", "match", "cohort", "t", "pop", "filter", "qfilter", "rows", "seed",
)  # fmt: skip
"""The names of a request in a link."""
SINGLY: Final = ("text", "image", "cohort")
"""Those of which a link may have several: each is good or bad for itself."""
OWN: Final = {"l", "r", "comparison"}
"""A query string with none of these is no link to a comparison."""
ELSEWHERE: Final = "a"
"""The address in the links of other pages: the browser's Back draws this page once with theirs."""
FOLLOWED: Final = "The link can't be followed"
_SEEN: Final = "compare.seen"
_LAST: Final = "compare.last"
_ASKED: Final = "compare.asked"
_FAULTS: Final = "compare.faults"
_UNKNOWN: Final = "compare.unknown"
_AS_OF: Final = "compare.faults_of"
"""What was asked when the link was found wrong: who asks anything else has read it."""


def arrive() -> None:
    """Take over a URL that this session did not write, as far as it is sound; `faults` says what of it is not.

    A query string of another page is none: what was looked at here stays, and stands in the URL again.
    """
    state, here = st.session_state, _here()
    linked = here if _is_link(here, bool(state.get(_LAST))) else []
    if "c.left" in state and (here == state.get(_SEEN) or (here and not linked)):
        return
    pairs = linked or list(state.get(_LAST, ()))
    state[_AS_OF] = None
    state[_UNKNOWN] = sorted({name for name, _ in pairs if name not in ASKED and name not in VIEW})
    view, request, sides, state[_FAULTS] = _followed(pairs)
    fill(state, request, *sides)
    state["compare.bare"] = not pairs
    state["compare.id"], state["compare.auto"] = view.get("comparison"), None
    state["compare.open"] = int(view["open"]) if "open" in view else None
    state["compare.p"] = int(view.get("p", 1))
    state["compare.by"], state["compare.colour"] = view.get("by"), view.get("colour")
    state["compare.cutoff"] = state["c.cutoff"] = float(view["cutoff"]) if "cutoff" in view else None
    state[_SEEN] = here


def adopt(listed: Sequence[Mapping[str, Any]]) -> None:
    """A visit without a link looks at what was compared last, as it was asked."""
    state = st.session_state
    if not listed or not state.pop("compare.bare", False):
        return
    try:
        request = CompareRequest.from_json(compare_store.data(str(listed[0]["id"]))["request"])
    except PlumblineError:
        return
    fill(state, request, request.left, request.right)


def showing(comparison: str | None, running: bool) -> None:
    """The id of what is shown without having been asked for by its id. The link names it too, but not while another
    one runs: who comes back to the link wants that one.
    """
    st.session_state["compare.held"] = comparison
    st.session_state["compare.auto"] = None if running else comparison


def gone(fault: PlumblineError) -> None:
    """The comparison that the link names is not there: that is said, and the link names it no more."""
    state = st.session_state
    state["compare.id"] = None
    state[_FAULTS] = [*state.get(_FAULTS, ()), (fault, None)]


def faults() -> list[tuple[PlumblineError, str | None]]:
    """What is wrong with the link, with a title, until something else is asked."""
    state = st.session_state
    if not state.get(_FAULTS):
        return []
    if state.get(_AS_OF) is None:
        state[_AS_OF] = state.get(_ASKED)
    elif state[_AS_OF] != state.get(_ASKED):
        state[_FAULTS] = []
    return list(state[_FAULTS])


def unknown() -> str:
    """The names in the link that this page has no use for."""
    return ", ".join(words.printable(name)[:40] for name in st.session_state.get(_UNKNOWN) or ())


def leave(request: CompareRequest | None) -> PlumblineError | None:
    """Write what is looked at into the URL; why it can't be there, or None."""
    state, fault = st.session_state, None
    pairs: list[tuple[str, str]] = []
    if request is not None:
        try:
            pairs = list(request.to_params())
        except PlumblineError as wrong:
            fault = wrong
    else:
        pairs = [(n, s) for n, s in (("l", state.get("c.left")), ("r", state.get("c.right"))) if s]
    state[_ASKED] = pairs
    _write(pairs)
    return fault


def look_kept() -> None:
    """Write what is open into the URL, beside what was asked."""
    _write(st.session_state.get(_ASKED) or [])


def _write(asked: Sequence[tuple[str, str]]) -> None:
    state, pairs = st.session_state, list(asked)
    for name in VIEW:
        value = (
            state.get("compare.id") or state.get("compare.auto")
            if name == "comparison"
            else state.get(f"compare.{name}")
        )
        if value is not None and not (name == "p" and value == 1):
            pairs.append((name, str(value)))
    if pairs != _here():
        held: dict[str, list[str]] = {}
        for name, value in pairs:
            held.setdefault(name, []).append(value)
        st.query_params.from_dict(held)
    state[_SEEN] = state[_LAST] = _here()


def show(comparison: str | None, data: Any = None) -> None:
    """Show a stored comparison (None: what answers the form best); with its data, as it was asked."""
    state = st.session_state
    state[_FAULTS], state[_UNKNOWN] = [], []
    if data is not None:
        request = CompareRequest.from_json(data["request"])
        fill(state, request, request.left, request.right)
    state["compare.id"], state["compare.auto"], state["compare.bare"] = comparison, None, False
    look_anew()


def look_anew() -> None:
    """Another comparison: what was open in the last one is not in this one."""
    state = st.session_state
    state["compare.open"], state["compare.p"] = None, 1
    state["compare.cutoff"] = state["c.cutoff"] = None
    state["compare.turns"] = state.get("compare.turns", 0) + 1


def key_of(option: str) -> str:
    """The key of an option's widget, which then holds what the option is.

    Each time that options are set from elsewhere they get widgets anew: the browser goes on sending what a widget
    of a closed popover held before, and would take it for a wish.
    """
    state = st.session_state
    key = f"{option}.{state.get(_TURN, 0)}"
    if key not in state:
        state[key] = state.get(option)
    return key


def taken() -> None:
    """Take over what the options' widgets hold by now: a click that ends a typing comes before they are drawn again."""
    state = st.session_state
    for option in OPTIONS:
        key = f"{option}.{state.get(_TURN, 0)}"
        if key in state:
            state[option] = state[key]


def put(option: str, value: Any) -> None:
    """Set one option from elsewhere."""
    taken()
    st.session_state[option] = value
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def default() -> CompareRequest:
    return CompareRequest(_PLACE, _PLACE)


def fill(state: State, request: CompareRequest, left: str | None, right: str | None) -> None:
    """Put a request into the widgets' keys."""
    population = next(name for name, value in POPULATIONS.items() if value == request.population)
    made = {
        "c.left": left,
        "c.right": right,
        "c.queries": request.queries,
        "c.k": request.k,
        "c.golden": request.golden,
        "c.texts": "\n".join(" ".join(text.split()) for text in request.texts),
        "c.images": [str(image) for image in request.images],
        "c.match": request.match_on,
        "c.cohorts": list(request.cohorts),
        "c.threshold": request.threshold,
        "c.population": population,
        "c.rows": request.rows,
        "c.seed": request.seed or None,
        **query_state.filter_keys(request.filter, POOL),
        **query_state.filter_keys(request.query_filter, DRAWN),
    }
    for name, value in made.items():
        state[name] = value
    state[_TURN] = state.get(_TURN, 0) + 1
    for at in (POOL, DRAWN):
        state[f"{at}.filter_turn"] = state.get(f"{at}.filter_turn", 0) + 1


def request_of(state: State, types: dict[str, str]) -> CompareRequest | None:
    """The request that the widgets make; None before both sides are chosen. Raises `usage` naming what is wrong."""
    left, right = state.get("c.left"), state.get("c.right")
    if not left or not right:
        return None
    images = [Upload.parse(text) for text in state.get("c.images") or ()]
    match, rows = str(state.get("c.match") or "").strip(), state.get("c.rows")
    threshold = state.get("c.threshold")
    return CompareRequest(
        left,
        right,
        queries=int(state.get("c.queries") or default().queries),
        golden=state.get("c.golden") or None,
        texts=tuple(t.strip() for t in str(state.get("c.texts") or "").splitlines() if t.strip()),
        images=tuple(i for i in images if i is not None),
        k=int(state.get("c.k") or default().k),
        match_on=match or None,
        cohorts=tuple(str(c) for c in state.get("c.cohorts") or ()),
        threshold=None if threshold is None else float(threshold),
        population=POPULATIONS[state.get("c.population") or next(iter(POPULATIONS))],  # type: ignore[arg-type]
        filter=query_state.filter_of(state, types, POOL),
        query_filter=query_state.filter_of(state, types, DRAWN),
        rows=None if rows is None else int(rows),
        seed=int(state.get("c.seed") or 0),
    )


def _is_link(pairs: Sequence[tuple[str, str]], been: bool) -> bool:
    """Whether a query string is a link to this page. `been`: the session looked at something here, and wrote its URL."""
    names = {name for name, _ in pairs}
    return bool(names & OWN) or (not been and ELSEWHERE not in names)


def _followed(
    pairs: Sequence[tuple[str, str]],
) -> tuple[dict[str, str], CompareRequest, tuple[str | None, str | None], list[tuple[PlumblineError, str]]]:
    """What a link looks at, the request and the sides that it names, those of the comparison where it names none; and
    what is wrong with the parts that were left out.
    """
    view: dict[str, str] = {}
    sound: list[tuple[str, str]] = []
    wrong: list[tuple[PlumblineError, str]] = []
    held: CompareRequest | None = None
    for part in _parts(pairs):
        name, value = part[-1]
        try:
            if name in VIEW:
                _checked(name, value)
                view[name] = value
            else:
                _asked_by(part)
                sound += part
        except PlumblineError as fault:
            wrong.append((fault, f"{FOLLOWED}: its {name} was left out"))
    named = dict(sound)
    if "comparison" in view and not {"l", "r"} & named.keys():
        try:
            held = CompareRequest.from_json(compare_store.data(view["comparison"])["request"])
        except PlumblineError as fault:
            del view["comparison"]
            wrong.append((fault, FOLLOWED))
    if held is not None:
        return view, held, (held.left, held.right), wrong
    return view, _asked_by(sound), (named.get("l"), named.get("r")), wrong


def _parts(pairs: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """What of a link is good or bad together: all of one name, and each of those that may be there several times."""
    parts: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for place, (name, value) in enumerate(pairs):
        if name in VIEW or name in ASKED:
            parts.setdefault((name, place if name in SINGLY else -1), []).append((name, value))
    return list(parts.values())


def _asked_by(pairs: Sequence[tuple[str, str]]) -> CompareRequest:
    """The request of some of a link's pairs, over the places of sides that are not named. Raises `usage`."""
    named = {name for name, _ in pairs}
    for name, value in pairs:
        if name in ("l", "r"):
            compare_sides.address_of(value)
    return CompareRequest.from_params([*pairs, *((n, _PLACE) for n in ("l", "r") if n not in named)])


def _checked(name: str, value: str) -> None:
    """Whether one of `VIEW` is of its form. Raises `usage`."""
    if name == "comparison" and not _ID.fullmatch(value):
        raise PlumblineError(
            "usage",
            "That is not the id of a comparison.",
            where="comparison",
            hint="The list of stored comparisons below has them.",
        )
    if name in ("open", "p") and (not _NUMBER.fullmatch(value) or (name == "p" and not int(value))):
        raise PlumblineError("usage", f"`{name}` is a number.", where=name)
    if name == "cutoff":
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise PlumblineError("usage", "`cutoff` is a number.", where="cutoff")


def _here() -> list[tuple[str, str]]:
    names = list(st.query_params.keys())
    return [(name, value) for name in names for value in st.query_params.get_all(name)]
