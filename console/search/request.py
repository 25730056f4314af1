"""What is asked: one query against one or several addresses, as a URL and as a command.

The whole state of a query is in its URL, and the URL is bounded; a file is in it by the hash under
which `uploads` keeps it, never by its path, so that a foreign link can't name a file of this machine.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import parse_qsl, urlencode

import numpy as np

from connectors import filters
from connectors.errors import PlumblineError
from connectors.model import RowId, parse_id
from console.workspace import Address, parse_address

Part = Literal["text", "image", "row", "vector", "keyword"]
"""A query part. On one address it makes one leg."""
LegKind = Literal["vector", "keyword"]
Fusion = Literal["rrf", "weighted"]

PARTS: Final[tuple[Part, ...]] = get_args(Part)
BLEND: Final = 0.6
"""Share of the text in the early fusion of text and image."""
K: Final = 10
MOST_HITS: Final = 10_000
MOST_ADDRESSES: Final = 16
LONGEST_TEXT: Final = 100_000
LONGEST_VECTOR: Final = 65_536
LONGEST_URL: Final = 32_000
"""Characters of the whole query string. A longer request has no URL, and says so."""

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
        wanted: list[Part] = []
        if "vector" in self.legs:
            held = {"text": self.text, "image": self.image, "row": self.row, "vector": self.vector}
            wanted += [p for p in PARTS if held.get(p) is not None]
        if "keyword" in self.legs:
            wanted.append("keyword")
        return tuple(wanted)

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

        Raises `usage` where the request can't be in a URL: a file that is not kept as an upload, or
        more than `LONGEST_URL` characters.
        """
        out = [("a", str(a)) for a in self.addresses]
        if self.text is not None:
            out.append(("text", self.text))
        if isinstance(self.image, Path):
            raise usage(
                "A local image has no place in a URL.", "image", "Keep it as an upload first (uploads.keep)."
            )
        if self.image is not None:
            out.append(("image", str(self.image)))
        if self.row is not None:
            out.append(("id", str(self.row)))
        if self.vector is not None:
            out.append(
                ("vector", str(self.vector) if isinstance(self.vector, Upload) else _pack(self.vector))
            )
        if self.blend != BLEND:
            out.append(("blend", repr(float(self.blend))))
        if self.fuse is not None:
            out.append(("fuse", self.fuse))
        if self.legs != ("vector",):
            out += [("leg", leg) for leg in self.legs]
        out += [("weight", repr(float(w))) for w in self.weights]
        if self.encoder is not None:
            out.append(("encoder", self.encoder))
        if self.k != K:
            out.append(("k", str(self.k)))
        if self.filter is not None:
            out.append(("filter", compact(filters.to_json(self.filter))))
        if self.exact:
            out.append(("exact", "1"))
        if self.cutoff is not None:
            out.append(("cutoff", repr(float(self.cutoff))))
        if self.allow_mismatch:
            out.append(("allow_mismatch", "1"))
        return out

    def to_url(self) -> str:
        """The query string, without `?`. `from_url(r.to_url()) == r`. Raises `usage` as `to_params`."""
        query = urlencode(self.to_params())
        if len(query) > LONGEST_URL:
            raise usage(
                f"The query is too long for a URL ({len(query):,} characters of {LONGEST_URL:,}).",
                "url",
                "Shorten the text or the filter; keep a long vector as an upload.",
            )
        return query

    @classmethod
    def from_url(cls, url: str) -> QueryRequest:
        """The request of a query string, or of a whole URL. Raises `usage` naming the field at fault."""
        _, mark, query = url.partition("?")
        query = (query if mark else url).partition("#")[0]
        if len(query) > LONGEST_URL:
            raise usage("The URL is too long.", "url")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=500, errors="strict")
        except ValueError:
            raise usage("The URL can't be read.", "url") from None
        return cls.from_params(pairs)

    @classmethod
    def from_params(
        cls, params: Mapping[str, Sequence[str] | str] | Iterable[tuple[str, str]]
    ) -> QueryRequest:
        """The request of a query string's fields. Fields that are not a query's are left alone."""
        held: dict[str, list[str]] = {}
        if isinstance(params, Mapping):
            for name, value in params.items():
                held[name] = [value] if isinstance(value, str) else list(value)
        else:
            for name, value in params:
                held.setdefault(name, []).append(value)
        return _read(held)

    def to_command(self, program: str = "plumbline") -> str:
        """The same query as a shell command, every word quoted for a POSIX shell."""
        words = [program, "query", *(str(a) for a in self.addresses)]
        lead = ""
        if self.text is not None:
            words += _option("--text", self.text)
        if self.image is not None:
            words += _option("--image", str(self.image))
        if self.row is not None:
            words += _option("--id", str(self.row))
        if isinstance(self.vector, Upload):
            words += _option("--vector", str(self.vector))
        elif self.vector is not None:
            numbers = compact([_shortest(v) for v in self.vector])
            lead = f"printf %s {shlex.quote(numbers)} | "
            words += ["--vector", "-"]
        if self.blend != BLEND:
            words += _option("--blend", f"{self.blend!r}")
        if self.fuse is not None:
            words += _option("--fuse", self.fuse)
        if self.legs != ("vector",):
            for leg in self.legs:
                words += _option("--leg", leg)
        for weight in self.weights:
            words += _option("--weight", f"{weight!r}")
        if self.encoder is not None:
            words += _option("--encoder", self.encoder)
        if self.k != K:
            words += ["-k", str(self.k)]
        if self.filter is not None:
            words += _option("--filter", compact(filters.to_json(self.filter)))
        if self.exact:
            words.append("--exact")
        if self.cutoff is not None:
            words += _option("--cutoff", f"{self.cutoff!r}")
        if self.allow_mismatch:
            words.append("--allow-mismatch")
        return lead + " ".join(shlex.quote(w) for w in words)

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


