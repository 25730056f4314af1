"""The demo's smallest encoder, loaded once, and pictures of every awkward kind."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("open_clip", reason="the clip extra is not installed")

from console.encoders.loading import load
from console.encoders.openclip import OpenClipEncoder
from console.encoders.spec import built_in


@pytest.fixture(scope="session")
def scenes_v1() -> OpenClipEncoder:
    return load(built_in()["scenes-v1"])


@pytest.fixture(scope="session")
def photograph() -> Image.Image:
    """640 x 480 with structure at every scale, as a photograph has."""
    rng = np.random.default_rng(5)
    whole = np.zeros((480, 640, 3))
    for scale in (2, 5, 12, 30, 80):
        coarse = rng.normal(size=(480 // scale + 2, 640 // scale + 2, 3))
        layer = np.kron(coarse, np.ones((scale, scale, 1)))[:480, :640]
        whole += layer * np.sqrt(scale)
    whole = (whole - whole.min()) / (whole.max() - whole.min()) * 255
    return Image.fromarray(whole.astype(np.uint8))


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    def make(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
        out = io.BytesIO()
        picture.save(out, kind, **options)
        return out.getvalue()

    return make
