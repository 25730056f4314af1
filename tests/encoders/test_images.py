from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from connectors.errors import PlumblineError
from console.encoders.images import ImageLimits, decode, flatten, thumbnail

Encode = Callable[..., bytes]


def corners(picture: Image.Image) -> list[tuple[int, ...]]:
    right, bottom = picture.width - 1, picture.height - 1
    return [picture.getpixel(p) for p in ((0, 0), (right, 0), (0, bottom), (right, bottom))]


def marked() -> Image.Image:
    """20 x 10, its top left quarter red, the rest blue."""
    picture = Image.new("RGB", (20, 10), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 10, 5))
    return picture


@pytest.mark.parametrize(
    ("orientation", "red_corner", "size"),
    [
        (1, 0, (20, 10)),
        (2, 1, (20, 10)),
        (3, 3, (20, 10)),
        (4, 2, (20, 10)),
        (5, 0, (10, 20)),
        (6, 1, (10, 20)),
        (7, 3, (10, 20)),
        (8, 2, (10, 20)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_stands_upright_whatever_its_orientation_says(
    encoded: Encode, orientation: int, red_corner: int, size: tuple[int, int], kind: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = decode(encoded(marked(), kind, exif=exif))
    assert upright.size == size
    assert [c[0] > 200 for c in corners(upright)] == [i == red_corner for i in range(4)]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1-bit key"])
def test_transparency_lies_on_white(encoded: Encode, mode: str) -> None:
    if mode == "P":
        picture = Image.new("P", (4, 4), 0)
        picture.putpalette([9, 9, 9] + [0] * 765)
        data = encoded(picture, "PNG", transparency=0)
    elif mode == "1-bit key":
        data = encoded(Image.new("RGB", (4, 4), (9, 9, 9)), "PNG", transparency=(9, 9, 9))
    else:
        data = encoded(Image.new(mode, (4, 4), (9, 9, 9, 0)[: len(mode)] if mode == "RGBA" else (9, 0)))
    assert decode(data).getpixel((1, 1)) == (255, 255, 255)


def test_half_transparency_is_mixed_with_white(encoded: Encode) -> None:
    pixel = decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)))).getpixel((0, 0))
    assert pixel == (127, 127, 127)


def test_cmyk_keeps_its_colours(encoded: Encode) -> None:
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    red, green, blue = decode(data).getpixel((8, 8))
    assert red > 200
    assert green < 60
    assert blue < 60


def test_sixteen_bits_are_scaled_to_eight(encoded: Encode) -> None:
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)
    shown = np.asarray(decode(encoded(Image.fromarray(ramp))))[:, :, 0]
    assert np.abs(shown.astype(int) - (ramp // 257).astype(int)).max() <= 1


def test_floating_point_pixels_are_refused(encoded: Encode) -> None:
    with pytest.raises(PlumblineError, match="floating-point"):
        decode(encoded(Image.new("F", (4, 4), 0.5), "TIFF"))


def test_an_animation_shows_its_first_frame(encoded: Encode) -> None:
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "green", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).getpixel((4, 4)) == (255, 0, 0)


def test_limits_on_bytes_pixels_and_frames_are_named_in_the_refusal(encoded: Encode) -> None:
    frames = [Image.new("L", (8, 8), i * 60) for i in range(4)]
    film = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    for limits, data, unit in (
        (ImageLimits(bytes=10), film, "bytes"),
        (ImageLimits(pixels=63), film, "pixels"),
        (ImageLimits(frames=3), film, "frames"),
    ):
        with pytest.raises(PlumblineError) as caught:
            decode(data, limits, "upload")
        assert caught.value.code == "image-refused"
        assert unit in caught.value.hint
        assert caught.value.where == "upload"
    decode(film, ImageLimits(bytes=len(film), pixels=64, frames=4))


def bomb(side: int) -> bytes:
    """A PNG of side x side black pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 30_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    with pytest.raises(PlumblineError, match="pixels"):
        decode(bomb(side))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(PlumblineError) as caught:
        decode(data)
    assert caught.value.code == "image-refused"


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_picture_that_is_cut_or_garbled_anywhere_is_right_or_refused(
    encoded: Encode, photograph: Image.Image, kind: str
) -> None:
    whole = encoded(photograph.resize((64, 48)), kind)
    rng = np.random.default_rng(1)
    refusals = 0
    for trial in range(60):
        if trial % 2:
            data = whole[: int(rng.integers(1, len(whole)))]
        else:
            garbled = np.frombuffer(whole, dtype=np.uint8).copy()
            garbled[rng.integers(0, min(len(garbled), 400), size=6)] = rng.integers(0, 256, size=6)
            data = garbled.tobytes()
        try:
            shown = decode(data, ImageLimits(pixels=1_000_000))
        except PlumblineError:
            refusals += 1
        else:
            assert shown.mode == "RGB"
    assert refusals > 0


def test_a_thumbnail_is_a_small_jpeg_without_what_the_original_carried(
    encoded: Encode, photograph: Image.Image
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    original = decode(encoded(photograph, "JPEG", exif=exif))
    small = thumbnail(original, 100)
    with Image.open(io.BytesIO(small)) as shown:
        assert shown.format == "JPEG"
        assert shown.size == (100, 75)
        assert not shown.getexif()
    assert b"secret" not in small


def test_drafting_a_jpeg_keeps_both_sides_above_what_was_asked(
    encoded: Encode, photograph: Image.Image
) -> None:
    small = decode(encoded(photograph, "JPEG"), at_least=100)
    assert min(small.size) >= 100
    assert small.width < photograph.width


def test_flattening_leaves_an_rgb_picture_as_it_is(photograph: Image.Image) -> None:
    assert flatten(photograph) is photograph
