"""What a comparison is asked: two sides, the queries, and what is measured on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from connectors import filters
from connectors.errors import PlumblineError
from connectors.filters import Filter
from console.search.request import LONGEST_TEXT, MOST_HITS, Upload
from console.settings import parse_address

Population = Literal["top1", "topk"]

QUERIES: Final = 200
K: Final = 10
P: Final = 0.9
"""Of rank-biased overlap: the ten first ranks then weigh 86% (Webber, Moffat and Zobel 2010)."""
ENCODED_ROWS: Final = 2_000
"""Rows that are encoded for a side that made no collection yet."""
MOST_QUERIES: Final = 5_000
MOST_GIVEN: Final = 500
"""Texts and pictures that somebody types or uploads."""
MOST_K: Final = 50
"""Lists reach twice as deep, so that a lost row's new rank is known."""
MOST_COHORTS: Final = 8
ENCODER: Final = "encoder:"


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """LEFT is the old side, RIGHT the new one: an address, or `encoder:NAME` for an encoder that made no collection.

    Queries are a golden set's, or the given texts and pictures, or else `queries` stored rows. `filter`: the rows
    that count; `query_filter`: those that queries are drawn from. `threshold`: a cutoff in LEFT's own score.
    `rows`: at most so many rows count (None: all, or `ENCODED_ROWS` where a side is encoded for it).
    """

    left: str
    right: str
    queries: int = QUERIES
    golden: str | None = None
    texts: tuple[str, ...] = ()
    images: tuple[Upload, ...] = ()
    k: int = K
    match_on: str | None = None
    cohorts: tuple[str, ...] = ()
    threshold: float | None = None
    population: Population = "top1"
    filter: Filter | None = None
    query_filter: Filter | None = None
    rows: int | None = None
    seed: int = 0

    @property
    def key(self) -> str:
        """One text for each pair of sides."""
        return f"{self.left} {self.right}"

    @property
    def given(self) -> bool:
        return bool(self.texts or self.images)

    def check(self) -> CompareRequest:
        """Raises `usage` naming the option at fault; returns self."""
        for side in (self.left, self.right):
            if encoder_of(side) is None:
                parse_address(side)
        if encoder_of(self.left) is not None and encoder_of(self.right) is not None:
            raise usage(
                "Both sides are encoders: there are no rows to compare them on.",
                self.left,
                "Name a collection on one side; its rows are encoded by the other.",
            )
        if self.golden is not None and self.given:
            raise usage("Queries are a golden set's or given ones, not both.", "--golden")
        if len(self.texts) + len(self.images) > MOST_GIVEN:
            raise usage(f"At most {MOST_GIVEN} texts and pictures are compared at once.", "--text")
        for text in self.texts:
            if not text.strip():
                raise usage("A text is empty.", "--text")
            if len(text) > LONGEST_TEXT:
                raise usage(f"A text has more than {LONGEST_TEXT:,} characters.", "--text")
        for name, value, least, most in (
            ("--queries", self.queries, 1, MOST_QUERIES),
            ("-k", self.k, 1, min(MOST_K, MOST_HITS)),
            ("--rows", self.rows, 2, 2**40),
        ):
            if value is not None and not least <= value <= most:
                raise usage(f"{value:,} is outside {least:,} to {most:,}.", name)
        if not 0 <= self.seed < 2**63:
            raise usage("The seed is a whole number from 0 on.", "--seed")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise usage("The threshold is not a finite number.", "--threshold")
        if self.population not in get_args(Population):
            raise usage("The population is top1 or topk.", "--population")
        if len(self.cohorts) > MOST_COHORTS:
            raise usage(
                f"At most {MOST_COHORTS} cohort fields are compared at once: each makes the others' intervals wider.",
                "--cohort",
            )
        if self.match_on is not None and not self.match_on.strip():
            raise usage("The field to match on has no name.", "--match-on")
        return self

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        data["texts"], data["cohorts"] = list(self.texts), list(self.cohorts)
        data["images"] = [str(image) for image in self.images]
        for name in ("filter", "query_filter"):
            held: Filter | None = data[name]
            data[name] = None if held is None else filters.to_json(held)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CompareRequest:
        """Raises `usage` where the data is no request."""
        known = {f.name for f in fields(cls)}
        held = {name: value for name, value in data.items() if name in known}
        try:
            held["texts"], held["cohorts"] = tuple(held.get("texts") or ()), tuple(held.get("cohorts") or ())
            held["images"] = tuple(_upload(i) for i in held.get("images") or ())
            for name in ("filter", "query_filter"):
                if held.get(name) is not None:
                    held[name] = filters.from_json(held[name])
            return cls(**held)
        except (TypeError, AttributeError) as fault:
            raise usage(f"That is no comparison's request ({type(fault).__name__}).", "compare") from None

    def to_params(self) -> list[tuple[str, str]]:
        """The query string's fields in a fixed order; only what differs from the defaults."""
        from console.compare import links

        return links.to_params(self)

    @classmethod
    def from_params(
        cls, params: Mapping[str, str | Sequence[str]] | Sequence[tuple[str, str]]
    ) -> CompareRequest:
        """The request of a query string's fields; others are left alone. Raises `usage` naming the field at fault."""
        from console.compare import links

        return links.from_params(params)

    def to_command(self, program: str = "plumbline") -> str:
        """The same as a shell command, every word quoted for a POSIX shell."""
        from console.compare import links

        return links.to_command(self, program)


def encoder_of(side: str) -> str | None:
    """The name of a side that is an encoder. Raises `usage` for `encoder:` alone."""
    if not side.startswith(ENCODER):
        return None
    name = side.removeprefix(ENCODER)
    if not name:
        raise usage("`encoder:` needs a name.", side)
    return name


def usage(message: str, where: str, hint: str = "") -> PlumblineError:
    return PlumblineError("usage", message, where=where, hint=hint)


def _upload(text: Any) -> Upload:
    found = Upload.parse(str(text))
    if found is None:
        raise usage("A picture of a comparison is an upload's hash.", "image", "Upload the picture again.")
    return found
