"""The second generator: nothing of it is shared with the first, and no threshold was looked at with it.

Where the first has a power law along the axes, topics of one size and one tightness, words of equal frequency and
numbers from 1, this has an exponential spectrum over a floor in turned axes, sizes by Zipf's law, tightness that
differs by topic, heavier tails, words by Zipf's law in two scripts, and ids that are UUIDs or far apart.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

SITES = tuple(f"https://shop-{n}.example/katalog" for n in range(1, 12))
LANGUAGES = ("de", "de", "ru", "en", "fr")
ONSETS = ("b", "č", "д", "f", "gr", "h", "ж", "kl", "м", "нь", "pf", "sch", "t", "w", "я")
RIMES = ("au", "ел", "ich", "ö", "ум", "ast", "ei", "ор", "und")
WORDS, FUNCTION = 3_000, 60
START = datetime(2024, 11, 5, 21, tzinfo=UTC)


def zipf(n: int, power: float) -> np.ndarray:
    """(n,) probabilities that fall with the rank."""
    weight = (1.0 + np.arange(n)) ** -power
    return weight / weight.sum()


def anisotropic(
    rng: np.random.Generator,
    n: int,
    d: int,
    *,
    per_topic: int = 6,
    themes: int = 12,
    common: float = 0.5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, d) unit vectors, the topic and theme of each row: as the first generator's, by other laws."""
    spectrum = 0.3 + np.exp(-np.arange(d) / (d / 5))
    spectrum *= np.sqrt(d / np.sum(spectrum**2))
    axes, _ = np.linalg.qr(rng.normal(size=(d, d)))
    topics = max(1, -(-n // per_topic))
    theme_of = rng.choice(themes, topics, p=zipf(themes, 0.6))
    of = rng.choice(topics, n, p=zipf(topics, 0.6))
    centre = rng.normal(size=d) * common
    theme, topic = rng.laplace(size=(themes, d)) * 0.25, rng.normal(size=(topics, d)) * 0.75
    wide = rng.lognormal(0, 0.25, topics)[of, None]
    raw = centre + theme[theme_of[of]] + topic[of] + rng.standard_t(7, size=(n, d)) * 0.24 * wide
    raw = (raw * spectrum) @ axes
    return raw / np.linalg.norm(raw, axis=1, keepdims=True), of, theme_of[of]


def words(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n,) distinct made-up words."""
    found: dict[str, None] = {}
    while len(found) < n:
        parts = rng.integers(1, 4)
        found["".join(str(rng.choice(ONSETS)) + str(rng.choice(RIMES)) for _ in range(parts))] = None
    return np.array(list(found))


def payloads(
    rng: np.random.Generator, topics: np.ndarray, themes: np.ndarray, tag: str | None = "e5-2024-11"
) -> list[dict[str, Any]]:
    """Rows of text of 6 to 17 words; fields beside it are missing now and then."""
    n = len(topics)
    known = words(rng, WORDS)
    rest = WORDS - FUNCTION
    own = FUNCTION + rng.integers(0, rest, (int(topics.max()) + 1 if n else 0, 7))
    of_theme = FUNCTION + rng.integers(0, rest, (64, 6))
    function, other = zipf(FUNCTION, 1.0), zipf(rest, 0.8)
    source = rng.choice(SITES, n, p=zipf(len(SITES), 0.5))
    language, second = rng.choice(LANGUAGES, n), rng.integers(0, 300 * 86_400, n)
    out: list[dict[str, Any]] = []
    for i in range(n):
        said = np.concatenate(
            [
                rng.permutation(own[topics[i]])[: rng.integers(3, 6)],
                rng.permutation(of_theme[themes[i] % 64])[: rng.integers(1, 4)],
                rng.choice(FUNCTION, rng.integers(1, 5), p=function),
                FUNCTION + rng.choice(rest, rng.integers(1, 5), p=other),
            ]
        )
        row: dict[str, Any] = {
            "caption": " ".join(known[rng.permutation(said)].tolist()),
            "source": str(source[i]),
            "price": round(float(rng.lognormal(3, 1)), 2),
            "labels": [str(known[w]) for w in rng.integers(0, FUNCTION, rng.integers(0, 4))],
            "ingested_at": (START + timedelta(seconds=int(second[i]))).isoformat(),
        }
        if rng.random() < 0.9:
            row["language"] = str(language[i])
        if tag is not None:
            row["embedding_version"] = tag
        out.append(row)
    return out


def ids(seed: int, kind: type, n: int) -> list[int] | list[str]:
    """Of the kind that the first generator has not: UUIDs for its numbers, numbers far apart for its UUIDs."""
    rng = np.random.default_rng([seed, 77])
    if kind is int:
        return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(n)]
    return sorted(int(i) for i in rng.choice(2**52, n, replace=False))
