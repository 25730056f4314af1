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

import numpy as np

from connectors.errors import PlumblineError
from connectors.model import PayloadField, VectorField
from connectors.spec import ConnectionSpec
from console.compare.request import CompareRequest
from console.jobs import files
from console.jobs.model import Run
from console.workspace import Workspace
from tests.console_server import listen_in
from tests.ui import comparison_data
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


def comparisons(workspace: Workspace) -> None:
    """What earlier comparisons found: two spaces with pictures, an older one of them, and a hostile one."""
    from console.store.comparisons import Comparisons

    store = Comparisons.open(workspace)
    old, new = "alive/scenes-old#clip", "alive/scenes#clip"
    store.save(comparison_data.comparison(old, new, 1, ago=timedelta(days=2)))
    store.save(comparison_data.judged())
    store.save(hostile_comparison())
    gate(workspace, old, new)


def gate(workspace: Workspace, old: str, new: str) -> None:
    """What a gate of the two said, in hostile words."""
    from console.store.gates import Gates

    evil = f"![x]({EVIL}/z.png) <script>alert(1)</script>"
    conditions = [
        {"name": name, "asks": evil, "verdict": verdict, "figure": -0.041, "limit": -0.03, "unit": "nDCG@10", "why": evil,
         "waived": None, "waiver": None, "interval": None, "details": {}}
        for name, verdict in (("id-set", "pass"), ("quality", "not_measurable"), ("latency", "fail"))
    ]  # fmt: skip
    made = {"at": "2026-11-21T04:00:00+00:00", "left": old, "right": new, "golden": {"name": "shop", "version": 1},
            "verdict": "fail", "summary": evil, "conditions": conditions}  # fmt: skip
    Gates.open(workspace).save(made)


def hostile_comparison() -> comparison_data.Made:
    held = comparison_data.comparison(
        "alive/hostile#clip", "encoder:scenes-v1", 3, k=4, ids=tuple(range(len(HOSTILE)))
    )
    evil = f"![x]({EVIL}/v.png) <script>alert(1)</script> <img src={EVIL}/w.png>"
    changed = [{**c, "query": evil, "kind": "text", "text": evil} for c in held.data["changed"]]
    cohorts = {evil: [{**c, "value": evil} for c in held.data["cohorts"]["language"]]}
    arrays = {**held.arrays, "map_ids": np.asarray([f"<img src={EVIL}/x.png>"] * len(HOSTILE)),
              f"map_field:{evil}": np.asarray([evil] * len(HOSTILE))}  # fmt: skip
    sides = {n: comparison_data.side(evil, metric=evil, notes=[evil]) for n in ("left", "right")}
    data = {
        **held.data, "summary": evil, "warnings": [evil], "changed": changed, "cohorts": cohorts, "sides": sides,
        "not_measured": [{"what": evil, "why": evil}], "matched": {**held.data["matched"], "by": evil},
    }  # fmt: skip
    return comparison_data.Made(data, arrays)


def golden_sets(workspace: Workspace) -> None:
    """A set with pictures, judgements, a rule and smoke items, one version and a draft; and an evaluation of it."""
    from connectors import filters
    from console.search import golden, uploads
    from console.search.golden import GoldenQuery
    from console.store.evaluations import Evaluations
    from tests.ui.evaluation_data import evaluation

    drawn = base64.b64decode(str(pictures(1)[0][2]["image"]).partition(",")[2])
    image = uploads.keep(workspace.home, drawn)

    def filled(draft: golden.GoldenSet) -> golden.GoldenSet:
        evil = f"![x]({EVIL}/y.png) <script>alert(1)</script>"
        for query in (
            GoldenQuery("q1", text="a red circle", cohort={"language": "en"}),
            GoldenQuery("q2", row=6, cohort={"language": "none"}, must=("8",), must_not=("2",)),
            GoldenQuery("q3", image=image),
            GoldenQuery("q4", text=evil, cohort={evil[:20]: evil}),
        ):
            draft = golden.with_query(draft, query)
        for row in range(9):
            draft = golden.judged(draft, "q2", str(2 * row), (2, 1, 0)[row % 3])
        return golden.with_rule(draft, "q1", filters.Equals("shapes", 2), 1)

    golden.edit(workspace, "shop", filled)
    golden.freeze(workspace, "shop")
    golden.judge(workspace, "shop", "q2", "20", 1)
    Evaluations.open(workspace).save(
        evaluation(address="alive/scenes#clip", against_address="alive/scenes-old#clip")
    )


def endless(home: Path) -> list[int]:
    """A check of `alive/huge`, and its comparison with `alive/empty`, that live as long as this process does."""
    pair = CompareRequest("alive/huge#clip", "alive/empty#clip", queries=500)
    now = files.now()
    locks: list[int] = []
    for number, run in enumerate((
        Run("", "alive/huge#clip", {"sample": None}, "running", now - 12, "Reading rows", 412_000, 1_000_000, 45_300.0,
            13.0, now + 3600),
        Run("", pair.key, pair.to_json(), "running", now - 4, "Reading alive/huge", 12_000, 36_000, None, 8.0,
            now + 3600, kind="compare"),
    )):  # fmt: skip
        place = files.folder(home) / f"20261121T000000-{number:08}"
        place.mkdir(parents=True, exist_ok=True)
        locks.append(files.hold(place))
        files.write(place, run.but(id=place.name))
    return locks


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
    comparisons(opened)
    golden_sets(opened)
    held = endless(opened.home)
    session.adopt(opened)
    serve(sys.argv[2], int(sys.argv[3]))
