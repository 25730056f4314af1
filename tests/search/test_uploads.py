"""Uploads are kept by their content, for a time, within a bound."""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.errors import PlumblineError
from console.search import Upload
from console.search.uploads import DAYS, LARGEST, find, keep, prune

DAY = 86_400.0


def test_what_is_kept_is_found_by_its_hash(tmp_path: Path) -> None:
    upload = keep(tmp_path, b"picture")
    assert upload == Upload(hashlib.sha256(b"picture").hexdigest())
    assert find(tmp_path, upload) == b"picture"
    assert Upload.parse(str(upload)) == upload


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    upload = keep(tmp_path, b"picture")
    folder = tmp_path / "uploads"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / upload.sha256).stat().st_mode) == 0o600
    assert [p.name for p in folder.iterdir()] == [upload.sha256]


def test_after_seven_days_it_is_asked_for_again(tmp_path: Path) -> None:
    upload = keep(tmp_path, b"picture", now=0.0)
    assert find(tmp_path, upload, now=DAYS * DAY - 1) == b"picture"
    with pytest.raises(PlumblineError, match="Upload it again") as fault:
        find(tmp_path, upload, now=DAYS * DAY + 1)
    assert fault.value.code == "not-found"


def test_given_again_it_is_kept_anew(tmp_path: Path) -> None:
    keep(tmp_path, b"picture", now=0.0)
    upload = keep(tmp_path, b"picture", now=6 * DAY)
    assert find(tmp_path, upload, now=12 * DAY) == b"picture"


def test_the_expired_go_and_then_the_oldest(tmp_path: Path) -> None:
    old = keep(tmp_path, b"o" * 100, now=0.0)
    first = keep(tmp_path, b"1" * 100, now=5 * DAY)
    second = keep(tmp_path, b"2" * 100, now=6 * DAY)
    assert prune(tmp_path, now=7 * DAY + 1) == 1
    third = keep(tmp_path, b"3" * 100, now=7 * DAY + 2, most=200)
    names = {p.name for p in (tmp_path / "uploads").iterdir()}
    assert names == {second.sha256, third.sha256}
    assert old.sha256 not in names
    assert first.sha256 not in names


def test_too_much_and_nothing_are_refused(tmp_path: Path) -> None:
    for data in (b"", b"x" * (LARGEST + 1)):
        with pytest.raises(PlumblineError) as fault:
            keep(tmp_path, data)
        assert fault.value.code == "image-refused"
    assert not (tmp_path / "uploads").exists()


def test_a_damaged_or_swapped_file_is_not_the_upload(tmp_path: Path) -> None:
    upload = keep(tmp_path, b"picture")
    path = tmp_path / "uploads" / upload.sha256
    path.write_bytes(b"pic")
    with pytest.raises(PlumblineError, match="damaged"):
        find(tmp_path, upload)
    path.unlink()
    secret = tmp_path / "secret"
    secret.write_bytes(b"picture")
    path.symlink_to(secret)
    with pytest.raises(PlumblineError) as fault:
        find(tmp_path, upload)
    assert fault.value.code == "not-found"


def test_a_hash_never_leaves_the_folder() -> None:
    for text in ("upload:../../etc/passwd", "upload:" + "A" * 64, "upload:" + "0" * 63, "../" + "0" * 64):
        assert Upload.parse(text) is None


def test_many_at_once_keep_the_same_file_whole(tmp_path: Path) -> None:
    data = os.urandom(200_000)
    with ThreadPoolExecutor(8) as pool:
        kept = set(pool.map(lambda _: keep(tmp_path, data), range(32)))
    assert len(kept) == 1
    assert find(tmp_path, kept.pop()) == data
