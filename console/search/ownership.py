"""Which encoder a field, a tag and a marker belong to, seen from the encoder that a query would use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.errors import PlumblineError

if TYPE_CHECKING:
    from connectors.model import Description, VectorField
    from console.encoders import EncoderSpec
    from console.settings import Address
    from console.workspace import Workspace

MARKED: Final = "encoders"


def known_encoder(
    ws: Workspace,
    address: Address,
    vector: VectorField,
    described: Description,
    shares: Mapping[str, float] | None,
    explicit: str | None = None,
) -> tuple[EncoderSpec | None, str | None]:
    """The encoder of a vector field and how it is known; (None, None) where it is not."""
    return ws.known_encoder(
        address,
        vector,
        described.marker,
        version_shares=shares,
        explicit=explicit,
        collection=described.target.collection,
    )


def likely_encoder(
    ws: Workspace,
    address: Address,
    vector: VectorField,
    described: Description,
    shares: Mapping[str, float] | None,
) -> tuple[EncoderSpec | None, str | None]:
    """As `known_encoder`, for what can do without: settings that name no configured encoder say nothing."""
    try:
        return known_encoder(ws, address, vector, described, shares)
    except PlumblineError as fault:
        if fault.code != "encoder-unknown":
            raise
        return None, None


def same_encoder(one: EncoderSpec, other: EncoderSpec | None) -> bool:
    """Whether two configured encoders are one: by fingerprint where both are known, else by what is loaded."""
    if other is None:
        return False
    if one.name == other.name:
        return True
    if one.fingerprint is not None and other.fingerprint is not None:
        return one.fingerprint == other.fingerprint
    return _recipe(one) == _recipe(other)


def owner_of(live: EncoderSpec, specs: Mapping[str, EncoderSpec]) -> Callable[[str], str | None]:
    """Names the encoder that a version tag resolves to: `live` for its own tags, None where nobody's."""
    from console.encoders import resolve_tag

    def owner(tag: str) -> str | None:
        if live.claims(tag):
            return live.name
        spec = resolve_tag(tag, specs)
        if spec is None:
            return None
        return live.name if same_encoder(live, spec) else spec.name

    return owner


def marked_otherwise(marker: Mapping[str, Any] | None, field: str, live: EncoderSpec) -> str | None:
    """What the collection's marker calls the field's encoder, where its fingerprint is not the live one's."""
    held = (marker or {}).get(MARKED)
    entry = cast("Mapping[str, Any]", held).get(field) if isinstance(held, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    said = cast("Mapping[str, Any]", entry)
    fingerprint, name = said.get("fingerprint"), said.get("name")
    if not isinstance(fingerprint, str) or live.fingerprint in (None, fingerprint):
        return None
    return f"{name} ({fingerprint[:12]})" if isinstance(name, str) else fingerprint[:12]


def _recipe(spec: EncoderSpec) -> tuple[Any, ...]:
    return spec.model, spec.pretrained, spec.precision, spec.normalize
