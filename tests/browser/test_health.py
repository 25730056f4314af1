"""The page Health in a browser: real checks in processes of their own on the embedded store, and every state."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from connectors.spec import ConnectionSpec
from tests import console_server
from tests.browser.conftest import Visit, flawless
from tests.browser.test_accessible import violations
from tests.console_server import Console

SLOW = 120_000
THINGS = f"health?a={quote('here/things#v')}"
LARGE = f"health?a={quote('here/large#v')}"
STATES = {
    "empty": "alive/empty#clip",
    "running": "alive/huge#clip",
    "healthy": "alive/scenes-old#clip",
    "broken": "alive/scenes#clip",
}


def picture(number: int) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (24, 24), (number % 251, number // 251, 120)).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def rows(count: int, broken: bool) -> list[Row]:
    """Clustered vectors of length 1; where `broken`, those of camera-3 were never normalised."""
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 1, (24, 32))
    made: list[Row] = []
    for number in range(count):
        vector = centres[number % 24] + rng.normal(0, 0.5, 32)
        vector /= np.linalg.norm(vector)
        camera = f"camera-{number % 5}"
        if broken and camera == "camera-3":
            vector *= rng.uniform(4, 9)
        payload = {
            "image": picture(number),
            "source": camera,
            "embedding_version": "clip-1",
            "taken": f"2026-10-{1 + number * 28 // count:02}T10:00:00Z",
        }
        made.append(Row(number + 1, {"v": vector.astype(np.float32)}, payload))
    return made


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The console over an embedded store of two collections, and a server that does not answer."""
    from connectors.qdrant import host
    from connectors.qdrant.adapter import QdrantConnector

    folder = tmp_path_factory.mktemp("health")
    store = folder / "store"
    connector = QdrantConnector(ConnectionSpec("here", "qdrant", path=str(store), timeout=60.0))
    plan = CollectionPlan(
        (VectorField("v", dimension=32, metric="dot"),), (PayloadField("source", "keyword", indexed=True),)
    )
    for name, count in (("things", 1_500), ("large", 12_000)):
        connector.create(name, plan)
        made = rows(count, name == "things")
        for start in range(0, count, 2_000):
            connector.insert(Target(name), made[start : start + 2_000])
    connector.close()
    environ = {
        "PLUMBLINE_CONNECTIONS__HERE__KIND": "qdrant",
        "PLUMBLINE_CONNECTIONS__HERE__PATH": str(store),
        "PLUMBLINE_CONNECTIONS__GONE__KIND": "qdrant",
        "PLUMBLINE_CONNECTIONS__GONE__URL": "http://127.0.0.1:9",
    }
    running = console_server.start(folder / "home", folder, environ=environ)
    yield running
    running.stop()
    host.stop(store)
    assert running.spoke_to() == []


@pytest.fixture
def visit(page: Page, here: Console) -> Iterator[Visit]:
    yield from flawless(page, here, SLOW)


def begin(page: Page) -> float:
    """Click Check now; the seconds until the progress is there."""
    began = time.monotonic()
    page.get_by_role("button", name="Check now").click()
    page.locator(".st-key-health_running").wait_for()
    return time.monotonic() - began


def test_check_now_ends_in_the_cause_with_its_rows(visit: Visit) -> None:
    page = visit.open(THINGS)
    expect(page.get_by_text("Not checked yet")).to_be_visible()
    begin(page)
    expect(page.locator(".st-key-health_running")).to_be_hidden(timeout=SLOW)
    expect(page.locator(".st-key-health_verdict")).to_be_visible(timeout=10_000)
    expect(page.locator(".st-key-health_verdict")).to_contain_text("Broken")
    card = page.locator(".st-key-health_card_0")
    expect(card).to_contain_text("norm-drift")
    expect(card).to_contain_text('{"equals": {"field": "source", "value": "camera-3"}}')
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_text("Checked just now")).to_be_visible()
    assert page.locator("li.card").count() == 0
    card.get_by_role("button", name="Show some rows").click()
    expect(page.locator("li.card")).to_have_count(12, timeout=SLOW)
    expect(page.locator("li.card img").first).to_be_visible()
    assert str(page.locator("li.card img").first.get_attribute("src")).startswith("data:image/jpeg;base64,")
    with page.expect_download() as told:
        card.get_by_role("button", name="Export the affected rows").click()
    lines = Path(told.value.path()).read_text().splitlines()
    assert len(lines) == 301
    url = page.url
    page.goto("about:blank")
    page.goto(url)
    expect(page.locator(".st-key-health_card_0")).to_contain_text("norm-drift", timeout=SLOW)


