"""Scenes: one or two coloured shapes on a background, as a specification that can be drawn and told.

A scene is kept in one canonical way, so that "a circle left of a star" and "a star right of a circle" are the same
scene: its relation is `left` or `above`, read from the first thing to the second. One specification in eight is hashed
out of training (`unseen`), and eight of the eighty pairs of colour and shape are never trained (`HELD_OUT_PAIRS`).
"""

# ruff: noqa: S311 - drawing, not secrets

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

SHAPES: Final = (
    "circle",
    "square",
    "triangle",
    "star",
    "cross",
    "ring",
    "heart",
    "diamond",
    "crescent",
    "hexagon",
)
COLOURS: Final = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
SIZES: Final = ("small", "large")
TEXTURES: Final = ("plain", "striped", "dotted")
BACKGROUNDS: Final = ("white", "grey", "black", "beige", "turquoise")
RELATIONS: Final = ("left", "above")

Relation = Literal["left", "above"]

HELD_OUT_PAIRS: Final = frozenset(
    {
        ("red", "crescent"),
        ("orange", "heart"),
        ("yellow", "cross"),
        ("green", "ring"),
        ("blue", "hexagon"),
        ("purple", "square"),
        ("pink", "triangle"),
        ("brown", "star"),
    }
)

CODE_WIDTH: Final = 11
"""Columns of a coded scene: number of things, background, relation, then shape, colour, size, texture of each."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One shape of a scene."""

    shape: str
    colour: str
    size: str
    texture: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing, or two and the relation of the first to the second, on a background."""

    things: tuple[Thing, ...]
    relation: Relation | None
    background: str

    @property
    def key(self) -> str:
        """A text that is the same for the same specification, and only then."""
        things = ";".join(f"{t.size} {t.texture} {t.colour} {t.shape}" for t in self.things)
        return f"{things}|{self.relation or '-'}|{self.background}"

    @property
    def unseen(self) -> bool:
        """Whether training leaves this specification out (one in eight)."""
        return hashlib.blake2b(self.key.encode(), digest_size=2).digest()[0] % 8 == 0

    @property
    def trainable(self) -> bool:
        """Whether training may show it: neither hashed out nor with a colour-shape pair that is held out."""
        return not self.unseen and not self.holds_untrained_pair

    @property
    def holds_untrained_pair(self) -> bool:
        return any((t.colour, t.shape) in HELD_OUT_PAIRS for t in self.things)

    def mirrored(self) -> Scene:
        """The same things with their places exchanged; a scene of one thing is its own mirror image."""
        return replace(self, things=self.things[::-1])

    def code(self) -> npt.NDArray[np.int8]:
        """`(CODE_WIDTH,)` positions in the lists above; what is not there is -2."""
        first = self.things[0]
        second = self.things[1] if len(self.things) == 2 else None
        return np.array(
            [
                len(self.things),
                BACKGROUNDS.index(self.background),
                RELATIONS.index(self.relation) if self.relation else -2,
                *_thing_code(first),
                *(_thing_code(second) if second else (-2, -2, -2, -2)),
            ],
            dtype=np.int8,
        )


def _thing_code(thing: Thing) -> tuple[int, int, int, int]:
    return (
        SHAPES.index(thing.shape),
        COLOURS.index(thing.colour),
        SIZES.index(thing.size),
        TEXTURES.index(thing.texture),
    )


def draw_thing(rng: random.Random) -> Thing:
    return Thing(rng.choice(SHAPES), rng.choice(COLOURS), rng.choice(SIZES), rng.choice(TEXTURES))


def draw_scene(rng: random.Random, single_share: float = 0.2) -> Scene:
    """Any scene; `single_share` of them hold one thing."""
    background = rng.choice(BACKGROUNDS)
    if rng.random() < single_share:
        return Scene((draw_thing(rng),), None, background)
    relation: Relation = "left" if rng.random() < 0.5 else "above"
    first = draw_thing(rng)
    second = draw_thing(rng)
    while (second.shape, second.colour) == (first.shape, first.colour):
        second = draw_thing(rng)
    return Scene((first, second), relation, background)


def near_twin(scene: Scene, rng: random.Random) -> Scene:
    """The scene with one attribute of one thing, or its background, changed; never its relation."""
    which = rng.randrange(9)
    if which == 8:
        return replace(scene, background=rng.choice([b for b in BACKGROUNDS if b != scene.background]))
    at = rng.randrange(len(scene.things))
    thing = scene.things[at]
    if which < 3:
        changed = replace(thing, shape=rng.choice([s for s in SHAPES if s != thing.shape]))
    elif which < 6:
        changed = replace(thing, colour=rng.choice([c for c in COLOURS if c != thing.colour]))
    elif which == 6:
        changed = replace(thing, size=rng.choice([s for s in SIZES if s != thing.size]))
    else:
        changed = replace(thing, texture=rng.choice([t for t in TEXTURES if t != thing.texture]))
    things = tuple(changed if i == at else t for i, t in enumerate(scene.things))
    return replace(scene, things=things)


def unseen_scenes(count: int, seed: int, *, untrained_pairs: bool = False) -> list[Scene]:
    """`count` different specifications that training left out, always the same for a seed.

    With `untrained_pairs`, each holds a pair of colour and shape that was never trained; without, none does.
    """
    rng = random.Random(seed)
    found: dict[str, Scene] = {}
    while len(found) < count:
        scene = draw_scene(rng)
        if scene.unseen and scene.holds_untrained_pair == untrained_pairs:
            found.setdefault(scene.key, scene)
    return list(found.values())
