from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open_clip", reason="the clip extra is not installed")

from connectors.errors import PlumblineError
from connectors.model import ALL, CollectionPlan, Row, SearchOptions, Target, VectorField
from connectors.protocol import Connector
from connectors.registry import connect
from connectors.spec import ConnectionSpec
from console.demo.seed import images_root, make_demo, manifest_path, remove_demo
from console.encoders import belongs, shared
from console.encoders.sources import ImageStore
from console.encoders.spec import built_in
from console.settings import demo_mark, demo_spec
from console.settings.model import ImageSettings

SCENES = 120
NAMES = ("scenes", "scenes-old", "scenes-broken")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def demo(home: Path) -> Iterator[Connector]:
    connector = connect(demo_spec(home))
    make_demo(connector, home, scenes=SCENES)
    yield connector
    connector.close()
    stop(demo_spec(home))


def stop(spec: ConnectionSpec) -> None:
    from connectors.qdrant import host

    assert spec.path is not None
    host.stop(Path(spec.path))


def content(connector: Connector, name: str) -> str:
    """A digest of every row, in id order."""
    digest = hashlib.sha256()
    for row in connector.export(Target(name)):
        digest.update(json.dumps([row.id, row.payload], sort_keys=True).encode())
        digest.update(np.asarray(row.vectors["clip"]).tobytes())
    return digest.hexdigest()


def test_each_collection_has_a_picture_and_a_caption_of_each_scene(demo: Connector) -> None:
    for name in NAMES:
        assert demo.count(Target(name)).rows == 2 * SCENES
    facet = demo.facet(Target("scenes"), "modality")
    assert dict(facet.values) == {"image": SCENES, "text": SCENES}


def test_each_collections_marker_names_its_encoder(demo: Connector) -> None:
    for name, encoder in zip(NAMES, ("scenes-v2", "scenes-v1", "scenes-v2"), strict=True):
        spec, known_by = belongs(built_in(), field="clip", marker=demo.marker(Target(name)))
        assert spec is not None
        assert (spec.name, known_by) == (encoder, "marker")


def test_the_broken_collection_keeps_the_lengths_that_it_was_given(demo: Connector, home: Path) -> None:
    manifest = json.loads(manifest_path(home).read_text())
    assert manifest["rows"] == 2 * SCENES
    ids = manifest["faults"]["unnormalised"]["ids"]
    held = demo.fetch(Target("scenes-broken"), ids, ["clip"]).vectors["clip"].matrix
    assert (np.abs(np.linalg.norm(held, axis=1) - 1) > 0.5).all()
    zero = demo.fetch(Target("scenes-broken"), manifest["faults"]["zero"]["ids"], ["clip"])
    assert not zero.vectors["clip"].matrix.any()


def test_a_rows_picture_can_be_read_and_encodes_to_its_vector(demo: Connector, home: Path) -> None:
    from connectors.filters import Equals

    hits = demo.search(
        Target("scenes"),
        "clip",
        np.eye(1, 128, dtype=np.float32),
        20,
        Equals("modality", "image"),
        payload=ALL,
    )[0]
    store = ImageStore(ImageSettings(), [images_root(home)])
    encoder = shared().get(built_in()["scenes-v2"])
    again = encoder.encode_images([store.read(h.payload["image"]) for h in hits])
    batch = demo.fetch(Target("scenes"), [h.id for h in hits], ["clip"])
    assert (batch.vectors["clip"].matrix * again).sum(axis=1).min() > 0.9999


def test_a_query_finds_what_it_names(demo: Connector) -> None:
    caption = next(
        r.payload["caption"] for r in demo.export(Target("scenes")) if r.payload["language"] == "en"
    )
    vector = shared().get(built_in()["scenes-v2"]).encode_texts([caption])
    hits = demo.search(Target("scenes"), "clip", vector, 10, options=SearchOptions(exact=True))[0]
    assert caption in [h.payload["caption"] for h in hits]


def test_made_again_it_is_found_whole_and_nothing_is_written(demo: Connector, home: Path) -> None:
    made = make_demo(demo, home, scenes=SCENES)
    assert [(c.name, c.rows, c.made) for c in made.collections] == [(n, 2 * SCENES, False) for n in NAMES]
    assert demo_mark(home).is_file()


def test_reset_makes_the_same_rows_again(demo: Connector, home: Path) -> None:
    before = [content(demo, name) for name in NAMES]
    made = make_demo(demo, home, scenes=SCENES, reset=True)
    assert all(c.made for c in made.collections)
    assert [content(demo, name) for name in NAMES] == before


def test_a_demo_that_lost_rows_is_made_whole(demo: Connector, home: Path) -> None:
    demo.drop("scenes-old")
    made = make_demo(demo, home, scenes=SCENES)
    assert [c.made for c in made.collections] == [False, True, False]
    assert demo.count(Target("scenes-old")).rows == 2 * SCENES


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[Connector, Path]]:
    spec = ConnectionSpec("mine", "qdrant", path=str(tmp_path / "store"))
    connector = connect(spec)
    yield connector, tmp_path / "home"
    connector.close()
    stop(spec)


def test_a_collection_of_that_name_that_the_demo_did_not_make_is_never_touched(
    elsewhere: tuple[Connector, Path],
) -> None:
    connector, home = elsewhere
    plan = CollectionPlan((VectorField("clip", dimension=4),))
    connector.create("scenes-old", plan)
    connector.insert(Target("scenes-old"), [Row(1, {"clip": np.ones(4, np.float32)}, {"whose": "mine"})])
    for reset in (False, True):
        with pytest.raises(PlumblineError) as caught:
            make_demo(connector, home, scenes=5, reset=reset)
        assert caught.value.code == "changed"
        assert caught.value.where == "mine/scenes-old"
    assert remove_demo(connector, home) == ()
    assert [c.name for c in connector.collections()] == ["scenes-old"]
    assert connector.count(Target("scenes-old")).rows == 1
    assert not home.exists()


def test_removing_drops_the_demos_collections_and_leaves_others(elsewhere: tuple[Connector, Path]) -> None:
    connector, home = elsewhere
    connector.create("other", CollectionPlan((VectorField("clip", dimension=4),)))
    make_demo(connector, home, scenes=5)
    assert not demo_mark(home).exists()
    assert remove_demo(connector, home) == NAMES
    assert [c.name for c in connector.collections()] == ["other"]
    assert remove_demo(connector, home) == ()