def compact(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _float32(values: Sequence[float]) -> tuple[float, ...]:
    with np.errstate(over="ignore"):
        return tuple(float(v) for v in np.asarray(values, dtype=np.float32))


def _shortest(value: float) -> float:
    """The shortest decimal that names the same float32."""
    return float(str(np.float32(value)))


def _pack(vector: tuple[float, ...]) -> str:
    raw = np.asarray(vector, dtype="<f4").tobytes()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _unpack(text: str) -> tuple[float, ...] | Upload:
    if (upload := Upload.parse(text)) is not None:
        return upload
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = np.frombuffer(raw, dtype="<f4")
    except (binascii.Error, ValueError):
        raise usage("The vector in the URL can't be read.", "vector") from None
    return tuple(float(v) for v in values)


def _option(name: str, value: str) -> list[str]:
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _read(held: Mapping[str, Sequence[str]]) -> QueryRequest:
    def one(name: str) -> str | None:
        values = held.get(name, ())
        if len(values) > 1:
            raise usage(f"`{name}` is in the URL more than once.", name)
        return values[0] if values else None

    def number(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise usage(f"`{name}` in the URL is not a finite number.", name)
        return value

    def flag(name: str) -> bool:
        value = one(name)
        if value not in (None, "0", "1"):
            raise usage(f"`{name}` in the URL is 0 or 1.", name)
        return value == "1"

    image, row, vector, k = one("image"), one("id"), one("vector"), one("k")
    blend, cutoff, what, fuse = one("blend"), one("cutoff"), one("filter"), one("fuse")
    upload = Upload.parse(image) if image is not None else None
    if image is not None and upload is None:
        raise usage("An image in the URL is an upload's hash.", "image", "Upload the picture again.")
    if fuse not in (None, "rrf", "weighted"):
        raise usage("`fuse` in the URL is rrf or weighted.", "fuse")
    legs: list[LegKind] = []
    for leg in held.get("leg", ()):
        if leg not in ("vector", "keyword"):
            raise usage("`leg` in the URL is vector or keyword.", "leg")
        legs.append(leg)
    if k is not None and not re.fullmatch(r"[0-9]{1,6}", k):
        raise usage("`k` in the URL is not a number of hits.", "k")
    return QueryRequest(
        addresses=tuple(parse_address(a) for a in held.get("a", ())),
        text=one("text"),
        image=upload,
        row=RowPart.parse(row) if row is not None else None,
        vector=_unpack(vector) if vector is not None else None,
        blend=BLEND if blend is None else number("blend", blend),
        fuse=fuse,
        legs=tuple(legs) or ("vector",),
        weights=tuple(number("weight", w) for w in held.get("weight", ())),
        encoder=one("encoder"),
        k=K if k is None else int(k),
        filter=filters.parse(what) if what is not None else None,
        exact=flag("exact"),
        cutoff=None if cutoff is None else number("cutoff", cutoff),
        allow_mismatch=flag("allow_mismatch"),
    )
