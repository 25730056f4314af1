"""Whether what a file calls a picture is one: decoded, so that an evaluation does not come upon it later."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from connectors.errors import PlumblineError

if TYPE_CHECKING:
    from console.settings.model import ImageLimits

_BEGINS: Final = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF.{4}WEBP|BM|II[*+]\0|MM\0[*+]|P[1-6f]\s|.{4}ftypavi[fs]",
    re.DOTALL,
)
"""How JPEG, PNG, GIF, WebP, BMP, TIFF, PPM and AVIF begin: those that `console.encoders.images` decodes."""
_SMALLEST: Final = 1
"""Pixels of a JPEG's side: it is read to its end all the same, and decoding it at an eighth is several times as fast."""


def check(data: bytes, limits: ImageLimits | None = None) -> None:
    """Raises `image-refused` for what can't be decoded within the limits; without Pillow, for what begins otherwise."""
    from console.encoders import images

    try:
        images.decode(data, limits, at_least=_SMALLEST).close()
    except PlumblineError as fault:
        if fault.code != "extra-missing":
            raise
        if not _BEGINS.match(data):
            raise images.refused("This is no picture of a known format.") from None
