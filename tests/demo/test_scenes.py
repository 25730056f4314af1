from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from console.demo.captions import LANGUAGES, claim_of, describe, matches, mention, retell, words
from console.demo.draw import render
from console.demo.gallery import mirror_groups, twin_groups
from console.demo.scenes import HELD_OUT_PAIRS, Scene, Thing, draw_scene, near_twin, unseen_scenes

RED_CIRCLE = Thing("circle", "red", "large", "plain")
BLUE_STAR = Thing("star", "blue", "small", "striped")
PAIR = Scene((RED_CIRCLE, BLUE_STAR), "left", "grey")


def some_scenes(count: int, seed: int = 0) -> list[Scene]:
    rng = random.Random(seed)
    return [draw_scene(rng) for _ in range(count)]


def test_one_scene_in_eight_is_left_out_of_training_always_the_same_ones() -> None:
    scenes = some_scenes(8_000)
    share = sum(s.unseen for s in scenes) / len(scenes)
    assert 0.11 < share < 0.14
    assert [s.unseen for s in scenes] == [s.unseen for s in some_scenes(8_000)]


def test_unseen_scenes_are_distinct_and_none_of_them_is_ever_trained_on() -> None:
    unseen = unseen_scenes(500, seed=3)
    assert len({s.key for s in unseen}) == 500
    assert not any(s.trainable for s in unseen)
    trained = {s.key for s in twin_groups(300, seed=1)} | {s.key for s in mirror_groups(300, seed=2)}
    assert not trained & {s.key for s in unseen}


def test_training_never_shows_a_pair_of_colour_and_shape_that_is_held_out() -> None:
    for scene in twin_groups(300, seed=1) + mirror_groups(100, seed=2):
        assert not any((t.colour, t.shape) in HELD_OUT_PAIRS for t in scene.things)
    assert all(s.holds_untrained_pair for s in unseen_scenes(50, seed=3, untrained_pairs=True))


def test_a_near_twin_differs_in_exactly_one_attribute() -> None:
    rng = random.Random(4)
    for scene in some_scenes(300):
        differing = (near_twin(scene, rng).code() != scene.code()).sum()
        assert differing == 1


def test_a_mirror_group_holds_both_sides_of_each_scene() -> None:
    scenes = mirror_groups(20, seed=2)
    for at in range(0, len(scenes), 2):
        assert scenes[at].mirrored() == scenes[at + 1]


def test_a_picture_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    one, again, other = (np.asarray(render(PAIR, seed)) for seed in (1, 1, 2))
    assert one.shape == (192, 192, 3)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_picture_shows_what_stands_where() -> None:
    pixels = np.asarray(render(PAIR, 5)).astype(int)
    red = np.argwhere((pixels[..., 0] > 180) & (pixels[..., 1] < 80))
    blue = np.argwhere((pixels[..., 2] > 180) & (pixels[..., 0] < 80))
    assert red[:, 1].mean() < blue[:, 1].mean()
    assert len(red) > len(blue)
    mirrored = np.asarray(render(PAIR.mirrored(), 5)).astype(int)
    red = np.argwhere((mirrored[..., 0] > 180) & (mirrored[..., 1] < 80))
    assert red[:, 1].mean() > 96


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "a large plain red circle left of a small striped blue star on a grey background"),
        (
            "de",
            "ein großer einfarbiger roter Kreis links von einem kleinen gestreiften blauen Stern "
            "auf grauem Hintergrund",
        ),
        (
            "es",
            "un círculo rojo liso grande a la izquierda de una estrella azul rayada pequeña sobre fondo gris",
        ),
    ],
)
def test_a_scene_is_told_in_three_languages(language: str, text: str) -> None:
    assert describe(PAIR, language).text == text


def test_both_ways_to_tell_a_scene_claim_the_same() -> None:
    rng = random.Random(1)
    told = [describe(PAIR, "en", rng) for _ in range(40)]
    assert len({t.text for t in told}) > 3
    assert any("right of" in t.text for t in told)
    assert all(np.array_equal(t.claim, told[0].claim) for t in told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_whole_caption_is_true_of_its_own_scene_only(language: str) -> None:
    scenes = unseen_scenes(300, seed=1)
    codes = np.stack([s.code() for s in scenes])
    claims = np.stack([describe(s, language).claim for s in scenes])
    assert np.array_equal(matches(claims, codes), np.eye(300, dtype=bool))


def true_of(scene: Scene, colour: str, shape: str) -> bool:
    return any(t.colour == colour and t.shape == shape for t in scene.things)


def test_short_claims_hold_where_some_thing_has_both_attributes() -> None:
    scenes = some_scenes(600)
    codes = np.stack([s.code() for s in scenes])
    for colour, shape in (("red", "circle"), ("blue", "star"), ("pink", "heart")):
        held = matches(claim_of(colour=colour, shape=shape)[None], codes)[0]
        assert held.tolist() == [true_of(s, colour, shape) for s in scenes]
        assert held.any()


def test_a_mention_is_true_of_its_scene_and_a_mirrored_relation_is_false() -> None:
    rng = random.Random(2)
    scenes = some_scenes(400)
    codes = np.stack([s.code() for s in scenes])
    claims = np.stack([mention(s, "en", rng).claim for s in scenes])
    assert matches(claims, codes).diagonal().all()
    assert matches(describe(PAIR).claim[None], PAIR.code()[None])[0, 0]
    assert not matches(describe(PAIR).claim[None], PAIR.mirrored().code()[None])[0, 0]


def test_other_words_tell_the_same_scene_but_no_caption_of_training_is_worded_so() -> None:
    known = set(words())
    for language in ("de", "es"):
        retold = retell(PAIR, language)
        assert np.array_equal(retold.claim, describe(PAIR, language).claim)
        assert set(retold.text.replace(",", " ").split()) - known
        assert "  " not in retold.text


def test_scenes_use_every_attribute_evenly() -> None:
    counted = Counter(t.shape for s in some_scenes(4_000) for t in s.things)
    assert len(counted) == 10
    assert max(counted.values()) < 1.25 * min(counted.values())
