"""The demo's golden set: its rules mean what its texts say, and it is kept without touching anybody else's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from connectors.filters import matches
from console.demo.captions import LANGUAGES, phrase
from console.demo.captions import matches as claimed
from console.demo.golden import NAME, NOTE, demo_golden, drop_golden, keep_golden
from console.demo.rows import demo_scenes, payload, row_id
from console.demo.scenes import BACKGROUNDS, COLOURS, SHAPES
from console.search import golden
from console.search.golden import GoldenQuery, GoldenSet, check, content_hash
from console.settings import Settings

SCENES = 1_500


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_the_rules_mean_the_scenes_of_which_the_text_is_true() -> None:
    """The caption's claim, held against how each scene was drawn, knows nothing of payloads or filters."""
    scenes = demo_scenes(SCENES)
    codes = np.stack([scene.code() for scene in scenes])
    rows = [payload(scene, i, "", "image") for i, scene in enumerate(scenes)]
    demo = demo_golden()
    told = {
        phrase(c, s, lang, b).text: phrase(c, s, lang, b).claim
        for c in COLOURS
        for s in SHAPES
        for lang in LANGUAGES
        for b in (None, *BACKGROUNDS)
    }
    seen = 0
    for query in demo.queries:
        if query.must:
            continue
        claim = told[str(query.text)]
        true = claimed(claim[None], codes)[0]
        without_background = claim.copy()
        without_background[1] = -1
        half = claimed(without_background[None], codes)[0]
        rules = [r for r in demo.rules if r.query == query.id]
        grades = [max((r.grade for r in rules if matches(r.where, row)), default=0) for row in rows]
        if claim[1] == -1:
            assert grades == [int(t) for t in true], query.id
        else:
            assert grades == [2 if t else int(h) for t, h in zip(true, half, strict=True)], query.id
        seen += sum(g > 0 for g in grades)
    assert seen > 10 * len(demo.queries)


def test_every_language_asks_for_the_same_and_is_a_cohort() -> None:
    demo = check(demo_golden())
    for kind in ("thing", "thing and background"):
        asked = {
            lang: [
                q.id.split("-", 1)[1]
                for q in demo.queries
                if q.cohort == {"language": lang, "asks_for": kind}
            ]
            for lang in LANGUAGES
        }
        assert asked["en"] == asked["de"] == asked["es"]
        assert len(asked["en"]) == 36
    assert demo.cohort_fields == ("asks_for", "language")
    assert {q.text for q in demo.queries} >= {"a red circle", "ein roter Kreis", "un círculo rojo"}
    assert content_hash(demo_golden()) == content_hash(demo)


def test_smoke_items_are_whole_captions_and_what_shares_nothing_with_them() -> None:
    scenes = demo_scenes(10)
    for query in (q for q in demo_golden().queries if q.must):
        at = int(query.id.rsplit("-", 1)[1])
        assert query.must == (row_id(at, "text"),)
        (other,) = [i for i in range(10) if row_id(i, "image") in query.must_not]
        one, two = scenes[at], scenes[other]
        assert not {t.colour for t in one.things} & {t.colour for t in two.things}
        assert not {t.shape for t in one.things} & {t.shape for t in two.things}


def test_the_set_is_made_once_and_taken_away_again(settings: Settings) -> None:
    assert keep_golden(settings)
    assert keep_golden(settings)
    assert [(h["version"], h["changed"]) for h in golden.heads(settings)] == [(1, False), (None, False)]
    assert golden.find(settings, NAME) == demo_golden().but(version=1)
    assert drop_golden(settings)
    assert golden.heads(settings) == []
    assert not drop_golden(settings)


def test_a_set_that_somebody_goes_on_with_stays(settings: Settings) -> None:
    keep_golden(settings)
    golden.judge(settings, NAME, "en-red-circle", row_id(0, "image"), 0)
    assert keep_golden(settings)
    assert not drop_golden(settings)
    assert golden.find(settings, f"{NAME}@draft").judgements
    golden.freeze(settings, NAME)
    assert keep_golden(settings)
    assert golden.find(settings, NAME).version == 2


def test_a_set_of_that_name_that_the_demo_did_not_make_is_never_touched(settings: Settings) -> None:
    mine = GoldenSet(NAME, queries=(GoldenQuery("q", "mine"),))
    golden.put(settings, mine)
    assert not keep_golden(settings)
    assert not drop_golden(settings)
    assert golden.find(settings, NAME) == mine


def test_a_set_of_an_earlier_demo_gets_a_version_more(settings: Settings) -> None:
    golden.put(settings, GoldenSet(NAME, queries=(GoldenQuery("q", "earlier"),), note=NOTE))
    golden.freeze(settings, NAME)
    assert keep_golden(settings)
    assert golden.find(settings, NAME) == demo_golden().but(version=2)
    assert golden.find(settings, f"{NAME}@1").queries[0].text == "earlier"
    assert drop_golden(settings)
