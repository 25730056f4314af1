"""Comparisons, gates, evaluations and golden sets, on both databases."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from console.settings import Address
from console.store import Comparisons, Evaluations, Gates, GoldenSets, Store, is_id, tables
from console.store.comparisons import asked_of
from console.store.engine import transaction
from console.store.golden_sets import Document, Kept
from tests.store.conftest import Desk, Held

START = datetime(2026, 11, 20, tzinfo=UTC)


def stamp(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def a_comparison(
    left: str = "prod/old#v", right: str = "prod/new#v", minutes: float = 0, **more: Any
) -> Held:
    arrays = more.pop("arrays", {})
    return Held(
        {
            "at": stamp(minutes),
            "left": left,
            "right": right,
            "k": 10,
            "queries": 200,
            "matched": {"rows": 90, "share": 0.9},
            "overlap_at_k": {"mean": 0.35, "low": 0.3, "high": 0.4, "queries": 200},
            "summary": "Much differs.",
            **more,
        },
        arrays,
    )


def a_gate(minutes: float = 0, **more: Any) -> dict[str, Any]:
    condition = {"name": "recall", "verdict": "fail", "figure": 0.8, "waived": {"reason": "known"}}
    given = {"left": "prod/old", "right": "prod/new", "verdict": "fail", "conditions": [condition]}
    return {"at": stamp(minutes), **given, **more}


def says(text: str, pictures: dict[str, bytes | None] | None = None) -> Document:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Document({"says": text}, digest, {"queries": len(text)}, pictures or {})


def code_of(call: Any, *args: Any) -> str:
    with pytest.raises(PlumblineError) as caught:
        call(*args)
    return caught.value.code


def test_a_comparison_comes_back_with_its_arrays(desk: Desk) -> None:
    room = Comparisons.open(desk)
    arrays = {"map_left": np.arange(6, dtype=np.float32).reshape(3, 2), "map_ids": np.array(["a", "ü", "c"])}
    held = a_comparison(arrays=arrays, changed=[{"query": "\x00 \ud800 🙂"}], score=float("nan"))
    made = room.save(held)
    assert is_id(made, "c")
    assert room.get(made) == {**held.data, "id": made, "score": None}
    back = room.arrays(made)
    assert set(back) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
    assert room.list() == [
        {
            "id": made,
            "at": held.data["at"],
            "left": "prod/old#v",
            "right": "prod/new#v",
            "k": 10,
            "queries": 200,
            "overlap": 0.35,
            "share": 0.9,
            "summary": "Much differs.",
            "asked": None,
            "quality": None,
        }
    ]
    assert room.arrays(room.save(a_comparison(minutes=1))) == {}
    room.remove(made)
    for ask in (room.get, room.arrays, room.remove):
        assert code_of(ask, made) == "not-found"


def test_a_list_says_what_each_comparison_was_asked_and_what_judgements_said(desk: Desk) -> None:
    room = Comparisons.open(desk)
    request = {
        "left": "prod/old#v",
        "right": "prod/new#v",
        "golden": "shop",
        "k": 5,
        "texts": [],
        "images": [],
    }
    metrics = {"mrr": {}, "ndcg@5": {"difference": {"mean": 0.1, "low": 0.0, "high": 0.2}}}
    room.save(a_comparison(request=request, quality={"metrics": metrics}))
    (head,) = room.list()
    assert head["asked"] == {"golden": "shop", "k": 5, "given": None, "texts": 0, "images": 0}
    assert head["quality"] == {"name": "ndcg@5", "mean": 0.1, "low": 0.0, "high": 0.2}
    digests = {asked_of({**request, "texts": texts})["given"] for texts in ([], ["a"], ["b"], ["a", "b"])}
    assert len(digests) == 4


def test_comparisons_are_listed_newest_first_and_by_either_side(desk: Desk) -> None:
    room = Comparisons.open(desk)
    one = room.save(a_comparison(minutes=5))
    two = room.save(a_comparison("prod/old", "other/new@t#a%23b", minutes=9))
    three = room.save(a_comparison("prod/older#v", "encoder:scenes-v2", minutes=1))
    assert [h["id"] for h in room.list()] == [two, one, three]
    assert [h["id"] for h in room.list(2)] == [two, one]
    assert [h["id"] for h in room.list(address="prod/old")] == [two, one]
    assert [h["id"] for h in room.list(address=Address("prod", "old", vector="v"))] == [one]
    assert [h["id"] for h in room.list(address=Address("other", "new", "t"))] == [two]
    assert [h["id"] for h in room.list(address="encoder:scenes-v2")] == [three]
    assert room.list(address="prod/ol_") == room.list(address="prod/nowhere") == []


def test_keeping_a_comparison_twice_changes_nothing_and_no_other_takes_its_id(desk: Desk) -> None:
    room = Comparisons.open(desk)
    held = a_comparison(id="c0000000000a")
    assert room.save(held) == room.save(held.data) == "c0000000000a"
    assert code_of(room.save, a_comparison(id="c0000000000a", minutes=1)) == "changed"
    assert len(room.list()) == 1


def test_only_the_newest_are_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    comparisons, gates, evaluations = Comparisons.open(desk), Gates.open(desk), Evaluations.open(desk)
    assert (comparisons.most, gates.most, evaluations.most) == (200, 500, 500)
    for room in (Comparisons, Gates, Evaluations):
        monkeypatch.setattr(room, "most", 3)
    made = [comparisons.save(a_comparison(minutes=i)) for i in (4, 0, 3, 1, 2)]
    assert [h["id"] for h in comparisons.list()] == [made[0], made[2], made[4]]
    gated = [gates.save(a_gate(minutes=i)) for i in range(5)]
    assert [h["id"] for h in gates.list()] == gated[:1:-1]
    assert len(comparisons.list()) == 3


def test_what_a_gate_rests_on_is_kept_as_long_as_the_gate_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparisons, gates, evaluations = Comparisons.open(desk), Gates.open(desk), Evaluations.open(desk)
    store = Store.open(desk)
    for room in (Comparisons, Evaluations):
        monkeypatch.setattr(room, "most", 2)
    monkeypatch.setattr(store, "_retention", replace(store._retention, keep_reports=2))

    def report(minutes: float) -> str:
        more = {"findings": [], "rows": 1, "scanned": 1, "exact": True, "verdict": "healthy"}
        return store.save({"address": "prod/new#v", "vector": "v", "at": stamp(minutes), **more})

    def evaluation(minutes: float) -> str:
        return evaluations.save({"at": stamp(minutes), "address": "prod/new#v", "golden": "shop"})

    named = report(0), comparisons.save(a_comparison(minutes=0)), evaluation(0), evaluation(0.5)
    rests = {"report": named[0], "comparison": named[1], "evaluations": list(named[2:])}
    gate = gates.save(a_gate(**rests))
    nothing = gates.save(a_gate(report=None, comparison=None, evaluations=[None, None]))
    assert sorted(map(len, (held["rests_on"] for held in gates.list()))) == [0, 4]
    for i in range(1, 6):
        report(i)
        comparisons.save(a_comparison(minutes=i))
        evaluation(i)
    assert store.report(named[0])["id"] == named[0]
    assert comparisons.get(named[1])["id"] == named[1]
    assert [evaluations.get(one)["id"] for one in named[2:]] == list(named[2:])
    assert (len(comparisons.list()), len(evaluations.list()), len(store.reports())) == (3, 4, 3)
    gates.remove(gate)
    gates.remove(nothing)
    report(9)
    comparisons.save(a_comparison(minutes=9))
    evaluation(9)
    for ask, one in zip((store.report, comparisons.get, evaluations.get), named[:3], strict=True):
        assert code_of(ask, one) == "not-found"


def test_a_gate_keeps_who_waived_what(desk: Desk) -> None:
    room = Gates.open(desk)
    made = room.save(a_gate())
    assert is_id(made, "g")
    assert room.get(made) == {**a_gate(), "id": made}
    (head,) = room.list(address="prod/new")
    assert head["verdict"] == "fail"
    assert head["conditions"] == [{"name": "recall", "verdict": "fail", "waived": {"reason": "known"}}]
    assert code_of(room.get, "g00000000000") == "not-found"


def test_an_evaluation_is_found_by_address_and_golden_set(desk: Desk) -> None:
    room = Evaluations.open(desk)
    data = {
        "at": stamp(0),
        "address": "prod/new#v",
        "golden": "shop",
        "version": 2,
        "metrics": {"mrr": {"mean": 1.0}},
    }
    made = room.save(data)
    other = room.save({**data, "at": stamp(1), "golden": "other"})
    assert is_id(made, "e")
    assert [h["id"] for h in room.list()] == [other, made]
    assert [h["id"] for h in room.list(address="prod/new", golden="shop")] == [made]
    assert room.list(golden="shop")[0]["metrics"] == {"mrr": {"mean": 1.0}}
    room.save({**data, "at": stamp(2), "golden": "third", "against": {"address": "prod/old#v"}})
    assert [h["against"] for h in room.list()] == ["prod/old#v", None, None]


def test_evaluations_of_one_version_are_found_however_many_newer_ones_there_are(desk: Desk) -> None:
    room = Evaluations.open(desk)
    versions = [1, 2, "draft", 2, 2]
    made = [
        room.save({"at": stamp(at), "address": "prod/new#v", "golden": "shop", "version": version})
        for at, version in enumerate(versions)
    ]
    room.save({"at": stamp(9), "address": "prod/new#v", "golden": "other", "version": 1})

    def ids(limit: int, version: Any, address: str | None = None) -> list[str]:
        return [h["id"] for h in room.list(limit, address, "shop", version)]

    assert ids(1, 1) == [made[0]]
    assert ids(2, 2) == [made[4], made[3]]
    assert ids(9, "draft", "prod/new") == [made[2]]
    assert ids(9, 1, "prod/old") == ids(9, 3) == []
    assert ids(9, None) == made[::-1]


def test_a_version_stays_as_it_is_while_the_draft_is_edited(desk: Desk) -> None:
    room = GoldenSets.open(desk)
    assert room.newest("shop") is None
    room.edit("shop", lambda held: says("a") if held is None else says("?"))
    assert room.get("shop").data == {"says": "a"}
    first, new = room.freeze("shop")
    assert (first.version, new) == (1, True)
    again, new = room.freeze("shop")
    assert (again, new) == (first, False)
    room.edit("shop", lambda held: says(f"{held.data['says']}b" if held else "?"))
    assert code_of(room.freeze, "shop", first.hash) == "changed"
    second, new = room.freeze("shop", room.get("shop").hash)
    assert (second.version, second.data, new) == (2, {"says": "ab"}, True)
    assert room.get("shop", 1) == first
    assert room.newest("shop") == 2
    room.edit("another", lambda _: says("x"))
    assert [(h["name"], h["version"], h["queries"]) for h in room.heads()] == [
        ("another", None, 1),
        ("shop", 1, 1),
        ("shop", 2, 2),
        ("shop", None, 2),
    ]
    assert [h["version"] for h in room.heads("another")] == [None]
    assert room.names() == ["another", "shop"]
    room.remove("shop")
    assert room.names() == ["another"]
    for call, args in (
        (room.get, ("shop",)),
        (room.get, ("another", 1)),
        (room.freeze, ("shop",)),
        (room.remove, ("shop",)),
    ):
        assert code_of(call, *args) == "not-found"


def test_a_number_means_one_thing_for_ever(desk: Desk) -> None:
    room = GoldenSets.open(desk)
    for words in ("a", "b"):
        room.edit("shop", lambda _, w=words: says(w))
        room.freeze("shop")
    room.remove("shop")
    room.edit("shop", lambda _: says("c"))
    assert room.heads("shop")[0]["next"] == 3
    third, new = room.freeze("shop")
    assert (third.version, third.data, new) == (3, {"says": "c"}, True)
    room.remove("shop")
    room.edit("shop", lambda _: says("c"))
    assert room.heads("shop")[0]["next"] == 3
    assert room.freeze("shop")[0].version == 3
    assert room.freeze("shop") == (room.get("shop", 3), False)
    assert code_of(room.get, "shop", 1) == "not-found"


def test_an_evaluation_that_is_not_there_says_what_lists_them(desk: Desk) -> None:
    with pytest.raises(PlumblineError) as caught:
        Evaluations.open(desk).get("e0")
    assert (caught.value.code, caught.value.hint) == ("not-found", "`plumbline evaluations` lists them.")


def test_a_change_that_fails_leaves_the_draft_as_it_was(desk: Desk) -> None:
    room = GoldenSets.open(desk)
    room.edit("shop", lambda _: says("a"))
    before = room.get("shop")

    def fails(_: Kept | None) -> Document:
        raise PlumblineError("usage", "no")

    assert code_of(room.edit, "shop", fails) == "usage"
    assert code_of(room.edit, "shop", lambda _: says("b", {"0" * 64: None})) == "not-found"
    assert room.get("shop") == before


def test_editors_at_once_lose_nothing(desk: Desk) -> None:
    room = GoldenSets.open(desk)
    failures: list[BaseException] = []

    def work(word: str) -> None:
        try:
            for _ in range(5):
                GoldenSets.open(desk).edit(
                    "shop", lambda held: says((str(held.data["says"]) if held else "") + word)
                )
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(word,)) for word in "abcd"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert sorted(str(room.get("shop").data["says"])) == sorted("abcd" * 5)


def test_a_picture_is_kept_while_a_set_shows_it(desk: Desk) -> None:
    room = GoldenSets.open(desk)
    sha = hashlib.sha256(b"picture").hexdigest()
    room.edit("shop", lambda _: says("a", {sha: b"picture"}))
    room.edit("other", lambda _: says("a", {sha: b"picture"}))
    room.freeze("shop")
    room.edit("shop", lambda _: says("b"))
    room.remove("other")
    assert room.picture(sha) == b"picture"
    room.edit("shop", lambda _: says("c", {sha: None}))
    room.remove("shop")
    assert room.picture(sha) is None


def test_a_set_that_can_not_be_read_is_damaged(desk: Desk) -> None:
    room = GoldenSets.open(desk)
    room.edit("shop", lambda _: says("a"))
    with transaction(Store.open(desk)._engine, "", write=True) as connection:
        connection.execute(tables.golden_sets.update().values(data="{"))
    assert code_of(room.get, "shop") == "damaged"
