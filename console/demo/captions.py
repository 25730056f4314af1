"""Telling a scene in English, German or Spanish, whole or in part.

A caption comes with what it claims: a code like `Scene.code`, with -1 where it says nothing. `matches` holds
claims against scenes, which is what relevance means in this world.
"""

# ruff: noqa: S311 - drawing, not secrets

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from console.demo.scenes import (
    BACKGROUNDS,
    CODE_WIDTH,
    COLOURS,
    RELATIONS,
    SHAPES,
    SIZES,
    TEXTURES,
    Scene,
    Thing,
)

Language = Literal["en", "de", "es"]
Part = Literal["shape", "colour", "size", "texture"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "de", "es")
WHOLE: Final[frozenset[Part]] = frozenset({"shape", "colour", "size", "texture"})
ANY: Final = -1


@dataclass(frozen=True, slots=True)
class Caption:
    """A text, its language, and the `(CODE_WIDTH,)` code of what it says."""

    text: str
    language: Language
    claim: npt.NDArray[np.int8]


def describe(scene: Scene, language: Language = "en", rng: random.Random | None = None) -> Caption:
    """The whole scene in one sentence; with `rng`, from either thing's side and in one of the grammar's wordings."""
    return _tell(scene, language, [WHOLE] * len(scene.things), scene.background, rng, related=True)


def mention(scene: Scene, language: Language, rng: random.Random) -> Caption:
    """A short text about a part of the scene, as somebody would type it into a search box."""
    kind = rng.random()
    parts: frozenset[Part] = frozenset({"shape", "colour"})
    if kind < 0.15:
        parts = frozenset({"shape", "colour", "texture"})
    elif kind < 0.25:
        parts = frozenset({"shape", "colour", "size"})
    elif kind < 0.3:
        parts = frozenset({"shape"})
    elif kind < 0.34:
        parts = frozenset({"shape", "texture"})
    background = scene.background if rng.random() < 0.12 else None
    if len(scene.things) == 2 and rng.random() < 0.3:
        return _tell(scene, language, [parts, parts], background, rng, related=rng.random() < 0.6)
    at = rng.randrange(len(scene.things))
    told = [parts if i == at else None for i in range(len(scene.things))]
    return _tell(scene, language, told, background, rng, related=False)


def retell(scene: Scene, language: Language) -> Caption:
    """The whole scene in words and an order that training never used, as another writer would: a harder caption."""
    told = describe(scene, language)
    things = [(t, WHOLE) for t in scene.things]
    if language == "de":
        first = _german(things[:1], None, None, None)
        rest = (
            ""
            if len(things) == 1
            else f", {_german(things, scene.relation, None, None).split(first, 1)[1].strip()}"
        )
        text = f"auf {_DE_WORDS[scene.background]}em Grund liegt {first}{rest}"
    elif language == "es":
        ground = _ES_WORDS[scene.background][0]
        text = f"en un fondo {ground} se ve {_spanish(things, scene.relation, None, None)}"
    else:
        text = f"on {scene.background} there is {_english(things, scene.relation, None, None)}"
    return Caption(text, language, told.claim)


def phrase(colour: str, shape: str, language: Language, background: str | None = None) -> Caption:
    """A thing of this colour and shape, on a background where one is named, as somebody would type it."""
    scene = Scene((Thing(shape, colour, "small", "plain"),), None, background or BACKGROUNDS[0])
    return _tell(scene, language, [frozenset({"shape", "colour"})], background, None, related=False)


def claim_of(*, colour: str | None = None, shape: str | None = None) -> npt.NDArray[np.int8]:
    """`(CODE_WIDTH,)`: some thing of this colour and shape is there."""
    claim = np.full(CODE_WIDTH, ANY, dtype=np.int8)
    claim[3] = ANY if shape is None else SHAPES.index(shape)
    claim[4] = ANY if colour is None else COLOURS.index(colour)
    return claim


