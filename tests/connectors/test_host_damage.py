"""A damaged store is said, never served; what is whole beside it goes on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from qdrant_client import models

from connectors.qdrant import host
from connectors.qdrant.host import sidecar
from connectors.qdrant.host.protos import pb
from connectors.qdrant.host.refused import MARK, Refused
from connectors.qdrant.host.shard import Shard
from connectors.qdrant.host.store import ALIASES, Store, folder_name
from tests.connectors.test_host_life import client, everything, make, put, until
from tests.doubles import double

ROWS = 200


def collection(store: Store, name: str) -> Shard:
    request = pb.CreateCollection(collection_name=name)
    request.vectors_config.params.size = 4
    request.vectors_config.params.distance = 3
    store.create(request)
    return store.shard(name)


def fill(folder: Path) -> None:
    """A store with two collections, closed cleanly."""
    with double(folder) as server:
        c = server.client()
        make(c, "hurt", ROWS)
        make(c, "whole", 5)


def files(folder: Path, name: str) -> list[Path]:
    inside = folder / "collections" / folder_name(name)
    return sorted(p for p in inside.glob("data-*/**/*") if p.is_file() and p.stat().st_size)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("hurt", [halve, flip, Path.unlink], ids=["halved", "flipped", "gone"])
def test_any_hurt_file_of_a_closed_collection_is_said(tmp_path: Path, hurt: Callable[[Path], None]) -> None:
    fill(tmp_path)
    paths = files(tmp_path, "hurt")
    assert len(paths) > 10
    for path in paths:
        whole = path.read_bytes()
        hurt(path)
        store = Store(tmp_path)
        with pytest.raises(Refused) as said:
            store.shard("hurt").count()
        assert said.value.code is grpc.StatusCode.DATA_LOSS, path
        assert "hurt" in said.value.text
        path.write_bytes(whole)
    store = Store(tmp_path)
    assert store.shard("hurt").count() == ROWS
    store.close()


def test_a_store_that_was_copied_whole_is_served(tmp_path: Path) -> None:
    """A restored backup has other times on its files, and the same contents."""
    fill(tmp_path / "store")
    shutil.copytree(tmp_path / "store", tmp_path / "copy", copy_function=shutil.copyfile)
    store = Store(tmp_path / "copy")
    assert store.shard("hurt").count() == ROWS
    store.close()


def test_the_client_reads_that_a_collection_is_damaged_and_the_others_go_on(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    halve(max(files(tmp_path / "store", "hurt"), key=lambda p: p.stat().st_size))
    with double(tmp_path / "store") as server:
        c = server.client()
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as said:
                c.scroll("hurt")
            assert said.value.code() is grpc.StatusCode.DATA_LOSS  # type: ignore[attr-defined]
            assert (MARK, "damaged") in said.value.trailing_metadata()  # type: ignore[attr-defined]
        assert {d.name for d in c.get_collections().collections} == {"hurt", "whole"}
        assert c.count("whole").count == 5
        assert c.delete_collection("hurt")
        make(c, "hurt", 3)
        assert c.count("hurt").count == 3


def test_rows_that_vanished_while_the_host_was_dead_are_said(tmp_path: Path) -> None:
    """After an unclean end the count must lie within what was acknowledged."""
    root = tmp_path / "store"
    at = host.ensure(root)
    make(client(at), "hurt", ROWS)
    os.kill(at.pid, signal.SIGKILL)
    until(lambda: host.status(root).state == "stopped")
    inside = root / "collections" / folder_name("hurt")
    marks = sidecar.Sidecar(inside, inside / "data-1")
    marks.bound(ROWS + 1, ROWS + 1)
    marks.release()
    try:
        with pytest.raises(grpc.RpcError) as said:
            client(host.ensure(root)).count("hurt")
        assert said.value.code() is grpc.StatusCode.DATA_LOSS  # type: ignore[attr-defined]
        assert f"{ROWS} rows" in said.value.details()  # type: ignore[attr-defined]
    finally:
        host.stop(root)


def test_a_host_that_died_while_opening_a_folder_does_not_try_for_ever(tmp_path: Path) -> None:
    store = Store(tmp_path)
    shard = collection(store, "c")
    marks = sidecar.Sidecar(shard.folder, shard.folder / "data-1")
    for _ in range(sidecar.OPEN_TRIES):
        assert marks.before_open().fault is None
        marks.release()
    assert "died" in (marks.before_open().fault or "")


def test_a_lost_configuration_is_said(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "collections" / "hurt" / "collection.json").write_text("{")
    store = Store(tmp_path)
    with pytest.raises(Refused) as said:
        store.shard("hurt")
    assert said.value.code is grpc.StatusCode.DATA_LOSS
    assert store.shard("whole").count() == 5
    store.close()


def test_a_collection_that_was_half_made_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "collections" / "c" / "data-1").mkdir(parents=True)
    (tmp_path / "collections" / "c" / "creating").touch()
    store = Store(tmp_path)
    assert store.names() == []
    assert collection(store, "c").count() == 0
    store.close()


def test_damaged_aliases_are_said(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / ALIASES).write_text("[not json")
    store = Store(tmp_path)
    with pytest.raises(Refused) as said:
        store.aliases()
    assert said.value.mark == "damaged"
    assert store.shard("whole").count() == 5
    store.close()


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    with double(tmp_path) as server:
        c = server.client()
        make(c, rows=5)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 1 << 20))
        with pytest.raises(grpc.RpcError) as said:
            put(c, range(5, 10))
        assert "No space left on device" in said.value.details()  # type: ignore[attr-defined]
        assert (MARK, "disk-full") in said.value.trailing_metadata()  # type: ignore[attr-defined]
        assert c.count("c").count == 5
        monkeypatch.undo()
        put(c, range(5, 10))
        assert c.count("c").count == 10


def test_a_disk_that_fills_while_the_configuration_is_saved_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with double(tmp_path) as server:
        c = server.client()
        make(c)
        c.update_collection("c", metadata={"a": 1})
        monkeypatch.setattr(sidecar, "replace", full)
        with pytest.raises(grpc.RpcError) as said:
            c.update_collection("c", metadata={"a": 2})
        assert (MARK, "disk-full") in said.value.trailing_metadata()  # type: ignore[attr-defined]
        monkeypatch.undo()
        assert c.get_collection("c").config.metadata == {"a": 1}


def test_a_panic_of_the_engine_is_an_answer_and_the_host_lives_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class PanicException(BaseException):
        """As the engine's own, which is no Exception."""

    def panic(self: Shard, call: Any) -> Any:
        raise PanicException("index out of bounds")

    with double(tmp_path) as server:
        c = server.client()
        make(c, rows=5)
        monkeypatch.setattr(Shard, "_timed", panic)
        with pytest.raises(grpc.RpcError) as said:
            c.scroll("c")
        assert said.value.code() is grpc.StatusCode.INTERNAL  # type: ignore[attr-defined]
        assert "panicked" in said.value.details()  # type: ignore[attr-defined]
        monkeypatch.undo()
        assert len(everything(c)) == 5


