"""Clean collections of different kinds; each is a function of its seed alone.

`BASES` and `CLEAN` are what thresholds were looked at with; `SECOND_BASES` and `SECOND_CLEAN` are the same kinds of
collection by a generator of its own (second.py), with which none was.
"""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from tests.faults import second

FIRST, SECOND = 1_000, 900_000
"""Where the two sets of seeds begin."""
SOURCES = tuple(f"camera-{n}" for n in range(1, 9))
LANGUAGES = ("en", "en", "en", "de", "es")
START = datetime(2026, 3, 1, 6, tzinfo=UTC)
ROWS = 2_000
WORDS = 2_000
"""Of the vocabulary: topics that have nothing in common then share three of eight words as rarely as real texts."""
SYLLABLES = ("ka", "lo", "mi", "ten", "ru", "so", "vel", "da", "pin", "or", "gus", "ef", "ny", "tab")


@dataclass(frozen=True, eq=False)
class Base:
    """What a producer sends: rows before any database touched them."""

    name: str
    matrix: np.ndarray
    payloads: list[dict[str, Any]]
    ids: list[int] | list[str]
    metric: str = "cosine"
    storage: str = "float32"
    present: np.ndarray = field(default_factory=lambda: np.zeros(0, np.bool_))
    topics: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the collection's section in plumbline.toml."""

    def __post_init__(self) -> None:
        if len(self.present) != len(self.ids):
            object.__setattr__(self, "present", np.ones(len(self.ids), np.bool_))

    def __len__(self) -> int:
        return len(self.ids)

    def but(self, **changes: Any) -> Base:
        return replace(self, **changes)


def words(rng: np.random.Generator, n: int) -> list[str]:
    """Distinct made-up words."""
    found: dict[str, None] = {}
    while len(found) < n:
        drawn = rng.integers(0, len(SYLLABLES), (n, 5))
        for row, length in zip(drawn.tolist(), rng.integers(3, 6, n).tolist(), strict=True):
            found["".join(SYLLABLES[i] for i in row[:length])] = None
    return list(found)[:n]


