"""Where a row's picture comes from: a local path, a configured host, a data URI or base64."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
import threading
import urllib.parse
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.encoders.images import decode, refused, thumbnail
from console.encoders.remote import Remote
from console.settings.model import ImageSettings

if TYPE_CHECKING:
    from PIL.Image import Image

CACHE_BYTES: Final = 48 * 1024 * 1024
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]{64,}={0,2}\s*")
_MAGIC: Final = ("/9j/", "iVBORw0K", "R0lGOD", "UklGR", "Qk", "SUkq", "TU0A", "AAAA")
"""How base64 of JPEG, PNG, GIF, WebP, BMP, TIFF and AVIF begins."""
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")


class ImageStore:
    """Reads what a payload refers to, within the settings. Thread-safe; thumbnails are kept in memory."""

    def __init__(
        self, settings: ImageSettings, roots: Sequence[Path] = (), *, remote: Remote | None = None
    ) -> None:
        """`roots` are allowed besides the configured ones: the demo's pictures."""
        self.settings = settings
        self._roots = (*settings.roots, *roots)
        self._remote = remote or Remote(settings.hosts, settings.limits)
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def read(self, reference: str) -> bytes:
        """The file's bytes as they are. Raises `image-refused`."""
        if "\0" in reference or not reference.strip():
            raise refused("The reference names no picture.", "image")
        if reference[:5].lower() == "data:":
            return self._data_uri(reference)
        if reference[:8].lower().startswith(("http://", "https://")):
            return self._remote.read(reference)
        if reference.startswith(_MAGIC) and _BASE64.fullmatch(reference):
            return self._base64(reference)
        if reference.lower().startswith("file:///"):
            return self._local(urllib.parse.unquote(reference[7:]))
        if _SCHEME.match(reference):
            raise refused("Pictures of this kind of address are not read.", reference[:80])
        return self._local(reference)

    def open(self, reference: str) -> Image:
        """The RGB picture. Raises `image-refused`."""
        return decode(self.read(reference), self.settings.limits, _named(reference))

    def thumbnail(self, reference: str, side: int = 224) -> bytes:
        """A small JPEG of it, made anew from its pixels and kept. Raises `image-refused`."""
        key = hashlib.blake2b(f"{side}\n{reference}".encode(errors="surrogatepass"), digest_size=16).digest()
        with self._lock:
            held = self._kept.get(key)
            if held is not None:
                self._kept.move_to_end(key)
                return held
        picture = decode(self.read(reference), self.settings.limits, _named(reference), at_least=2 * side)
        made = thumbnail(picture, side)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._size += len(made)
            while self._size > CACHE_BYTES:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made

    def _data_uri(self, reference: str) -> bytes:
        head, comma, body = reference.partition(",")
        if not comma or not head.lower().startswith("data:image/") or not head.lower().endswith(";base64"):
            raise refused("Only data URIs of base64 pictures are read.", head[:60])
        return self._base64(urllib.parse.unquote(body))

    def _base64(self, text: str) -> bytes:
        most = self.settings.limits.bytes
        if len(text) > most * 4 // 3 + 4096:
            raise refused(f"The picture has more than {most:,} bytes.", "base64")
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise refused("The base64 is damaged.", "base64") from None

    def _local(self, reference: str) -> bytes:
        if not self._roots:
            hint = "Name the folder in `roots` under [images] in plumbline.toml."
            raise refused("No folder is configured for local pictures.", _named(reference), hint)
        path = self._inside(reference)
        if path is None:
            hint = "Relative paths are looked for in each of `roots` under [images] in plumbline.toml."
            raise refused("There is no such picture inside the configured folders.", _named(reference), hint)
        most = self.settings.limits.bytes
        try:
            # O_NONBLOCK: opening a named pipe must not wait for its writer.
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                held = os.fstat(handle)
                if not stat.S_ISREG(held.st_mode):
                    raise refused("It is no file.", _named(reference))
                if held.st_size > most:
                    raise refused(f"The picture has more than {most:,} bytes.", _named(reference))
                return file.read(most + 1)
        except OSError as fault:
            raise refused(f"The picture can't be read ({fault.strerror}).", _named(reference)) from None

    def _inside(self, reference: str) -> Path | None:
        """The real path, with every link followed, if it lies inside a root's real path."""
        for root in self._roots:
            try:
                real_root = root.resolve(strict=True)
                path = (real_root / reference).resolve(strict=True)
            except (OSError, ValueError, RuntimeError):
                continue
            if path.is_relative_to(real_root):
                return path
        return None


def _named(reference: str) -> str:
    """What a message may call it: never a query string, which may hold a signature, nor a long blob."""
    if reference[:5].lower() == "data:" or len(reference) > 300:
        return "inline picture"
    return reference.split("?")[0][:200]
