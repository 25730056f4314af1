"""A Weaviate collection's schema (the JSON of `GET /v1/schema/NAME`) in the connector's words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

from connectors.errors import PlumblineError
from connectors.model import Metric, PayloadField, VectorField

METRICS: Final[dict[str, Metric]] = {
    "cosine": "cosine",
    "dot": "dot",
    "l2-squared": "euclid",
    "manhattan": "manhattan",
    "hamming": "hamming",
}
DISTANCES: Final = {metric: distance for distance, metric in METRICS.items()}

TYPES: Final = {
    "text": "text",
    "string": "text",
    "int": "integer",
    "number": "float",
    "boolean": "bool",
    "date": "datetime",
    "uuid": "uuid",
    "geoCoordinates": "geo",
    "phoneNumber": "phone",
    "blob": "blob",
    "blobHash": "blob",
    "object": "object",
}
SCALARS: Final = frozenset({"text", "string", "int", "number", "boolean", "date", "uuid"})
"""Types that may also be arrays and that an inverted index knows."""

MARK: Final = "plumbline:"


@dataclass(frozen=True)
class Property:
    """One property, or one key of an object property."""

    name: str
    type: str
    """Weaviate's own name of the type, without `[]`."""
    array: bool
    raw: Mapping[str, Any]

    @property
    def is_reference(self) -> bool:
        return self.type[:1].isupper()

    @property
    def known(self) -> bool:
        return self.type in TYPES

    @property
    def filterable(self) -> bool:
        return self.raw.get("indexFilterable") is not False

    @property
    def searchable(self) -> bool:
        return self.type in ("text", "string") and self.raw.get("indexSearchable") is not False

    @property
    def tokenization(self) -> str:
        return str(self.raw.get("tokenization") or "word")

    @cached_property
    def nested(self) -> tuple[Property, ...]:
        """The keys of an object."""
        return tuple(_property(p) for p in cast("list[Any]", self.raw.get("nestedProperties") or []))

    @property
    def neutral_type(self) -> str:
        name = TYPES.get(self.type, self.type)
        if self.type in ("text", "string") and self.tokenization == "field":
            name = "keyword"
        return f"{name}[]" if self.array else name


def _property(raw: Mapping[str, Any]) -> Property:
    types = cast("list[str]", raw.get("dataType") or ["unknown"])
    first = str(types[0])
    return Property(str(raw.get("name", "")), first.removesuffix("[]"), first.endswith("[]"), raw)


@dataclass(frozen=True)
class Schema:
    """One collection's schema as the server gave it."""

    raw: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.raw["class"])

    @cached_property
    def all_properties(self) -> tuple[Property, ...]:
        return tuple(_property(p) for p in cast("list[Any]", self.raw.get("properties") or []))

    @cached_property
    def properties(self) -> Mapping[str, Property]:
        """Payload properties by name: references left out."""
        return {p.name: p for p in self.all_properties if not p.is_reference}

    @cached_property
    def references(self) -> Mapping[str, tuple[str, ...]]:
        """Reference property -> the collections that it may point to."""
        return {
            p.name: tuple(cast("list[str]", p.raw["dataType"])) for p in self.all_properties if p.is_reference
        }

    @property
    def has_tenants(self) -> bool:
        return bool(self._config("multiTenancyConfig").get("enabled"))

    @property
    def indexes_null(self) -> bool:
        return bool(self._config("invertedIndexConfig").get("indexNullState"))

    @cached_property
    def stopwords(self) -> frozenset[str]:
        """Words, lower case, that any list of this collection may call stopwords."""
        found: set[str] = set(_ENGLISH)
        config = self._config("invertedIndexConfig")
        for key, value in config.items():
            if "stopword" in key.lower():
                _gather(value, found)
        for prop in self.all_properties:
            for key, value in prop.raw.items():
                if "stopword" in key.lower() or key == "textAnalyzer":
                    _gather(value, found)
        return frozenset(w.lower() for w in found)

    @cached_property
    def unnamed(self) -> bool:
        """Whether there is an unnamed ("legacy") vector."""
        return bool(self.raw.get("vectorIndexType")) or not self.raw.get("vectorConfig")

    @cached_property
    def vectors(self) -> tuple[VectorField, ...]:
        """The vector fields, their dimensions not yet known."""
        found: list[VectorField] = []
        if self.unnamed:
            found.append(
                _vector(
                    "",
                    str(self.raw.get("vectorIndexType") or "hnsw"),
                    self._config("vectorIndexConfig"),
                    self.raw.get("vectorizer"),
                )
            )
        named = cast("Mapping[str, Mapping[str, Any]]", self.raw.get("vectorConfig") or {})
        for name in sorted(named):
            config = named[name]
            found.append(
                _vector(
                    name,
                    str(config.get("vectorIndexType") or "hnsw"),
                    cast("Mapping[str, Any]", config.get("vectorIndexConfig") or {}),
                    config.get("vectorizer"),
                )
            )
        return tuple(found)

    def vector(self, name: str) -> VectorField:
        """Raises `not-found`."""
        for field in self.vectors:
            if field.name == name:
                return field
        names = ", ".join(repr(f.name) for f in self.vectors)
        raise PlumblineError(
            "not-found", f"There is no vector {name!r}.", where=self.name, hint=f"Its vectors: {names}."
        )

    @cached_property
    def payload(self) -> tuple[PayloadField, ...]:
        return tuple(
            PayloadField(p.name, p.neutral_type, _indexed(p), _details(p)) for p in self.properties.values()
        )

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The server's configuration of the collection, for people."""
        keys = (
            "multiTenancyConfig",
            "replicationConfig",
            "shardingConfig",
            "invertedIndexConfig",
            "objectTtlConfig",
        )
        found: dict[str, Any] = {key: self.raw[key] for key in keys if self.raw.get(key)}
        text, _ = split_description(self.raw.get("description"))
        if text:
            found["description"] = text
        if self.references:
            found["references"] = {name: list(to) for name, to in self.references.items()}
        modules = self.raw.get("moduleConfig")
        if modules:
            found["moduleConfig"] = modules
        return found

    @cached_property
    def marker(self) -> Mapping[str, Any] | None:
        return split_description(self.raw.get("description"))[1]

    def _config(self, key: str) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", self.raw.get(key) or {})