def anisotropic(
    rng: np.random.Generator,
    n: int,
    d: int,
    *,
    per_topic: int = 6,
    themes: int = 12,
    common: float = 0.5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, d) unit vectors with a decaying spectrum and a common direction; the topic and theme of each row.

    A theme is a broad subject, a topic one thing in it, rows are its instances: as the outputs of a real
    encoder, neighbours are close, the spectrum decays and the mean is not zero.
    """
    spectrum = (1 + np.arange(d)) ** -0.35
    spectrum *= np.sqrt(d / np.sum(spectrum**2))
    topics = max(1, -(-n // per_topic))
    theme_of = rng.integers(0, themes, topics)
    centre = rng.normal(size=d) * common
    theme = rng.normal(size=(themes, d)) * 0.35
    topic = rng.normal(size=(topics, d)) * 0.75
    of = rng.permutation(np.arange(n) % topics)
    raw = centre + theme[theme_of[of]] + topic[of] + rng.normal(size=(n, d)) * 0.28
    raw *= spectrum
    return raw / np.linalg.norm(raw, axis=1, keepdims=True), of, theme_of[of]


def payloads(
    rng: np.random.Generator, topics: np.ndarray, themes: np.ndarray, tag: str | None = "clip-a"
) -> list[dict[str, Any]]:
    """Rows of text: a caption whose words follow the topic, a source, a language, a tag, a time."""
    n = len(topics)
    vocabulary = np.array(words(rng, WORDS))
    count = int(topics.max()) + 1 if n else 0
    own = rng.permuted(np.tile(np.arange(WORDS), (count, 1)), axis=1)[:, :5]
    of_theme = rng.permuted(np.tile(np.arange(WORDS), (64, 1)), axis=1)[:, :4]
    said = np.concatenate(
        [
            rng.permuted(own[topics], axis=1)[:, :4],
            rng.permuted(of_theme[themes % 64], axis=1)[:, :2],
            rng.integers(0, WORDS, (n, 2)),
        ],
        axis=1,
    )
    said = vocabulary[rng.permuted(said, axis=1)]
    source, language = rng.choice(SOURCES, n), rng.choice(LANGUAGES, n)
    out: list[dict[str, Any]] = []
    for i in range(n):
        row: dict[str, Any] = {
            "caption": " ".join(said[i].tolist()) + f" {i}",
            "source": str(source[i]),
            "language": str(language[i]),
            "sku": f"item-{i:06}",
            "ingested_at": (START + timedelta(seconds=37 * i)).isoformat(),
        }
        if tag is not None:
            row["embedding_version"] = tag
        out.append(row)
    return out


def uuids(rng: np.random.Generator, n: int) -> list[str]:
    return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(n)]


@dataclass(frozen=True)
class Laws:
    """What a generator is made of."""

    space: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]
    payloads: Callable[..., list[dict[str, Any]]]
    ids: Callable[[int, list[Any]], list[Any]]
    """Of the seed, and of the ids that the first generator has."""


OTHERS = Laws(
    second.anisotropic,
    second.payloads,
    lambda seed, ids: second.ids(seed, type(ids[0]) if ids else int, len(ids)),
)
USUAL = Laws(anisotropic, payloads, lambda seed, ids: ids)
LAWS = ContextVar("laws", default=USUAL)


def by_others(make: Callable[..., Base]) -> Callable[..., Base]:
    """The same collection by the second generator."""

    def made(seed: int, *args: Any, **more: Any) -> Base:
        token = LAWS.set(OTHERS)
        try:
            return make(seed, *args, **more)
        finally:
            LAWS.reset(token)

    return made


def text(seed: int, n: int = ROWS, d: int = 96, **more: Any) -> Base:
    """Unit vectors of texts under cosine."""
    rng = np.random.default_rng([seed, 1])
    matrix, topics, themes = LAWS.get().space(rng, n, d, **more)
    return Base(
        "text",
        matrix.astype(np.float32),
        LAWS.get().payloads(rng, topics, themes),
        LAWS.get().ids(seed, list(range(1, n + 1))),
        topics=topics,
    )


def unit_dot(seed: int, n: int = ROWS, d: int = 96) -> Base:
    """The same kind of vectors, kept at length 1 by their producer, under dot."""
    return text(seed, n, d).but(name="unit-dot", metric="dot")


def popular(seed: int, n: int = ROWS, d: int = 96) -> Base:
    """Un-normalised by design: the length says how popular a thing is (lognormal), under dot."""
    rng = np.random.default_rng([seed, 2])
    matrix, topics, themes = LAWS.get().space(rng, n, d)
    length = rng.lognormal(0, 0.5, n)
    return Base(
        "popular",
        (matrix * length[:, None]).astype(np.float32),
        LAWS.get().payloads(rng, topics, themes),
        LAWS.get().ids(seed, uuids(rng, n)),
        metric="dot",
        topics=topics,
    )


def mixed(seed: int, n: int = ROWS, d: int = 96) -> Base:
    """Pictures and their captions as rows of their own, with CLIP's gap between the two cones."""
    rng = np.random.default_rng([seed, 3])
    half = n // 2
    thing, topics, themes = LAWS.get().space(rng, half, d, common=0.2)
    gap = rng.normal(size=d)
    gap /= np.linalg.norm(gap)
    picture = thing + 0.6 * gap + rng.normal(size=(half, d)) * 0.02
    words_ = thing - 0.6 * gap + rng.normal(size=(half, d)) * 0.02
    said = LAWS.get().payloads(rng, topics, themes)
    rows: list[dict[str, Any]] = []
    for i, p in enumerate(said):
        rest = {k: v for k, v in p.items() if k not in ("caption", "sku")}
        rows.append({**rest, "modality": "image", "image": f"img/{i}.png", "thing": f"thing-{i}"})
        rows.append({**p, "modality": "text", "thing": f"thing-{i}"})
    matrix = np.empty((2 * half, d))
    matrix[0::2], matrix[1::2] = picture, words_
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return Base(
        "mixed",
        matrix.astype(np.float32),
        rows,
        LAWS.get().ids(seed, list(range(2 * half))),
        topics=np.repeat(topics, 2),
    )


