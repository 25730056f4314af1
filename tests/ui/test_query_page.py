"""The query page without a browser: its state, its links, what it asks for and when."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from connectors import filters
from connectors.errors import PlumblineError
from console.search import QueryRequest, RowPart, Upload
from console.settings import Address
from console.ui import query_answer, query_state
from tests.ui.pretend import Held, Pretend
from tests.ui.test_pages import App, Open, texts

names = some.text(some.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12)
addresses = some.builds(
    Address, some.just("alive"), names, some.none() | names, some.none() | names | some.just("")
)
uploads = some.text("0123456789abcdef", min_size=64, max_size=64).map(Upload)
requests = some.builds(
    QueryRequest,
    addresses=some.lists(addresses, max_size=3).map(tuple),
    text=some.none() | some.text(some.characters(blacklist_categories=("Cs",)), min_size=1).filter(str.strip),
    image=some.none() | uploads,
    row=some.none() | some.builds(RowPart, some.integers(0, 2**64 - 1), some.none() | addresses),
    vector=some.none() | uploads | some.just((0.5, -1.0, 0.25)),
    blend=some.floats(0, 1),
    fuse=some.sampled_from([None, "rrf", "weighted"]),
    legs=some.sampled_from([("vector",), ("keyword",), ("vector", "keyword"), ("keyword", "vector")]),
    weights=some.lists(some.floats(0, 10), max_size=3).map(tuple),
    encoder=some.none() | some.sampled_from(["scenes-v1", "scenes-v2"]),
    k=some.integers(1, 10_000),
    filter=some.none()
    | some.sampled_from(
        [
            filters.Equals("modality", "image"),
            filters.And((filters.Exists("a"), filters.Not(filters.Equals("b", 12)))),
            filters.Not(filters.And((filters.Exists("a"), filters.Exists("b")))),
            filters.Between("t", gte="2026-11-19T22:10:00Z", lt="2026-11-20T00:00:00Z"),
        ]
    ),
    exact=some.booleans(),
    cutoff=some.none() | some.floats(allow_nan=False, allow_infinity=False),
    allow_mismatch=some.booleans(),
)


@given(requests)
def test_the_widgets_hold_a_request_without_loss(request: QueryRequest) -> None:
    state: dict[str, object] = {}
    query_state.fill(state, request)
    assert query_state.request_of(state, {}) == request


def test_an_override_of_the_guard_does_not_outlive_its_query() -> None:
    state: dict[str, object] = {}
    query_state.fill(state, QueryRequest((Address("a", "b"),), text="one", allow_mismatch=True))
    assert query_state.request_of(state, {}).allow_mismatch
    state["q.k"] = 20
    assert query_state.request_of(state, {}).allow_mismatch
    state["q.text"] = "two"
    assert not query_state.request_of(state, {}).allow_mismatch


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [("q.cutoff", "high", "cutoff"), ("q.weights", "a, b", "weights"), ("q.row", "x", "--id")],
)
def test_what_can_t_be_read_is_named(key: str, value: str, where: str) -> None:
    state: dict[str, object] = {}
    query_state.fill(state, QueryRequest((Address("a", "b"),)))
    state[key] = value
    with pytest.raises(PlumblineError) as fault:
        query_state.request_of(state, {})
    assert fault.value.code == "usage"
    assert where in fault.value.where


VECTOR = "AACAPwAAAAAAAAAAAAAAAA"


@pytest.fixture
def things(pretend: Open) -> Pretend:
    made = pretend("alive")["alive"]
    made.held["things"] = Held(
        rows=[(i, [1.0, i / 10, 0.0, 0.0], {"n": i, "caption": f"thing {i}"}) for i in range(20)]
    )
    return made


def link(test: AppTest, name: str) -> str | None:
    """One field of the page's URL."""
    value = test.query_params.get(name)
    return value if value is None or isinstance(value, str) else value[-1]


def searches(made: Pretend) -> int:
    return made.calls.count("search")


def test_a_link_is_answered_and_a_reload_asks_again(app: App, things: Pretend) -> None:
    for expected in (1, 2):
        test = app("query", a="alive/things", vector=VECTOR).run()
        assert not test.exception
        assert searches(things) == expected
        assert link(test, "a") == "alive/things"
        assert link(test, "vector") == VECTOR


