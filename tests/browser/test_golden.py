"""The page Golden in a browser, over pretended connections: judging by hand, blind, by thumbs; and every state."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, at_rest
from tests.browser.test_accessible import violations
from tests.console_server import Console

A, B = quote("alive/scenes#clip"), quote("alive/scenes-old#clip")
STATES = {
    "queries": f"golden?set=shop&q=q2&a={A}&b={B}",
    "rules": f"golden?set=shop&q=q1&a={A}",
    "hostile": f"golden?set=shop&q=q4&a={A}",
    "version": f"golden?set=shop&v=1&q=q2&a={A}",
    "blind": f"golden?set=shop&part=blind&q=q2&a={A}&b={B}",
    "evaluation": f"golden?set=shop&part=evaluation&a={A}&b={B}",
    "files": f"golden?set=shop&part=files&a={A}",
    "gone": f"golden?set=nowhere&a={A}",
    "dead": f"golden?set=shop&q=q2&a={quote('dead/things')}",
}


def choose(page: Page, name: str) -> None:
    """Choose the golden set that thumbs judge for."""
    field = page.get_by_role("combobox", name="Thumbs judge for")
    field.click()
    field.fill(name)
    field.press("Enter")


def test_a_grade_is_kept_at_once_and_again_takes_it_back(visit: Visit) -> None:
    page = visit.open(f"golden?set=shop&q=q3&a={A}")
    expect(page.get_by_text("No row is judged for this query yet.")).to_be_visible()
    page = visit.open(f"golden?set=shop&q=q2&a={A}")
    cards = page.locator("li.card")
    expect(cards.first.locator("img")).to_be_visible()
    before = cards.count()
    last = cards.nth(before - 1).get_by_role("button", name=re.compile("^3,"))
    last.click()
    expect(cards.first.get_by_role("button", name=re.compile("^3,"))).to_have_attribute(
        "aria-pressed", "true"
    )
    page.reload()
    visit.settle()
    first = page.locator("li.card").first.get_by_role("button", name=re.compile("^3,"))
    expect(first).to_have_attribute("aria-pressed", "true")
    first.click()
    expect(page.locator("li.card")).to_have_count(before - 1)


def test_results_are_searched_when_asked_for_and_judged(visit: Visit) -> None:
    page = visit.open(f"golden?set=shop&q=q2&a={A}")
    page.get_by_role("button", name="Search now, and judge what comes").click()
    results = page.locator("ul[aria-label^='Results to judge'] li.card")
    expect(results).to_have_count(12)
    button = results.nth(3).get_by_role("button", name=re.compile("^1,"))
    button.click()
    expect(results.nth(3).get_by_role("button", name=re.compile("^1,"))).to_have_attribute(
        "aria-pressed", "true"
    )


def test_blind_judging_tells_which_system_is_which_only_at_the_end(visit: Visit) -> None:
    page = visit.open(STATES["blind"])
    lists = page.locator("ul[aria-label^='Rows of system']")
    expect(lists).to_have_count(2)
    main = page.locator("[data-testid=stMain]")
    expect(main).to_contain_text(re.compile(r"\d+ rows? ha(s|ve) no grade yet"))
    expect(page.locator(".st-key-golden_revealed")).to_have_count(0)
    drawn = page.locator("ul[aria-label^='Rows of system'] li.card")
    assert not any("scenes-v" in text or "alive/" in text for text in drawn.all_inner_texts())
    for _ in range(30):
        left = page.locator("ul[aria-label^='Rows of system'] li.card:not(.good):not(.bad)")
        count = left.count()
        if not count:
            break
        left.first.get_by_role("button", name=re.compile("^0,")).click()
        expect(left).not_to_have_count(count)
    revealed = page.locator(".st-key-golden_revealed")
    expect(revealed).to_contain_text("alive/scenes-old")
    expect(revealed).to_contain_text("System B is")


def test_thumbs_on_results_go_into_the_chosen_set(visit: Visit) -> None:
    page = visit.open("query?a=alive/scenes&id=0&k=5")
    expect(page.locator("li.card")).to_have_count(5)
    expect(page.get_by_role("button", name=re.compile("^Relevant:"))).to_have_count(0)
    choose(page, "shop")
    up = page.get_by_role("button", name=re.compile("^Relevant: Rank 3"))
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    expect(up).to_be_focused()
    down = page.get_by_role("button", name=re.compile("^Not relevant: Rank 3"))
    down.click()
    expect(down).to_have_attribute("aria-pressed", "true")
    expect(up).to_have_attribute("aria-pressed", "false")
    page.get_by_role("link", name="Golden").click()
    expect(page.get_by_text(re.compile("5 queries, "))).to_be_visible()


def test_a_set_is_exported_and_imported_under_another_name(visit: Visit, tmp_path: Path) -> None:
    page = visit.open(STATES["files"])
    page.get_by_label("Format").first.click()
    page.get_by_role("option", name="JSON Lines, with pictures").click()
    with page.expect_download() as told:
        page.get_by_role("button", name=re.compile("as JSON Lines")).click()
    kept = tmp_path / "other.jsonl"
    told.value.save_as(kept)
    page.get_by_role("button", name="New set").click()
    page.get_by_label("Name", exact=True).fill("other")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Make this set").click()
    expect(page.get_by_text("No query yet")).to_be_visible()
    expect(page.get_by_role("button", name="Make this set")).to_be_hidden()
    page.get_by_text("Versions and files").click()
    page.locator("input[type=file]").last.set_input_files(kept)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text(re.compile("queries and .* judgements were read"))).to_be_visible()
    page.get_by_role("button", name="Remove this set").click()
    page.get_by_label("Type its name to remove it").fill("other")
    # Nothing between the typing and the click: the one ends with the other.
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("were read")).to_have_count(0)


def test_a_refused_query_leaves_its_form_open_and_what_was_typed_in_it(visit: Visit) -> None:
    page = visit.open(STATES["queries"])
    page.get_by_role("button", name="Add a query").click()
    field = page.get_by_label("Words", exact=True)
    field.fill("a text that is new")
    page.get_by_label("Counted under", exact=True).fill("no value")
    # Nothing between the typing and the click: the one ends with the other.
    page.get_by_role("button", name="Add this query").click()
    expect(page.get_by_text("The query was not added")).to_be_visible()
    expect(field).to_have_value("a text that is new")
    page.get_by_label("Counted under", exact=True).fill("language = de")
    page.get_by_role("button", name="Add this query").click()
    expect(page.get_by_text("The query was not added")).to_have_count(0)
    expect(page.locator(".st-key-golden_query")).to_contain_text("a text that is new")
    expect(page.get_by_label("Words", exact=True)).to_have_value("")


def test_a_rule_is_typed_and_added_by_one_click(visit: Visit) -> None:
    page = visit.open(f"golden?set=shop&q=q3&a={A}")
    page.get_by_text(re.compile("Rules and smoke items")).click()
    opener = page.get_by_role("button", name="Add a rule")
    at_rest(opener)
    opener.click()
    page.get_by_role("button", name="Add a condition").click()
    field = page.get_by_role("combobox", name="Field")
    field.click()
    field.fill("kind")
    field.press("Enter")
    page.get_by_label("Value", exact=True).fill("lamp")
    page.get_by_role("button", name="Add a condition").click()
    expect(page.get_by_label("Value", exact=True)).to_have_count(2)
    expect(page.get_by_label("Value", exact=True).first).to_have_value("lamp")
    page.get_by_role("button", name="Remove", exact=True).last.click()
    expect(page.get_by_label("Value", exact=True)).to_have_count(1)
    page.get_by_label("Value", exact=True).fill("chair")
    page.get_by_role("button", name="Add this rule").click()
    expect(page.get_by_text(re.compile("Grade 1$"))).to_be_visible()
    expect(page.locator(".st-key-golden_query")).to_contain_text("chair")


def test_a_ticked_row_opens_its_query_and_the_open_one_is_ticked(visit: Visit) -> None:
    page = visit.open(STATES["queries"])
    table = page.get_by_test_id("stDataFrame").first
    ticked = table.locator("[role=row][aria-selected=true]")
    expect(ticked).to_have_attribute("aria-rowindex", "3")
    table.click(position={"x": 18, "y": 36 + 18})
    expect(page).to_have_url(re.compile("q=q1"))
    expect(ticked).to_have_attribute("aria-rowindex", "2")


def test_hostile_queries_stay_text_and_fetch_nothing(visit: Visit) -> None:
    for state in ("hostile", "evaluation", "queries"):
        page = visit.open(STATES[state])
        page.wait_for_timeout(300)
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
    page.wait_for_timeout(700)
    assert violations(page, axe) == []
    assert seen.left == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_thumbs(
    scheme: str, themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    seen = Visit(themed(scheme, 1280), stage)
    page = seen.open("query?a=alive/scenes&id=2&k=5")
    choose(page, "shop")
    up = page.get_by_role("button", name=re.compile("^Relevant: Rank 2"))
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(500)
    assert violations(page, axe) == []


@pytest.mark.parametrize("name", ["New set", "Add a query", "Remove"])
def test_axe_finds_nothing_in_what_opens(
    name: str, themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    seen = Visit(themed("dark", 1280), stage)
    page = seen.open(STATES["queries"])
    page.get_by_role("button", name=name, exact=True).first.click()
    page.wait_for_timeout(900)
    assert violations(page, axe) == []
