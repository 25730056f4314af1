"""Snapshot files: taken from a real Qdrant 1.18.3 (200 rows in one shard, 240 in three), read by the engine."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connectors import registry
from connectors.errors import PlumblineError
from connectors.filters import Equals
from connectors.model import ALL, ConnectionSpec, Range, SearchOptions, Target
from connectors.qdrant.snapshot import configs, files, store
from connectors.qdrant.snapshot.connector import SnapshotConnector
from console.settings.address import parse_address

DATA = Path(__file__).parents[1] / "data" / "snapshots"
STAMP = "8177368586269876-2026-11-21-04-12-58.snapshot"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where snapshots are unpacked."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def file(tmp_path: Path, name: str) -> Path:
    full = name if name.endswith(".snapshot") else f"{name}-{STAMP}"
    target = tmp_path / full
    target.write_bytes(gzip.decompress((DATA / f"{full}.gz").read_bytes()))
    return target


def opened(path: Path) -> SnapshotConnector:
    made = registry.connect(ConnectionSpec(name="snap", kind="qdrant", snapshot=str(path)))
    assert isinstance(made, SnapshotConnector)
    return made


@pytest.fixture(params=["things", "pieces"])
def either(request: pytest.FixtureRequest, tmp_path: Path, place: Path) -> Iterator[SnapshotConnector]:
    connector = opened(file(tmp_path, request.param))
    yield connector
    connector.close()


def rows(connector: SnapshotConnector) -> int:
    return {"things": 200, "pieces": 240}[connector._name]


def target(connector: SnapshotConnector) -> Target:
    return Target(connector._name)


def test_its_name_is_the_collections(tmp_path: Path, place: Path) -> None:
    connector = opened(file(tmp_path, "things"))
    (listed,) = connector.collections()
    assert (listed.name, listed.rows) == ("things", None)
    assert not any(place.iterdir()), "a list of collections unpacks nothing"


def test_ranges_hold_every_row_once(either: SnapshotConnector) -> None:
    t = target(either)
    ids = [row for r in either.ranges(t, 5) for b in either.scan(t, (), r) for row in b.ids]
    assert len(ids) == len(set(ids)) == rows(either)
    assert [row for b in either.scan(t, ()) for row in b.ids] == ids


def test_a_range_survives_json(either: SnapshotConnector) -> None:
    t = target(either)
    first = either.ranges(t, 5)[0]
    again = Range.from_json(first.to_json())
    assert [b.ids for b in either.scan(t, (), again)] == [b.ids for b in either.scan(t, (), first)]


def test_what_is_bad_in_it_is_seen(either: SnapshotConnector) -> None:
    t = target(either)
    field = either.describe(t).dense[0].name
    held = [b.vectors[field] for b in either.scan(t, (field,))]
    matrix = np.concatenate([v.matrix for v in held])
    present = np.concatenate([v.present for v in held])
    assert (~np.isfinite(matrix[present]).all(axis=1)).sum() == 1
    zero = ~matrix.any(axis=1) & present
    assert zero.sum() == sum(i % 50 == 7 and (field == "" or i % 10 != 0) for i in range(rows(either)))
    assert (~present).sum() == (0 if field == "" else rows(either) // 10)


def test_description_counts_facets_and_marker(either: SnapshotConnector) -> None:
    t = target(either)
    described = either.describe(t)
    n = rows(either)
    assert described.rows == n == either.count(t).rows
    assert either.facet(t, "kind").values == {f"k{i}": n // 4 for i in range(4)}
    assert either.count(t, Equals("kind", "k1")).rows == n // 4
    assert either.marker(t) == {"made": "for a test"}
    assert described.target == t
    indexed = {p.name: p.indexed for p in described.payload}
    assert indexed["kind"]


def test_vectors_are_described_as_on_the_server(tmp_path: Path, place: Path) -> None:
    connector = opened(file(tmp_path, "pieces"))
    a, b = connector.describe(Target("pieces")).dense
    assert (a.name, a.dimension, a.metric, a.storage, a.normalised_on_write) == (
        "a",
        12,
        "cosine",
        "float32",
        True,
    )
    assert (b.name, b.dimension, b.metric, b.storage) == ("b", 4, "euclid", "float16")
    connector.close()


def test_search_over_shards_is_the_search_over_all(tmp_path: Path, place: Path) -> None:
    connector = opened(file(tmp_path, "pieces"))
    t = Target("pieces")
    batches = list(connector.scan(t, ("a",)))
    matrix = np.concatenate([b.vectors["a"].matrix for b in batches])
    ids = [row for b in batches for row in b.ids]
    sound = np.isfinite(matrix).all(axis=1) & matrix.any(axis=1)
    queries = matrix[sound][:4]
    scores = queries @ matrix[sound].T
    kept = np.array(ids, dtype=object)[sound]
    for hits, row in zip(
        connector.search(t, "a", queries, 10, options=SearchOptions(exact=True)), scores, strict=True
    ):
        assert {h.id for h in hits} == set(kept[np.argsort(-row)[:10]])
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    connector.close()


def test_a_sample_is_spread_over_the_shards(tmp_path: Path, place: Path) -> None:
    connector = opened(file(tmp_path, "pieces"))
    t = Target("pieces")
    drawn = connector.sample(t, 90, ("a",), ("n",), seed=3)
    assert len(set(drawn.ids)) == 90
    assert len(drawn.columns["n"]) == 90
    assert len(connector.sample(t, 1_000)) == 240
    fetched = connector.fetch(t, [drawn.ids[5], drawn.ids[0], drawn.ids[5]], ("a",), ALL)
    assert fetched.ids == (drawn.ids[5], drawn.ids[0])
    connector.close()


def test_nothing_can_be_written(either: SnapshotConnector) -> None:
    t = target(either)
    for name in ("drop", "insert", "create", "set_marker", "delete"):
        with pytest.raises(PlumblineError) as caught:
            getattr(either, name)(t)
        assert caught.value.code == "read-only"
    described = either.describe(t)
    inner, unpacked = either._open()
    with pytest.raises(PlumblineError):
        inner.index_payload(Target(next(iter(unpacked.collections))), list(described.payload))


def test_it_leaves_nothing_behind(tmp_path: Path, place: Path) -> None:
    connector = opened(file(tmp_path, "things"))
    assert connector.count(Target("things")).rows == 200
    assert any(place.iterdir())
    connector.close()
    assert not any(place.iterdir())


def test_what_a_dead_process_left_is_removed(tmp_path: Path, place: Path) -> None:
    left = place / f"{store.PREFIX}left"
    left.mkdir()
    (left / store.OWNER).write_text('{"pid": 4194303, "born": "1"}')
    mine = place / f"{store.PREFIX}mine"
    mine.mkdir()
    (mine / store.OWNER).write_text(f'{{"pid": {os.getpid()}, "born": "{store._born(os.getpid())}"}}')
    store.sweep()
    assert not left.exists()
    assert mine.exists()


def test_a_shard_snapshot_says_that_it_is_one(tmp_path: Path, place: Path) -> None:
    connector = opened(file(tmp_path, "things-shard-0.snapshot"))
    t = Target("things-shard-0")
    assert connector.count(t).rows == 200
    (field,) = connector.describe(t).dense
    assert (field.dimension, field.metric) == (24, "dot")
    assert any("other shards can't be told" in note for note in connector.server().notes)
    connector.close()


def of_one_node(whole: Path, part: Path, away: set[int], named: bool) -> None:
    """The snapshot without some shards; `named`: their folders hold settings, as a cluster's (1.18.3) do."""
    with tarfile.open(whole) as source, tarfile.open(part, "w") as made:
        for member in source:
            if member.name.split("/")[0] not in {str(shard) for shard in away}:
                plain = tarfile.TarInfo(member.name)
                plain.type = tarfile.REGTYPE if member.isfile() else member.type
                plain.size = member.size if member.isfile() else 0
                made.addfile(plain, source.extractfile(member) if member.isfile() else None)
        for shard in away if named else ():
            for name, text in (("replica_state.json", b'{"is_local":false}'), ("shard_config.json", b"{}")):
                plain = tarfile.TarInfo(f"{shard}/{name}")
                plain.size = len(text)
                made.addfile(plain, io.BytesIO(text))


