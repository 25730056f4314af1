"""The demo's two encoders compared: against a plain script, against an encoder that is run on the fly, and as judged."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connectors.model import Target
from console.cli import main
from console.compare import CompareRequest, compare
from console.demo import seed
from console.search.evaluate import evaluate
from console.settings import load
from console.workspace import Workspace

SCENES = 300


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    pytest.importorskip("open_clip", reason="the clip extra is not installed")
    home: Path = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed, "make_demo", functools.partial(seed.make_demo, scenes=SCENES))
        patch.setenv("PLUMBLINE_HOME", str(home))
        patch.chdir(home)
        assert main(["demo", "--no-serve", "--quiet"]) == 0
        settings = load(environ={"PLUMBLINE_HOME": str(home)}, cwd=home)
    with Workspace(settings) as ws:
        yield ws
    from connectors.qdrant import host

    host.stop(home / "demo" / "store")


def vectors(ws: Workspace, collection: str) -> tuple[list[str], np.ndarray]:
    batches = list(ws.connector("demo").scan(Target(collection), ("clip",)))
    ids = [str(i) for b in batches for i in b.ids]
    return ids, np.concatenate([b.vectors["clip"].matrix for b in batches]).astype(np.float64)


def test_old_against_new_is_what_a_plain_script_says(demo: Workspace) -> None:
    data = compare(demo, CompareRequest("demo/scenes-old", "demo/scenes", queries=100)).data
    lists = []
    for name in ("scenes-old", "scenes"):
        ids, matrix = vectors(demo, name)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        scores = matrix @ matrix.T
        np.fill_diagonal(scores, -2)
        lists.append({ids[i]: [ids[j] for j in np.argsort(-scores[i])[:10]] for i in range(len(ids))})
    overlaps, bias, first = [], [], []
    for query in data["changed"]:
        old, new = lists[0][query["id"]], lists[1][query["id"]]
        shared = [len(set(old[:d]) & set(new[:d])) for d in range(1, 11)]
        overlaps.append(shared[-1] / 10)
        # Webber, Moffat and Zobel 2010, equation 32, for lists of even depth.
        p = 0.9
        bias.append(
            shared[-1] / 10 * p**10 + (1 - p) / p * sum(x / d * p**d for d, x in enumerate(shared, 1))
        )
        first.append(old[0] == new[0])
    assert data["overlap_at_k"]["mean"] == pytest.approx(np.mean(overlaps), abs=1e-9)
    assert data["rank_biased_overlap"]["mean"] == pytest.approx(np.mean(bias), abs=1e-9)
    assert data["top1"]["mean"] == pytest.approx(np.mean(first), abs=1e-9)
    assert 0.15 < data["overlap_at_k"]["mean"] < 0.6


def test_an_encoder_that_made_no_collection_agrees_with_the_one_that_it_made(demo: Workspace) -> None:
    data = compare(demo, CompareRequest("demo/scenes", "encoder:scenes-v2", queries=60, rows=400)).data
    assert data["sides"]["right"]["basis"] == "encoded"
    assert data["pool"]["rows"] == 400
    assert data["overlap_at_k"]["mean"] > 0.97
    other = compare(demo, CompareRequest("demo/scenes", "encoder:scenes-v1", queries=60, rows=400)).data
    stored = compare(demo, CompareRequest("demo/scenes", "demo/scenes-old", queries=60, rows=400)).data
    assert other["overlap_at_k"]["mean"] == pytest.approx(stored["overlap_at_k"]["mean"], abs=0.03)


def test_words_are_asked_by_each_sides_own_encoder(demo: Workspace) -> None:
    data = compare(
        demo,
        CompareRequest(
            "demo/scenes-old", "demo/scenes", texts=("a red circle", "a blue square"), threshold=0.5
        ),
    ).data
    assert {s["encoder"]["name"] for s in data["sides"].values()} == {"scenes-v1", "scenes-v2"}
    assert [q["kind"] for q in data["changed"]] == ["text", "text"]
    assert data["thresholds"]["translations"][0]["verdict"] == "not measured"
    nonsense = data["thresholds"]["nonsense"]
    assert nonsense["left"]["queries"] == nonsense["right"]["queries"] == 30
    # A small CLIP finds something for everything: a cutoff alone does not reject it.
    assert nonsense["left"]["quantiles"]["50"] > 0.4


def test_judged_figures_are_those_of_an_evaluation(demo: Workspace) -> None:
    data = compare(demo, CompareRequest("demo/scenes-old", "demo/scenes", golden="demo")).data
    old, new = (
        evaluate(demo, "demo", demo.address(f"demo/{name}")).data["metrics"]
        for name in ("scenes-old", "scenes")
    )
    for metric in ("ndcg@10", "precision@10", "mrr"):
        held = data["quality"]["metrics"][metric]
        assert held["left"]["mean"] == pytest.approx(old[metric]["mean"], abs=0.005), metric
        assert held["right"]["mean"] == pytest.approx(new[metric]["mean"], abs=0.005), metric
        assert held["difference"]["mean"] == pytest.approx(
            held["right"]["mean"] - held["left"]["mean"], abs=1e-9
        )
    assert data["quality"]["version"] == 1
    assert {"language"} <= data["cohorts"].keys()
