"""axe finds nothing on any page, light and dark, wide and narrow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.console_server import Console

TWO = '{"and":[{"equals":{"field":"modality","value":"image"}},{"exists":{"field":"shapes"}}]}'
PLACES = {
    "overview": "",
    "collection": "?collection=alive/scenes",
    "query-empty": "query",
    "query": "query?a=alive/scenes&id=0&k=6",
    "query-side-by-side": "query?a=alive/scenes&a=alive/scenes-old&id=0&k=4",
    "query-stopped": "query?a=alive/hostile&text=a+red+circle",
    "connections": "connections",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing(
    place: str, scheme: str, themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    visit = Visit(themed(scheme, 1280), stage)
    page = visit.open(PLACES[place])
    page.wait_for_timeout(500)
    assert violations(page, axe) == []


def test_axe_finds_nothing_on_a_narrow_screen_nor_in_an_open_row(
    themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    visit = Visit(themed("light", 400), stage)
    page = visit.open(PLACES["query"])
    assert violations(page, axe) == []
    page.get_by_role("button", name="Details of Rank 1,").click()
    page.get_by_role("button", name="Payload as JSON").wait_for()
    page.wait_for_timeout(500)
    assert violations(page, axe) == []


STREAMLITS_OWN = {"presentation-role-conflict: stFileUploaderDropzone"}
"""Streamlit 1.67 gives its file uploader's drop zone a role and a tabindex that axe's best practice forbids."""


def violations(page: Page, axe: str) -> list[str]:
    """Each violation with its rule and the elements at fault, with no help text open under the mouse: Streamlit draws
    a tooltip beside every landmark, and a button that moved while the page was drawn may lie under the mouse.
    """
    page.mouse.move(0, 0)
    expect(page.get_by_role("tooltip")).to_have_count(0)
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("axe.run(document)")
    return [
        f"{v['id']}: {n['target']} {n['html'][:160]} {n.get('failureSummary', '')[:200]}"
        for v in found["violations"]
        for n in v["nodes"]
        if not any(
            f"{v['id']}: {part}" in STREAMLITS_OWN for part in re.findall(r'data-testid="(\w+)"', n["html"])
        )
    ]


@pytest.mark.parametrize("name", ["Picture", "Row or vector", "Filter", "More", "As a command"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens(
    name: str, scheme: str, themed: Callable[[str, int], Page], stage: Console, axe: str
) -> None:
    visit = Visit(themed(scheme, 1280), stage)
    page = visit.open(f"{PLACES['query']}&filter={TWO}")
    page.get_by_role("button", name=name).first.click()
    page.locator("[data-testid=stPopoverBody]").first.wait_for()
    page.wait_for_timeout(300)
    assert violations(page, axe) == []
