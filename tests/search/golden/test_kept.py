"""Golden sets in the store: references, versions, thumbs, and pictures that outlive the uploads."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import PlumblineError
from console.search import golden, uploads
from console.search.golden import GoldenQuery, GoldenSet, Judgement
from console.settings import Settings
from console.store import GoldenSets, Store, tables
from console.store.engine import transaction

SHOP = GoldenSet(
    "shop", queries=(GoldenQuery("q", "red"),), judgements=(Judgement("q", "1", 2), Judgement("q", "2", 0))
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def code_of(call: Any, *args: Any) -> str:
    with pytest.raises(PlumblineError) as caught:
        call(*args)
    return caught.value.code


def test_a_name_means_the_newest_version_else_the_draft(settings: Settings) -> None:
    assert code_of(golden.find, settings, "shop") == "not-found"
    golden.put(settings, SHOP)
    assert golden.find(settings, "shop") == SHOP
    assert golden.find(settings, "shop").label == "shop (draft)"
    first, new = golden.freeze(settings, "shop")
    assert (first, new) == (SHOP.but(version=1), True)
    assert golden.freeze(settings, "shop") == (first, False)
    golden.judge(settings, "shop", "q", "3", 1)
    assert golden.find(settings, "shop") == first
    assert golden.unfrozen(settings, first)
    assert [j.key for j in golden.find(settings, "shop@draft").judgements] == ["1", "2", "3"]
    second, _ = golden.freeze(settings, "shop")
    assert not golden.unfrozen(settings, second)
    assert golden.find(settings, "shop").version == 2
    assert golden.find(settings, "shop@1") == first
    assert code_of(golden.find, settings, "shop@3") == "not-found"
    for bad in ("shop@", "shop@0", "shop@x", "shop@-1", "../shop", "", "a b"):
        assert code_of(golden.find, settings, bad) == "usage"


def test_heads_say_where_a_draft_has_gone_on(settings: Settings) -> None:
    golden.put(settings, SHOP)
    golden.freeze(settings, "shop")
    assert [(h["version"], h["changed"]) for h in golden.heads(settings)] == [(1, False), (None, False)]
    golden.judge(settings, "shop", "q", "2", None)
    assert [(h["version"], h["changed"]) for h in golden.heads(settings, "shop")] == [
        (1, False),
        (None, True),
    ]
    assert golden.heads(settings)[1]["judgements"] == 1


def test_a_thumb_makes_the_set_where_there_is_none(settings: Settings) -> None:
    made = golden.judge(settings, "thumbs", GoldenQuery("q", "red"), "5", 1)
    assert made == golden.find(settings, "thumbs")
    assert made.judgements == (Judgement("q", "5", 1),)


def test_taking_a_grade_back_makes_no_set_and_no_query(settings: Settings) -> None:
    query = GoldenQuery("new", "never asked")
    with pytest.raises(PlumblineError, match="There is no golden set `thumbs`"):
        golden.judge(settings, "thumbs", query, "5", None)
    assert golden.heads(settings) == []
    golden.put(settings, SHOP)
    written = golden.heads(settings)
    for asked, key in ((query, "5"), ("q", "3"), ("nobody", "1")):
        assert code_of(golden.judge, settings, "shop", asked, key, None) == "not-found"
    assert golden.find(settings, "shop") == SHOP
    assert golden.heads(settings) == written


def test_a_reference_is_a_name_and_a_version() -> None:
    assert [golden.reference(text) for text in ("shop", "shop@12", "shop@draft")] == [
        ("shop", None),
        ("shop", 12),
        ("shop", "draft"),
    ]
    for bad in ("shop@", "shop@0", "shop@x", "../shop", ""):
        assert code_of(golden.reference, bad) == "usage"


def test_what_fails_leaves_the_draft_as_it_was(settings: Settings) -> None:
    golden.put(settings, SHOP)
    for query, key, grade in (("q", "x", 1), ("q", "1", -1), ("nobody", "1", 1)):
        assert code_of(golden.judge, settings, "shop", query, key, grade) in ("usage", "not-found")
    assert golden.find(settings, "shop") == SHOP


def test_a_set_without_queries_is_no_version(settings: Settings) -> None:
    golden.put(settings, GoldenSet("empty"))
    assert code_of(golden.freeze, settings, "empty") == "usage"
    golden.remove(settings, "empty")
    assert code_of(golden.remove, settings, "empty") == "not-found"


def test_a_picture_outlives_the_uploads(settings: Settings) -> None:
    upload = uploads.keep(settings.home, b"picture")
    golden.judge(settings, "shop", GoldenQuery("p", image=upload), "1", 1)
    golden.freeze(settings, "shop")
    file = settings.home / "uploads" / upload.sha256
    old = time.time() - 90 * 86_400
    os.utime(file, (old, old))
    assert golden.picture(settings, upload) == b"picture"
    golden.judge(settings, "shop", "p", "2", 0)
    file.unlink()
    golden.judge(settings, "shop", "p", "3", 0)
    assert golden.picture(settings, upload) == b"picture"
    golden.remove(settings, "shop")
    assert code_of(golden.picture, settings, upload) == "not-found"


def test_a_picture_that_nobody_has_is_not_taken(settings: Settings) -> None:
    query = GoldenQuery("p", image=uploads.Upload("0" * 64))
    assert code_of(golden.judge, settings, "shop", query, "1", 1) == "not-found"
    assert golden.heads(settings) == []


def test_a_version_that_was_tampered_with_is_damaged(settings: Settings) -> None:
    golden.put(settings, SHOP)
    golden.freeze(settings, "shop")
    data = GoldenSets.open(settings).get("shop", 1).data
    with transaction(Store.open(settings)._engine, "", write=True) as connection:
        changed = json.dumps({**data, "judgements": [["q", "1", 0]]})
        connection.execute(
            tables.golden_sets.update().where(tables.golden_sets.c.version == 1).values(data=changed)
        )
    assert code_of(golden.find, settings, "shop") == "damaged"


def test_a_note_that_alone_was_changed_is_kept(settings: Settings) -> None:
    golden.put(settings, SHOP.but(note="one"))
    first = golden.heads(settings, "shop")[0]
    golden.put(settings, SHOP.but(note="two"))
    second = golden.heads(settings, "shop")[0]
    assert golden.find(settings, "shop").note == "two"
    assert first["hash"] == second["hash"]


def test_a_removed_set_leaves_its_numbers_taken(settings: Settings) -> None:
    golden.put(settings, SHOP)
    golden.freeze(settings, "shop")
    assert golden.heads(settings, "shop")[1]["next"] == 1
    golden.judge(settings, "shop", "q", "3", 1)
    assert golden.heads(settings, "shop")[1]["next"] == 2
    golden.remove(settings, "shop")
    golden.judge(settings, "shop", GoldenQuery("other", "blue"), "1", 1)
    assert golden.heads(settings, "shop")[0]["next"] == 2
    made, new = golden.freeze(settings, "shop")
    assert (made.version, new) == (2, True)
    assert code_of(golden.find, settings, "shop@1") == "not-found"


def test_a_set_that_is_made_again_as_it_was_gets_its_number_back(settings: Settings) -> None:
    """A demo that is taken away and made anew has version 1: it means what it meant."""
    golden.put(settings, SHOP)
    golden.freeze(settings, "shop")
    golden.remove(settings, "shop")
    golden.put(settings, SHOP)
    made, new = golden.freeze(settings, "shop")
    assert (made, new) == (SHOP.but(version=1), True)
