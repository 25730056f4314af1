"""Chromium against the real console. A request to anywhere else, from page or server, fails the test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, FloatRect, Locator, Page, Request, expect

from tests import console_server
from tests.console_server import Console
from tests.needs import axe_source, chromium_program, required

# As patient as a page: a slow machine is no fault.
expect.set_options(timeout=20_000)

FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser test that fails is run once more, and the summary names it: beside other tests on two cores a page may
    be drawn in pieces that a script is too quick for, and nobody's hand is. What fails twice fails.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": str(chromium_program()), "args": FLAGS}


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The console over pretended connections."""
    folder = tmp_path_factory.mktemp("stage")
    record = folder / "home.spoke.jsonl"
    command = [sys.executable, "-m", "tests.browser.stage", str(record), "127.0.0.1", "0"]
    running = console_server.start(folder / "home", folder, command=command)
    yield running
    running.stop()
    assert running.spoke_to() == []


class Visit:
    """A page of a console, with what it asked for and what it complained of."""

    def __init__(self, page: Page, console: Console) -> None:
        self.page = page
        self.console = console
        self.left: list[str] = []
        self.blocked: list[str] = []
        self.broken: list[str] = []
        page.on("request", self._asked)
        page.on("console", lambda m: self.blocked.append(m.text) if "Content Security" in m.text else None)
        page.on("pageerror", lambda e: self.broken.append(str(e)))
        page.on("dialog", self._spoke)

    def _spoke(self, dialog: Dialog) -> None:
        self.broken.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        own = (self.console.url, self.console.url.replace("http", "ws", 1), "data:", "blob:")
        if not request.url.startswith(own):
            self.left.append(request.url)

    def open(self, path: str = "") -> Page:
        self.page.goto(f"{self.console.url}/{path}")
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until the script has run to its end."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=30_000)
        self.page.wait_for_selector("[data-testid=stMain] [data-testid=stVerticalBlock]", timeout=30_000)


def at_rest(drawn: Locator) -> FloatRect:
    """Where it is, once it is there for half a second: what is above it may still grow."""
    found, since = None, 0
    for _ in range(200):
        box = drawn.bounding_box()
        since = since + 1 if box is not None and box == found else 0
        if box is not None and since == 5:
            return box
        found = box
        drawn.page.wait_for_timeout(100)
    raise AssertionError("it never came to rest")


def flawless(page: Page, console: Console, patience: float) -> Iterator[Visit]:
    """A visit that asks for nothing elsewhere and of which nothing complains. `patience` in ms."""
    seen = Visit(page, console)
    page.set_default_timeout(patience)
    yield seen
    assert seen.left == []
    assert seen.broken == []
    assert seen.blocked == []


@pytest.fixture
def visit(page: Page, stage: Console) -> Iterator[Visit]:
    seen = Visit(page, stage)
    page.set_default_timeout(20_000)
    yield seen
    assert seen.left == []
    assert seen.broken == []


@pytest.fixture(scope="session")
def axe() -> str:
    source = axe_source()
    if source is None:
        if "browser" in required():
            pytest.fail("PLUMBLINETEST_REQUIRE names browser, but axe-core could not be had")
        pytest.skip("no axe-core (npm pack axe-core, see tests/prepare.sh)")
    return source.read_text(encoding="utf-8")


@pytest.fixture
def themed(browser: Browser) -> Iterator[Any]:
    """A page in a colour scheme and width: `themed("dark", 400)`."""
    opened = []

    def make(scheme: str, width: int) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        opened.append(context)
        return context.new_page()

    yield make
    for context in opened:
        context.close()