@pytest.mark.parametrize("named", [False, True])
def test_one_node_of_a_cluster_says_which_shards_are_missing(
    tmp_path: Path, place: Path, named: bool
) -> None:
    part = tmp_path / f"other-{STAMP}"
    of_one_node(file(tmp_path, "pieces"), part, {1}, named)
    connector = opened(part)
    assert 0 < (connector.count(Target("other")).rows) < 240
    assert any("shard 1 of 3 is not in it" in note for note in connector.server().notes)
    connector.close()


def test_deleted_rows_are_read_from_its_segments(either: SnapshotConnector) -> None:
    told = either.tombstones(target(either))
    n = 1 if rows(either) == 200 else 3
    assert (told.deleted, told.living, told.shards) == (0, rows(either), (n, n))


def test_what_segments_mark_as_deleted(tmp_path: Path) -> None:
    held = np.zeros(128, np.uint8)
    held[[0, 63, 64, 99]] = 1
    for name, n in (("indexed", 100), ("growing", None)):
        segment = tmp_path / "segments" / name
        segment.mkdir(parents=True)
        if n is not None:
            (segment / "id_tracker.deleted").write_bytes(np.packbits(held, bitorder="little").tobytes())
            (segment / "id_tracker.versions").write_bytes(bytes(8 * n))
    assert store.marked(tmp_path) == 4
    # One word too few for its rows: another format.
    (tmp_path / "segments" / "indexed" / "id_tracker.deleted").write_bytes(bytes(8))
    assert store.marked(tmp_path) is None
    (tmp_path / "segments" / "indexed" / "id_tracker.deleted").unlink()
    assert store.marked(tmp_path) is None
    (tmp_path / "segments" / "indexed" / "id_tracker.versions").unlink()
    assert store.marked(tmp_path) == 0
    (tmp_path / "segments" / "growing" / "CURRENT").write_bytes(b"MANIFEST-1")
    assert store.marked(tmp_path) is None


