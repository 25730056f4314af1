"""A picture of every page, light and dark, wide and 400 px, empty, loading and failing: into `shots/`.

`python -m tests.shots [NAME…]` takes those whose name begins with a NAME. The demo is seeded once into a
temporary home; the other states come from pretended connections.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

from tests import console_server
from tests.browser.conftest import FLAGS
from tests.console_server import ROOT, Console
from tests.needs import chromium_program, lacking

OUT = ROOT / "shots"
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
IMAGES = quote('{"equals":{"field":"modality","value":"image"}}')
DEMO = {
    "overview": "",
    "overview-collection": f"?collection={quote('demo/scenes#clip')}",
    "query": f"query?a=demo/scenes&text=a+red+circle&k=12&filter={IMAGES}",
    "query-start": "query",
    "query-old-and-new": f"query?a=demo/scenes&a=demo/scenes-old&text=a+green+star&k=6&filter={IMAGES}",
    "query-mismatch": "query?a=demo/scenes-old&text=a+red+circle&encoder=scenes-v2",
    "query-broken": "query?a=demo/scenes-broken&text=a+red+circle&k=12",
    "compare": f"compare?l={quote('demo/scenes-old')}&r={quote('demo/scenes')}",
    "compare-open": f"compare?l={quote('demo/scenes-old')}&r={quote('demo/scenes')}&open=5",
    "golden-evaluated": f"golden?set=demo&part=evaluation&a={quote('demo/scenes#clip')}&b={quote('demo/scenes-old#clip')}",
    "golden": f"golden?set=demo&a={quote('demo/scenes#clip')}&b={quote('demo/scenes-old#clip')}",
    "connections": "connections",
}
STAGE = {
    "health-empty": "health?a=alive/empty%23clip",
    "health-running": "health?a=alive/huge%23clip",
    "health-healthy": "health?a=alive/scenes-old%23clip",
    "health-broken": "health?a=alive/scenes%23clip",
    "health-hostile": "health?a=alive/hostile%23clip",
    "overview-failing": "",
    "compare-empty": f"compare?l={quote('alive/scenes#clip')}&r={quote('alive/empty#clip')}",
    "compare-running": f"compare?l={quote('alive/huge#clip')}&r={quote('alive/empty#clip')}",
    "compare-result": f"compare?l={quote('alive/scenes-old#clip')}&r={quote('alive/scenes#clip')}&open=1",
    "compare-hostile": f"compare?l={quote('alive/hostile#clip')}&r=encoder:scenes-v1&open=0",
    "compare-gone": f"compare?l={quote('dead/things')}&r={quote('alive/scenes#clip')}&comparison=c99999999999",
    "golden-query": f"golden?set=shop&q=q2&a={quote('alive/scenes#clip')}",
    "golden-blind": f"golden?set=shop&part=blind&q=q2&a={quote('alive/scenes#clip')}&b={quote('alive/scenes-old#clip')}",
    "golden-evaluation": f"golden?set=shop&part=evaluation&a={quote('alive/scenes#clip')}&b={quote('alive/scenes-old#clip')}",
    "golden-files": f"golden?set=shop&part=files&a={quote('alive/scenes#clip')}",
    "golden-dead": f"golden?set=shop&q=q2&a={quote('dead/things')}",
    "query-hostile": "query?a=alive/hostile&vector=AACAPwAAAAAAAAAAAAAAAA",
    "query-nothing": "query?a=alive/empty&vector=AACAPwAAAAAAAAAAAAAAAA",
    "query-no-encoder": "query?a=alive/hostile&text=a+red+circle",
    "query-dead": "query?a=dead/things&id=1",
    "connections-failing": "connections",
}
BARE = {
    "overview-empty": "",
    "query-bare": "query",
    "compare-bare": "compare",
    "golden-bare": "golden",
    "connections-bare": "connections",
}


def main(names: list[str]) -> int:
    """Take the pictures; returns the exit code."""
    if (why := lacking("browser")) is not None:
        sys.stderr.write(f"No pictures: {why}.\n")
        return 2
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(chromium_program()), args=FLAGS)
        for kind, places in (("bare", BARE), ("stage", STAGE), ("demo", DEMO)):
            chosen = {n: p for n, p in places.items() if not names or any(n.startswith(w) for w in names)}
            if not chosen:
                continue
            console = _start(kind, Path(folder) / kind)
            try:
                _take(browser, console, chosen)
            finally:
                console.stop()
    return 0


def _start(kind: str, folder: Path) -> Console:
    folder.mkdir()
    home = folder / "home"
    if kind == "demo":
        import os
        import subprocess

        for words in (
            ["demo", "--no-serve", "--quiet"],
            [
                "compare",
                "demo/scenes-old",
                "demo/scenes",
                "--golden",
                "demo",
                "--threshold",
                "0.7",
                "--quiet",
            ],
            ["eval", "demo/scenes", "--golden", "demo", "--against", "demo/scenes-old", "--quiet"],
        ):
            subprocess.run(
                [sys.executable, "-m", "plumbline", *words],
                check=words[0] != "eval",
                cwd=folder,
                env={**os.environ, "PLUMBLINE_HOME": str(home), "PYTHONPATH": str(ROOT / "deploy")},
                stdout=subprocess.DEVNULL,
            )
    record = str(folder / "home.spoke.jsonl")
    command = [sys.executable, "-m", "tests.browser.stage", record, "127.0.0.1", "0"]
    return console_server.start(home, folder, command=command if kind == "stage" else None)


def _take(browser: Browser, console: Console, places: dict[str, str]) -> None:
    for scheme in ("light", "dark"):
        for width in (1280, 400):
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()
            for name, place in places.items():
                page.goto(f"{console.url}/{place}")
                _settle(page)
                tall = int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
                page.set_viewport_size({"width": width, "height": max(640, min(tall, 4000))})
                _settle(page)
                page.screenshot(path=OUT / f"{name}-{scheme}-{width}.png")
                page.set_viewport_size({"width": width, "height": 900})
                sys.stderr.write(f"shots/{name}-{scheme}-{width}.png\n")
            context.close()


def _settle(page: Page) -> None:
    page.wait_for_selector(IDLE, timeout=180_000)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(400)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