def small(seed: int) -> Base:
    return text(seed, 50).but(name="small")


def one(seed: int) -> Base:
    return text(seed, 1).but(name="one")


def none(seed: int) -> Base:
    return text(seed, 1).but(
        name="none",
        matrix=np.zeros((0, 96), np.float32),
        payloads=[],
        ids=[],
        present=np.zeros(0, np.bool_),
        topics=np.zeros(0, np.int64),
    )


def flat(seed: int) -> Base:
    """Two dimensions."""
    rng = np.random.default_rng([seed, 4])
    base = text(seed, 400)
    angle = rng.normal(0.6, 0.5, int(base.topics.max()) + 1)[base.topics] + rng.normal(0, 0.001, 400)
    return base.but(name="flat", matrix=np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32))


def demo(seed: int) -> Base:
    """Real pictures and captions with the vectors of the demo's encoder, whatever the seed; see `lacking`."""
    from tests.faults.demo_base import demo as made

    return made().base


def lacking(name: str) -> str:
    """Why a collection can't be made here, or ""."""
    if name == "demo" and importlib.util.find_spec("open_clip") is None:
        return "the clip extra is not installed"
    return ""


BASES: Mapping[str, Callable[[int], Base]] = {
    "text": text,
    "unit-dot": unit_dot,
    "popular": popular,
    "mixed": mixed,
    "small": small,
    "one": one,
    "none": none,
    "flat": flat,
    "demo": demo,
}


def shuffled_tail(base: Base, rng: np.random.Generator) -> Base:
    """The same rows under other ids."""
    order = rng.permutation(len(base))
    return base.but(
        matrix=base.matrix[order],
        payloads=[base.payloads[i] for i in order],
        present=base.present[order],
        topics=base.topics[order],
    )


# The hard ones among the clean: each looks at first sight like a fault.


def clusters(count: int) -> Callable[[int], Base]:
    def make(seed: int) -> Base:
        rng = np.random.default_rng([seed, 5, count])
        matrix, topics, themes = LAWS.get().space(rng, ROWS, 96, themes=count, common=0.1)
        centres = rng.normal(size=(count, 96))
        raw = matrix * 0.8 + centres[themes] / np.linalg.norm(centres, axis=1, keepdims=True)[themes]
        unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        return Base(
            f"{count}-clusters",
            unit.astype(np.float32),
            LAWS.get().payloads(rng, topics, themes),
            LAWS.get().ids(seed, list(range(ROWS))),
        )

    return make


def strong_common(seed: int) -> Base:
    """A common direction with R2 about .8, as many sentence encoders have."""
    rng = np.random.default_rng([seed, 6])
    matrix, topics, themes = LAWS.get().space(rng, ROWS, 96, common=0.0)
    centre = rng.normal(size=96)
    raw = matrix + 2.0 * centre / np.linalg.norm(centre)
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return Base(
        "strong-common",
        unit.astype(np.float32),
        LAWS.get().payloads(rng, topics, themes),
        LAWS.get().ids(seed, list(range(ROWS))),
    )


def cut_256(seed: int) -> Base:
    """An intended cut: the first 256 of 512 dimensions, normalised again, with its own dimension."""
    rng = np.random.default_rng([seed, 7])
    matrix, topics, themes = LAWS.get().space(rng, ROWS, 512)
    cut = matrix[:, :256]
    unit = cut / np.linalg.norm(cut, axis=1, keepdims=True)
    return Base(
        "cut-256",
        unit.astype(np.float32),
        LAWS.get().payloads(rng, topics, themes),
        LAWS.get().ids(seed, list(range(ROWS))),
    )


def half_precision(seed: int) -> Base:
    base = text(seed)
    return base.but(
        name="float16", storage="float16", matrix=base.matrix.astype(np.float16).astype(np.float32)
    )


def bytes_(seed: int) -> Base:
    """Quantized by the producer into 0..255 and stored as uint8."""
    base = text(seed)
    scaled = np.clip(np.rint(base.matrix * 300 + 128), 0, 255)
    return base.but(name="uint8", storage="uint8", metric="euclid", matrix=scaled.astype(np.float32))