def test_a_rerun_of_the_same_query_asks_nothing_and_the_button_asks_again(app: App, things: Pretend) -> None:
    test = app("query", a="alive/things", vector=VECTOR).run()
    test.run()
    assert searches(things) == 1
    test.button(key="q.search").click().run()
    assert searches(things) == 2


def test_what_is_changed_in_the_form_stands_in_the_link(app: App, things: Pretend) -> None:
    test = app("query", a="alive/things", vector=VECTOR).run()
    test.number_input(key="q.k").set_value(3).run()
    assert link(test, "k") == "3"
    test.toggle(key="q.exact").set_value(True).run()
    assert link(test, "exact") == "1"
    test.text_input(key="q.cutoff").set_value("0.5").run()
    assert link(test, "cutoff") == "0.5"
    assert not test.exception


def test_a_cutoff_that_removes_every_row_says_so(app: App, things: Pretend) -> None:
    test = app("query", a="alive/things", vector=VECTOR, cutoff="2").run()
    assert "Nothing was found" in texts(test)
    assert "cutoff of 2" in texts(test)


def test_a_wrong_dimension_is_said_before_the_server_sees_it(app: App, things: Pretend) -> None:
    test = app("query", a="alive/things", vector="AACAPw").run()
    assert "The dimensions do not fit" in texts(test)
    assert searches(things) == 0


def test_an_upload_that_is_gone_is_asked_for_again(app: App, things: Pretend) -> None:
    test = app("query", a="alive/things", image="upload:" + "0" * 64, encoder="scenes-v2").run()
    assert not test.exception
    assert "Upload it again." in texts(test)


def test_an_unknown_connection_in_a_link_is_said(app: App, things: Pretend) -> None:
    test = app("query", a="nowhere/things", vector=VECTOR).run()
    assert not test.exception
    assert "There is no connection" in texts(test)


def test_the_first_visit_chooses_a_collection_and_asks_nothing(app: App, things: Pretend) -> None:
    test = app("query").run()
    assert test.multiselect(key="q.addresses").value == ["alive/things"]
    assert searches(things) == 0
    assert "Ask in words" in texts(test)


def test_the_first_visit_passes_over_collections_without_rows(app: App, things: Pretend) -> None:
    things.held["a-first-one"] = Held()
    test = app("query").run()
    assert test.multiselect(key="q.addresses").value == ["alive/things"]


def test_the_first_visit_waits_for_the_demo_rather_than_choose_what_was_quicker(
    app: App, pretend: Open
) -> None:
    made = pretend("alive", "demo")
    made["alive"].held["things"] = Held(rows=[(1, [1.0, 0.0, 0.0, 0.0], {})])
    made["demo"].held["scenes"] = Held(rows=[(1, [1.0, 0.0, 0.0, 0.0], {})])
    made["demo"].hold = threading.Event()
    starting = threading.Timer(1.2, made["demo"].hold.set)
    starting.start()
    test = app("query").run()
    starting.join()
    assert test.multiselect(key="q.addresses").value == ["demo/scenes"]


def test_the_answer_says_which_way_its_scores_go(
    app: App, things: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []
    monkeypatch.setattr(query_answer, "note", lambda lines, key: noted.extend(lines))
    app("query", a="alive/things", vector=VECTOR).run()
    assert noted[0].startswith("10 results, cosine similarity by the index;")


def test_a_picture_is_kept_by_its_hash_and_stands_in_the_link(app: App, things: Pretend) -> None:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    test = app("query", a="alive/things").run()
    test.file_uploader(key="q.upload.0").upload("red.png", out.getvalue(), "image/png").run()
    assert not test.exception
    assert str(link(test, "image")).startswith("upload:")
    test.button(key="q.no_image").click().run()
    assert "image" not in test.query_params


def test_a_file_that_is_no_picture_is_refused(app: App, things: Pretend) -> None:
    test = app("query", a="alive/things").run()
    test.file_uploader(key="q.upload.0").upload("red.png", b"not a picture", "image/png").run()
    assert "The picture was refused" in texts(test)
    assert "image" not in test.query_params