def test_names_that_try_to_leave_the_store_stay_inside(tmp_path: Path) -> None:
    outside = sorted(p.name for p in tmp_path.iterdir())
    with double(tmp_path / "store") as server:
        c = server.client()
        names = [".", "..", "%2e%2e", "A", "a", "x" * 255, "ü☃", "a b", "con.", "-rf", "~root"]
        for name in names:
            make(c, name, 2)
        assert {d.name for d in c.get_collections().collections} == set(names)
        for name in names:
            assert c.count(name).count == 2
        for name in ("../up", "a/b", "a\\b", "a\x00b", "", "x" * 256):
            with pytest.raises(grpc.RpcError) as said:
                make(c, name)
            assert said.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]
    inside = tmp_path / "store" / "collections"
    assert len(list(inside.iterdir())) == len(names)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*outside, "store"])
    again = Store(tmp_path / "store")
    assert set(again.names()) == set(names)
    again.close()


def test_aliases_change_all_together_or_not_at_all(tmp_path: Path) -> None:
    def create(alias: str, name: str) -> Any:
        return models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
        )

    with double(tmp_path) as server:
        c = server.client()
        make(c, "old", 1)
        make(c, "new", 2)
        c.update_collection_aliases([create("live", "old")])
        with pytest.raises(grpc.RpcError):
            c.update_collection_aliases([create("live", "new"), create("x", "nobody")])
        assert c.count("live").count == 1
        c.update_collection_aliases([create("live", "new")])
        assert c.count("live").count == 2
    with double(tmp_path) as server:
        c = server.client()
        assert {(a.alias_name, a.collection_name) for a in c.get_aliases().aliases} == {("live", "new")}
        c.delete_collection("new")
        assert c.get_aliases().aliases == []


def test_after_a_kill_a_hurt_file_never_takes_rows_away_in_silence(tmp_path: Path) -> None:
    """Without the mark of a clean close contents can't be compared, but every acknowledged row must be readable."""
    root = tmp_path / "store"
    at = host.ensure(root)
    make(client(at), "hurt", ROWS)
    os.kill(at.pid, signal.SIGKILL)
    until(lambda: host.status(root).state == "stopped")
    for path in [p for p in files(root, "hurt") if "segments" in p.parts and p.stat().st_size > 64][:6]:
        copy = tmp_path / "copy"
        shutil.copytree(root, copy)
        halve(copy / path.relative_to(root))
        try:
            held = everything(client(host.ensure(copy)), "hurt")
        except grpc.RpcError as fault:
            # UNAVAILABLE: the engine died of it. After three such deaths the collection counts as damaged.
            codes = (grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNAVAILABLE)
            assert fault.code() in codes, path  # type: ignore[attr-defined]  # noqa: PT017
        else:
            assert set(held) == set(range(ROWS)), path
        finally:
            host.stop(copy)
            shutil.rmtree(copy)
