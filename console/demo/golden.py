"""The demo's golden set: what is relevant follows from what each scene was drawn from, so that it is true by construction.

36 pairs of colour and shape are asked for in English, German and Spanish, alone and on a background; a pair without
its background is half right. A few whole captions are smoke items: the row of that caption has to be found, and the picture of
a scene that shares nothing with it must not be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from connectors.filters import And, Equals, Not
from console.demo.captions import LANGUAGES, describe, phrase, retell
from console.demo.rows import demo_scenes, language_of, row_id
from console.demo.scenes import BACKGROUNDS, COLOURS, HELD_OUT_PAIRS, SHAPES, Scene
from console.search.golden import GoldenQuery, GoldenSet, Rule, content_hash

if TYPE_CHECKING:
    from console.settings import Settings

NAME: Final = "demo"
NOTE: Final = "Made by `plumbline demo`: what is relevant follows from what each scene was drawn from."
SMOKE: Final = (0, 1, 2)
"""Scenes whose captions are asked for as they stand."""
_SEEN: Final = 10
"""Scenes that a smoke item's counterpart is looked for in: a demo has at least as many where it is made for people."""


def demo_golden() -> GoldenSet:
    """The draft, the same at every call."""
    queries: list[GoldenQuery] = []
    rules: list[Rule] = []
    pairs = [(c, s) for c in COLOURS for s in SHAPES if (c, s) not in HELD_OUT_PAIRS][::2]
    for at, (colour, shape) in enumerate(pairs):
        thing = Equals("things", f"{colour} {shape}")
        background = BACKGROUNDS[at % len(BACKGROUNDS)]
        there = Equals("background", background)
        for language in LANGUAGES:
            cohort = {"language": language, "asks_for": "thing"}
            name = f"{language}-{colour}-{shape}"
            queries.append(GoldenQuery(name, phrase(colour, shape, language).text, cohort=cohort))
            rules.append(Rule(name, thing, 1))
            name = f"{name}-on-{background}"
            cohort = {"language": language, "asks_for": "thing and background"}
            text = phrase(colour, shape, language, background).text
            queries.append(GoldenQuery(name, text, cohort=cohort))
            rules += [
                Rule(name, And((thing, there)), 2),
                Rule(name, And((thing, Not(there))), 1),
            ]
    for at, scene in enumerate(scenes := demo_scenes(_SEEN)):
        if at in SMOKE:
            language = language_of(at)
            told = describe(scene) if language == "en" else retell(scene, language)
            other = next(i for i, s in enumerate(scenes) if not _alike(scene, s))
            queries.append(
                GoldenQuery(
                    f"caption-of-scene-{at}",
                    told.text,
                    cohort={"language": language, "asks_for": "whole scene"},
                    must=(row_id(at, "text"),),
                    must_not=(row_id(other, "image"),),
                )
            )
            rules.append(Rule(f"caption-of-scene-{at}", Equals("scene", at), 1))
    return GoldenSet(NAME, queries=tuple(queries), rules=tuple(rules), note=NOTE)


def keep_golden(settings: Settings) -> bool:
    """Version 1 of the set `demo`; whether it is there now. A set of this name that the demo did not make is left."""
    from console.search import golden

    made = demo_golden()
    held = golden.heads(settings, NAME)
    if any(head["note"] != NOTE for head in held):
        return False
    if any(h["version"] is None and h["changed"] for h in held) or _current(held, made):
        return True
    golden.put(settings, made)
    golden.freeze(settings, NAME)
    return True


def drop_golden(settings: Settings) -> bool:
    """Takes the set away, unless somebody has gone on with it; whether it did."""
    from console.search import golden

    held = golden.heads(settings, NAME)
    versions = [h for h in held if h["version"] is not None]
    if not held or any(h["note"] != NOTE or h["changed"] for h in held):
        return False
    if len(versions) != 1 and not _current(versions[-1:], demo_golden()):
        return False
    golden.remove(settings, NAME)
    return True


def _current(held: Sequence[Mapping[str, Any]], made: GoldenSet) -> bool:
    """Whether a version says what this Plumbline's demo does."""
    return any(h["version"] is not None and h["hash"] == content_hash(made) for h in held)


def _alike(one: Scene, other: Scene) -> bool:
    """Whether two scenes share a colour, a shape or the background."""
    return bool(
        one.background == other.background
        or {t.shape for t in one.things} & {t.shape for t in other.things}
        or {t.colour for t in one.things} & {t.colour for t in other.things}
    )