def matches(claims: npt.NDArray[np.int8], codes: npt.NDArray[np.int8]) -> npt.NDArray[np.bool_]:
    """`(n, m)`: whether what claim `i` says holds in scene `j`.

    Args:
        claims: `(n, CODE_WIDTH)`, -1 where nothing is said.
        codes: `(m, CODE_WIDTH)` of scenes.
    """
    said, seen = claims[:, None, :], codes[None, :, :]

    def hold(a: slice, b: slice) -> npt.NDArray[np.bool_]:
        return np.all((said[..., a] == ANY) | (said[..., a] == seen[..., b]), axis=-1)

    first, second = slice(3, 7), slice(7, 11)
    straight = hold(first, first) & hold(second, second)
    crossed = hold(first, second) & hold(second, first) & (said[..., 2] < 0)
    return hold(slice(0, 3), slice(0, 3)) & (straight | crossed)


def _tell(
    scene: Scene,
    language: Language,
    parts: Sequence[frozenset[Part] | None],
    background: str | None,
    rng: random.Random | None,
    *,
    related: bool,
) -> Caption:
    whole = all(p == WHOLE for p in parts) and background is not None
    claim = np.full(CODE_WIDTH, ANY, dtype=np.int8)
    code = scene.code()
    if whole:
        claim[0] = code[0]
    if background is not None:
        claim[1] = code[1]
    told: list[tuple[Thing, frozenset[Part]]] = []
    for at, (thing, part) in enumerate(zip(scene.things, parts, strict=True)):
        if part is None:
            continue
        told.append((thing, part))
        for offset, name in enumerate(("shape", "colour", "size", "texture")):
            if name in part:
                claim[3 + 4 * at + offset] = code[3 + 4 * at + offset]
    swap = rng is not None and len(told) == 2 and rng.random() < 0.5
    relation: str | None = None
    if related and scene.relation is not None:
        claim[2] = code[2]
        relation = {"left": "right", "above": "below"}[scene.relation] if swap else scene.relation
    if swap:
        told = told[::-1]
    text = _GRAMMARS[language](told, relation, background, rng)
    return Caption(text, language, claim)


def words() -> list[str]:
    """Every word that any caption can hold, for a vocabulary that knows them all."""
    found: set[str] = set()
    rng = random.Random(0)
    for shape in SHAPES:
        for colour in COLOURS:
            for size in SIZES:
                for texture in TEXTURES:
                    first = Thing(shape, colour, size, texture)
                    for relation in RELATIONS:
                        scene = Scene((first, first), relation, rng.choice(BACKGROUNDS))
                        for language in LANGUAGES:
                            for _ in range(4):
                                found.update(describe(scene, language, rng).text.replace(",", " ,").split())
                                found.update(mention(scene, language, rng).text.replace(",", " ,").split())
    return sorted(found)


Told = list[tuple[Thing, frozenset[Part]]]


def _english(told: Told, relation: str | None, background: str | None, rng: random.Random | None) -> str:
    bare = rng is not None and len(told) == 1 and background is None and rng.random() < 0.3

    def phrase(thing: Thing, parts: frozenset[Part]) -> str:
        said = [
            thing.size if "size" in parts else "",
            thing.texture if "texture" in parts else "",
            thing.colour if "colour" in parts else "",
            thing.shape,
        ]
        text = " ".join(w for w in said if w)
        return text if bare else ("an " if text[0] in "aeiou" else "a ") + text

    joints = {"left": "left of", "right": "right of", "above": "above", "below": "below", None: "and"}
    joint = joints[relation]
    if rng is not None and relation in {"left", "right"} and rng.random() < 0.3:
        joint = f"to the {relation} of"
    text = f" {joint} ".join(phrase(t, p) for t, p in told)
    if background is None:
        return text
    if rng is not None and rng.random() < 0.2:
        return f"{text}, {background} background"
    return f"{text} on a {background} background"


