"""A neutral filter, its JSON, and its reference evaluation in plain Python.

What a filter means is fixed here and nowhere else; an adapter translates it exactly, or gives the
server a coarser filter and rechecks the rows with `matches`, or refuses.

- A field path is split at dots and goes through objects, never through lists. A segment in double
  quotes is taken whole: `"a.b".c`.
- `equals` and `any_of` compare text by code points, numbers by value (1 equals 1.0) and booleans only
  with booleans. A list matches where one of its elements does.
- `range` compares numbers, or instants where its bounds are RFC 3339 text (without a zone: UTC).
- `exists` is: there, not null and not an empty list. `is_empty` is its negation. "" is a value.
- `not` is plain negation: a row without the field does not match `equals` and matches its negation.
"""

from connectors.filters.form import from_json, parse, to_json
from connectors.filters.model import (
    And,
    AnyOf,
    Atom,
    Between,
    Equals,
    Exists,
    Filter,
    Ids,
    IsEmpty,
    Not,
    Or,
    Scalar,
    fields_of,
)
from connectors.filters.reference import MISSING, instant, lookup, matches, same, split_path
from connectors.filters.translation import Dialect, Translated, translate

__all__ = [
    "MISSING",
    "And",
    "AnyOf",
    "Atom",
    "Between",
    "Dialect",
    "Equals",
    "Exists",
    "Filter",
    "Ids",
    "IsEmpty",
    "Not",
    "Or",
    "Scalar",
    "Translated",
    "fields_of",
    "from_json",
    "instant",
    "lookup",
    "matches",
    "parse",
    "same",
    "split_path",
    "to_json",
    "translate",
]