def test_a_node_without_a_shard_gives_no_rows(tmp_path: Path, place: Path) -> None:
    part = tmp_path / f"other-{STAMP}"
    of_one_node(file(tmp_path, "pieces"), part, {0, 1, 2}, named=True)
    connector = opened(part)
    with pytest.raises(PlumblineError) as caught:
        connector.count(Target("other"))
    assert caught.value.code == "unsupported"
    assert "other nodes" in caught.value.message
    connector.close()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, "up", "absolute"])
def test_a_hostile_member_is_refused(tmp_path: Path, place: Path, kind: bytes | str) -> None:
    whole = file(tmp_path, "things")
    path = tmp_path / f"hostile-{STAMP}"
    path.write_bytes(whole.read_bytes())
    with tarfile.open(path, "a") as tar:
        name = {"up": "0/../../escaped", "absolute": "0//etc/escaped"}.get(kind, "0/extra")  # type: ignore[call-overload]
        member = tarfile.TarInfo(name)
        if isinstance(kind, bytes):
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        else:
            member.size = 3
            tar.addfile(member, io.BytesIO(b"bad"))
    connector = opened(path)
    if kind == "absolute":
        # Inside its shard the path is an ordinary one.
        assert connector.count(Target("hostile")).rows == 200
        connector.close()
        return
    with pytest.raises(PlumblineError) as caught:
        connector.count(Target("hostile"))
    assert caught.value.code == "damaged"
    assert not (tmp_path / "escaped").exists()
    assert not any(place.iterdir())


