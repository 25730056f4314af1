"""A request as a URL and as a shell command, and back."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast
from urllib.parse import parse_qsl, urlencode

import numpy as np

from connectors import filters
from console.search import request as asked
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
        out.append(("filter", _compact(filters.to_json(request.filter))))
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
    held: dict[str, list[str]] = {}
    if isinstance(params, Mapping):
        for name, values in cast("Mapping[str, Sequence[str]]", params).items():
            held[name] = [values] if isinstance(values, str) else list(values)
    else:
        for name, value in params:
            held.setdefault(name, []).append(value)
    return _Fields(held).request()


def to_command(request: QueryRequest, program: str) -> str:
    """See `QueryRequest.to_command`."""
    words = [program, "query", *(str(a) for a in request.addresses)]
    lead = ""
    if request.text is not None:
        words += _option("--text", request.text)
    if request.image is not None:
        words += _option("--image", str(request.image))
    if request.row is not None:
        words += _option("--id", str(request.row))
    if isinstance(request.vector, Upload):
        words += _option("--vector", str(request.vector))
    elif request.vector is not None:
        numbers = _compact([float(str(np.float32(v))) for v in request.vector])
        lead = f"printf %s {shlex.quote(numbers)} | "
        words += ["--vector", "-"]
    if request.blend != asked.BLEND:
        words += _option("--blend", repr(float(request.blend)))
    if request.fuse is not None:
        words += ["--fuse", request.fuse]
    if request.legs != ("vector",):
        for leg in request.legs:
            words += ["--leg", leg]
    for weight in request.weights:
        words += _option("--weight", repr(float(weight)))
    if request.encoder is not None:
        words += _option("--encoder", request.encoder)
    if request.k != asked.K:
        words += ["-k", str(request.k)]
    if request.filter is not None:
        words += _option("--filter", _compact(filters.to_json(request.filter)))
    if request.exact:
        words.append("--exact")
    if request.cutoff is not None:
        words += _option("--cutoff", repr(float(request.cutoff)))
    if request.allow_mismatch:
        words.append("--allow-mismatch")
    return lead + " ".join(shlex.quote(w) for w in words)


class _Fields:
    """The fields of a URL, each checked as it is read."""

    def __init__(self, held: Mapping[str, Sequence[str]]) -> None:
        self._held = held

    def request(self) -> QueryRequest:
        row, vector, what = self._one("id"), self._one("vector"), self._one("filter")
        fuse = self._one("fuse")
        if fuse not in (None, "rrf", "weighted"):
            raise usage("`fuse` in the URL is rrf or weighted.", "fuse")
        blend = self._number("blend")
        return QueryRequest(
            addresses=tuple(parse_address(a) for a in self._held.get("a", ())),
            text=self._one("text"),
            image=self._image(),
            row=RowPart.parse(row) if row is not None else None,
            vector=_unpack(vector) if vector is not None else None,
            blend=asked.BLEND if blend is None else blend,
            fuse=fuse,
            legs=self._legs(),
            weights=tuple(_number("weight", w) for w in self._held.get("weight", ())),
            encoder=self._one("encoder"),
            k=self._k(),
            filter=filters.parse(what) if what is not None else None,
            exact=self._flag("exact"),
            cutoff=self._number("cutoff"),
            allow_mismatch=self._flag("allow_mismatch"),
        )

    def _one(self, name: str) -> str | None:
        values = self._held.get(name, ())
        if len(values) > 1:
            raise usage(f"`{name}` is in the URL more than once.", name)
        return values[0] if values else None

    def _number(self, name: str) -> float | None:
        text = self._one(name)
        return None if text is None else _number(name, text)

    def _flag(self, name: str) -> bool:
        value = self._one(name)
        if value not in (None, "0", "1"):
            raise usage(f"`{name}` in the URL is 0 or 1.", name)
        return value == "1"

    def _image(self) -> Upload | None:
        text = self._one("image")
        upload = Upload.parse(text) if text is not None else None
        if text is not None and upload is None:
            raise usage("An image in the URL is an upload's hash.", "image", "Upload the picture again.")
        return upload

    def _legs(self) -> tuple[LegKind, ...]:
        legs: list[LegKind] = []
        for leg in self._held.get("leg", ()):
            if leg not in ("vector", "keyword"):
                raise usage("`leg` in the URL is vector or keyword.", "leg")
            legs.append(leg)
        return tuple(legs) or ("vector",)

    def _k(self) -> int:
        text = self._one("k")
        if text is not None and not re.fullmatch(r"[0-9]{1,6}", text):
            raise usage("`k` in the URL is not a number of hits.", "k")
        return asked.K if text is None else int(text)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise usage(f"`{name}` in the URL is not a finite number.", name)
    return value


def _compact(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


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
