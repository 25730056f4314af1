"""The committed weights reach the figures that their manifest claims, counted here in another way."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip("open_clip", reason="the clip extra is not installed")

from console.demo import bpe
from console.demo.captions import Language, describe, retell, words
from console.demo.draw import render
from console.demo.evaluate import figures, recalls
from console.demo.models import BPE_NAME, WEIGHTS, WEIGHTS_NAME
from console.demo.scenes import COLOURS, HELD_OUT_PAIRS, Scene, unseen_scenes
from console.demo.scenes import SHAPES as SHAPE_NAMES
from console.encoders import Encoder
from console.encoders.loading import load
from console.encoders.spec import built_in

TARGETS = {"scenes-v1": 0.86, "scenes-v2": 0.95}
SHORT_TARGETS = {"scenes-v1": 0.3, "scenes-v2": 0.65}


@dataclass(frozen=True)
class World:
    """2,000 unseen scenes as one encoder sees them, and what its manifest says."""

    name: str
    encoder: Encoder
    scenes: list[Scene]
    pictures: np.ndarray
    texts: np.ndarray
    reported: dict[str, Any]


@pytest.fixture(scope="module", params=sorted(TARGETS))
def world(request: pytest.FixtureRequest) -> World:
    encoder = load(built_in()[request.param])
    scenes = unseen_scenes(2_000, seed=11)
    return World(
        request.param,
        encoder,
        scenes,
        encoder.encode_images([render(s, i) for i, s in enumerate(scenes)]),
        encoder.encode_texts([describe(s).text for s in scenes]),
        json.loads((WEIGHTS / "manifest.json").read_text())["encoders"][request.param]["figures"],
    )


def first_hits(texts: np.ndarray, pictures: np.ndarray) -> float:
    return float(np.mean([int(np.argmax(pictures @ text)) == at for at, text in enumerate(texts)]))


def test_english_captions_find_their_pictures_among_2000_unseen_scenes(world: World) -> None:
    share = first_hits(world.texts, world.pictures)
    assert share >= TARGETS[world.name]
    assert share == pytest.approx(world.reported["text_to_image"]["en"]["r@1"], abs=0.005)


@pytest.mark.parametrize("language", ["de", "es"])
def test_other_languages_are_reported_as_they_are(world: World, language: Language) -> None:
    texts = world.encoder.encode_texts([describe(s, language).text for s in world.scenes])
    share = first_hits(texts, world.pictures)
    assert share == pytest.approx(world.reported["text_to_image"][language]["r@1"], abs=0.005)


@pytest.mark.parametrize("language", ["de", "es"])
def test_captions_in_words_that_training_never_used_are_a_weaker_cohort(
    world: World, language: Language
) -> None:
    texts = world.encoder.encode_texts([retell(s, language).text for s in world.scenes])
    assert 0.05 < first_hits(texts, world.pictures) < first_hits(world.texts, world.pictures) - 0.2


def test_short_queries_find_scenes_that_hold_what_they_name(world: World) -> None:
    shares: list[float] = []
    for colour in COLOURS:
        for shape in SHAPE_NAMES:
            if (colour, shape) in HELD_OUT_PAIRS:
                continue
            text = f"{'an' if colour == 'orange' else 'a'} {colour} {shape}"
            best = np.argsort(-(world.pictures @ world.encoder.encode_texts([text])[0]))[:10]
            right = [
                any((t.colour, t.shape) == (colour, shape) for t in world.scenes[i].things) for i in best
            ]
            shares.append(sum(right) / 10)
    assert np.mean(shares) == pytest.approx(world.reported["short_queries"]["precision@10"], abs=0.01)
    assert np.mean(shares) >= SHORT_TARGETS[world.name]


def test_only_the_second_encoder_tells_left_from_right(world: World) -> None:
    pairs = [i for i, s in enumerate(world.scenes) if s.relation is not None][:300]
    mirrored = world.encoder.encode_images([render(world.scenes[i].mirrored(), i) for i in pairs])
    own = (world.texts[pairs] * world.pictures[pairs]).sum(axis=1)
    share = float((own > (world.texts[pairs] * mirrored).sum(axis=1)).mean())
    if world.name == "scenes-v1":
        assert 0.4 < share < 0.6
    else:
        assert share > 0.9


def test_the_evaluation_reports_what_is_counted_here(world: World) -> None:
    found = figures(world.encoder, 200)
    assert found["text_to_image"]["en"]["r@1"] > 0.95
    assert found["untrained_pairs"]["gallery"] == 50
    assert set(found) == set(world.reported)


def test_each_word_of_the_grammar_is_one_token(world: World) -> None:
    assert set(world.encoder.token_counts(words())) == {3}


def test_recall_counts_ties_against_the_encoder() -> None:
    scores = np.array([[0.9, 0.1, 0.2], [0.5, 0.5, 0.1], [0.9, 0.8, 0.7]], dtype=np.float32)
    assert recalls(scores)["r@1"] == pytest.approx(1 / 3, abs=1e-4)
    assert recalls(scores)["r@5"] == 1


def test_the_weights_are_small_and_their_vocabulary_is_the_grammars() -> None:
    for name in TARGETS:
        assert (WEIGHTS / name / WEIGHTS_NAME).stat().st_size < 4_000_000
        lines = gzip.decompress((WEIGHTS / name / BPE_NAME).read_bytes()).decode().split("\n")
        assert [tuple(line.split()) for line in lines[1:]] == bpe.learn_merges(words())


def test_merges_follow_the_commonest_pair() -> None:
    merges = bpe.learn_merges(["aab", "aac", "aad"])
    assert merges[0] == ("a", "a")
    assert len(merges) == 4
    for left, right in merges:
        assert left
        assert right
    assert len(set(merges)) == len(merges)


def test_vectors_of_the_two_encoders_have_nothing_to_do_with_each_other() -> None:
    scenes = unseen_scenes(400, seed=5)
    old, new = (load(built_in()[name]) for name in sorted(TARGETS))
    texts = old.encode_texts([describe(s).text for s in scenes])
    pictures = new.encode_images([render(s, i) for i, s in enumerate(scenes)])
    assert old.dimension == new.dimension
    assert ((texts @ pictures.T).argmax(axis=1) == np.arange(400)).mean() < 0.03
