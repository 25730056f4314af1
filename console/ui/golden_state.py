"""What the Golden page looks at, in the URL: `?set=NAME&v=VERSION&part=PART&q=QUERY&a=ADDRESS&b=ADDRESS`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from connectors.errors import PlumblineError
from console.settings import parse_address
from console.ui import compare_sides, golden_store, words

NAMES: Final = ("set", "v", "part", "q", "a", "b", "evaluation", "k")
K: Final = 10
"""Hits of each query of an evaluation, where the link says nothing."""
FOLLOWED: Final = "The link can't be followed"
LEFT_OUT: Final = "It was left out of the link; the rest of it holds."
OF_SET: Final = ("v", "q", "evaluation")
"""What is looked at of a set: without it these mean nothing."""
QUERIES: Final = "Queries and judgements"
POOL: Final = "Judge two systems blind"
RESULTS: Final = "Evaluation"
FILES: Final = "Versions and files"
PARTS: Final = {"queries": QUERIES, "blind": POOL, "evaluation": RESULTS, "files": FILES}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_HITS: Final = re.compile(r"[1-9]\d{0,2}", re.ASCII)
_VERSION: Final = re.compile(r"draft|[1-9]\d{0,7}", re.ASCII)
_SEEN: Final = "golden.seen"
_LAST: Final = "golden.last"
_FAULTS: Final = "golden.faults"
_UNKNOWN: Final = "golden.unknown"
CHOSEN: Final = "golden.chosen"
"""The set that was chosen last, on this page or for the thumbs of the page Query."""


def arrive() -> None:
    """Take over a URL that this session did not write, as far as it is sound; `faults` says what of it is not."""
    state, here = st.session_state, _here()
    if here == state.get(_SEEN) and "golden.part" in state:
        return
    wanted = here or dict(state.get(_LAST, {}))
    state[_FAULTS] = []
    state[_UNKNOWN] = sorted(set(st.query_params) - set(NAMES))
    for name, value in tuple(wanted.items()):
        try:
            _check({name: value})
        except PlumblineError as fault:
            lost = (name, *OF_SET) if name == "set" else (name,)
            wanted = {n: v for n, v in wanted.items() if n not in lost}
            wrong(fault, LEFT_OUT)
    for name in NAMES:
        state[f"golden.{name}"] = wanted.get(name)
    state["golden.set"] = wanted.get("set") or state.get(CHOSEN)
    state["golden.linked"] = wanted.get("set") is not None
    state["golden.part"] = wanted.get("part") or "queries"
    for key in ("g.set", "g.version", "g.a", "g.b", "g.part", "g.k"):
        state.pop(key, None)
    state[_SEEN] = here


def wrong(fault: PlumblineError, instead: str = "", title: str = FOLLOWED) -> None:
    """Something that is looked at is not there. `instead`: what is shown in its place, as a sentence."""
    st.session_state.setdefault(_FAULTS, []).append((fault, instead, title))


def faults() -> list[tuple[PlumblineError, str, str]]:
    """What is wrong with what is looked at, what is shown instead, and under which title, until something else of the page is looked at."""
    return list(st.session_state.get(_FAULTS) or ())


def unknown() -> str:
    """The names in the link that this page has no use for."""
    return ", ".join(words.printable(name)[:40] for name in st.session_state.get(_UNKNOWN) or ())


def hits() -> int:
    """Hits of each query that an evaluation is to look at."""
    return int(st.session_state.get("golden.k") or K)


def leave() -> None:
    """Write what is looked at into the URL."""
    state = st.session_state
    pairs = {name: str(state[f"golden.{name}"]) for name in NAMES if state.get(f"golden.{name}") is not None}
    if pairs.get("part") == "queries":
        del pairs["part"]
    if pairs.get("k") == str(K):
        del pairs["k"]
    if pairs != _here():
        st.query_params.from_dict(pairs)
    state[_SEEN] = state[_LAST] = _here()


def look(**what: Any) -> None:
    """Look at something else of the page: `part`, `q`, `a`, `b`, `v`, `k`, `evaluation`."""
    st.session_state[_FAULTS], st.session_state[_UNKNOWN] = [], []
    put(**what)


def put(**what: Any) -> None:
    """As `look`, where nobody chose it: what is wrong with the link is still to be read."""
    for name, value in what.items():
        st.session_state[f"golden.{name}"] = value


def choose(name: str | None) -> None:
    """Another set: what was open in the last one is not in this one."""
    st.session_state[CHOSEN] = name
    look(set=name, v=None, q=None, evaluation=None)
    for key in ("g.set", "g.version"):
        st.session_state.pop(key, None)


def head(held: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The draft or version that is looked at: the one in the URL, else the draft, else the newest version."""
    state = st.session_state
    own = golden_store.heads(held, str(state.get("golden.set") or ""))
    wanted = state.get("golden.v")
    found = next((h for h in own if wanted == version_of(h)), None)
    return found or (own[0] if own else None)


def version_of(head: Mapping[str, Any]) -> str:
    """As a link names it."""
    return str(head["version"]) if head["version"] else "draft"


def preferred(names: Sequence[str]) -> tuple[str | None, str | None]:
    """The collections that a first visit looks at: the new one, and the old one to hold it against."""
    old, new = compare_sides.preferred([n for n in names if compare_sides.encoder_of(n) is None], ())
    return (new or old), (old if new else None)


def _here() -> dict[str, str]:
    return {name: st.query_params[name] for name in NAMES if name in st.query_params}


def _check(pairs: Mapping[str, str]) -> None:
    for name, form, what in (
        ("set", _NAME, "a name of a golden set"),
        ("v", _VERSION, "a version"),
        ("evaluation", _ID, "the id of an evaluation"),
        ("k", _HITS, "a number of hits"),
    ):
        if name in pairs and not form.fullmatch(pairs[name]):
            raise PlumblineError("usage", f"That is not {what}.", where=name)
    if pairs.get("part") not in (None, *PARTS):
        raise PlumblineError("usage", "There is no such part of this page.", where="part")
    for name in ("a", "b"):
        if name in pairs:
            parse_address(pairs[name])