def products(seed: int) -> Base:
    """A twentieth of the rows are genuine duplicates: the same product text under several numbers."""
    base = text(seed)
    rng = np.random.default_rng([seed, 8])
    matrix, rows = base.matrix.copy(), [dict(p) for p in base.payloads]
    for _ in range(5):
        group = rng.choice(len(base), 30, replace=False)
        for i in group[1:]:
            matrix[i] = matrix[group[0]]
            rows[i]["caption"] = rows[group[0]]["caption"]
    return base.but(name="products", matrix=matrix, payloads=rows)


def norms(name: str, draw: Callable[[np.random.Generator, int], np.ndarray]) -> Callable[[int], Base]:
    def make(seed: int) -> Base:
        base = text(seed)
        rng = np.random.default_rng([seed, 9])
        length = draw(rng, len(base))
        return base.but(name=name, metric="dot", matrix=(base.matrix * length[:, None]).astype(np.float32))

    return make


def tags_by_modality(seed: int) -> Base:
    """One encoder for pictures, one for words: tags split exactly between the modalities."""
    base = mixed(seed)
    rows = [{**p, "embedding_version": f"clip-{p['modality']}"} for p in base.payloads]
    return base.but(name="tags-by-modality", payloads=rows)


def untagged(seed: int) -> Base:
    base = text(seed)
    rows = [{k: v for k, v in p.items() if k != "embedding_version"} for p in base.payloads]
    return base.but(name="no-version-field", payloads=rows)


def image_only(seed: int) -> Base:
    """A vector that only pictures have, on a collection of both."""
    base = mixed(seed)
    present = np.array([p["modality"] == "image" for p in base.payloads])
    return base.but(name="image-only", present=present, matrix=base.matrix * present[:, None])


def few(n: int) -> Callable[[int], Base]:
    def make(seed: int) -> Base:
        return none(seed) if n == 0 else text(seed, n).but(name=f"{n}-rows")

    return make


def bare(seed: int) -> Base:
    """No payload at all."""
    base = text(seed)
    return base.but(name="bare", payloads=[{} for _ in base.payloads])


def topics_of_two_lengths(seed: int) -> Base:
    """Two themes whose vectors differ a little in length, as raw encoder outputs do."""
    base = text(seed)
    rng = np.random.default_rng([seed, 10])
    length = rng.lognormal(0, 0.12, len(base)) * np.where(base.topics % 2, 1.12, 1.0)
    return base.but(
        name="two-lengths", metric="dot", matrix=(base.matrix * 9 * length[:, None]).astype(np.float32)
    )


CLEAN: Mapping[str, Callable[[int], Base]] = {
    "text": text,
    "unit-dot": unit_dot,
    "popular": popular,
    "mixed": mixed,
    "2-clusters": clusters(2),
    "3-clusters": clusters(3),
    "10-clusters": clusters(10),
    "strong-common": strong_common,
    "cut-256": cut_256,
    "float16": half_precision,
    "uint8": bytes_,
    "products": products,
    "lognormal": norms("lognormal", lambda r, n: r.lognormal(0, 1.0, n)),
    "pareto": norms("pareto", lambda r, n: 1 + r.pareto(2.5, n)),
    "norms-16.3": norms("norms-16.3", lambda r, n: r.normal(16.3, 0.5, n)),
    "tags-by-modality": tags_by_modality,
    "no-version-field": untagged,
    "image-only": image_only,
    "bare": bare,
    "two-lengths": topics_of_two_lengths,
    "0-rows": few(0),
    "1-row": few(1),
    "2-rows": few(2),
    "10-rows": few(10),
    "small": small,
    "flat": flat,
    "demo": demo,
}

SECOND_BASES: Mapping[str, Callable[[int], Base]] = {
    name: by_others(make) for name, make in BASES.items() if name != "demo"
}
SECOND_CLEAN: Mapping[str, Callable[[int], Base]] = {
    name: by_others(make) for name, make in CLEAN.items() if name != "demo"
}