@pytest.mark.parametrize("keep", [0, 100, 5_000, 60_000, 140_000])
def test_a_cut_file_is_damaged(tmp_path: Path, place: Path, keep: int) -> None:
    whole = file(tmp_path, "things")
    path = tmp_path / f"cut-{STAMP}"
    path.write_bytes(whole.read_bytes()[:keep])
    connector = opened(path)
    with pytest.raises(PlumblineError) as caught:
        connector.count(Target("cut"))
    assert caught.value.code == "damaged"
    assert str(path) in caught.value.where
    assert not any(place.iterdir())


def test_no_room_is_said_before_anything_is_unpacked(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROOM", 1 << 60)
    connector = opened(file(tmp_path, "things"))
    with pytest.raises(PlumblineError) as caught:
        connector.count(Target("things"))
    assert caught.value.code == "disk-full"
    assert not any(place.iterdir())


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError) as caught:
        opened(tmp_path / "none.snapshot").collections()
    assert caught.value.code == "not-found"


def test_a_storage_snapshot_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "full.snapshot"
    with tarfile.open(path, "w") as tar:
        for name in ("a-1.snapshot", "b-2.snapshot", "config.json"):
            body = b"{}" if name.endswith("json") else b"x"
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    with pytest.raises(PlumblineError) as caught:
        opened(path).collections()
    assert caught.value.code == "unsupported"
    assert "2 collections" in caught.value.message


@pytest.mark.parametrize(
    ("name", "collection"),
    [
        (f"things-{STAMP}", "things"),
        (f"my-things-2-{STAMP}", "my-things-2"),
        ("things-shard-0-8177368586269876-2026-11-21-04-12-58.snapshot", "things"),
        ("saved.snapshot", "saved"),
        ("saved.tar", "saved.tar"),
    ],
)
def test_the_collections_name_in_the_files(name: str, collection: str) -> None:
    assert files.collection_name(Path("/x") / name) == collection


@pytest.mark.parametrize("text", [f"snapshot:/a b/things-{STAMP}", f"snapshot:x%23y%25/things-{STAMP}#clip"])
def test_its_address_is_read_back(text: str) -> None:
    address = parse_address(text)
    assert str(address) == text
    assert parse_address(str(address)) == address
    assert address.collection == "things"


def made_up(path: Path, config: str, member: str) -> Path:
    """A collection snapshot of a configuration and one file."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, held in (("config.json", config.encode()), (member, b"a")):
            entry = tarfile.TarInfo(name)
            entry.size = len(held)
            tar.addfile(entry, io.BytesIO(held))
    return path


@pytest.mark.parametrize(
    ("config", "member"),
    [
        ('{"params": {"shard_number": 1}}', "\u00b2/segments/x"),
        ('{"params": {"shard_number": 1}}', "\u0663/segments/x"),
        ('{"params": {"shard_number": 1}}', "9" * 5_000 + "/segments/x"),
        ('{"params": {"shard_number": 1}}', "007/segments/x"),
        ('{"params": {"shard_number": 3000000}}', "0/segments/x"),
        ("[" * 100_000, "0/segments/x"),
    ],
)
def test_shards_that_no_server_has_are_damage(tmp_path: Path, config: str, member: str) -> None:
    with pytest.raises(PlumblineError) as caught:
        store.unpack(made_up(tmp_path / "bad.snapshot", config, member), "bad")
    assert caught.value.code == "damaged"
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("number", ["Infinity", "-1", "0", "null", '"x"', "[1]", "1e3"])
def test_a_number_of_shards_that_is_none_says_nothing(tmp_path: Path, number: str) -> None:
    path = made_up(tmp_path / "odd.snapshot", f'{{"params": {{"shard_number": {number}}}}}', "0/segments/x")
    assert configs.shards_wanted(files.contents(path).config or {}) == range(1)


def test_of_many_missing_shards_some_are_named() -> None:
    held = files.Contents("collection", (0,), 1, {"params": {"shard_number": 5_000}})
    (note,) = store._notes(held)
    assert "shards 1, 2, 3," in note
    assert "20 and 4,979 more of 5,000 are not in it" in note
    assert len(note) < 250
