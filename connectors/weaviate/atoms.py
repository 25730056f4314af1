"""Single conditions of Weaviate's filters, and what its tokenizers leave of a value."""

from __future__ import annotations

import math
import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from connectors.weaviate import stubs
from connectors.weaviate.schema import Property

Filters: TypeAlias = stubs.base.Filters
_F = stubs.base.Filters

INT64: Final = (-(2**63), 2**63 - 1)


def id_filter(ids: Sequence[str]) -> Filters:
    """Rows with one of these ids, at least one."""
    return _F(
        operator=_F.OPERATOR_CONTAINS_ANY,
        target=stubs.base.FilterTarget(property="_id"),
        value_text_array=stubs.base.TextArray(values=ids),
    )


def both(left: Filters | None, right: Filters | None) -> Filters | None:
    if left is None or right is None:
        return left if right is None else right
    return _F(operator=_F.OPERATOR_AND, filters=[left, right])


def is_id(row: str) -> Filters:
    return _F(operator=_F.OPERATOR_EQUAL, target=stubs.base.FilterTarget(property="_id"), value_text=row)


def is_null(name: str, value: bool) -> Filters:
    return _F(
        operator=_F.OPERATOR_IS_NULL, target=stubs.base.FilterTarget(property=name), value_boolean=value
    )


def condition(
    prop: Property,
    operator: stubs.base.Filters.Operator,
    *,
    text: str | None = None,
    integer: int | None = None,
    number: float | None = None,
    boolean: bool | None = None,
) -> Filters:
    made = _F(operator=operator, target=stubs.base.FilterTarget(property=prop.name))
    if text is not None:
        made.value_text = text
    elif integer is not None:
        made.value_int = integer
    elif number is not None:
        made.value_number = number
    elif boolean is not None:
        made.value_boolean = boolean
    return made


def whole_bound(prop: Property, name: str, bound: float) -> Iterator[Filters]:
    """A bound on integers as an inclusive one; one beyond 64 bits lets all or none through."""
    if name in ("gt", "gte"):
        low = math.floor(bound) + 1 if name == "gt" else math.ceil(bound)
        if low > INT64[1]:
            yield condition(prop, _F.OPERATOR_GREATER_THAN, integer=INT64[1])
        else:
            yield condition(prop, _F.OPERATOR_GREATER_THAN_EQUAL, integer=max(low, INT64[0]))
    else:
        high = math.ceil(bound) - 1 if name == "lt" else math.floor(bound)
        if high < INT64[0]:
            yield condition(prop, _F.OPERATOR_LESS_THAN, integer=INT64[0])
        else:
            yield condition(prop, _F.OPERATOR_LESS_THAN_EQUAL, integer=min(high, INT64[1]))


def float_bound(prop: Property, name: str, bound: float) -> Iterator[Filters]:
    """A bound on floats: an integer that no float equals is moved to the next float on the right side."""
    number = as_float(bound)
    if number is None:
        number = math.inf if bound > 0 else -math.inf
    if name in ("gt", "gte"):
        inclusive = number > bound or (name == "gte" and number == bound)
        if number == 0:
            number = -0.0 if inclusive else 0.0
        operator = _F.OPERATOR_GREATER_THAN_EQUAL if inclusive else _F.OPERATOR_GREATER_THAN
    else:
        inclusive = number < bound or (name == "lte" and number == bound)
        if number == 0:
            number = 0.0 if inclusive else -0.0
        operator = _F.OPERATOR_LESS_THAN_EQUAL if inclusive else _F.OPERATOR_LESS_THAN
    yield condition(prop, operator, number=number)


def is_finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def as_float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(nanoseconds: int) -> str:
    whole, fraction = divmod(nanoseconds, 10**9)
    moment = _EPOCH + timedelta(seconds=whole)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def is_canonical(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def has_tokens(text: str, tokenization: str, stopwords: frozenset[str]) -> bool:
    """Whether the server surely finds a token to ask for; where in doubt, no."""
    match tokenization:
        case "word":
            return any(
                word not in stopwords and _folded(word) not in stopwords for word in _words(text.lower())
            )
        case "lowercase" | "whitespace" | "field":
            return bool(text.strip())
        case "trigram":
            return len("".join(_words(text))) >= 3
        case _:
            return False


def _words(text: str) -> list[str]:
    return "".join(c if unicodedata.category(c)[0] in "LN" else " " for c in text).split()


def _folded(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
