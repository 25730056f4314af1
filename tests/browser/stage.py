"""A console over pretended connections, for what the browser has to show and no demo holds: hostile and huge
payloads, an empty collection, a dead server and one that hangs.

`python -m tests.browser.stage RECORD HOST PORT` serves it.
"""

from __future__ import annotations

import base64
import io
import random
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.errors import PlumblineError
from connectors.model import PayloadField, VectorField
from connectors.spec import ConnectionSpec
from console.jobs import files
from console.jobs.model import Run
from console.workspace import Workspace
from tests.console_server import listen_in
from tests.ui import reports as made
from tests.ui.pretend import Held, Pretend

EVIL = "http://evil.example"
HOSTILE: tuple[Mapping[str, Any], ...] = (
    {"caption": f"![x]({EVIL}/a.png) <img src={EVIL}/b.png onerror=alert(1)> <script>alert(1)</script>"},
    {"caption": "\x00\x07\x1b[31m\u202egnp.live\u202c \ud83d" + "a\u0300" * 40, "modality": f"[x]({EVIL})"},
    {"caption": ":material/home: $x^2$ :red[text] **bold**", "embedding_version": f"<b>![x]({EVIL}/c.png)"},
    {"image": f"{EVIL}/d.png", "caption": "a remote picture"},
    {"image": f"data:text/html,<script>fetch('{EVIL}')</script>", "caption": "a page as a picture"},
    {
        "image": f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='{EVIL}/e.png'/></svg>"
    },
    {f"![x]({EVIL}/f.png)": {"<script>": [f"[link]({EVIL})"]}, "caption": "hostile field names"},
    {"image": "../../../../etc/passwd", "caption": "a path out of the roots"},
)


def pictures(count: int) -> list[tuple[int, list[float], dict[str, Any]]]:
    """Rows with a drawn picture as a data URI, and captions as rows of their own."""
    from console.demo.captions import describe
    from console.demo.draw import render
    from console.demo.scenes import draw_scene

    rng = random.Random(7)
    rows: list[tuple[int, list[float], dict[str, Any]]] = []
    for number in range(count):
        scene = draw_scene(rng)
        out = io.BytesIO()
        render(scene, number).save(out, "PNG")
        uri = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
        caption = describe(scene).text
        common = {"caption": caption, "source": f"camera-{number % 4}", "shapes": len(scene.things)}
        tag = "scenes-v2" if number % 5 else "scenes-v1"
        vector = [rng.gauss(0, 1) for _ in range(4)]
        rows.append(
            (2 * number, vector, {**common, "modality": "image", "image": uri, "embedding_version": tag})
        )
        if number % 4 == 0:
            rows.append((2 * number + 1, vector, {**common, "modality": "text", "embedding_version": tag}))
    return rows


def connections() -> dict[str, Pretend]:
    fields = (
        PayloadField("caption", "text", True),
        PayloadField("modality", "keyword", True),
        PayloadField("shapes", "integer", True),
        PayloadField("source", "keyword", True),
    )
    near = [(i, [1.0, i / 100, 0.0, 0.0], dict(p)) for i, p in enumerate(HOSTILE)]
    huge = [
        (i, [1.0, i / 100, 0.0, 0.0], {"caption": f"row {i}", "blob": "x" * 1_000_000}) for i in range(12)
    ]
    clip = VectorField("clip", dimension=4, index={"type": "hnsw", "m": 16, "ef_construct": 100})
    alive = Pretend(
        ConnectionSpec(name="alive", kind="qdrant", url="http://127.0.0.1:1"),
        {
            "scenes": Held(pictures(60), clip, None, fields),
            "scenes-old": Held(pictures(60), clip, None, fields),
            "hostile": Held(near, clip),
            "huge": Held(huge, clip),
            "empty": Held((), clip),
            f"![x]({EVIL}/g.png)": Held((), clip),
        },
    )
    dead = Pretend(
        ConnectionSpec(name="dead", kind="weaviate", url="http://127.0.0.1:1"),
        fault=PlumblineError(
            "unreachable",
            "Nothing answers at 127.0.0.1:1 (connection refused).",
            where="dead",
            hint="Start the server, or correct `url` of this connection.",
        ),
    )
    stuck = Pretend(
        ConnectionSpec(name="stuck", kind="qdrant", url="http://127.0.0.1:2"), hold=threading.Event()
    )
    return {"alive": alive, "dead": dead, "stuck": stuck}


def reports(workspace: Workspace) -> None:
    """What earlier checks found: broken, healthy with a history, hostile; and one that goes on for ever."""
    from console.store import Store

    store = Store.open(workspace)
    ids = [2 * i for i in range(12)]
    broken = made.report("alive/scenes#clip", 1)
    first = {**broken.data["findings"][0], "sample_ids": ids}
    store.save(made.report("alive/scenes#clip", 1, findings=[first, *broken.data["findings"][1:]]))
    for day in range(6):
        ago = timedelta(days=6 - day)
        store.save(made.healthy("alive/scenes-old#clip", 2 + day, ago=ago, rows=17_000 + 200 * day))
    hostile = made.finding(
        "non-finite", summary=f"3 of 8 rows hold NaN, all from ![x]({EVIL}/r.png) <script>alert(1)</script>.",
        group={"field": f"![x]({EVIL}/s.png)", "value": f"<b>{EVIL}", "rows": 3, "precision": 1.0, "recall": 1.0},
        fault="not finite", sample_ids=list(range(len(HOSTILE))), evidence={f"<img src={EVIL}/t.png>": EVIL},
        remedy={"action": "quarantine", "text": f"[Quarantine]({EVIL}) them, wait, measure recall again."},
    )  # fmt: skip
    store.save(
        made.report(
            "alive/hostile#clip", 9, findings=[hostile], root_ids=["non-finite"], root_causes=["non-finite"],
            headline=hostile["summary"], charts=made.charts((f"![x]({EVIL}/u.png)", "<script>alert(1)</script>")),
        )
    )  # fmt: skip


def endless(home: Path) -> int:
    """A check of `alive/huge` that lives as long as this process does."""
    place = files.folder(home) / "20261121T000000-00000000"
    place.mkdir(parents=True, exist_ok=True)
    lock = files.hold(place)
    now = files.now()
    files.write(
        place,
        Run(place.name, "alive/huge#clip", {"sample": None}, "running", now - 12, "Reading rows", 412_000,
            1_000_000, 45_300.0, 13.0, now + 3600),
    )  # fmt: skip
    return lock


if __name__ == "__main__":
    listen_in(Path(sys.argv[1]))
    import os

    pretended = connections()
    for name, one in pretended.items():
        os.environ[f"PLUMBLINE_CONNECTIONS__{name.upper()}__KIND"] = one.spec.kind
        os.environ[f"PLUMBLINE_CONNECTIONS__{name.upper()}__URL"] = str(one.spec.url)
    from console import settings
    from console.asgi import serve
    from console.ui import session

    opened = Workspace(settings.load(), connect=lambda spec: pretended[spec.name])  # type: ignore[arg-type,return-value]
    reports(opened)
    held = endless(opened.home)
    session.adopt(opened)
    serve(sys.argv[2], int(sys.argv[3]))
