"""What is asked: one query against one or several addresses, as a URL and as a command.

The whole state of a query is in its URL, and the URL is bounded; a file is in it by the hash under
which `uploads` keeps it, never by its path, so that a foreign link can't name a file of this machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from connectors import filters
from connectors.errors import PlumblineError
from connectors.model import RowId, parse_id
from console.settings.address import Address, parse_address

Part = Literal["text", "image", "row", "vector", "keyword"]
"""A query part. On one address it makes one leg."""
LegKind = Literal["vector", "keyword"]
Fusion = Literal["rrf", "weighted"]

Params = Mapping[str, Sequence[str]] | Iterable[tuple[str, str]]

BLEND: Final = 0.6
"""Share of the text in the early fusion of text and image."""
K: Final = 10
MOST_HITS: Final = 10_000
MOST_ADDRESSES: Final = 16
LONGEST_TEXT: Final = 100_000
LONGEST_VECTOR: Final = 65_536

_UPLOAD: Final = re.compile(r"upload:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that `uploads` keeps by its content's SHA-256 (64 hexadecimal digits)."""

    sha256: str

    def __str__(self) -> str:
        return f"upload:{self.sha256}"

    @classmethod
    def parse(cls, text: str) -> Upload | None:
        """The upload that `upload:HASH` names, or None where the text is something else."""
        found = _UPLOAD.fullmatch(text)
        return cls(found.group(1)) if found else None


