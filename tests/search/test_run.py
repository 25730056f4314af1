"""What a query answers, on the embedded store and on a real Weaviate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import Equals, Exists, Not
from connectors.model import Row, Target
from console.search import QueryAnswer, QueryRequest, RowPart, run, uploads
from console.search.links import from_url
from console.settings import Address, CollectionSettings
from tests.search.conftest import PAYLOAD, PHRASES, SPECS, Bench, ToyWorkspace, captions, row_id
from tests.search.toys import Toy

PHRASE = "big red circle"


def toy(name: str = "toy-a") -> Toy:
    turn, dimension = SPECS[name].model.removeprefix("toy:").split(":")
    return Toy(SPECS[name], int(turn), int(dimension))


def error(answer: QueryAnswer, side: int = 0) -> PlumblineError:
    fault = answer.sides[side].error
    assert fault is not None
    return fault


def test_words_find_what_they_say(bench: Bench) -> None:
    answer = bench.ask(bench.collection(), text=PHRASE, k=5)
    assert answer.error is None
    assert captions(answer, 1) == [PHRASE]
    assert [h.rank for h in answer.hits] == [1, 2, 3, 4, 5]
    assert answer.hits[0].score == pytest.approx(1.0 if bench.kind == "qdrant" else 0.0, abs=1e-5)
    scores = [h.score for h in answer.hits]
    assert scores == sorted(scores, reverse=answer.hits[0].score_kind == "similarity")
    assert (answer.hits[0].version, answer.hits[0].caption) == ("toy-a", PHRASE)


def test_the_answer_says_what_the_contract_says(bench: Bench) -> None:
    where = bench.collection(tags=["toy-a"] * 9 + ["toy-b"] * 3 + [None] * 6)
    data = bench.ask(where, text=PHRASE, k=2).to_json()
    json.dumps(data, allow_nan=False)
    assert set(data) >= {"sides", "fusion", "hits", "warnings", "address", "encoder", "timings_ms", "error"}
    assert data["encoder"] == {
        "name": "toy-a",
        "fingerprint": "toy-0-8",
        "dimension": 8,
        "known_by": "marker",
    }
    assert data["collection_versions"] == {"toy-a": 0.75, "toy-b": 0.25}
    assert data["untagged"] == pytest.approx(6 / 18)
    assert data["exact"] is False
    assert {k: data[k] for k in data["sides"][0]} == data["sides"][0]
    assert set(data["timings_ms"]) >= {"load", "encode", "search", "fetch"}
    assert set(data["hits"][0]) >= {
        "rank",
        "id",
        "address",
        "score",
        "score_kind",
        "fused_from",
        "version",
        "payload",
    }
    assert data["hits"][0]["fused_from"] is None
    assert data["fusion"] is None


def test_several_addresses_have_sides_of_their_own(bench: Bench) -> None:
    data = bench.ask(bench.collection(), bench.collection("toy-b", "toy-b"), text=PHRASE, k=2).to_json()
    assert "address" not in data
    assert [s["encoder"]["name"] for s in data["sides"]] == ["toy-a", "toy-b"]
    assert [h["rank"] for h in data["hits"]] == [1, 2, 1, 2]


def test_loading_is_timed_apart_from_encoding_and_happens_once(bench: Bench) -> None:
    where = bench.collection()
    first, second = (bench.ask(where, text=PHRASE).sides[0].timings for _ in range(2))
    assert first.load >= 30
    assert second.load < 5
    assert min(first.encode, first.search, first.fetch, first.guard) > 0


def test_a_picture_finds_rows_of_its_colour(bench: Bench, pictures: Mapping[str, Path]) -> None:
    answer = bench.ask(bench.collection(), image=pictures["green"], k=6)
    assert all("green" in c for c in captions(answer))


def test_text_and_picture_together_are_one_query(bench: Bench, pictures: Mapping[str, Path]) -> None:
    where = bench.collection()
    both = bench.ask(where, text="circle", image=pictures["blue"], k=2, blend=0.5)
    assert sorted(captions(both)) == ["big blue circle", "small blue circle"]
    assert both.fusion is None
    for share, alone in ((1.0, {"text": "circle"}), (0.0, {"image": pictures["blue"]})):
        blended = bench.ask(where, text="circle", image=pictures["blue"], blend=share)
        one = bench.ask(where, **alone)
        assert [h.score for h in blended.hits] == pytest.approx([h.score for h in one.hits], abs=1e-5)
        assert {h.id for h in blended.hits[:6]} == {h.id for h in one.hits[:6]}


def test_text_and_picture_as_legs_weigh_sixty_to_forty(bench: Bench, pictures: Mapping[str, Path]) -> None:
    where = bench.collection()
    answer = bench.ask(where, text="circle", image=pictures["blue"], k=18, fuse="weighted")
    assert answer.fusion == "weighted"
    assert sorted(captions(answer, 2)) == ["big blue circle", "small blue circle"]
    best = answer.hits[0]
    assert best.score == pytest.approx(1.0, abs=1e-4)
    assert best.fused_from is not None
    assert [(f.leg, f.weight) for f in best.fused_from] == [("text", 0.6), ("image", 0.4)]
    circle = next(h for h in answer.hits if h.payload["caption"] == "big red circle")
    assert circle.score == pytest.approx(0.6, abs=1e-4)
    turned = bench.ask(
        where, text="circle", image=pictures["blue"], k=18, fuse="weighted", weights=(1.0, 3.0)
    )
    circle = next(h for h in turned.hits if h.payload["caption"] == "big red circle")
    assert circle.score == pytest.approx(0.25, abs=1e-4)


def test_more_like_this_leaves_the_row_itself_out_and_needs_no_encoder(bench: Bench) -> None:
    where = bench.collection(mark=False, tags=None)
    answer = bench.ask(where, row=RowPart(row_id(0)), k=3)
    assert answer.error is None
    assert row_id(0) not in {h.id for h in answer.hits}
    assert len(answer.hits) == 3
    shared = [len(set(c.split()) & set(PHRASES[0].split())) for c in captions(answer)]
    assert shared == [2, 2, 2]
    assert bench.pool.loaded == {}
    assert answer.sides[0].encoder is None


def test_a_vector_needs_no_encoder(bench: Bench) -> None:
    where = bench.collection(mark=False, tags=None)
    vector = tuple(float(v) for v in toy().of(PHRASE.split()))
    answer = bench.ask(where, vector=vector, k=1)
    assert captions(answer) == [PHRASE]
    assert bench.pool.loaded == {}


def test_text_without_a_known_encoder_says_how_to_name_one(bench: Bench) -> None:
    fault = error(bench.ask(bench.collection(mark=False, tags="somebody-else"), text=PHRASE))
    assert fault.code == "encoder-unknown"
    assert "`somebody-else` 100.0%" in fault.message
    assert "plumbline encoder" in fault.hint


def test_the_dominant_tag_makes_an_encoder_known(bench: Bench) -> None:
    answer = bench.ask(bench.collection(mark=False, tags="a-2024"), text=PHRASE, k=1)
    assert captions(answer) == [PHRASE]
    assert answer.sides[0].encoder is not None
    assert answer.sides[0].encoder.known_by == "version-tag"


@pytest.mark.parametrize("dimensions", [7, 9])
def test_a_wrong_dimension_never_reaches_the_server(bench: Bench, dimensions: int) -> None:
    fault = error(bench.ask(bench.collection(), vector=(1.0,) * dimensions))
    assert fault.code == "dimension-mismatch"
    assert f"{dimensions} dimensions" in fault.message
    assert "has 8" in fault.message


def test_an_encoder_of_another_dimension_is_refused_with_both_named(bench: Bench) -> None:
    fault = error(bench.ask(bench.collection(), text=PHRASE, encoder="toy-wide", allow_mismatch=True))
    assert fault.code == "dimension-mismatch"
    assert "`toy-wide` has 12" in fault.message
    assert "`clip` has 8" in fault.message
    assert bench.pool.loaded == {}


def test_another_encoder_of_the_same_dimension_stops_before_it_is_loaded(bench: Bench) -> None:
    where = bench.collection()
    fault = error(bench.ask(where, text=PHRASE, encoder="toy-b"))
    assert fault.code == "encoder-mismatch"
    assert "`toy-a`" in fault.message
    assert "`toy-b`" in fault.message
    assert bench.pool.loaded == {}
    answer = bench.ask(where, text=PHRASE, encoder="toy-b", allow_mismatch=True)
    assert answer.error is None
    assert any("overridden" in w for w in answer.warnings)
    assert captions(answer, 1) != [PHRASE]


def test_the_same_model_under_another_name_is_no_mismatch(bench: Bench) -> None:
    answer = bench.ask(bench.collection(), text=PHRASE, encoder="toy-late")
    assert answer.error is None
    assert answer.warnings == ()
    assert captions(answer, 1) == [PHRASE]


def test_a_collection_mostly_by_another_encoder_stops(bench: Bench) -> None:
    where = bench.collection(tags=["toy-b"] * 10 + ["toy-a"] * 8)
    fault = error(bench.ask(where, text=PHRASE))
    assert fault.code == "encoder-mismatch"
    assert "44.4%" in fault.message
    answer = bench.ask(where, text=PHRASE, allow_mismatch=True)
    assert answer.hits
    assert "overridden" in answer.warnings[0]


def test_a_smaller_foreign_share_and_unknown_tags_are_warned_of(bench: Bench) -> None:
    where = bench.collection(tags=["toy-a"] * 12 + ["toy-b"] * 4 + ["mystery"] * 2)
    answer = bench.ask(where, text=PHRASE)
    assert answer.error is None
    assert "`toy-a` 66.7%, `toy-b` 22.2%, `mystery` 11.1%" in answer.warnings[0]
    assert "`mystery` 11.1% resolves to no encoder" in answer.warnings[1]


def test_without_an_index_on_the_version_field_the_tags_are_sampled(bench: Bench) -> None:
    where = bench.collection(tags=["toy-a"] * 12 + ["toy-b"] * 4 + [None] * 2, payload=())
    mix = bench.ask(where, text=PHRASE).sides[0].versions
    assert mix is not None
    assert mix.shares == {"toy-a": 0.75, "toy-b": 0.25}
    assert mix.untagged == pytest.approx(2 / 18)
    assert mix.exact


def test_no_version_field_is_not_known_and_no_warning(bench: Bench) -> None:
    answer = bench.ask(bench.collection(tags=None), text=PHRASE)
    assert answer.to_json()["collection_versions"] is None
    assert answer.to_json()["untagged"] is None
    assert answer.warnings == ()


def test_a_bare_vector_of_a_claimed_encoder_is_guarded_too(bench: Bench) -> None:
    where = bench.collection()
    vector = tuple(float(v) for v in toy("toy-b").of(PHRASE.split()))
    assert error(bench.ask(where, vector=vector, encoder="toy-b")).code == "encoder-mismatch"
    assert bench.ask(where, vector=vector, encoder="toy-a").error is None
    assert bench.pool.loaded == {}


def test_a_row_of_a_minor_version_is_warned_of(bench: Bench) -> None:
    where = bench.collection(tags=["toy-b"] * 4 + ["toy-a"] * 14)
    answer = bench.ask(where, row=RowPart(row_id(0)))
    assert answer.hits
    assert any("`toy-b`, and only 22.2%" in w for w in answer.warnings)


def test_one_dead_side_leaves_the_others_their_answer(bench: Bench) -> None:
    answer = bench.ask("dead/anything", bench.collection(), text=PHRASE, k=1)
    assert error(answer).code == "unreachable"
    assert answer.sides[1].error is None
    assert captions(answer) == [PHRASE]
    assert answer.to_json()["error"]["code"] == "unreachable"


def test_a_collection_that_is_not_there_is_the_sides_error(bench: Bench) -> None:
    answer = bench.ask(f"{bench.connection}/Nowhere", text=PHRASE)
    assert error(answer).code == "not-found"
    assert answer.hits == ()


def test_a_connection_that_is_not_configured_is_the_querys_error(bench: Bench) -> None:
    with pytest.raises(PlumblineError) as fault:
        bench.ask("nobody/x", text=PHRASE)
    assert fault.value.code == "not-found"


def test_versions_of_the_same_rows_are_fused_row_by_row(bench: Bench) -> None:
    new, old = bench.collection(), bench.collection("toy-b", "toy-b")
    answer = bench.ask(new, old, text=PHRASE, k=18, fuse="rrf")
    assert answer.fusion == "rrf"
    assert len(answer.hits) == 18
    best = answer.hits[0]
    assert best.payload["caption"] == PHRASE
    assert best.fused_from is not None
    assert [(f.address, f.rank) for f in best.fused_from] == [(new, 1), (old, 1)]
    assert best.score == pytest.approx(2 / 61)
    assert best.score_kind == "fused"
    for hit in answer.hits:
        assert hit.fused_from is not None
        assert hit.score == pytest.approx(sum(1 / (60 + f.rank) for f in hit.fused_from))
    assert [h.score for h in answer.hits] == sorted((h.score for h in answer.hits), reverse=True)


def test_rows_that_only_share_an_id_are_kept_apart(bench: Bench) -> None:
    new, other = bench.collection(), bench.collection(phrases=PHRASES[::-1])
    answer = bench.ask(new, other, text=PHRASE, k=36, fuse="rrf")
    assert len(answer.hits) == 36
    assert captions(answer, 2) == [PHRASE, PHRASE]
    assert any("18 ids stand for different rows" in w for w in answer.warnings)


def test_a_fusion_without_one_of_its_sides_says_so(bench: Bench) -> None:
    answer = bench.ask(bench.collection(), "dead/x", text=PHRASE, fuse="rrf", k=1)
    assert captions(answer) == [PHRASE]
    assert any("The fusion lacks dead/x" in w for w in answer.warnings)


def test_keywords_alone_need_no_encoder(bench: Bench) -> None:
    answer = bench.ask(bench.collection(mark=False), text="star", legs=("keyword",), k=18)
    assert answer.error is None
    assert len(answer.hits) == 6
    assert all("star" in c for c in captions(answer))
    assert bench.pool.loaded == {}
    assert answer.sides[0].vector is None


def test_words_and_vectors_are_fused_as_two_legs(bench: Bench) -> None:
    where = bench.collection()
    answer = bench.ask(where, text="star", legs=("vector", "keyword"), k=6, fuse="rrf")
    assert all("star" in c for c in captions(answer))
    assert answer.hits[0].fused_from is not None
    assert {f.leg for f in answer.hits[0].fused_from} == {"text", "keyword"}
    unsaid = bench.ask(where, text="star", legs=("vector", "keyword"), k=6)
    assert unsaid.fusion == "rrf"
    assert [h.id for h in unsaid.hits] == [h.id for h in answer.hits]
    assert any("fused by reciprocal rank" in w for w in unsaid.warnings)


def test_the_cutoff_keeps_what_is_at_least_as_near(bench: Bench) -> None:
    where = bench.collection()
    answer = bench.ask(where, text=PHRASE, k=18)
    middle = answer.hits[5].score
    kept = bench.ask(where, text=PHRASE, k=18, cutoff=middle)
    similarity = answer.hits[0].score_kind == "similarity"
    wanted = [h for h in answer.hits if (h.score >= middle if similarity else h.score <= middle)]
    assert [h.id for h in kept.hits] == [h.id for h in wanted]
    none = bench.ask(where, text=PHRASE, cutoff=2.0 if similarity else -1.0)
    assert none.hits == ()
    assert any("let none of the rows through; the best" in w for w in none.warnings)


def test_a_distance_is_cut_from_above(bench: Bench) -> None:
    where = bench.collection(metric="euclid")
    answer = bench.ask(where, text=PHRASE, k=18)
    assert answer.hits[0].score_kind == "distance"
    assert answer.hits[0].score == pytest.approx(0, abs=1e-3)
    kept = bench.ask(where, text=PHRASE, k=18, cutoff=answer.hits[2].score)
    assert 3 <= len(kept.hits) < 18
    assert all(h.score <= answer.hits[2].score for h in kept.hits)
    fused = bench.ask(where, text=PHRASE, k=18, fuse="weighted")
    assert captions(fused, 1) == [PHRASE]
    assert fused.hits[0].score == pytest.approx(1.0)


def test_a_filter_holds_for_every_leg(bench: Bench) -> None:
    where = bench.collection()
    only = Equals("modality", "image")
    for kwargs in ({}, {"fuse": "rrf"}, {"legs": ("vector", "keyword")}):
        answer = bench.ask(where, text=PHRASE, k=18, filter=only, **kwargs)
        assert answer.hits
        assert {h.modality for h in answer.hits} == {"image"}
    nothing = bench.ask(where, text=PHRASE, filter=Not(Exists("caption")))
    assert nothing.hits == ()
    assert any("no row passed the filter" in w for w in nothing.warnings)


def test_exact_search_is_done_or_refused_by_name(bench: Bench) -> None:
    answer = bench.ask(bench.collection(), text=PHRASE, exact=True, k=1)
    assert answer.sides[0].exact
    if bench.kind == "qdrant":
        assert captions(answer) == [PHRASE]
    else:
        assert error(answer).code == "unsupported"


def test_of_several_fields_the_one_with_a_known_encoder_is_searched(bench: Bench) -> None:
    where = bench.collection(names=("clip", "other"), mark=False, tags=None)
    fault = error(bench.ask(where, row=RowPart(row_id(0))))
    assert fault.code == "vector-ambiguous"
    assert "#clip" in fault.hint
    assert "#other" in fault.hint
    named = bench.ask(where.with_vector("other"), row=RowPart(row_id(0)), k=1)
    assert named.sides[0].vector == "other"
    marker = {"encoders": {"clip": {"name": "toy-a", "fingerprint": "toy-0-8"}}}
    bench.connector.set_marker(Target(where.collection), marker)
    assert bench.ask(where, text=PHRASE, k=1).sides[0].vector == "clip"
    marker["encoders"]["other"] = {"name": "toy-b", "fingerprint": "toy-3-8"}
    bench.connector.set_marker(Target(where.collection), marker)
    assert error(bench.ask(where, text=PHRASE)).code == "vector-ambiguous"
    assert bench.ask(where, text=PHRASE, encoder="toy-b", k=1).sides[0].vector == "other"


def test_a_row_that_is_not_there_or_lacks_the_vector_is_said(bench: Bench) -> None:
    where = bench.collection()
    assert error(bench.ask(where, row=RowPart(row_id(999)))).code == "not-found"
    bench.fill(where.collection, [Row(row_id(100), {}, {"caption": "bare"})])
    fault = error(bench.ask(where, row=RowPart(row_id(100))))
    assert fault.code == "not-found"
    assert "has no vector in the field `clip`" in fault.message


def test_a_row_with_a_zero_vector_has_nothing_like_it(bench: Bench) -> None:
    where = bench.collection(metric="dot")
    bench.fill(where.collection, [Row(row_id(100), {"clip": np.zeros(8, np.float32)}, {"caption": "zero"})])
    assert error(bench.ask(where, row=RowPart(row_id(100)))).code == "damaged"


def test_rows_with_nan_are_null_in_json_and_warned_of(bench: Bench) -> None:
    where = bench.collection(metric="dot")
    poison = np.full(8, np.nan, np.float32)
    bench.fill(where.collection, [Row(row_id(100), {"clip": poison}, {"caption": "poison"})])
    answer = bench.ask(where, text=PHRASE, k=18)
    data = json.loads(json.dumps(answer.to_json(), allow_nan=False))
    bad = [h for h in data["hits"] if h["payload"]["caption"] == "poison"]
    if bad:
        assert bad[0]["score"] is None
        assert any("not numbers" in w for w in answer.warnings)
    fused = bench.ask(where, text=PHRASE, k=18, fuse="rrf")
    assert "poison" not in captions(fused, 1)
    cut = bench.ask(
        where, text=PHRASE, k=18, cutoff=-1e9 if answer.hits[0].score_kind == "similarity" else 1e9
    )
    assert "poison" not in captions(cut)


def test_a_row_is_looked_for_in_other_versions_of_its_collection(bench: Bench) -> None:
    new, old = bench.collection(), bench.collection("toy-b", "toy-b")
    answer = bench.ask(new, old, row=RowPart(row_id(0), new), k=3)
    assert answer.error is None
    assert row_id(0) not in {h.id for h in answer.hits}
    for where in (new, old):
        shared = [
            len(set(h.payload["caption"].split()) & set(PHRASES[0].split())) for h in answer.hits_of(where)
        ]
        assert shared == [2, 2, 2]


def test_a_row_of_another_collection_by_the_same_encoder_lends_its_vector(bench: Bench) -> None:
    new, other = bench.collection(), bench.collection(phrases=PHRASES[::-1])
    answer = bench.ask(other, row=RowPart(row_id(0), new), k=1)
    assert captions(answer) == [PHRASES[0]]


def test_a_row_of_another_encoder_lends_nothing(bench: Bench) -> None:
    new, other = bench.collection(), bench.collection("toy-b", "toy-b", phrases=PHRASES[::-1])
    fault = error(bench.ask(other, row=RowPart(row_id(0), new)))
    assert fault.code == "not-found"
    assert str(new) in fault.message


def test_text_longer_than_the_context_says_that_it_was_cut(bench: Bench) -> None:
    answer = bench.ask(bench.collection(), text="big red circle and then a great deal more")
    assert answer.hits
    assert any("longer than the 6 tokens that `toy-a` reads" in w for w in answer.warnings)


def test_hostile_payloads_pass_through_as_data(bench: Bench) -> None:
    hostile = {
        "caption": "<img src=http://evil.example/x.png onerror=alert(1)>",
        "link": "![x](http://evil.example/y.png)",
        "control": "a\u202eb\x1b[31mc",
        "big": "x" * 200_000,
    }
    where = bench.collection()
    vector = toy().of(["star", "square"])
    bench.fill(where.collection, [Row(row_id(100), {"clip": vector}, hostile)])
    hit = bench.ask(where, text="star square", k=1).hits[0]
    assert {k: hit.payload[k] for k in hostile} == hostile
    assert json.loads(json.dumps(hit.to_json()))["payload"]["big"] == hostile["big"]


def test_equal_scores_come_in_the_order_of_ids(bench: Bench) -> None:
    where = bench.collection(phrases=["red star"] * 12)
    answers = [bench.ask(where, text="red star", k=12) for _ in range(3)]
    assert len({tuple(h.id for h in a.hits) for a in answers}) == 1
    assert [h.id for h in answers[0].hits] == [row_id(i) for i in range(12)]


def test_an_empty_collection_is_said(bench: Bench) -> None:
    answer = bench.ask(bench.collection(phrases=[]), text=PHRASE)
    assert answer.error is None
    assert answer.hits == ()
    assert any("is empty" in w for w in answer.warnings)


def test_more_hits_than_rows_are_all_rows(bench: Bench) -> None:
    assert len(bench.ask(bench.collection(), text=PHRASE, k=10_000).hits) == 18


def test_a_shared_url_gives_the_same_answer_until_its_picture_is_gone(
    bench: Bench, pictures: Mapping[str, Path]
) -> None:
    upload = uploads.keep(bench.ws.home, pictures["red"].read_bytes())
    asked = QueryRequest((bench.collection(),), image=upload, k=4)
    one, other = (
        run(bench.ws, r, pool=bench.pool, mixes=bench.mixes) for r in (asked, from_url(asked.to_url()))
    )
    assert [(h.id, h.score) for h in one.hits] == [(h.id, h.score) for h in other.hits]
    (bench.ws.home / "uploads" / upload.sha256).unlink()
    with pytest.raises(PlumblineError, match="Upload it again"):
        run(bench.ws, asked, pool=bench.pool)


def test_what_is_no_picture_is_refused_for_the_whole_query(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"<svg onload=alert(1)>")
    with pytest.raises(PlumblineError) as fault:
        bench.ask(bench.collection(), image=tmp_path / "x.png")
    assert fault.value.code == "image-refused"
    with pytest.raises(PlumblineError) as fault:
        bench.ask(bench.collection(), image=tmp_path / "none.png")
    assert fault.value.code == "not-found"


def test_settings_name_the_fields(bench: Bench) -> None:
    where = bench.collection(extra={"sort": "drawn", "tag": "toy-b"}, tags=None)
    held = CollectionSettings(version_field="tag", modality_field="sort", text_field="sort")
    settings = replace(bench.ws.settings, collections={Address(where.connection, where.collection): held})
    with ToyWorkspace(settings) as ws:
        answer = run(ws, QueryRequest((where,), text=PHRASE, allow_mismatch=True), pool=bench.pool)
    hit = answer.hits[0]
    assert (hit.version, hit.modality, hit.caption) == ("toy-b", "drawn", "drawn")
    assert answer.sides[0].versions is not None
    assert answer.sides[0].versions.shares == {"toy-b": 1.0}


def test_huge_payloads_break_no_fusion(bench: Bench) -> None:
    where = bench.collection(extra={"blob": "x" * 400_000}, phrases=PHRASES * 3, payload=PAYLOAD[:3])
    answer = bench.ask(where, text=PHRASE, k=10, fuse="rrf")
    assert answer.error is None
    assert len(answer.hits) == 10
    assert all(len(h.payload["blob"]) == 400_000 for h in answer.hits)


def test_a_blend_that_mixes_nothing_says_so(bench: Bench) -> None:
    assert any(
        "--blend has no effect" in w for w in bench.ask(bench.collection(), text=PHRASE, blend=0.2).warnings
    )


def test_an_id_of_the_wrong_kind_is_an_error_with_a_name(bench: Bench) -> None:
    assert error(bench.ask(bench.collection(), row=RowPart(5))).code in ("not-found", "usage")


def test_many_queries_at_once_give_the_answers_of_one(bench: Bench) -> None:
    where = bench.collection()
    alone = {p: [h.id for h in bench.ask(where, text=p, k=3).hits] for p in PHRASES}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda p: (p, bench.ask(where, text=p, k=3)), PHRASES * 4))
    assert all(a.error is None for _, a in answers)
    assert {p: [h.id for h in a.hits] for p, a in answers} == alone


def test_settings_that_name_no_encoder_stop_only_what_needs_one(bench: Bench) -> None:
    where = bench.collection(tags=None)
    held = CollectionSettings(encoder="misspelt")
    settings = replace(bench.ws.settings, collections={where: held})
    with ToyWorkspace(settings) as ws:

        def ask(**kwargs: Any) -> QueryAnswer:
            return run(ws, QueryRequest((where,), **kwargs), pool=bench.pool)

        assert error(ask(text=PHRASE)).code == "encoder-unknown"
        assert "misspelt" in error(ask(text=PHRASE)).message
        assert captions(ask(text=PHRASE, encoder="toy-a"), 1) == [PHRASE]
        assert ask(row=RowPart(row_id(0))).error is None
        assert error(ask(text=PHRASE, encoder="nobody")).code == "encoder-unknown"