_DE_SHAPES: Final = {
    "circle": ("Kreis", "m"),
    "square": ("Quadrat", "n"),
    "triangle": ("Dreieck", "n"),
    "star": ("Stern", "m"),
    "cross": ("Kreuz", "n"),
    "ring": ("Ring", "m"),
    "heart": ("Herz", "n"),
    "diamond": ("Raute", "f"),
    "crescent": ("Halbmond", "m"),
    "hexagon": ("Sechseck", "n"),
}
_DE_WORDS: Final = {
    "red": "rot",
    "orange": "orange",
    "yellow": "gelb",
    "green": "grün",
    "blue": "blau",
    "purple": "lila",
    "pink": "rosa",
    "brown": "braun",
    "small": "klein",
    "large": "groß",
    "plain": "einfarbig",
    "striped": "gestreift",
    "dotted": "gepunktet",
    "white": "weiß",
    "grey": "grau",
    "black": "schwarz",
    "beige": "beig",
    "turquoise": "türkis",
}
_DE_UNINFLECTED: Final = frozenset({"orange", "lila", "rosa"})
_DE_JOINTS: Final = {
    "left": "links von",
    "right": "rechts von",
    "above": "über",
    "below": "unter",
    None: "und",
}


def _german(told: Told, relation: str | None, background: str | None, rng: random.Random | None) -> str:
    def inflect(word: str, ending: str) -> str:
        german = _DE_WORDS[word]
        return german if german in _DE_UNINFLECTED else german + ending

    def phrase(thing: Thing, parts: frozenset[Part], dative: bool) -> str:
        noun, gender = _DE_SHAPES[thing.shape]
        if dative:
            article, ending = ("einer" if gender == "f" else "einem"), "en"
        else:
            article, ending = ("eine" if gender == "f" else "ein"), {"m": "er", "n": "es", "f": "e"}[gender]
        said = [inflect(getattr(thing, p), ending) for p in ("size", "texture", "colour") if p in parts]
        return " ".join([article, *said, noun])

    dative = relation is not None
    text = f" {_DE_JOINTS[relation]} ".join(phrase(t, p, dative and i == 1) for i, (t, p) in enumerate(told))
    return text if background is None else f"{text} auf {inflect(background, 'em')} Hintergrund"


_ES_SHAPES: Final = {
    "circle": ("círculo", "m"),
    "square": ("cuadrado", "m"),
    "triangle": ("triángulo", "m"),
    "star": ("estrella", "f"),
    "cross": ("cruz", "f"),
    "ring": ("anillo", "m"),
    "heart": ("corazón", "m"),
    "diamond": ("rombo", "m"),
    "crescent": ("luna", "f"),
    "hexagon": ("hexágono", "m"),
}
_ES_WORDS: Final = {
    "red": ("rojo", "roja"),
    "orange": ("naranja", "naranja"),
    "yellow": ("amarillo", "amarilla"),
    "green": ("verde", "verde"),
    "blue": ("azul", "azul"),
    "purple": ("morado", "morada"),
    "pink": ("rosa", "rosa"),
    "brown": ("marrón", "marrón"),
    "small": ("pequeño", "pequeña"),
    "large": ("grande", "grande"),
    "plain": ("liso", "lisa"),
    "striped": ("rayado", "rayada"),
    "dotted": ("punteado", "punteada"),
    "white": ("blanco", "blanca"),
    "grey": ("gris", "gris"),
    "black": ("negro", "negra"),
    "beige": ("beige", "beige"),
    "turquoise": ("turquesa", "turquesa"),
}
_ES_JOINTS: Final = {
    "left": "a la izquierda de",
    "right": "a la derecha de",
    "above": "encima de",
    "below": "debajo de",
    None: "y",
}


def _spanish(told: Told, relation: str | None, background: str | None, rng: random.Random | None) -> str:
    def phrase(thing: Thing, parts: frozenset[Part]) -> str:
        noun, gender = _ES_SHAPES[thing.shape]
        feminine = gender == "f"
        said = [_ES_WORDS[getattr(thing, p)][feminine] for p in ("colour", "texture", "size") if p in parts]
        return " ".join(["una" if feminine else "un", noun, *said])

    text = f" {_ES_JOINTS[relation]} ".join(phrase(t, p) for t, p in told)
    return text if background is None else f"{text} sobre fondo {_ES_WORDS[background][0]}"


_GRAMMARS: Final[dict[Language, Callable[[Told, str | None, str | None, random.Random | None], str]]] = {
    "en": _english,
    "de": _german,
    "es": _spanish,
}