@dataclass(frozen=True, slots=True)
class RowPart:
    """A stored row, for "more like this". Without an address it lives on the query's first one."""

    id: RowId
    address: Address | None = None

    def __str__(self) -> str:
        return str(self.id) if self.address is None else f"{self.address}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> RowPart:
        """`ID` or `ADDRESS:ID`. Raises `usage`."""
        place, _, last = text.rpartition(":")
        try:
            row = parse_id(last.strip())
        except ValueError:
            raise usage(
                f"{text!r} is not a row.", "--id", "Give an unsigned integer or a UUID, or ADDRESS:ID."
            ) from None
        return cls(row, parse_address(place) if place else None)


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """One query. Immutable, compared by value; `check()` raises `usage` where it makes no sense."""

    addresses: tuple[Address, ...]
    text: str | None = None
    image: Path | Upload | None = None
    row: RowPart | None = None
    vector: tuple[float, ...] | Upload | None = None
    """Components, held at float32 precision as the databases do; or an uploaded file of them."""
    blend: float = BLEND
    fuse: Fusion | None = None
    legs: tuple[LegKind, ...] = ("vector",)
    weights: tuple[float, ...] = ()
    """For each part in the order of `parts()`, or for each leg: the parts of the first address, of the
    second, and so on. Empty: the defaults."""
    encoder: str | None = None
    k: int = K
    filter: filters.Filter | None = None
    exact: bool = False
    cutoff: float | None = None
    allow_mismatch: bool = False
    timeout: float | None = field(default=None, compare=False)
    """Seconds for each call to a database; no part of the URL."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", tuple(dict.fromkeys(self.addresses)))
        object.__setattr__(self, "legs", tuple(dict.fromkeys(self.legs)))
        if isinstance(self.vector, tuple):
            object.__setattr__(self, "vector", _float32(self.vector))

    def parts(self) -> tuple[Part, ...]:
        """The parts that are asked for, in the order in which legs and weights are counted."""
        held: tuple[tuple[Part, object], ...] = (
            ("text", self.text),
            ("image", self.image),
            ("row", self.row),
            ("vector", self.vector),
        )
        near: tuple[Part, ...] = ()
        if "vector" in self.legs:
            near = tuple(part for part, value in held if value is not None)
        return (*near, "keyword") if "keyword" in self.legs else near

    def check(self) -> QueryRequest:
        """Raises `usage` naming the option at fault; returns self."""
        if not self.addresses:
            raise usage("No address was given.", "query", "Name a collection: CONNECTION/COLLECTION.")
        if len(self.addresses) > MOST_ADDRESSES:
            raise usage(f"A query takes at most {MOST_ADDRESSES} addresses.", "query")
        self._check_text()
        parts = self.parts()
        if not parts:
            raise usage(
                "The query is empty.", "query", "Give --text, --image, --id or --vector, or several of them."
            )
        if "keyword" in parts and self.text is None:
            raise usage("The keyword leg needs a text.", "--leg", "Add --text.")
        if "vector" not in self.legs and (self.image, self.row, self.vector) != (None, None, None):
            raise usage(
                "Image, row and vector are looked for by the vector leg.", "--leg", "Add --leg vector."
            )
        if "vector" in self.legs and parts == ("keyword",):
            raise usage(
                "The vector leg has nothing to look for.", "--leg", "Give --text, or --leg keyword alone."
            )
        if not 1 <= self.k <= MOST_HITS:
            raise usage(f"{self.k} is not a number of hits.", "-k", f"Take 1 to {MOST_HITS}.")
        if not 0.0 <= self.blend <= 1.0:
            raise usage(
                f"{self.blend:g} is not a share.", "--blend", "Take 0 (image alone) to 1 (text alone)."
            )
        if self.cutoff is not None and not math.isfinite(self.cutoff):
            raise usage("The cutoff is not a finite number.", "--cutoff")
        self._check_weights(len(parts))
        if isinstance(self.vector, tuple):
            check_vector(self.vector)
        return self

    def _check_text(self) -> None:
        if self.text is None:
            return
        if not self.text.strip():
            raise usage("The text is empty.", "--text")
        if len(self.text) > LONGEST_TEXT:
            raise usage(f"The text has more than {LONGEST_TEXT:,} characters.", "--text")
        try:
            self.text.encode()
        except UnicodeEncodeError:
            raise usage("The text is not valid Unicode.", "--text") from None

    def _check_weights(self, parts: int) -> None:
        if not self.weights:
            return
        if self.fuse is None:
            raise usage("Weights need a fusion.", "--weight", "Add --fuse weighted (or rrf), or use --blend.")
        if not all(math.isfinite(w) and w >= 0 for w in self.weights) or not any(self.weights):
            raise usage("Weights are finite, not negative, and not all zero.", "--weight")
        sides = len(self.addresses)
        if len(self.weights) not in {parts, parts * sides}:
            per = f"{parts} (one for each of {', '.join(self.parts())})"
            full = f" or {parts * sides} (those for each address in turn)" if sides > 1 else ""
            raise usage(f"{len(self.weights)} weights were given.", "--weight", f"Give {per}{full}.")

    def to_params(self) -> list[tuple[str, str]]:
        """The query string's fields in a fixed order; only what differs from the defaults.

        Raises `usage` where the request can't be in a URL: a file that is not kept as an upload.
        """
        return links.to_params(self)

    def to_url(self) -> str:
        """The query string, without `?`. `from_url(r.to_url()) == r`.

        Raises `usage` as `to_params`, and for more than `links.LONGEST_URL` characters.
        """
        return links.to_url(self)

    @classmethod
    def from_url(cls, url: str) -> QueryRequest:
        """The request of a query string, or of a whole URL. Raises `usage` naming the field at fault."""
        return links.from_url(url)

    @classmethod
    def from_params(cls, params: Params) -> QueryRequest:
        """The request of a query string's fields. Fields that are not a query's are left alone."""
        return links.from_params(params)

    def to_command(self, program: str = "plumbline") -> str:
        """The same query as a shell command, every word quoted for a POSIX shell."""
        return links.to_command(self, program)

    def more_like(self, row: RowId, address: Address) -> QueryRequest:
        """The request that a hit's "more like this" sends: the same addresses and filter, that row alone."""
        return replace(
            self,
            text=None,
            image=None,
            vector=None,
            row=RowPart(row, address),
            legs=("vector",),
            weights=(),
            cutoff=None,
        )


def usage(message: str, where: str, hint: str = "") -> PlumblineError:
    return PlumblineError("usage", message, where=where, hint=hint)


def check_vector(vector: Sequence[float], where: str = "--vector") -> None:
    """Raises `usage` where a query vector is empty, too long, not finite or all zero."""
    if not vector:
        raise usage("The vector is empty.", where)
    if len(vector) > LONGEST_VECTOR:
        raise usage(f"The vector has more than {LONGEST_VECTOR:,} components.", where)
    bad = next((i for i, v in enumerate(vector) if not math.isfinite(v)), None)
    if bad is not None:
        raise usage(
            f"Component {bad} of the vector is not a finite number.",
            where,
            "Nothing can be ranked by such a vector; float32 reaches 3.4e38.",
        )
    if not any(vector):
        raise usage(
            "The vector is all zeros.", where, "A zero vector has no direction: every row would be as near."
        )


def _float32(values: Sequence[float]) -> tuple[float, ...]:
    with np.errstate(over="ignore"):
        return tuple(float(v) for v in np.asarray(values, dtype=np.float32))


from console.search import links  # noqa: E402  (links needs the classes above)
