"""Drawing a scene: place, exact size, tilt and shade vary with the seed, what the caption says does not."""

# ruff: noqa: S311 - drawing, not secrets

from __future__ import annotations

import math
import random
from typing import Final

from PIL import Image, ImageDraw

from console.demo.scenes import Scene, Thing

PALETTE: Final[dict[str, tuple[int, int, int]]] = {
    "red": (214, 40, 40),
    "orange": (244, 132, 22),
    "yellow": (246, 211, 45),
    "green": (46, 158, 68),
    "blue": (38, 92, 214),
    "purple": (122, 58, 178),
    "pink": (246, 130, 180),
    "brown": (121, 74, 38),
}
GROUNDS: Final[dict[str, tuple[int, int, int]]] = {
    "white": (250, 250, 250),
    "grey": (150, 150, 152),
    "black": (18, 18, 20),
    "beige": (226, 208, 172),
    "turquoise": (72, 200, 190),
}
_DARK_PATTERN: Final = frozenset({"yellow", "pink", "orange"})
_RADII: Final[dict[str, tuple[float, float]]] = {"small": (0.105, 0.13), "large": (0.18, 0.215)}

Points = list[tuple[float, float]]


def render(scene: Scene, seed: int, size: int = 192) -> Image.Image:
    """A square RGB picture of `size` pixels; the same scene and seed always give the same picture."""
    rng = random.Random(f"{seed}:{scene.key}")
    picture = Image.new("RGB", (size, size), _shade(GROUNDS[scene.background], rng, 6))
    for thing, (x, y) in zip(scene.things, _places(scene, rng), strict=True):
        _paint(picture, thing, x * size, y * size, rng.uniform(*_RADII[thing.size]) * size, rng)
    return picture


def _places(scene: Scene, rng: random.Random) -> list[tuple[float, float]]:
    if scene.relation is None:
        return [(rng.uniform(0.36, 0.64), rng.uniform(0.36, 0.64))]
    first, second = rng.uniform(0.24, 0.29), rng.uniform(0.71, 0.76)
    across = [rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6)]
    if scene.relation == "left":
        return [(first, across[0]), (second, across[1])]
    return [(across[0], first), (across[1], second)]


def _paint(picture: Image.Image, thing: Thing, x: float, y: float, radius: float, rng: random.Random) -> None:
    colour = _shade(PALETTE[thing.colour], rng, 12)
    half = math.ceil(radius) + 1
    fill = _texture(thing, colour, radius, half, rng)
    mask = _mask(thing.shape, radius, half, math.radians(rng.uniform(-12, 12)))
    picture.paste(fill, (round(x) - half, round(y) - half), mask)


def _shade(colour: tuple[int, int, int], rng: random.Random, spread: int) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, c + rng.randint(-spread, spread))) for c in colour)
    return red, green, blue


def _texture(
    thing: Thing, colour: tuple[int, int, int], radius: float, half: int, rng: random.Random
) -> Image.Image:
    side = 2 * half
    fill = Image.new("RGB", (side, side), colour)
    if thing.texture == "plain":
        return fill
    towards, amount = ((0, 0, 0), 0.62) if thing.colour in _DARK_PATTERN else ((255, 255, 255), 0.85)
    red, green, blue = (round(c + (t - c) * amount) for c, t in zip(colour, towards, strict=True))
    ink = (red, green, blue)
    pen = ImageDraw.Draw(fill)
    if thing.texture == "striped":
        step = radius * rng.uniform(0.46, 0.54)
        slope = rng.uniform(-0.15, 0.15) * side
        start = rng.uniform(0, step) - side
        for i in range(math.ceil(3 * side / step)):
            at = start + i * step
            pen.line([(0, at), (side, at + slope)], fill=ink, width=max(1, round(step * 0.48)))
        return fill
    step = radius * rng.uniform(0.5, 0.58)
    dot = step * 0.3
    offset_x, offset_y = rng.uniform(0, step), rng.uniform(0, step)
    count = math.ceil(side / step) + 1
    for row in range(count):
        for column in range(count):
            cx = offset_x + (column - 0.5 * (row % 2)) * step
            cy = offset_y + (row - 0.5) * step
            pen.ellipse((cx - dot, cy - dot, cx + dot, cy + dot), fill=ink)
    return fill


def _mask(shape: str, radius: float, half: int, tilt: float) -> Image.Image:
    mask = Image.new("L", (2 * half, 2 * half), 0)
    pen = ImageDraw.Draw(mask)

    def disc(x: float, y: float, r: float, ink: int) -> None:
        pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)

    if shape in {"circle", "ring", "crescent"}:
        disc(half, half, radius, 255)
        if shape == "ring":
            disc(half, half, radius * 0.52, 0)
        elif shape == "crescent":
            away = radius * 0.5
            disc(half + away * math.cos(tilt), half + away * math.sin(tilt), radius * 0.85, 0)
        return mask
    cos, sin = math.cos(tilt) * radius, math.sin(tilt) * radius
    pen.polygon([(half + x * cos - y * sin, half + x * sin + y * cos) for x, y in _OUTLINES[shape]], fill=255)
    return mask


def _around(count: int, start: float, radius: float = 1.0) -> Points:
    angles = [math.radians(start) + i * math.tau / count for i in range(count)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def _star() -> Points:
    return [point for pair in zip(_around(5, -90), _around(5, -54, 0.45), strict=True) for point in pair]


def _heart() -> Points:
    angles = [i * math.tau / 40 for i in range(40)]
    return [
        (
            math.sin(a) ** 3,
            -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 16 - 0.08,
        )
        for a in angles
    ]


def _cross(arm: float = 0.34) -> Points:
    corner = [(-arm, -1.0), (arm, -1.0), (arm, -arm), (1.0, -arm), (1.0, arm), (arm, arm)]
    return corner + [(-x, -y) for x, y in corner]


_OUTLINES: Final[dict[str, Points]] = {
    "square": [(-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86)],
    "triangle": [(0.0, -1.0), (0.95, 0.75), (-0.95, 0.75)],
    "diamond": [(0.0, -1.0), (0.68, 0.0), (0.0, 1.0), (-0.68, 0.0)],
    "hexagon": _around(6, 0),
    "star": _star(),
    "heart": _heart(),
    "cross": _cross(),
}
