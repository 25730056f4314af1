"""Which payload fields say what: the version, the modality, the picture and the caption of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.filters import MISSING, lookup
from connectors.model import Payload
from console.settings import Address, CollectionSettings, Settings

VERSION: Final = "embedding_version"
IMAGE_GUESSES: Final = ("image", "image_path", "image_url", "picture", "thumbnail")
CAPTION_GUESSES: Final = ("caption", "text", "title", "description", "name")
EMBEDDED: Final = ("caption", "text")
"""Of them, names of what an encoder was given; what is only shown (a title, a name) often stands beside that."""
MODALITY_GUESS: Final = "modality"


@dataclass(frozen=True, slots=True)
class RowFields:
    """Field paths of one vector field's rows. `image`, `text`, `modality` None: guessed for display."""

    version: str = VERSION
    modality: str | None = None
    image: str | None = None
    text: str | None = None

    def version_of(self, payload: Payload) -> str | None:
        return tag_of(lookup(payload, self.version))

    def modality_of(self, payload: Payload) -> str | None:
        return _first(payload, (self.modality,) if self.modality else (MODALITY_GUESS,))

    def image_of(self, payload: Payload) -> str | None:
        """A reference for console.encoders.images: path, URL, data URI or base64. Never opened here."""
        return _first(payload, (self.image,) if self.image else IMAGE_GUESSES)

    def caption_of(self, payload: Payload) -> str | None:
        return _first(payload, (self.text,) if self.text else CAPTION_GUESSES)


def row_fields(
    settings: Settings,
    address: Address,
    collection: str,
    vector: str | None,
    marker: Mapping[str, Any] | None,
) -> RowFields:
    """The settings of the address, then those of the `collection` behind an alias, then the marker's `fields`."""
    asked = settings.of_collection(address.connection, address.collection, vector)
    real = settings.of_collection(address.connection, collection, vector)
    held: CollectionSettings = real.refined(asked)
    hints = _hints(marker)
    return RowFields(
        version=held.version_field or hints.get("version") or VERSION,
        modality=held.modality_field or hints.get("modality"),
        image=held.image_field or hints.get("image"),
        text=held.text_field or hints.get("text"),
    )


def tag_of(value: Any) -> str | None:
    """A version tag as text; None where the row is untagged: nothing, "", or not a single plain value."""
    if isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        value = cast("list[Any]", value)[0]
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return str(value)


def same_row(fields: RowFields, one: Payload, other: Payload, other_fields: RowFields | None = None) -> bool:
    """Whether rows of the same id in two collections are the same thing, embedded twice.

    They are, unless their payloads contradict each other: the picture, else the caption decides where
    both rows have it; else at least half of the fields that both hold agree, the version left out.
    Integer ids of unrelated collections coincide all the time.
    """
    theirs = other_fields or fields
    for get_one, get_other in (
        (fields.image_of, theirs.image_of),
        (fields.caption_of, theirs.caption_of),
    ):
        a, b = get_one(one), get_other(other)
        if a is not None and b is not None:
            return a == b
    version = {fields.version.split(".")[0], theirs.version.split(".")[0]}
    shared = [k for k in one if k in other and k not in version and None not in (one[k], other[k])]
    agree = sum(one[k] == other[k] for k in shared)
    return not shared or agree * 2 >= len(shared)


def _hints(marker: Mapping[str, Any] | None) -> dict[str, str]:
    held: Any = (marker or {}).get("fields")
    if not isinstance(held, Mapping):
        return {}
    found = cast("Mapping[Any, Any]", held)
    return {str(k): v for k, v in found.items() if isinstance(v, str) and v}


def _first(payload: Payload, paths: tuple[str, ...]) -> str | None:
    for path in paths:
        value = lookup(payload, path)
        if value is not MISSING and isinstance(value, str) and value.strip():
            return value
    return None
