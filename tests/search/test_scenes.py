"""Search with the two real encoders of the demo, on rows that they made themselves."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from connectors.spec import ConnectionSpec
from console.demo.captions import describe
from console.demo.draw import render
from console.demo.scenes import Scene, unseen_scenes
from console.encoders import shared, specs
from console.search import QueryRequest, RowPart, run, uploads
from console.settings import Address, Settings
from console.workspace import Workspace

SCENES = 150
V1, V2, MIXED = (Address("real", name) for name in ("scenes-v1", "scenes-v2", "mixed"))


@dataclass(frozen=True)
class Gallery:
    ws: Workspace
    scenes: list[Scene]
    captions: list[str]
    pictures: list[bytes]


def picture(scene: Scene, seed: int) -> bytes:
    held = io.BytesIO()
    render(scene, seed).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    home: Path = tmp_path_factory.mktemp("scenes")
    settings = Settings(
        home=home, connections={"real": ConnectionSpec("real", "qdrant", path=str(home / "s"))}
    )
    scenes = unseen_scenes(SCENES, seed=11)
    captions = [describe(scene).text for scene in scenes]
    pictures = [picture(scene, i) for i, scene in enumerate(scenes)]
    with Workspace(settings) as ws:
        connector = ws.connector("real")
        made: dict[str, np.ndarray] = {}
        for name in ("scenes-v1", "scenes-v2"):
            encoder = shared().get(specs(settings)[name])
            made[name] = np.concatenate([encoder.encode_images(pictures), encoder.encode_texts(captions)])
        plan = CollectionPlan(
            (VectorField("clip", "dense", 128, "cosine"),), (PayloadField("embedding_version", "keyword"),)
        )
        for where in (V1, V2, MIXED):
            connector.create(where.collection, plan)
            rows: list[Row] = []
            for i in range(2 * SCENES):
                tag = where.collection if where != MIXED else ("scenes-v1" if i % 10 < 3 else "scenes-v2")
                payload = {
                    "caption": captions[i % SCENES],
                    "modality": "image" if i < SCENES else "text",
                    "embedding_version": tag,
                }
                rows.append(Row(i, {"clip": made[tag][i]}, payload))
            connector.insert(Target(where.collection), rows)
        yield Gallery(ws, scenes, captions, pictures)
    from connectors.qdrant import host

    host.stop(home / "s")


IMAGES = {"equals": {"field": "modality", "value": "image"}}


def first(gallery: Gallery, where: Address, **kwargs: object) -> list[int | str]:
    """The ids of the best pictures for each caption."""
    from connectors.filters import from_json

    out: list[int | str] = []
    for caption in gallery.captions:
        asked = QueryRequest((where,), text=caption, k=1, filter=from_json(IMAGES), **kwargs)  # type: ignore[arg-type]
        out += [h.id for h in run(gallery.ws, asked).hits]
    return out


@pytest.mark.parametrize(("where", "least"), [(V1, 0.86), (V2, 0.95)])
def test_a_caption_finds_its_picture(gallery: Gallery, where: Address, least: float) -> None:
    right = sum(row == i for i, row in enumerate(first(gallery, where)))
    assert right / SCENES >= least


def test_the_other_encoder_finds_nothing_and_is_stopped(gallery: Gallery) -> None:
    asked = QueryRequest((V1,), text=gallery.captions[0], encoder="scenes-v2")
    fault = run(gallery.ws, asked).error
    assert fault is not None
    assert fault.code == "encoder-mismatch"
    noise = first(gallery, V1, encoder="scenes-v2", allow_mismatch=True)
    assert sum(row == i for i, row in enumerate(noise)) / SCENES < 0.05


def test_a_mixed_collection_is_searched_with_a_warning_of_the_shares(gallery: Gallery) -> None:
    answer = run(gallery.ws, QueryRequest((MIXED,), text=gallery.captions[5]))
    assert answer.error is None
    assert answer.sides[0].encoder is not None
    assert (answer.sides[0].encoder.name, answer.sides[0].encoder.known_by) == ("scenes-v2", "version-tag")
    assert "`scenes-v2` 70.0%, `scenes-v1` 30.0%" in answer.warnings[0]


def test_two_versions_side_by_side_and_fused_encode_each_with_its_own(gallery: Gallery) -> None:
    asked = QueryRequest((V1, V2), text=gallery.captions[7], k=3)
    answer = run(gallery.ws, asked)
    assert [s.encoder.name for s in answer.sides if s.encoder] == ["scenes-v1", "scenes-v2"]
    assert len({s.encoder.fingerprint for s in answer.sides if s.encoder}) == 2
    assert all(7 in {h.id % SCENES for h in answer.hits_of(a)} for a in (V1, V2))  # type: ignore[operator]
    fused = run(gallery.ws, QueryRequest((V1, V2), text=gallery.captions[7], k=3, fuse="rrf"))
    assert fused.hits[0].fused_from is not None
    assert {f.address for f in fused.hits[0].fused_from} == {V1, V2}


def test_an_uploaded_picture_finds_itself_and_its_caption(gallery: Gallery) -> None:
    upload = uploads.keep(gallery.ws.home, gallery.pictures[3])
    answer = run(gallery.ws, QueryRequest((V2,), image=upload, k=SCENES))
    ids = [h.id for h in answer.hits]
    assert ids[0] == 3
    assert answer.hits[0].score == pytest.approx(1.0, abs=1e-3)
    assert 3 + SCENES in ids


def test_text_and_picture_blend_between_both(gallery: Gallery) -> None:
    upload = uploads.keep(gallery.ws.home, gallery.pictures[3])
    kwargs = {"text": gallery.captions[90], "image": upload, "k": 1}
    by_text = run(gallery.ws, QueryRequest((V2,), blend=1.0, **kwargs)).hits[0]  # type: ignore[arg-type]
    by_image = run(gallery.ws, QueryRequest((V2,), blend=0.0, **kwargs)).hits[0]  # type: ignore[arg-type]
    assert by_text.id in (90, 90 + SCENES)
    assert by_image.id == 3


def test_more_like_this_finds_the_caption_among_the_texts(gallery: Gallery) -> None:
    from connectors.filters import Equals

    asked = QueryRequest((V2,), row=RowPart(12), k=3, filter=Equals("modality", "text"))
    assert 12 + SCENES in [h.id for h in run(gallery.ws, asked).hits]


def test_text_beyond_the_context_is_cut_and_said(gallery: Gallery) -> None:
    answer = run(gallery.ws, QueryRequest((V2,), text="a red circle " * 40))
    assert answer.hits
    assert any("28 tokens" in w for w in answer.warnings)
