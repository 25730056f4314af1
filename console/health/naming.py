"""Which payload fields mean what: settings first, then what a few rows show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.errors import PlumblineError
from connectors.model import ALL
from console.health.options import FieldNames
from console.health.values import canonical, empty, key_of, seconds
from console.search.fields import CAPTION_GUESSES, EMBEDDED, IMAGE_GUESSES, MODALITY_GUESS, row_fields

if TYPE_CHECKING:
    from connectors.model import Description, Payload, Target
    from connectors.protocol import Reader
    from console.health.options import CheckOptions
    from console.workspace import Address, Workspace

PEEK: Final = 400
"""Rows whose payloads are looked at. A value of 1% of the rows is then seen with probability .98."""
MOST_GROUPS: Final = 16
"""Group fields that were found rather than named: each costs .2 us a row and is a chance of a false name."""
MOST_VALUES: Final = 64
"""Distinct values of a found group field in the peek: each then holds 78 rows of 5,000 in the mean, and a rule
about a group needs 30."""
REPEATS: Final = 4
"""Rows per distinct value in the mean. Ids and free text have about one."""
LONGEST: Final = 128
"""Characters of the longest value of a found group field: more is text, not a name."""
MOST_COLUMNS: Final = 32
"""Fields read in all."""
HEAVY: Final = 1_024
"""Characters in the mean above which a field that means nothing here is left out."""
DEEPEST: Final = 3
TIMES: Final = (
    "ingested_at",
    "embedded_at",
    "indexed_at",
    "inserted_at",
    "created_at",
    "updated_at",
    "modified_at",
    "timestamp",
    "ingestTime",
    "createdAt",
    "updatedAt",
)
"""Names of a row's own time, those nearest to the vector's making first. Others (`taken`, `date`) tell of the
thing, not of the row, and have to be configured."""
EARLIEST: Final = seconds("1990-01-01")
LATEST: Final = seconds("2100-01-01")


def field_names(
    ws: Workspace,
    address: Address,
    description: Description,
    reader: Reader,
    target: Target,
    options: CheckOptions,
) -> FieldNames:
    """Reads at most a few hundred rows' payloads."""
    dense = description.dense
    vector = address.vector if address.vector is not None else dense[0].name if len(dense) == 1 else None
    collection = description.target.collection
    held = ws.configured(address, vector, collection)
    named = row_fields(ws.settings, address, collection, vector, description.marker)
    peek = _peek(reader, target, options.seed)
    columns = _columns(peek)
    version = options.version_field or named.version
    modality = options.modality_field or named.modality or _present((MODALITY_GUESS,), columns)
    image = named.image or _fullest(IMAGE_GUESSES, columns)
    text = named.text or _caption(columns)
    time = held.time_field or _hint(description, "time") or _time(columns)
    cohorts = tuple(held.cohort_fields or ())
    asked = _unique([version, modality, *cohorts, *options.group_by, *tenant_fields(description)])
    means = {image, text, time}
    found = _groups({p: v for p, v in columns.items() if p not in means and p not in asked}, len(peek))
    groups = (*asked, *found)
    rest = [path for path, values in columns.items() if _light(values)]
    chosen = _unique([*groups, image, text, time, *rest])
    most = max(MOST_COLUMNS, len(_unique([*groups, image, text, time])))
    shown = named.text is None and text is not None and text not in EMBEDDED
    return FieldNames(version, modality, image, text, time, cohorts, groups, chosen[:most], shown)


def _peek(reader: Reader, target: Target, seed: int) -> list[Payload]:
    try:
        batch = reader.sample(target, PEEK, (), ALL, seed)
    except PlumblineError as fault:
        if fault.code != "unsupported":
            raise
        batch = next(iter(reader.scan(target, (), None, ALL)), None)
    return list(batch.payloads or ())[:PEEK] if batch is not None else []


def _columns(peek: Sequence[Payload]) -> dict[str, list[Any]]:
    """Field path -> the values that say something, in the order in which the paths appear."""
    found: dict[str, list[Any]] = {}
    for payload in peek:
        for path, value in _paths(payload, (), DEEPEST):
            if not empty(value):
                found.setdefault(path, []).append(value)
    return found


def _paths(held: Mapping[str, Any], outer: tuple[str, ...], depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in held.items():
        segments = (*outer, key)
        if not key or '"' in key:
            continue
        if isinstance(value, dict) and depth > 1:
            yield from _paths(cast("dict[str, Any]", value), segments, depth - 1)
        else:
            yield ".".join(f'"{s}"' if "." in s else s for s in segments), value


def _groups(columns: Mapping[str, Sequence[Any]], rows: int) -> list[str]:
    """Fields with few distinct plain values; those with fewer come first, constant ones last."""
    ranked: list[tuple[bool, int, int, str]] = []
    for i, (path, values) in enumerate(columns.items()):
        if not all(isinstance(v, (str, bool, int)) for v in values):
            continue
        if max(len(v) if isinstance(v, str) else 0 for v in values) > LONGEST:
            continue
        distinct = len({key_of(v) for v in values})
        if distinct <= max(2, min(MOST_VALUES, rows // REPEATS, len(values) // REPEATS)):
            ranked.append((distinct == 1, distinct, i, path))
    return [path for *_, path in sorted(ranked)[:MOST_GROUPS]]


def _present(names: Iterable[str], columns: Mapping[str, Sequence[Any]]) -> str | None:
    return next((n for n in names if any(isinstance(v, str) for v in columns.get(n, ()))), None)


def _fullest(names: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> str | None:
    """The one of these fields that most rows have as text; the first of equals."""
    counts = {n: sum(isinstance(v, str) for v in columns.get(n, ())) for n in names}
    best = max(names, key=lambda n: counts[n])
    return best if counts[best] else None


def _caption(columns: Mapping[str, Sequence[Any]]) -> str | None:
    """The fullest field of text; one that is named as what is embedded goes before one that is named as what is shown,
    unless fewer than half as many rows have it.
    """
    best, embedded = _fullest(CAPTION_GUESSES, columns), _fullest(EMBEDDED, columns)
    if best is None or embedded is None:
        return best
    return embedded if 2 * len(columns[embedded]) >= len(columns[best]) else best


def _time(columns: Mapping[str, Sequence[Any]]) -> str | None:
    """A field with the name of a row's time whose values are times of this age, all but one in ten."""
    for name in TIMES:
        values = columns.get(name)
        if values and sum(EARLIEST <= seconds(v) <= LATEST for v in values) >= 0.9 * len(values):
            return name
    return None


def _hint(description: Description, what: str) -> str | None:
    held: Any = (description.marker or {}).get("fields")
    found: Any = cast("Mapping[str, Any]", held).get(what) if isinstance(held, Mapping) else None
    return found if isinstance(found, str) and found else None


def tenant_fields(description: Description) -> list[str]:
    """Payload fields that tell tenants apart (Qdrant's `is_tenant`)."""
    held: Any = description.settings.get("tenant_fields")
    return [str(name) for name in cast("list[Any]", held)] if isinstance(held, list) else []


def _light(values: Sequence[Any]) -> bool:
    size = sum(len(v) if isinstance(v, str) else 16 if isinstance(v, (bool, int, float)) else len(canonical(v))
               for v in values)  # fmt: skip
    return size <= HEAVY * len(values)


def _unique(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for n in names if n))
