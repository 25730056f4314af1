"""Pictures from untrusted bytes: either right, or refused with a reason.

What comes out is always RGB, upright (EXIF), flattened onto white, 8 bits per channel, the first frame.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.errors import PlumblineError
from console.settings.model import ImageLimits as ImageLimits

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
_DEEP: Final = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_ORIENTATION: Final = 0x0112


def refused(why: str, where: str = "", hint: str = "") -> PlumblineError:
    return PlumblineError("image-refused", why, where=where, hint=hint)


def decode(
    data: bytes, limits: ImageLimits | None = None, where: str = "", *, at_least: int | None = None
) -> Image:
    """The RGB picture in `data`. Raises `image-refused` for what is too big, damaged or no picture.

    Args:
        at_least: a JPEG may be decoded smaller, with both sides no less than this, in pixels.
    """
    try:
        from PIL import Image as pillow
        from PIL import features
    except ImportError:
        raise extra_missing("Pillow", "console") from None
    limits = limits or ImageLimits()
    if not data:
        raise refused("The file is empty.", where)
    if len(data) > limits.bytes:
        raise _over(f"The picture has {len(data):,} bytes", f"{limits.bytes:,}", "bytes", where)
    formats = [f for f in FORMATS if f != "AVIF" or features.check("avif")]
    try:
        with pillow.open(io.BytesIO(data), formats=formats) as opened:
            _check(opened, limits, where)
            return flatten(opened, at_least=at_least)
    except PlumblineError as error:
        raise error.at(where) from None
    except pillow.UnidentifiedImageError:
        names = ", ".join(formats)
        raise refused("This is no picture of a known format.", where, f"Known are {names}.") from None
    except pillow.DecompressionBombError:
        raise _over("The picture has too many pixels", f"{limits.pixels:,}", "pixels", where) from None
    except Exception as fault:
        # Pillow's decoders raise whatever hostile bytes lead them to: OSError, SyntaxError, struct.error, …
        raise refused(f"The picture is damaged ({type(fault).__name__}: {fault}).", where) from None


def flatten(picture: Image, *, at_least: int | None = None) -> Image:
    """Any PIL picture as RGB: upright, on white, its first frame. 16 bit is scaled to 8; may raise what Pillow does."""
    from PIL import Image as pillow
    from PIL import ImageOps

    if at_least is not None:
        with contextlib.suppress(AttributeError):
            picture.draft("RGB", (at_least, at_least))
    picture.load()
    # Only JPEG-like files carry an orientation that matters; a broken EXIF block is as good as none.
    with contextlib.suppress(Exception):
        if picture.getexif().get(_ORIENTATION, 1) != 1:
            picture = ImageOps.exif_transpose(picture)
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture if type(picture) is pillow.Image else picture.copy()
    if picture.mode in _DEEP:
        picture = _eight_bit(picture)
    elif picture.mode == "F":
        raise refused("The picture holds floating-point numbers, whose range no file format fixes.")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        ground = pillow.new("RGB", rgba.size, (255, 255, 255))
        ground.paste(rgba, mask=rgba.getchannel("A"))
        return ground
    return picture.convert("RGB")


def thumbnail(picture: Image, side: int = 224) -> bytes:
    """A small JPEG, encoded anew: nothing of the original file is passed on. At most `side` pixels each way."""
    from PIL import Image as pillow

    small = flatten(picture).copy()
    small.thumbnail((side, side), pillow.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85, optimize=False)
    return out.getvalue()


def extra_missing(what: str, extra: str) -> PlumblineError:
    return PlumblineError(
        "extra-missing",
        f"{what} is not installed.",
        hint=f'Install it: pip install "plumbline[{extra}]"',
    )


def _check(picture: Image, limits: ImageLimits, where: str) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise refused("The picture has no pixels.", where)
    if width * height > limits.pixels:
        raise _over(f"The picture has {width:,} x {height:,} pixels", f"{limits.pixels:,}", "pixels", where)
    frames = int(getattr(cast("Any", picture), "n_frames", 1))
    if frames > limits.frames:
        raise _over(f"The picture has {frames:,} frames", f"{limits.frames:,}", "frames", where)
    picture.seek(0)


def _eight_bit(picture: Image) -> Image:
    import numpy as np
    from PIL import Image as pillow

    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65_535:
        raise refused("The picture has more than 16 bits per channel.")
    return pillow.fromarray((values.astype(np.uint32) >> 8).astype(np.uint8))


def _over(what: str, limit: str, unit: str, where: str) -> PlumblineError:
    key = f"`{unit}` under [images.limits]"
    return refused(f"{what}; the limit is {limit} {unit}.", where, f"Raise {key} in plumbline.toml.")
