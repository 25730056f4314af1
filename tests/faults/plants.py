"""Faults, planted into clean rows: which rows, which group, what a true report says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.faults.bases import Base


@dataclass(frozen=True, eq=False)
class Planted:
    """A base with one fault in it.

    `rows`: positions of the rows that a full scan must name, exactly (None: the fault has no rows of its own).
    `group`: the (field, value) that holds exactly these rows, or None. `roots`: codes that may be named as root.
    `follows`: codes that may stand beside it as symptoms or remarks. `beside`: those of them that may be roots too,
    where the fault is in so many rows that none are the rows left out. `because`: symptom -> its cause, where that is
    another than any of the roots. `more`: settings of the memory's rows.
    """

    base: Base
    rows: np.ndarray | None
    roots: tuple[str, ...]
    group: tuple[str, Any] | None = None
    follows: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    because: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def causes_of(self, symptom: str) -> frozenset[str] | None:
        """What a finding that is no root must be told to come from; None where it may be anything."""
        if symptom in self.because:
            return frozenset({self.because[symptom]})
        return frozenset(self.roots) if symptom in self.follows and symptom not in self.beside else None


Plant = Callable[[Base, int, np.random.Generator], Planted]


@dataclass(frozen=True)
class Fault:
    """`smallest`: rows at which the rule fires with power .99 in a full scan.

    `below`: rows at which it fires with a power of .01 at most; None where one row is enough, so that there is nothing
    below, and where a fault is in all rows: these have a weaker plant in `WEAKER`.
    """

    name: str
    code: str
    plant: Plant
    smallest: Callable[[Base], int]
    applies: Callable[[Base, str], str]
    """Why the cell cannot be, or ""."""
    below: Callable[[Base], int] | None = None


FAULTS: dict[str, Fault] = {}
WEAKER: dict[str, Plant] = {}
"""Faults of all rows, in a strength below the line."""
NEEDS = 400
"""Rows of a base on which rules about shares have room."""


def fault(
    name: str,
    code: str,
    smallest: Callable[[Base], int] = lambda base: 1,
    applies: Callable[[Base, str], str] = lambda base, kind: "",
    below: Callable[[Base], int] | None = None,
) -> Callable[[Plant], Plant]:
    def register(plant: Plant) -> Plant:
        def reason(base: Base, kind: str) -> str:
            if len(base) < 2:
                return "fewer than two rows"
            return applies(base, kind)

        FAULTS[name] = Fault(name, code, plant, smallest, reason, below)
        return plant

    return register


def large(base: Base, kind: str) -> str:
    return (
        "" if len(base) >= NEEDS and base.matrix.shape[1] >= 32 else "too few rows or dimensions for the rule"
    )


def keeps_norms(base: Base, kind: str) -> str:
    if kind == "qdrant" and base.metric == "cosine":
        return "the server normalises on write"
    return "" if base.metric == "dot" else "under cosine a length does no harm by itself"


def narrow_norms(base: Base, kind: str) -> str:
    if why := keeps_norms(base, kind):
        return why
    return "lengths are spread by design" if base.name == "popular" else ""


def both(*rules: Callable[[Base, str], str]) -> Callable[[Base, str], str]:
    return lambda base, kind: next((why for r in rules if (why := r(base, kind))), "")


def choose(base: Base, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(len(base), min(count, len(base)), replace=False))


def grouped(base: Base, count: int, rng: np.random.Generator) -> tuple[Base, np.ndarray, tuple[str, Any]]:
    """Rows that are marked by a source of their own: `camera-99`."""
    at = choose(base, count, rng)
    rows = [dict(p) for p in base.payloads]
    for i in at:
        rows[i]["source"] = "camera-99"
    return base.but(payloads=rows), at, ("source", "camera-99")


@fault("zero", "zero-vectors")
def zero(base: Base, count: int, rng: np.random.Generator) -> Planted:
    base, at, group = grouped(base, count, rng)
    matrix = base.matrix.copy()
    matrix[at] = 0
    return Planted(base.but(matrix=matrix), at, ("zero-vectors",), group, follows=("low-ann-recall",))


@fault(
    "near-zero",
    "zero-vectors",
    applies=lambda b, k: "1e-7 of a length is 0 in float16" if b.storage != "float32" else "",
)
def near_zero(base: Base, count: int, rng: np.random.Generator) -> Planted:
    at = choose(base, count, rng)
    matrix = base.matrix.copy()
    matrix[at] *= np.float32(1e-7)
    return Planted(base.but(matrix=matrix), at, ("zero-vectors",), follows=("low-ann-recall",))


@fault("nan", "non-finite")
def nan(base: Base, count: int, rng: np.random.Generator) -> Planted:
    base, at, group = grouped(base, count, rng)
    matrix = base.matrix.copy()
    matrix[at, rng.integers(0, matrix.shape[1], len(at))] = np.nan
    return Planted(base.but(matrix=matrix), at, ("non-finite",), group, follows=("low-ann-recall",))


@fault("inf", "non-finite")
def inf(base: Base, count: int, rng: np.random.Generator) -> Planted:
    at = choose(base, count, rng)
    matrix = base.matrix.copy()
    matrix[at, rng.integers(0, matrix.shape[1], len(at))] = np.inf
    return Planted(base.but(matrix=matrix), at, ("non-finite",), follows=("low-ann-recall",))


@fault(
    "overflow",
    "non-finite",
    applies=lambda b, k: "stored as zeros on write" if k == "qdrant" and b.metric == "cosine" else "",
)
def overflow(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Every value is finite, the float32 length is not."""
    at = choose(base, count, rng)
    matrix = base.matrix.copy()
    matrix[at] = np.float32(3.0e38) * np.sign(matrix[at] + np.float32(1e-9))
    return Planted(
        base.but(matrix=matrix), at, ("non-finite",), follows=("low-ann-recall", "value-corruption")
    )


