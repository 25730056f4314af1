"""How long from the Enter key until the grid of the answer is drawn, in the browser, on the demo.

`python -m tests.browser.latency HOME [N]` prints p50 and p95 of N warm text queries in milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from tests import console_server
from tests.browser.conftest import FLAGS
from tests.needs import chromium_program

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "diamond")
PICTURES = quote('{"equals":{"field":"modality","value":"image"}}')
WATCH = """
() => {
  const grid = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .map((e) => e.shadowRoot && e.shadowRoot.querySelector('ul.grid')).find(Boolean)
  window.drawn = new Promise((resolve) => {
    let began = 0
    document.addEventListener('keydown', (e) => { if (e.key === 'Enter') began = performance.now() },
      { capture: true, once: true })
    const watcher = new MutationObserver(() => {
      watcher.disconnect()
      requestAnimationFrame(() => resolve(performance.now() - began))
    })
    watcher.observe(grid, { childList: true })
  })
}
"""


def measure(page: Page, text: str) -> float:
    """Milliseconds from Enter to the frame in which the new grid stands."""
    field = page.get_by_label("Search in words")
    field.fill(text)
    page.evaluate(WATCH)
    field.press("Enter")
    return float(page.evaluate("window.drawn"))


def run(home: Path, count: int) -> list[float]:
    with tempfile.TemporaryDirectory() as cwd:
        console = console_server.start(home, Path(cwd))
        try:
            with sync_playwright() as play:
                browser = play.chromium.launch(executable_path=str(chromium_program()), args=FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.set_default_timeout(180_000)
                page.goto(f"{console.url}/query?a=demo/scenes&text=warm&filter={PICTURES}")
                page.locator("li.card").nth(9).wait_for()
                texts = [f"a {c} {s}" for s in SHAPES for c in COLOURS]
                spent = [
                    measure(page, texts[i % len(texts)] + " " * (i // len(texts))) for i in range(count + 5)
                ]
                return spent[5:]
        finally:
            console.stop()


if __name__ == "__main__":
    spent = run(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60)
    print(
        f"n {len(spent)}, p50 {statistics.median(spent):.0f} ms, "
        f"p95 {sorted(spent)[int(0.95 * len(spent))]:.0f} ms, least {min(spent):.0f} ms"
    )
