"""A request as a URL and as a shell command, and back."""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode

import numpy as np

from connectors import filters
from console.search import request as asked
from console.search.params import Fields, compact, number, option
from console.search.request import LegKind, QueryRequest, RowPart, Upload, usage
from console.settings import parse_address

LONGEST_URL: Final = 32_000
"""Characters of the whole query string. A longer request has no URL, and says so."""
MOST_FIELDS: Final = 500


def to_params(request: QueryRequest) -> list[tuple[str, str]]:
    """See `QueryRequest.to_params`."""
    out = [("a", str(a)) for a in request.addresses]
    if request.text is not None:
        out.append(("text", request.text))
    if isinstance(request.image, Path):
        raise usage("A local image has no place in a URL.", "image", "Keep it as an upload first.")
    if request.image is not None:
        out.append(("image", str(request.image)))
    if request.row is not None:
        out.append(("id", str(request.row)))
    if isinstance(request.vector, Upload):
        out.append(("vector", str(request.vector)))
    elif request.vector is not None:
        out.append(("vector", _pack(request.vector)))
    if request.blend != asked.BLEND:
        out.append(("blend", repr(float(request.blend))))
    if request.fuse is not None:
        out.append(("fuse", request.fuse))
    if request.legs != ("vector",):
        out += [("leg", leg) for leg in request.legs]
    out += [("weight", repr(float(w))) for w in request.weights]
    if request.encoder is not None:
        out.append(("encoder", request.encoder))
    if request.k != asked.K:
        out.append(("k", str(request.k)))
    if request.filter is not None:
        out.append(("filter", compact(filters.to_json(request.filter))))
    if request.exact:
        out.append(("exact", "1"))
    if request.cutoff is not None:
        out.append(("cutoff", repr(float(request.cutoff))))
    if request.allow_mismatch:
        out.append(("allow_mismatch", "1"))
    return out


def to_url(request: QueryRequest) -> str:
    """See `QueryRequest.to_url`."""
    query = urlencode(to_params(request))
    if len(query) > LONGEST_URL:
        raise usage(
            f"The query is too long for a URL ({len(query):,} characters of {LONGEST_URL:,}).",
            "url",
            "Shorten the text or the filter; keep a long vector as an upload.",
        )
    return query


def from_url(url: str) -> QueryRequest:
    """See `QueryRequest.from_url`."""
    _, mark, query = url.partition("?")
    query = (query if mark else url).partition("#")[0]
    if len(query) > LONGEST_URL:
        raise usage("The URL is too long.", "url")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise usage("The URL can't be read.", "url") from None
    return from_params(pairs)


def from_params(params: asked.Params) -> QueryRequest:
    """See `QueryRequest.from_params`."""
    held = Fields(params)
    row, vector, what, fuse = (held.one(name) for name in ("id", "vector", "filter", "fuse"))
    if fuse not in (None, "rrf", "weighted"):
        raise usage("`fuse` in the URL is rrf or weighted.", "fuse")
    blend = held.number("blend")
    return QueryRequest(
        addresses=tuple(parse_address(a) for a in held.every("a")),
        text=held.one("text"),
        image=_image(held),
        row=RowPart.parse(row) if row is not None else None,
        vector=_unpack(vector) if vector is not None else None,
        blend=asked.BLEND if blend is None else blend,
        fuse=fuse,
        legs=_legs(held),
        weights=tuple(number("weight", w) for w in held.every("weight")),
        encoder=held.one("encoder"),
        k=_k(held),
        filter=filters.parse(what) if what is not None else None,
        exact=held.flag("exact"),
        cutoff=held.number("cutoff"),
        allow_mismatch=held.flag("allow_mismatch"),
    )


def to_command(request: QueryRequest, program: str) -> str:
    """See `QueryRequest.to_command`."""
    words = [program, "query", *(str(a) for a in request.addresses)]
    lead = ""
    if request.text is not None:
        words += option("--text", request.text)
    if request.image is not None:
        words += option("--image", str(request.image))
    if request.row is not None:
        words += option("--id", str(request.row))
    if isinstance(request.vector, Upload):
        words += option("--vector", str(request.vector))
    elif request.vector is not None:
        numbers = compact([float(str(np.float32(v))) for v in request.vector])
        lead = f"printf %s {shlex.quote(numbers)} | "
        words += ["--vector", "-"]
    if request.blend != asked.BLEND:
        words += option("--blend", repr(float(request.blend)))
    if request.fuse is not None:
        words += ["--fuse", request.fuse]
    if request.legs != ("vector",):
        for leg in request.legs:
            words += ["--leg", leg]
    for weight in request.weights:
        words += option("--weight", repr(float(weight)))
    if request.encoder is not None:
        words += option("--encoder", request.encoder)
    if request.k != asked.K:
        words += ["-k", str(request.k)]
    if request.filter is not None:
        words += option("--filter", compact(filters.to_json(request.filter)))
    if request.exact:
        words.append("--exact")
    if request.cutoff is not None:
        words += option("--cutoff", repr(float(request.cutoff)))
    if request.allow_mismatch:
        words.append("--allow-mismatch")
    return lead + " ".join(shlex.quote(w) for w in words)


def _image(held: Fields) -> Upload | None:
    held.one("image")
    return next(iter(held.images("image")), None)


def _legs(held: Fields) -> tuple[LegKind, ...]:
    legs: list[LegKind] = []
    for leg in held.every("leg"):
        if leg not in ("vector", "keyword"):
            raise usage("`leg` in the URL is vector or keyword.", "leg")
        legs.append(leg)
    return tuple(legs) or ("vector",)


def _k(held: Fields) -> int:
    text = held.one("k")
    if text is not None and not re.fullmatch(r"[0-9]{1,6}", text):
        raise usage("`k` in the URL is not a number of hits.", "k")
    return asked.K if text is None else int(text)


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
