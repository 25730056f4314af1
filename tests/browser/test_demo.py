"""The demo in a browser: what a stranger does first, against the real store and the real encoders."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests import console_server
from tests.browser.conftest import Visit, flawless
from tests.console_server import ROOT, Console

CARDS = "li.card"
IMAGES = quote('{"equals":{"field":"modality","value":"image"}}')
SLOW = 120_000
"""Milliseconds that the first query may take: it loads torch and an encoder."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("demo")
    home = folder / "home"
    subprocess.run(
        [sys.executable, "-m", "plumbline", "demo", "--no-serve", "--quiet"],
        check=True,
        cwd=folder,
        env={**os.environ, "PLUMBLINE_HOME": str(home), "PYTHONPATH": str(ROOT / "deploy")},
    )
    running = console_server.start(home, folder)
    yield running
    running.stop()
    assert running.spoke_to() == []


@pytest.fixture
def visit(page: Page, demo: Console) -> Iterator[Visit]:
    yield from flawless(page, demo, SLOW)


def pictures(page: Page) -> list[str]:
    return [str(e.get_attribute("src")) for e in page.locator(f"{CARDS} img").all()]


def test_the_overview_shows_the_three_collections_and_loads_no_model(visit: Visit) -> None:
    page = visit.open()
    expect(page.get_by_role("heading", name="3 collections, 18,000 rows")).to_be_visible()
    page.get_by_role("link", name="Query").click()
    expect(page.get_by_text(re.compile("not loaded yet; the first query loads it"))).to_be_visible()


def test_a_stranger_asks_in_words_and_sees_pictures(visit: Visit) -> None:
    page = visit.open("query")
    page.get_by_label("Search in words").fill("a red circle")
    page.keyboard.press("Enter")
    expect(page.locator(CARDS)).to_have_count(10, timeout=SLOW)
    shown = pictures(page)
    assert len(shown) == 10
    assert all(s.startswith("data:image/jpeg;base64,") for s in shown)
    expect(page.get_by_text(re.compile(r"encoder scenes-v2, fingerprint [0-9a-f]{12}"))).to_be_visible()
    assert "text=a+red+circle" in page.url
    url = page.url
    ids = page.locator(CARDS).all_inner_texts()
    page.goto("about:blank")
    page.goto(url)
    expect(page.locator(CARDS)).to_have_count(10, timeout=SLOW)
    assert page.locator(CARDS).all_inner_texts() == ids


def test_a_picture_is_searched_with_and_survives_a_reload(visit: Visit, demo: Console) -> None:
    page = visit.open(f"query?a=demo/scenes&k=5&filter={IMAGES}")
    home = Path(demo.record.parent / "home")
    picture = sorted((home / "demo" / "images").glob("*.jpg"))[3]
    page.get_by_role("button", name="Picture").click()
    page.locator("input[type=file]").first.set_input_files(picture)
    page.wait_for_url(re.compile("image=upload"))
    expect(page.locator(CARDS)).to_have_count(5, timeout=SLOW)
    first = float(page.locator(f"{CARDS} .score").first.inner_text())
    assert first > 0.97
    page.reload()
    expect(page.locator(CARDS)).to_have_count(5, timeout=SLOW)
    expect(page.get_by_role("button", name="Remove the picture")).to_be_visible()


def test_the_guard_names_both_encoders_and_can_be_overridden_for_one_query(visit: Visit) -> None:
    page = visit.open(f"query?a=demo/scenes-old&text=a+red+circle&encoder=scenes-v2&k=6&filter={IMAGES}")
    expect(page.get_by_text("The vectors are another encoder's")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text(re.compile("scenes-v1.*scenes-v2")).first).to_be_visible()
    expect(page.locator(CARDS)).to_have_count(0)
    page.get_by_role("button", name="Search all the same, for this query").click()
    page.wait_for_url(re.compile("allow_mismatch=1"))
    expect(page.locator(CARDS)).to_have_count(6, timeout=SLOW)
    expect(page.get_by_text("Beware")).to_be_visible()
    page.get_by_label("Search in words").fill("a blue square")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The vectors are another encoder's")).to_be_visible(timeout=SLOW)
    assert "allow_mismatch" not in page.url


def test_old_and_new_stand_side_by_side_each_with_its_own_encoder(visit: Visit) -> None:
    page = visit.open(f"query?a=demo/scenes&a=demo/scenes-old&text=a+green+star&k=4&filter={IMAGES}")
    expect(page.locator(CARDS)).to_have_count(8, timeout=SLOW)
    expect(page.get_by_text(re.compile("encoder scenes-v1, fingerprint"))).to_be_visible()
    expect(page.get_by_text(re.compile("encoder scenes-v2, fingerprint"))).to_be_visible()
