"""Payload indexes: Qdrant's field types and index parameters as the engine's, both ways."""

from __future__ import annotations

from typing import Any, Final

import qdrant_edge as edge

from connectors.qdrant.host.refused import invalid

_KINDS: Final = ("keyword", "integer", "float", "geo", "text", "bool", "datetime", "uuid")
"""In the order of `FieldType`; `PayloadSchemaType` counts from one."""
_SCHEMA: Final = {kind: getattr(edge.PayloadSchemaType, kind.capitalize()) for kind in _KINDS}
_PARAMS: Final = {
    "keyword": edge.KeywordIndexParams,
    "integer": edge.IntegerIndexParams,
    "float": edge.FloatIndexParams,
    "geo": edge.GeoIndexParams,
    "text": edge.TextIndexParams,
    "bool": edge.BoolIndexParams,
    "datetime": edge.DatetimeIndexParams,
    "uuid": edge.UuidIndexParams,
}
_TOKENIZERS: Final[tuple[str | None, ...]] = (None, "Prefix", "Whitespace", "Word", "Multilingual", "Code")
_SIMPLE: Final = (
    "is_tenant",
    "lookup",
    "range",
    "is_principal",
    "on_disk",
    "enable_hnsw",
    "nested",
    "lowercase",
    "min_token_len",
    "max_token_len",
    "phrase_matching",
    "ascii_folding",
)


def read(request: Any) -> Any:
    """The engine's schema of a `CreateFieldIndexCollection`."""
    if request.HasField("field_index_params"):
        which = request.field_index_params.WhichOneof("index_params")
        if which is not None:
            return _params(which.removesuffix("_index_params"), getattr(request.field_index_params, which))
    if not request.HasField("field_type"):
        raise invalid("Validation error in body: [field_type: must be given]")
    if request.field_type >= len(_KINDS):
        raise invalid(f"Field type {request.field_type} is not known")
    return _SCHEMA[_KINDS[request.field_type]]


def _params(kind: str, given: Any) -> Any:
    held = given.DESCRIPTOR.fields_by_name
    parts: dict[str, Any] = {n: getattr(given, n) for n in _SIMPLE if n in held and given.HasField(n)}
    if kind == "keyword" and given.HasField("prefix"):
        parts["prefix"] = True
    if kind == "text":
        name = _TOKENIZERS[int(given.tokenizer)] if given.tokenizer < len(_TOKENIZERS) else None
        if name is not None:
            parts["tokenizer"] = getattr(edge.TokenizerType, name)
        if given.HasField("scoring"):
            parts["scoring"] = True
        if given.HasField("stopwords"):
            languages: set[Any] = {_language(edge.Language, w) for w in given.stopwords.languages}
            if None in languages:
                raise invalid("Unknown language of stopwords")
            parts["stopwords"] = edge.StopwordsSet(languages, set(given.stopwords.custom))
        if given.HasField("stemmer"):
            parts["stemmer"] = _stemmer(given.stemmer)
    return _PARAMS[kind](**parts)


def _language(known: Any, name: str) -> Any:
    return getattr(known, name.capitalize(), None)


def _stemmer(given: Any) -> Any:
    which = given.WhichOneof("stemming_params")
    if which == "snowball":
        language = _language(edge.SnowballLanguage, given.snowball.language)
        if language is None:
            raise invalid(f"Unknown language of a stemmer: {given.snowball.language}")
        return edge.SnowballParams(language)
    return edge.DisabledStemmer()


def write(into: Any, info: Any) -> None:
    """A `PayloadSchemaInfo` from the engine's own record of an index."""
    kind = next(k for k, v in _SCHEMA.items() if v == info.data_type)
    into.data_type = _KINDS.index(kind) + 1
    into.points = info.points
    if info.params is None:
        return
    part = getattr(into.params, f"{kind}_index_params")
    part.SetInParent()
    for name in _SIMPLE:
        value = getattr(info.params, name, None) if name in part.DESCRIPTOR.fields_by_name else None
        if value is not None:
            setattr(part, name, value)
    if kind == "keyword" and info.params.prefix:
        part.prefix.SetInParent()
    if kind == "text":
        names = [getattr(edge.TokenizerType, t, None) if t else None for t in _TOKENIZERS]
        part.tokenizer = names.index(info.params.tokenizer)
        if info.params.scoring is not None:
            part.scoring.SetInParent()