def test_everybody_sees_the_running_check_a_reload_keeps_it_and_cancel_ends_it(
    visit: Visit, browser: Browser, here: Console
) -> None:
    page = visit.open(LARGE)
    begin(page)
    page.reload()
    expect(page.locator(".st-key-health_running")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("button", name="Check now")).to_be_disabled()
    context = browser.new_context()
    other = Visit(context.new_page(), here)
    theirs = other.open(LARGE)
    expect(theirs.locator(".st-key-health_running")).to_be_visible()
    began = time.monotonic()
    theirs.get_by_role("button", name="Cancel").click()
    expect(theirs.get_by_text(re.compile("The last check was cancelled"))).to_be_visible(timeout=SLOW)
    assert time.monotonic() - began < 20.0
    expect(page.get_by_text(re.compile("The last check was cancelled"))).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("button", name="Check now")).to_be_enabled()
    context.close()


def test_check_now_shows_progress_at_once(visit: Visit) -> None:
    """The best of a few: others may have this machine's processors for a moment."""
    page = visit.open(LARGE)
    spent: list[float] = []
    while len(spent) < 4 and min(spent, default=9.0) >= 2.0:
        spent.append(begin(page))
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".st-key-health_running")).to_be_hidden(timeout=SLOW)
        expect(page.get_by_role("button", name="Check now")).to_be_enabled()
    assert min(spent) < 10.0, f"{spent} s until the first progress"


def test_a_server_that_is_gone_is_an_error_with_what_to_do(visit: Visit, axe: str) -> None:
    page = visit.open(f"health?a={quote('gone/things')}")
    page.get_by_role("button", name="Check now").click()
    failed = page.locator(".st-key-health_failed")
    expect(failed).to_contain_text("unreachable", timeout=SLOW)
    page.wait_for_timeout(400)
    assert violations(page, axe) == []
    failed.get_by_role("button", name="Put this away").click()
    expect(failed).to_be_hidden()


def test_the_overview_leads_to_the_report(visit: Visit) -> None:
    page = visit.open(f"?collection={quote('here/things#v')}")
    page.get_by_role("button", name="Health").click()
    expect(page).to_have_url(re.compile("health"))


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(
    state: str, scheme: str, width: int, themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    seen = Visit(themed(scheme, width), stage)
    page = seen.open(f"health?a={quote(STATES[state])}")
    page.wait_for_timeout(700)
    assert violations(page, axe) == []
    assert seen.left == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["Options", "Evidence", "Show some rows", "Not measured (3)", "Accepted, not counted (1)"]
)
def test_axe_finds_nothing_in_what_opens(
    name: str, scheme: str, themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    seen = Visit(themed(scheme, 1280), stage)
    page = seen.open(f"health?a={quote(STATES['broken'])}")
    found: Any = page.get_by_role("button", name=name)
    (found if found.count() else page.get_by_text(name)).first.click()
    page.wait_for_timeout(900)
    assert violations(page, axe) == []


def test_hostile_reports_are_text_and_nothing_is_loaded_from_elsewhere(
    themed: Callable[[str, int], Page], stage: Console
) -> None:
    seen = Visit(themed("light", 1280), stage)
    page = seen.open(f"health?a={quote('alive/hostile#clip')}")
    expect(
        page.get_by_text(re.compile(r"all from !\[x\]\(http://evil.example/r.png\) <script>")).first
    ).to_be_visible()
    page.get_by_role("button", name="Show some rows").click()
    page.locator("li.card").first.wait_for()
    page.get_by_role("button", name="Evidence").click()
    page.wait_for_timeout(500)
    assert page.locator("[data-testid=stMain] a[href*='evil']").count() == 0
    assert page.locator("[data-testid=stMain] img[src*='evil']").count() == 0
    assert seen.left == []
    assert seen.broken == []
