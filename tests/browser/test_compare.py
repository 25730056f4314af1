"""The page Compare in a browser: a real comparison in a process of its own, stored ones, links, and every state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from connectors.spec import ConnectionSpec
from tests import console_server
from tests.browser.conftest import Visit, at_rest, flawless
from tests.browser.test_accessible import violations
from tests.browser.test_health import picture
from tests.console_server import Console

SLOW = 120_000
PAIR = f"compare?l={quote('alive/scenes-old#clip')}&r={quote('alive/scenes#clip')}"
HOSTILE = f"compare?l={quote('alive/hostile#clip')}&r=encoder:scenes-v1"
STATES = {
    "result": f"{PAIR}&open=0",
    "older": "compare?comparison=c00000000001",
    "nothing": f"compare?l={quote('alive/scenes#clip')}&r={quote('alive/empty#clip')}",
    "running": f"compare?l={quote('alive/huge#clip')}&r={quote('alive/empty#clip')}",
    "hostile": f"{HOSTILE}&open=0",
    "gone": f"{PAIR}&comparison=c99999999999",
}
REAL = f"compare?l={quote('here/old')}&r={quote('here/new')}&n=60"
GOLDEN = f"golden?set=shop&part=evaluation&a={quote('alive/scenes#clip')}&b={quote('alive/scenes-old#clip')}"
MOVED = 40
"""Rows of the new collection that were shuffled."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The console over an embedded store: a collection, its copy turned in space with some rows shuffled, and two
    that share no row with it."""
    from connectors.qdrant import host
    from connectors.qdrant.adapter import QdrantConnector

    folder = tmp_path_factory.mktemp("compare")
    store = folder / "store"
    rng = np.random.default_rng(5)
    old = rng.normal(0, 1, (24, 24))[np.arange(400) % 24] + rng.normal(0, 0.7, (400, 24))
    old /= np.linalg.norm(old, axis=1, keepdims=True)
    turn = np.linalg.qr(rng.normal(0, 1, (24, 24)))[0]
    new = old @ turn
    new[:MOVED] = new[rng.permutation(MOVED)]
    connector = QdrantConnector(ConnectionSpec("here", "qdrant", path=str(store), timeout=60.0))
    plan = CollectionPlan(
        (VectorField("v", dimension=24, metric="cosine"),), (PayloadField("kind", "keyword", indexed=True),)
    )
    for name, matrix, start in (("old", old, 1), ("new", new, 1), ("other", old, 10_001)):
        connector.create(name, plan)
        rows = [
            Row(
                start + n,
                {"v": v.astype(np.float32)},
                {"image": picture(n), "caption": f"thing {n}", "kind": "ab"[n % 2]},
            )
            for n, v in enumerate(matrix)
        ]
        connector.insert(Target(name), rows)
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
def real(page: Page, here: Console) -> Iterator[Visit]:
    yield from flawless(page, here, SLOW)


def compared(page: Page) -> None:
    """Press Compare now and wait for what comes of it."""
    before = page.url
    page.get_by_role("button", name="Compare now").click()
    page.wait_for_url(lambda url: "comparison=c" in url and url != before, timeout=SLOW)
    expect(page.locator(".st-key-compare_running")).to_be_hidden()


def test_compare_now_ends_in_what_changed_with_pictures_and_the_link_opens_it_again(real: Visit) -> None:
    page = real.open(REAL)
    # Compared already where this is the second try.
    expect(
        page.get_by_text(re.compile("^(Not compared yet|Compared .* ago|Compared just now)"))
    ).to_be_visible()
    real.settle()
    compared(page)
    verdict = page.locator(".st-key-compare_verdict")
    expect(verdict).to_contain_text("neighbours stay", timeout=10_000)
    assert page.locator("li.card").count() == 0
    queries = page.locator("button.query")
    expect(queries).to_have_count(10)
    queries.first.click()
    expect(page.locator("section[aria-label=Old] li.card img")).to_have_count(10)
    expect(page.locator("section[aria-label=New] li.card img")).to_have_count(10)
    assert page.locator("li.card.lost").count() == page.locator("li.card.gained").count() > 0
    uri = str(page.locator("li.card img").first.get_attribute("src"))
    assert uri.startswith("data:image/jpeg;base64,")
    expect(page).to_have_url(re.compile("open=0"))
    expect(queries.first).to_be_focused()
    drawn = page.locator("li.card").all_inner_texts()
    url = page.url
    page.goto("about:blank")
    page.goto(url)
    expect(page.locator("li.card img")).to_have_count(20, timeout=SLOW)
    assert page.locator("li.card").all_inner_texts() == drawn
    page.locator("li.card").first.get_by_role("button").click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("thing")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(page.locator("li.card").first.get_by_role("button")).to_be_focused()
    page.get_by_role("button", name="Ask this on the page Query").click()
    expect(page).to_have_url(re.compile("query"))
    expect(page.locator("ul.grid")).to_have_count(2)
    page.go_back()
    expect(page.locator("li.card img")).to_have_count(20, timeout=SLOW)
    page.wait_for_timeout(500)
    expect(page).to_have_url(url)


def test_what_is_filled_in_stays_unfolded(visit: Visit) -> None:
    page = visit.open(PAIR)
    page.get_by_role("button", name="Options").click()
    page.get_by_text("More", exact=True).click()
    field = page.get_by_label("Seed", exact=True)
    field.fill("9")
    field.press("Enter")
    expect(page.get_by_text("Set under “More”: seed.")).to_be_visible()
    expect(field).to_be_visible()
    page.get_by_text("Only these rows count", exact=True).click()
    page.get_by_text("As JSON", exact=True).first.click()
    written = page.get_by_label("Filter as JSON")
    written.fill('{"equals":{"field":"modality","value":"image"}}')
    written.press("Control+Enter")
    expect(page.get_by_text("“Only these rows count” is on.")).to_be_visible()
    expect(written).to_be_visible()
    expect(field).to_be_visible()


def test_what_is_typed_and_compared_at_once_is_what_is_asked(real: Visit) -> None:
    page = real.open(f"compare?l={quote('here/old')}&r={quote('here/new')}")
    page.get_by_role("button", name="Options").click()
    field = page.get_by_label("Queries", exact=True)
    field.fill("37")
    # Nothing between the typing and the click: the one ends with the other.
    page.get_by_role("button", name="Compare now").click()
    verdict = page.locator(".st-key-compare_verdict")
    expect(verdict).to_contain_text("neighbours stay", timeout=SLOW)
    expect(page.get_by_text("37 queries drawn from the rows")).to_be_visible()
    expect(page.get_by_text("Asked otherwise")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"n=37.*comparison=c"))
    real.settle()
    field = page.get_by_label("Translate a cutoff in the old score")
    field.fill("0.91")
    page.get_by_role("button", name="Compare again with this cutoff").click()
    expect(page).to_have_url(re.compile(r"n=37&t=0\.91&comparison=c"), timeout=SLOW)
    expect(page.get_by_text(re.compile(r"^0\.9100 in the old .* accepts"))).to_be_visible()


def test_going_back_to_what_was_asked_holds_though_the_options_were_open(visit: Visit) -> None:
    page = visit.open(PAIR)
    page.get_by_role("button", name="Options").click()
    field = page.get_by_label("Neighbours of each", exact=True)
    field.fill("7")
    page.get_by_role("heading", name=re.compile("neighbours stay")).click()
    differs = page.locator(".st-key-compare_differs")
    expect(differs).to_contain_text("neighbours of each 7 instead of 10")
    page.get_by_role("button", name="Back to what was asked").click()
    expect(differs).to_have_count(0)
    # What is drawn below may still be of the run before, and would write over what is typed.
    visit.settle()
    page.get_by_role("button", name=re.compile("next", re.IGNORECASE)).first.click()
    expect(page).to_have_url(re.compile("p=2"))
    visit.settle()
    page.get_by_label("Translate a cutoff in the old score").fill("0.7")
    page.get_by_label("Translate a cutoff in the old score").press("Enter")
    expect(page).to_have_url(re.compile(r"cutoff=0\.7"))
    expect(differs).to_have_count(0)
    expect(page).not_to_have_url(re.compile("k=7"))


def test_everybody_sees_the_run_a_reload_keeps_it_and_what_it_found_is_listed(
    real: Visit, browser: Browser, here: Console
) -> None:
    page = real.open(f"compare?l={quote('here/new')}&r={quote('here/old')}&n=300")
    page.get_by_role("button", name="Compare now").click()
    page.locator(".st-key-compare_running").wait_for()
    context = browser.new_context()
    other = Visit(context.new_page(), here)
    theirs = other.open(f"compare?l={quote('here/new')}&r={quote('here/old')}")
    page.reload()
    for seen in (page, theirs):
        expect(seen.locator(".st-key-compare_verdict")).to_contain_text("neighbours stay", timeout=SLOW)
    with page.expect_download() as told:
        page.get_by_role("button", name="Markdown").click()
    assert "here/new" in Path(told.value.path()).read_text()
    for name in ("JSON", "HTML"):
        with page.expect_download() as told:
            page.get_by_role("button", name=name, exact=True).click()
        assert Path(told.value.path()).stat().st_size > 2_000
    context.close()


def test_sides_without_a_common_row_are_an_error_with_what_to_do(real: Visit, axe: str) -> None:
    page = real.open(f"compare?l={quote('here/old')}&r={quote('here/other')}")
    page.get_by_role("button", name="Compare now").click()
    failed = page.locator(".st-key-compare_failed")
    expect(failed).to_contain_text("usage", timeout=SLOW)
    page.wait_for_timeout(400)
    assert violations(page, axe) == []
    failed.get_by_role("button", name="Put this away").click()
    expect(failed).to_be_hidden()


def test_a_server_that_is_gone_is_an_error_in_its_place(real: Visit) -> None:
    page = real.open(f"compare?l={quote('here/old')}&r={quote('gone/things')}")
    page.get_by_role("button", name="Compare now").click()
    expect(page.locator(".st-key-compare_failed")).to_contain_text("unreachable", timeout=SLOW)


def test_an_older_comparison_opens_from_the_list_and_the_newest_again(visit: Visit) -> None:
    page = visit.open(STATES["older"])
    expect(page.get_by_text("A stored comparison")).to_be_visible()
    page.get_by_role("button", name="Show the newest").click()
    expect(page.get_by_text("A stored comparison")).to_have_count(0)
    expect(page.locator(".st-key-compare_verdict")).to_contain_text("Better")


def rows_of(page: Page) -> Locator:
    return page.locator("[class*=st-key-compare-history]")


def tick(visit: Visit, table: Locator, row: int) -> None:
    """Choose a row (1 is the first) of a table on canvas, which takes only a click at a place: when it rests there."""
    for _ in range(5):
        visit.settle()
        table.scroll_into_view_if_needed()
        kind = table.get_attribute("class")
        box = at_rest(table.locator("canvas").first)
        # Ticks stand at the left, below a row of names.
        visit.page.mouse.click(box["x"] + 20, box["y"] + 35 * row + 17)
        ticked = table.locator(f"tr[aria-rowindex='{row + 1}'][aria-selected=true]")
        for _ in range(30):
            if ticked.count() or table.get_attribute("class") != kind:
                return
            visit.page.wait_for_timeout(100)
    raise AssertionError(f"row {row} was never ticked")


def test_the_list_opens_one_and_again_after_the_newest_was_shown(visit: Visit) -> None:
    page = visit.open(PAIR)
    expect(page).to_have_url(re.compile("comparison=c00000000002"))
    for _ in range(2):
        # The third row is the older one of the pair.
        tick(visit, rows_of(page), 3)
        expect(page.get_by_text("A stored comparison")).to_be_visible()
        expect(page).to_have_url(re.compile("comparison=c00000000001"))
        page.get_by_role("button", name="Show the newest").click()
        expect(page.get_by_text("A stored comparison")).to_have_count(0)
        expect(page).to_have_url(re.compile("comparison=c00000000002"))


def test_no_figure_is_cut_on_a_telephone(themed: Callable[[str, int], Page], stage: Console) -> None:
    for path in (PAIR, "compare?comparison=c00000000001", GOLDEN):
        page = Visit(themed("light", 390), stage).open(path)
        page.wait_for_timeout(500)
        cut = page.eval_on_selector_all(
            "[data-testid=stMetric] *", "all => all.filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0"
            " && getComputedStyle(e).overflow === 'hidden').map(e => e.textContent)",
        )  # fmt: skip
        assert cut == []


def test_queries_are_paged_and_reached_by_keyboard(visit: Visit) -> None:
    page = visit.open(PAIR)
    expect(page.get_by_text("1 to 10 of 40 queries")).to_be_visible()
    page.get_by_role("button", name=re.compile("next", re.IGNORECASE)).first.click()
    expect(page.get_by_text("11 to 20 of 40 queries")).to_be_visible()
    expect(page).to_have_url(re.compile("p=2"))
    query = page.locator("button.query").nth(1)
    query.focus()
    page.keyboard.press("Enter")
    expect(query).to_have_attribute("aria-expanded", "true")
    expect(query).to_be_focused()
    page.keyboard.press("Enter")
    expect(query).to_have_attribute("aria-expanded", "false")
    expect(page.locator("li.card")).to_have_count(0)


def test_another_cutoff_is_read_from_the_curve_and_stands_in_the_link(visit: Visit) -> None:
    page = visit.open(PAIR)
    field = page.get_by_label("Translate a cutoff in the old score")
    field.fill("0.7")
    field.press("Enter")
    expect(
        page.get_by_text(re.compile(r"0\.7000 becomes 0\.2000 .*, by equal acceptance over the first hit"))
    ).to_be_visible()
    expect(page).to_have_url(re.compile(r"cutoff=0\.7"))
    field.fill("0.1")
    field.press("Enter")
    expect(page.get_by_text("any cutoff looser than 0.5000 rejects next to nothing")).to_be_visible()
    field.fill("0.999")
    field.press("Enter")
    expect(page.get_by_text("fewer than 100 queries pass it")).to_be_visible()


def test_hostile_comparisons_are_text_and_nothing_is_loaded_from_elsewhere(visit: Visit) -> None:
    page = visit.open(STATES["hostile"])
    page.locator("li.card").first.wait_for()
    page.get_by_text("Measures for those who look deeper").click()
    page.wait_for_timeout(500)
    assert page.locator("[data-testid=stMain] a[href*='evil']").count() == 0
    assert page.locator("[data-testid=stMain] img[src*='evil']").count() == 0
    assert visit.blocked == []


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(
    state: str, scheme: str, width: int, themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    seen = Visit(themed(scheme, width), stage)
    page = seen.open(STATES[state])
    page.wait_for_timeout(900)
    assert violations(page, axe) == []
    assert seen.left == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["Options", "Measures for those who look deeper", "Not measured (2)", "As a command"]
)
def test_axe_finds_nothing_in_what_opens(
    name: str, scheme: str, themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    seen = Visit(themed(scheme, 1280), stage)
    page = seen.open("compare?comparison=c00000000001")
    found = page.get_by_role("button", name=name)
    (found if found.count() else page.get_by_text(name)).first.click()
    page.wait_for_timeout(900)
    assert violations(page, axe) == []