@fault("missing", "missing-vectors")
def missing(base: Base, count: int, rng: np.random.Generator) -> Planted:
    base, at, group = grouped(base, count, rng)
    present = base.present.copy()
    present[at] = False
    return Planted(base.but(present=present), at, ("missing-vectors",), group)


@fault("unnormalised", "norm-drift", applies=narrow_norms)
def unnormalised(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """One source's rows were never normalised: lengths of .4 to 1.3 (the demo's raw outputs do that)."""
    base, at, group = grouped(base, count, rng)
    length = rng.uniform(0.4, 0.9, len(at))
    matrix = base.matrix.copy()
    matrix[at] *= length[:, None].astype(np.float32)
    return Planted(
        base.but(matrix=matrix), at, ("norm-drift",), group,
        follows=("collapsed-neighbors", "low-ann-recall", "filter-masking", "metric-mismatch"),
    )  # fmt: skip


@fault("scaled", "norm-drift", applies=narrow_norms)
def scaled(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Rows without anything in common are ten times as long."""
    at = choose(base, count, rng)
    matrix = base.matrix.copy()
    matrix[at] *= np.float32(10)
    return Planted(
        base.but(matrix=matrix), at, ("norm-drift",),
        follows=("collapsed-neighbors", "low-ann-recall", "filter-masking", "metric-mismatch", "text-vector-disagreement"),
    )  # fmt: skip


def rotation(d: int, seed: int = 11) -> np.ndarray:
    """Another encoder's space: an orthogonal matrix, always the same."""
    q, r = np.linalg.qr(np.random.default_rng([seed, d]).normal(size=(d, d)))
    return q * np.sign(np.diag(r))


def tagged(base: Base, kind: str) -> str:
    return "" if base.payloads and "embedding_version" in base.payloads[0] else "no version field"


@fault("foreign-tagged", "version-mix", applies=tagged)
def foreign_tagged(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Made by another encoder, and tagged so."""
    at = choose(base, count, rng)
    matrix, rows = base.matrix.copy(), [dict(p) for p in base.payloads]
    matrix[at] = matrix[at] @ rotation(matrix.shape[1]).astype(np.float32)
    for i in at:
        rows[i]["embedding_version"] = "clip-b"
    return Planted(
        base.but(matrix=matrix, payloads=rows), at, ("version-mix",), ("embedding_version", "clip-b"),
        follows=("text-vector-disagreement", "collapsed-neighbors", "filter-masking", "modality-gap", "dominant-axis", "cohort-gap"),
    )  # fmt: skip


@fault("tags-only", "version-mix", applies=tagged)
def tags_only(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Two tags, one space."""
    at = choose(base, count, rng)
    rows = [dict(p) for p in base.payloads]
    for i in at:
        rows[i]["embedding_version"] = "clip-a-fixed"
    return Planted(base.but(payloads=rows), at, ("version-mix",), ("embedding_version", "clip-a-fixed"))


@fault("untagged", "untagged-rows", applies=tagged)
def untagged(base: Base, count: int, rng: np.random.Generator) -> Planted:
    base, at, group = grouped(base, count, rng)
    rows = [dict(p) for p in base.payloads]
    for i in at:
        del rows[i]["embedding_version"]
    return Planted(base.but(payloads=rows), at, ("untagged-rows",), group)


def texts(base: Base, kind: str) -> str:
    if why := large(base, kind):
        return why
    if any("image" in p for p in base.payloads):
        return "the rows of pictures are made of their pictures"
    return "" if all("caption" in p for p in base.payloads) else "not every row has a text"


def share(p: float, low: int = 1) -> Callable[[Base], int]:
    """Rows of a share, rounded up."""
    return lambda base: max(low, math.ceil(p * len(base)))


# Below: fewer pairs than the rule asks for (`min_pairs`).
@fault("reembedded", "same-source-different-vector", lambda base: 10, applies=texts, below=lambda base: 9)
def reembedded(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Pairs of rows with one text and one tag, the second by another encoder, silently.

    Which row of a pair is wrong is not known. Where over half of the rows are in such pairs, that texts and vectors
    disagree is a second true picture of it: no rows could be left out to see it go.
    """
    at = choose(base, 2 * count, rng)[: len(base) // 2 * 2]
    rng.shuffle(at)
    first, second = at[: len(at) // 2], at[len(at) // 2 :]
    matrix, rows = base.matrix.copy(), [dict(p) for p in base.payloads]
    matrix[second] = matrix[first] @ rotation(matrix.shape[1]).astype(np.float32)
    for a, b in zip(first, second, strict=True):
        rows[b]["caption"] = rows[a]["caption"]
    return Planted(
        base.but(matrix=matrix, payloads=rows), None, ("same-source-different-vector",),
        follows=("text-vector-disagreement", "collapsed-neighbors", "filter-masking", "dominant-axis"),
        beside=("text-vector-disagreement",) if 2 * len(at) > len(base) else (),
    )  # fmt: skip


# Below: the line of 1 % itself, of which only those count that are far from all their mates, less the interval.
@fault("shuffled-texts", "text-vector-disagreement", share(0.05), applies=texts, below=share(0.01))
def shuffled_texts(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """The payloads of some rows stand on one another's vectors."""
    at = choose(base, max(2, count), rng)
    rows = [dict(p) for p in base.payloads]
    for a, b in zip(at, np.roll(at, 1), strict=True):
        rows[a]["caption"] = base.payloads[b]["caption"]
    return Planted(base.but(payloads=rows), None, ("text-vector-disagreement",))


@fault(
    "zero-padded",
    "truncated-dimensions",
    applies=lambda b, k: "two dimensions" if b.matrix.shape[1] < 32 else "",
)
def zero_padded(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """A producer cut the vector to a half and padded it with zeros."""
    base, at, group = grouped(base, count, rng)
    matrix = base.matrix.copy()
    half = matrix.shape[1] // 2
    length = np.linalg.norm(matrix[at], axis=1, keepdims=True)
    matrix[at, half:] = 0
    matrix[at] *= length / np.linalg.norm(matrix[at], axis=1, keepdims=True)
    return Planted(base.but(matrix=matrix), at, ("truncated-dimensions",), group)


@fault(
    "wild",
    "value-corruption",
    applies=lambda b, k: keeps_norms(b, k) or ("bytes can't hold it" if b.storage != "float32" else ""),
)
def wild(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Single values of 1e6 times the usual size."""
    at = choose(base, count, rng)
    matrix = base.matrix.copy()
    typical = np.median(np.abs(matrix[matrix != 0]))
    matrix[at, rng.integers(0, matrix.shape[1], len(at))] = np.float32(typical * 1e6)
    return Planted(
        base.but(matrix=matrix), at, ("value-corruption",),
        follows=("norm-drift", "duplicate-vectors", "collapsed-neighbors", "low-ann-recall", "dominant-axis", "metric-mismatch", "filter-masking", "text-vector-disagreement", "no-structure", "modality-gap"),
    )  # fmt: skip


def one_short(base: Base) -> int:
    """A row less than make a class: 20 rows and 0.5 % of all."""
    return max(20, math.ceil(0.005 * len(base))) - 1


@fault(
    "placeholder",
    "duplicate-vectors",
    lambda base: max(20, math.ceil(0.005 * len(base))),
    applies=large,
    below=one_short,
)
def placeholder(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """One vector on many rows of different texts."""
    at = choose(base, count, rng)
    matrix = base.matrix.copy()
    matrix[at] = matrix[at[0]]
    return Planted(
        base.but(matrix=matrix), at, ("duplicate-vectors",),
        follows=("collapsed-neighbors", "text-vector-disagreement", "filter-masking", "low-ann-recall", "modality-gap", "same-source-different-vector", "dominant-axis"),
    )  # fmt: skip


@fault(
    "noisy-placeholder",
    "duplicate-vectors",
    lambda base: max(25, math.ceil(0.006 * len(base))),
    applies=large,
    below=one_short,
)
def noisy_placeholder(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """As above, each with noise of 1e-6: no two hashes are equal."""
    planted = placeholder(base, count, rng)
    assert planted.rows is not None
    matrix = planted.base.matrix.copy()
    noise = rng.normal(size=(len(planted.rows), matrix.shape[1])) * 1e-6
    matrix[planted.rows] += (noise * np.linalg.norm(matrix[planted.rows[0]])).astype(np.float32)
    return Planted(planted.base.but(matrix=matrix), None, planted.roots, follows=planted.follows)


@fault("count", "count-mismatch")
def fewer(base: Base, count: int, rng: np.random.Generator) -> Planted:
    return Planted(base, None, ("count-mismatch",), options={"expected_rows": len(base) + count})


@fault(
    "one-output",
    "collapsed-neighbors",
    share(0.85),
    applies=both(large, lambda b, k: "a mean of .5" if b.name == "popular" else ""),
    # Half of the rows that may disagree with their texts, the first of its lines that a part of the rows reaches.
    below=share(0.005),
)
def one_output(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """The encoder answers nearly the same whatever it is given."""
    at = choose(base, count, rng)
    matrix = base.matrix.copy()
    centre = matrix.mean(axis=0)
    centre /= np.linalg.norm(centre)
    noise = rng.normal(size=(len(at), matrix.shape[1])) * 0.05 / math.sqrt(matrix.shape[1])
    matrix[at] = (centre + noise).astype(np.float32)
    matrix[at] /= np.linalg.norm(matrix[at], axis=1, keepdims=True)
    return Planted(
        base.but(matrix=matrix), None,
        ("collapsed-neighbors", "dominant-axis", "no-structure", "duplicate-vectors", "text-vector-disagreement"),
        follows=("modality-gap", "filter-masking", "low-ann-recall", "same-source-different-vector"),
        beside=("modality-gap",),
    )  # fmt: skip


def weaker(name: str) -> Callable[[Plant], Plant]:
    def register(plant: Plant) -> Plant:
        WEAKER[name] = plant
        return plant

    return register


def unit_rows(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


@weaker("noise")
def some_noise(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Noise of half a vector's length beside what the vectors say: the noise ratio is that of real data."""
    more = 0.5 * rng.normal(size=base.matrix.shape) / math.sqrt(base.matrix.shape[1])
    return Planted(base.but(matrix=unit_rows(unit_rows(base.matrix) + more)), None, ("no-structure",))


@weaker("common-direction")
def some_common_direction(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Nine tenths of the length squared are the same; the line is at .95."""
    axis = rng.normal(size=base.matrix.shape[1])
    matrix = unit_rows(base.matrix) + 3 * axis / np.linalg.norm(axis)
    return Planted(base.but(matrix=unit_rows(matrix)), None, ("dominant-axis",))


@weaker("rogue-dimension")
def some_rogue(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """One dimension with .14 of all that varies; the line is at .25."""
    matrix = unit_rows(base.matrix)
    matrix[:, 5] = rng.normal(size=len(base)) * 0.4
    return Planted(base.but(matrix=unit_rows(matrix)), None, ("dominant-axis",))


@fault("noise", "no-structure", lambda base: len(base), applies=large)
def noise(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Untrained weights: the vectors say nothing of their rows."""
    matrix = rng.normal(size=base.matrix.shape)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return Planted(
        base.but(matrix=matrix.astype(np.float32)), None, ("no-structure",),
        follows=("text-vector-disagreement", "modality-gap", "collapsed-neighbors", "metric-mismatch"),
    )  # fmt: skip


@fault("common-direction", "dominant-axis", lambda base: len(base), applies=large)
def common_direction(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """A bias was added to every vector: nine tenths of each is the same."""
    unit = base.matrix / np.linalg.norm(base.matrix, axis=1, keepdims=True)
    axis = rng.normal(size=unit.shape[1])
    matrix = unit + 6 * axis / np.linalg.norm(axis)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return Planted(
        base.but(matrix=matrix.astype(np.float32)),
        None,
        ("dominant-axis",),
        follows=("modality-gap", "metric-mismatch"),
    )


@fault("rogue-dimension", "dominant-axis", lambda base: len(base), applies=large)
def rogue(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """One dimension varies more than all others together."""
    unit = base.matrix / np.linalg.norm(base.matrix, axis=1, keepdims=True)
    matrix = unit.copy()
    matrix[:, 5] = rng.normal(size=len(base)) * 1.5
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return Planted(
        base.but(matrix=matrix.astype(np.float32)), None, ("dominant-axis",),
        follows=("modality-gap", "text-vector-disagreement", "metric-mismatch", "collapsed-neighbors", "no-structure"),
    )  # fmt: skip


def index_faults(base: Base, kind: str) -> str:
    return "a small collection is searched without an index" if len(base) < NEEDS else ""


# Below: recall .97; of 200 queries an upper bound under .95 is over four standard errors away.
@fault("lost-by-index", "low-ann-recall", share(0.15), applies=index_faults, below=share(0.03))
def lost(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """The index never returns some rows."""
    at = choose(base, count, rng)
    return Planted(base, None, ("low-ann-recall",), follows=("cohort-gap",), more={"hidden": at})


@fault("empty-source", "empty-source", applies=lambda b, k: texts(b, k) if len(b) >= NEEDS else "small")
def empty_source(base: Base, count: int, rng: np.random.Generator) -> Planted:
    """Nothing was embedded: all of them have the vector of the empty text."""
    at = choose(base, count, rng)
    matrix, rows = base.matrix.copy(), [dict(p) for p in base.payloads]
    nothing = rng.normal(size=matrix.shape[1])
    length = np.linalg.norm(matrix[at], axis=1)
    matrix[at] = (nothing / np.linalg.norm(nothing) * length.mean()).astype(np.float32)
    for i in at:
        rows[i]["caption"] = ""
    return Planted(
        base.but(matrix=matrix, payloads=rows), at, ("empty-source",),
        follows=("duplicate-vectors", "collapsed-neighbors", "filter-masking", "low-ann-recall", "dominant-axis"),
    )  # fmt: skip