def _vector(name: str, index_type: str, config: Mapping[str, Any], vectorizer: Any) -> VectorField:
    plain = {k: v for k, v in config.items() if k not in (*_QUANTIZERS, "hnsw", "flat")}
    if index_type == "dynamic":
        for stage in ("hnsw", "flat"):
            if isinstance(config.get(stage), dict):
                plain[stage] = config[stage]
    multi = cast("Mapping[str, Any]", config.get("multivector") or {})
    module = (
        next(iter(cast("Mapping[str, Any]", vectorizer)), "none")
        if isinstance(vectorizer, dict)
        else vectorizer
    )
    distance = str(config.get("distance") or "cosine")
    return VectorField(
        name,
        kind="multi" if multi.get("enabled") else "dense",
        metric=METRICS.get(distance),
        index={"type": index_type, **plain, "vectorizer": str(module or "none")},
        quantization=_quantization(config),
    )


_QUANTIZERS: Final = ("pq", "bq", "sq", "rq")


def _quantization(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    stages: list[Mapping[str, Any]] = [config]
    stages += [
        cast("Mapping[str, Any]", config[s]) for s in ("hnsw", "flat") if isinstance(config.get(s), dict)
    ]
    for stage in stages:
        for kind in _QUANTIZERS:
            held: Any = stage.get(kind)
            if isinstance(held, dict) and cast("Mapping[str, Any]", held).get("enabled"):
                return {
                    "type": kind,
                    **{k: v for k, v in cast("Mapping[str, Any]", held).items() if k != "enabled"},
                }
    return None


def _indexed(p: Property) -> bool:
    return p.filterable and (p.type in SCALARS or p.type == "geoCoordinates")


def _details(p: Property) -> Mapping[str, Any]:
    kept = {k: v for k, v in p.raw.items() if k != "name" and v not in (None, "", [], {})}
    kept["dataType"] = list(cast("list[str]", p.raw.get("dataType") or []))
    return kept


def _gather(value: Any, into: set[str]) -> None:
    if isinstance(value, str):
        into.add(value)
    elif isinstance(value, dict):
        for held in cast("dict[Any, Any]", value).values():
            _gather(held, into)
    elif isinstance(value, list):
        for held in cast("list[Any]", value):
            _gather(held, into)


def split_description(description: object) -> tuple[str, Mapping[str, Any] | None]:
    """A collection's description as (text for people, marker)."""
    text = description if isinstance(description, str) else ""
    start = text.rfind(MARK)
    if start < 0 or (start > 0 and text[start - 1] != "\n"):
        return text, None
    try:
        held: object = json.loads(text[start + len(MARK) :])
    except (ValueError, RecursionError):
        return text, None
    if not isinstance(held, dict):
        return text, None
    return text[:start].rstrip("\n"), cast("dict[str, Any]", held)


def join_description(text: str, marker: Mapping[str, Any] | None) -> str:
    """The inverse of `split_description`. Raises `usage` where the marker is not JSON."""
    if marker is None:
        return text
    try:
        packed = json.dumps(dict(marker), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as fault:
        raise PlumblineError("usage", f"A marker must be JSON: {fault}", where="marker") from None
    return f"{text}\n\n{MARK}{packed}" if text else f"{MARK}{packed}"


_CLASS: Final = re.compile(r"[A-Z][_0-9A-Za-z]{0,255}")


def check_name(name: str) -> None:
    """Raises `usage` where Weaviate would refuse the name of a collection, or change it."""
    if not _CLASS.fullmatch(name):
        raise PlumblineError(
            "usage",
            f"Weaviate takes no collection named {name!r}.",
            where=name,
            hint="A name starts with a capital letter; letters, digits and _ follow, at most 256 in all.",
        )


_ENGLISH: Final = tuple(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with".split()  # noqa: SIM905
)
