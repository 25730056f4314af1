"""The pages without a browser: what they say, and what they never do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from connectors.errors import PlumblineError
from console.ui import serving, session
from tests.ui.pretend import Held, Pretend

App = Callable[..., AppTest]
Open = Callable[..., dict[str, Pretend]]


def texts(test: AppTest) -> str:
    """Everything that stands on the page as text."""
    kinds = (test.text, test.markdown, test.caption, test.code, test.header, test.subheader)
    return "\n".join(str(e.value) for kind in kinds for e in kind)


def test_without_connections_every_page_says_how_to_begin(app: App) -> None:
    for page in ("overview", "query", "compare", "golden", "connections"):
        test = app(page).run()
        assert not test.exception
        assert "plumbline demo" in texts(test)


def test_a_dead_server_shows_its_error_in_its_place_and_the_others_answer(app: App, pretend: Open) -> None:
    made = pretend("alive", "dead")
    made["alive"].held["things"] = Held()
    made["dead"].fault = PlumblineError("unreachable", "No answer.", where="dead", hint="Start it.")
    for page in ("overview", "connections"):
        test = app(page).run()
        assert not test.exception
        said = texts(test)
        assert "No answer." in said
        assert "unreachable  dead" in said
        assert "Start it." in said
    assert list(app("overview").run().dataframe[0].value["Collection"]) == ["things"]


def test_a_server_that_hangs_never_blocks_a_page(app: App, pretend: Open) -> None:
    made = pretend("alive", "stuck")
    made["alive"].held["things"] = Held()
    made["stuck"].hold = threading.Event()
    try:
        for page in ("overview", "query", "compare", "golden", "connections"):
            began = time.monotonic()
            test = app(page).run()
            assert not test.exception
            assert time.monotonic() - began < 5
        assert list(app("overview").run().dataframe[0].value["Collection"]) == ["things"]
    finally:
        made["stuck"].hold.set()


def test_500_collections_are_drawn_within_a_second_of_their_list(app: App, pretend: Open) -> None:
    made = pretend("large")
    made["large"].held = {f"collection-{i:03}": Held(count=i) for i in range(500)}
    app("overview").run()
    test = app("overview")
    began = time.process_time()
    test.run()
    spent = time.process_time() - began
    assert len(test.dataframe[0].value) == 500
    assert spent < 1.0


def test_looking_counts_and_scans_nothing(app: App, pretend: Open) -> None:
    made = pretend("alive")
    made["alive"].held["things"] = Held(rows=[(1, [1, 0, 0, 0], {})])
    for page in ("overview", "query", "compare", "golden", "connections"):
        assert not app(page).run().exception
    assert not {"facet", "search", "scan", "sample", "count"} & set(made["alive"].calls)


def test_a_hostile_name_is_shown_as_it_is_and_nowhere_as_markup(app: App, pretend: Open) -> None:
    name = "![x](http://evil.example/x.png)<script>"
    made = pretend("alive")
    made["alive"].held[name] = Held()
    test = app("overview").run()
    assert list(test.dataframe[0].value["Collection"]) == [name]
    marked_up = [*test.markdown, *test.caption, *test.header, *test.subheader, *test.metric]
    assert not any("evil.example" in str(e.value) for e in marked_up)


def test_bound_to_others_it_is_read_only_in_the_acting_function(
    app: App, pretend: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.settings import Address
    from console.ui import actions

    made = pretend("alive")
    made["alive"].held["things"] = Held()
    monkeypatch.setattr(serving.SERVING, "host", "0.0.0.0")
    for page in ("overview", "query", "connections"):
        assert "You can look and query" in texts(app(page).run())
    assert app("connections").run().button(key="connections.reread").disabled
    with pytest.raises(PlumblineError) as fault:
        actions.choose_encoder(Address("alive", "things", vector="clip"), "scenes-v2")
    assert fault.value.code == "read-only"
    with pytest.raises(PlumblineError) as fault:
        actions.reread_settings()
    assert fault.value.code == "read-only"


def test_a_collection_is_described_when_it_is_chosen(app: App, pretend: Open) -> None:
    made = pretend("alive")
    made["alive"].held["things"] = Held(rows=[(1, [1, 0, 0, 0], {})])
    test = app("overview", collection="alive/things").run()
    assert not test.exception
    assert "describe" in made["alive"].calls
    assert "No encoder is known for it" in texts(test)


def test_a_chosen_encoder_is_kept_and_shown(app: App, pretend: Open) -> None:
    made = pretend("alive")
    made["alive"].held["things"] = Held(rows=[(1, [1, 0, 0, 0], {})])
    test = app("overview", collection="alive/things").run()
    test.selectbox(key="details.encoder.alive/things#clip").select("scenes-v2").run()
    test.button(key="details.keep.alive/things#clip").click().run()
    assert not test.exception
    assert "Encoder: scenes-v2, known by chosen here." in texts(test)
    again = app("overview").run()
    assert list(again.dataframe[0].value["Encoder"]) == ["scenes-v2"]


def test_settings_are_read_again_without_a_restart(
    app: App, pretend: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend("alive")
    test = app("connections").run()
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__LATER__KIND", "qdrant")
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__LATER__URL", "http://127.0.0.1:1")
    test.button(key="connections.reread").click().run()
    assert "have changed" in texts(test)
    assert "later" in session.workspace().settings.connections
    assert "later" in texts(test)


def test_a_wrong_setting_keeps_the_old_ones_and_is_said(
    app: App, pretend: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend("alive")
    test = app("connections").run()
    monkeypatch.setenv("PLUMBLINE_CONNECTIONS__ALIVE__KIND", "quadrant")
    test.button(key="connections.reread").click().run()
    assert not test.exception
    assert "The settings stay as they were" in texts(test)
    assert "alive" in session.workspace().settings.connections


def test_somebody_else_s_entries_in_the_secrets_are_listed_and_their_values_are_not(
    app: App, tmp_path: Path
) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(
        '[connections.warehouse]\nurl = "sql://secret-value"\n'
    )
    said = texts(app("connections").run())
    assert "warehouse" in said
    assert "secret-value" not in said
