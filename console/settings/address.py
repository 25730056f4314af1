"""Addresses: `CONNECTION/COLLECTION[@TENANT][#VECTOR]`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from connectors.errors import PlumblineError

SNAPSHOT: Final = "snapshot:"
CONNECTION_NAME: Final = re.compile(r"[a-z](?:_?[a-z0-9])*_?", re.ASCII)
"""`[a-z][a-z0-9_]*` without `__`."""

_FORM: Final = "An address reads CONNECTION/COLLECTION, with @TENANT and #VECTOR where they are needed."
_ENCODED: Final = re.compile(r"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where something is. `vector` None: not given; "": the unnamed vector."""

    connection: str
    collection: str
    tenant: str | None = None
    vector: str | None = None

    @property
    def snapshot(self) -> str | None:
        """The file of `snapshot:FILE`."""
        return self.connection.removeprefix(SNAPSHOT) if self.connection.startswith(SNAPSHOT) else None

    def __str__(self) -> str:
        if self.snapshot is not None:
            file = self.snapshot.replace("%", "%25").replace("#", "%23")
            return f"{SNAPSHOT}{file}{'' if self.vector is None else '#' + encode(self.vector)}"
        tenant = "" if self.tenant is None else f"@{encode(self.tenant)}"
        vector = "" if self.vector is None else f"#{encode(self.vector)}"
        return f"{encode(self.connection)}/{encode(self.collection)}{tenant}{vector}"

    def with_vector(self, vector: str | None) -> Address:
        return replace(self, vector=vector)

    @property
    def whole(self) -> Address:
        """The collection itself: neither tenant nor vector."""
        return Address(self.connection, self.collection)


def readable(address: Address | str) -> str:
    """As people read it: without the bare `#` of the unnamed vector. It still parses, to the collection's vectors."""
    return str(address).removesuffix("#")


def _snapshot(text: str) -> Address:
    rest, with_vector, vector = text.removeprefix(SNAPSHOT).partition("#")
    file = _decode(rest, text)
    if not file:
        raise PlumblineError("usage", "`snapshot:` needs a file.", where=text)
    from connectors.qdrant.snapshot.files import collection_name

    name = collection_name(Path(file))
    return Address(f"{SNAPSHOT}{file}", name, vector=_decode(vector, text) if with_vector else None)


def parse_address(text: str) -> Address:
    """The address that somebody typed; `parse_address(str(a)) == a`.

    `snapshot:FILE[#VECTOR]` is the collection in a snapshot file; in FILE, `#` and `%` are percent-encoded.
    Raises `usage`, and `unsupported` for `encoder:NAME`, which is no address but a side of a comparison.
    """
    if text.startswith(SNAPSHOT):
        return _snapshot(text)
    if text.startswith("encoder:"):
        if not text.removeprefix("encoder:"):
            raise PlumblineError("usage", "`encoder:` needs a name.", where=text)
        raise PlumblineError(
            "unsupported",
            "An encoder can be a side of `plumbline compare`; it holds no rows of its own.",
            where=text,
        )
    rest, with_vector, vector = text.partition("#")
    if "#" in vector:
        raise _wrong(text, "It holds more than one `#`; inside a name write %23.")
    connection, slash, rest = rest.partition("/")
    if not slash or not rest:
        named = CONNECTION_NAME.fullmatch(connection) is not None
        raise _wrong(text, "It names a connection but no collection." if named else "It has no collection.")
    if not CONNECTION_NAME.fullmatch(connection):
        raise _wrong(
            text, "A connection's name is lower-case letters, digits and single underscores, letter first."
        )
    if "/" in rest:
        raise _wrong(text, "It holds more than one `/`; inside a name write %2F.")
    collection, with_tenant, tenant = rest.partition("@")
    if "@" in tenant:
        raise _wrong(text, "It holds more than one `@`; inside a name write %40.")
    if not collection:
        raise _wrong(text, "It has no collection.")
    if with_tenant and not tenant:
        raise _wrong(text, "Nothing follows the `@`.")
    return Address(
        connection,
        _decode(collection, text),
        _decode(tenant, text) if with_tenant else None,
        _decode(vector, text) if with_vector else None,
    )


def encode(part: str) -> str:
    """One part of an address: `%`, `@`, `#`, `/`, blanks and unprintable characters percent-encoded."""
    return "".join(c if _plain(c) else _percent(c) for c in part)


def _plain(c: str) -> bool:
    return c not in "%@#/" and unicodedata.category(c)[0] not in "CZ"


def _percent(c: str) -> str:
    return "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "surrogatepass"))


def _decode(part: str, whole: str) -> str:
    if "%" not in part:
        return part
    if "%" in _ENCODED.sub("", part):
        raise _wrong(whole, "A `%` is not followed by two hexadecimal digits; a plain one is written %25.")
    out = bytearray()
    last = 0
    for found in _ENCODED.finditer(part):
        out += part[last : found.start()].encode("utf-8", "surrogatepass")
        out.append(int(found[1], 16))
        last = found.end()
    out += part[last:].encode("utf-8", "surrogatepass")
    try:
        return out.decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong(whole, "Its percent-encoding is not UTF-8.") from None


def _wrong(text: str, why: str) -> PlumblineError:
    return PlumblineError("usage", f"That is not an address. {why}", where=text, hint=_FORM)
