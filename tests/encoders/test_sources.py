from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from connectors.errors import PlumblineError
from console.encoders.sources import ImageStore
from console.settings.model import ImageLimits, ImageSettings


@pytest.fixture
def png(encoded: Callable[..., bytes], photograph: Image.Image) -> bytes:
    return encoded(photograph.resize((40, 30)))


@pytest.fixture
def root(tmp_path: Path, png: bytes) -> Path:
    inside = tmp_path / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "a.png").write_bytes(png)
    (inside / "deep" / "ü b.png").write_bytes(png)
    (tmp_path / "secret.png").write_bytes(png)
    return inside


def refusal(store: ImageStore, reference: str) -> PlumblineError:
    with pytest.raises(PlumblineError) as caught:
        store.read(reference)
    assert caught.value.code == "image-refused"
    return caught.value


def test_pictures_inside_a_root_are_read_by_relative_absolute_and_file_addresses(
    root: Path, png: bytes
) -> None:
    store = ImageStore(ImageSettings(roots=(root,)))
    deep = root / "deep" / "ü b.png"
    for reference in ("a.png", "./deep/../a.png", "deep/ü b.png", str(deep), deep.as_uri()):
        assert store.read(reference) == png
    assert store.open("a.png").size == (40, 30)


def test_a_relative_path_is_looked_for_in_every_root(root: Path, tmp_path: Path, png: bytes) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.png").write_bytes(png)
    store = ImageStore(ImageSettings(roots=(tmp_path / "gone", other)), [root])
    assert store.read("b.png") == store.read("a.png") == png


@pytest.mark.parametrize(
    "reference", ["../secret.png", "deep/../../secret.png", "link.png", "folder/secret.png"]
)
def test_nothing_outside_a_root_is_read_through_dots_or_links(root: Path, reference: str) -> None:
    (root / "link.png").symlink_to(root.parent / "secret.png")
    (root / "folder").symlink_to(root.parent)
    store = ImageStore(ImageSettings(roots=(root,)))
    assert "inside the configured folders" in refusal(store, reference).message
    refusal(store, str(root.parent / "secret.png"))
    refusal(store, "/etc/passwd")


def test_a_link_that_stays_inside_is_followed(root: Path, png: bytes) -> None:
    (root / "alias.png").symlink_to(root / "deep" / "ü b.png")
    assert ImageStore(ImageSettings(roots=(root,))).read("alias.png") == png


def test_pipes_folders_and_null_bytes_are_refused_without_waiting(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    store = ImageStore(ImageSettings(roots=(root,)))
    for reference in ("pipe.png", "deep", "a.png\0.jpg", "", "  "):
        refusal(store, reference)


def test_without_roots_no_local_picture_is_read_and_the_setting_is_named(root: Path) -> None:
    assert "roots" in refusal(ImageStore(ImageSettings()), str(root / "a.png")).hint


@pytest.mark.parametrize(
    "reference", ["ftp://host/a.png", "s3://bucket/a.png", "javascript:alert(1)", "gopher:x"]
)
def test_other_kinds_of_address_are_refused(root: Path, reference: str) -> None:
    refusal(ImageStore(ImageSettings(roots=(root,))), reference)


def test_a_host_that_is_not_configured_is_refused_and_named(root: Path) -> None:
    error = refusal(ImageStore(ImageSettings(roots=(root,))), "https://pictures.example.org/a.png?sig=hidden")
    assert "pictures.example.org" in error.hint
    assert "hidden" not in str(error)


def test_data_uris_and_base64_blobs_are_read(png: bytes) -> None:
    store = ImageStore(ImageSettings())
    text = base64.b64encode(png).decode()
    for reference in (text, f"data:image/png;base64,{text}", f"DATA:image/png;base64,{text}"):
        assert store.read(reference) == png


@pytest.mark.parametrize(
    "reference", ["data:text/html;base64,PGI+", "data:image/png,abc", "data:image/png;base64,?"]
)
def test_other_data_uris_are_refused(reference: str) -> None:
    refusal(ImageStore(ImageSettings()), reference)


def test_a_file_or_blob_beyond_the_limit_is_refused(root: Path, png: bytes) -> None:
    store = ImageStore(ImageSettings(roots=(root,), limits=ImageLimits(bytes=len(png) - 1)))
    refusal(store, "a.png")
    huge = ImageStore(ImageSettings(limits=ImageLimits(bytes=10)))
    refusal(huge, "data:image/png;base64," + "A" * 8_000)


def test_a_thumbnail_is_made_once_and_kept(root: Path) -> None:
    store = ImageStore(ImageSettings(roots=(root,)))
    first = store.thumbnail("a.png", 16)
    (root / "a.png").unlink()
    assert store.thumbnail("a.png", 16) is first
    with pytest.raises(PlumblineError):
        store.thumbnail("a.png", 17)
