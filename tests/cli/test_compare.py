"""`plumbline compare`, `comparisons` and `comparison` against their contract, on a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connectors.model import CollectionPlan, ConnectionSpec, Row, Target, VectorField
from connectors.registry import connect
from tests.cli.conftest import Inside, Ran

N, D = 240, 16


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("compare") / "store"
    connector = connect(ConnectionSpec("here", "qdrant", path=str(folder)))
    rng = np.random.default_rng(0)
    base = rng.standard_normal((N, D)).astype(np.float32)
    other = base + 0.5 * rng.standard_normal((N, D)).astype(np.float32)
    for name, matrix in (("Old", base), ("New", other)):
        connector.create(name, CollectionPlan((VectorField("v", "dense", D, "cosine"),)))
        rows = (Row(i, {"v": matrix[i]}, {"language": "en" if i % 2 else "de"}) for i in range(N))
        assert not connector.insert(Target(name), rows).failed
    connector.close()
    yield folder
    from connectors.qdrant import host

    host.stop(folder)


class Console:
    def __init__(self, inside: Inside, store: Path) -> None:
        self._inside, self._store, self.cwd = inside, store, inside.cwd

    def __call__(self, *words: str) -> Ran:
        return self._inside(
            *words,
            environ={
                "PLUMBLINE_CONNECTIONS__HERE__KIND": "qdrant",
                "PLUMBLINE_CONNECTIONS__HERE__PATH": str(self._store),
            },
        )


@pytest.fixture
def console(inside: Inside, store: Path) -> Console:
    return Console(inside, store)


def test_json_has_the_keys_of_the_contract_and_nothing_else_is_on_standard_output(console: Console) -> None:
    ran = console(
        "compare",
        "here/Old",
        "here/New",
        "--queries",
        "60",
        "-k",
        "5",
        "--cohort",
        "language",
        "--format",
        "json",
    )
    assert ran.code == 0, ran.err
    data = ran.json
    assert {
        "id", "left", "right", "k", "queries", "matched", "overlap_at_k", "jaccard", "rank_biased_overlap",
        "changed", "thresholds", "cohorts",
    } <= data.keys()  # fmt: skip
    assert (data["k"], data["queries"]) == (5, 60)
    assert data["matched"]["rows"] == N
    assert {"mean", "low", "high"} <= data["overlap_at_k"].keys()
    assert {"query", "overlap", "lost", "gained"} <= data["changed"][0].keys()
    assert {r["value"] for r in data["cohorts"]["language"]} <= {"de", "en"}
    assert 0.1 < data["overlap_at_k"]["mean"] < 0.95


def test_it_is_kept_listed_and_shown_again_in_any_form(console: Console) -> None:
    made = console("compare", "here/Old", "here/New", "--queries", "40", "--format", "json").json
    listed = console("comparisons", "--format", "json").json["comparisons"]
    assert listed[0]["id"] == made["id"]
    assert listed[0]["overlap"] == made["overlap_at_k"]["mean"]
    assert console("comparisons", "here/New", "--format", "json").json["comparisons"]
    assert console("comparisons", "here/Else", "--format", "json").json["comparisons"] == []
    assert console("comparison", made["id"], "--format", "json").json == made
    for form in ("table", "markdown", "html"):
        shown = console("comparison", made["id"], "--format", form)
        assert shown.code == 0
        assert "of the 10 nearest rows stay the same" in shown.out.replace("\\", "").replace("\n  ", " ")
    assert made["id"] in console("comparisons").out
    assert console("comparison", "c0nothing").code == 2


def test_the_table_leads_with_the_sentence(console: Console) -> None:
    ran = console("compare", "here/Old", "here/Old", "--queries", "30")
    assert ran.code == 0
    first, second, *_ = ran.out.splitlines()
    assert first == "here/Old#v -> here/Old#v"
    assert second.startswith("The 10 nearest rows of 30 queries are the same")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("here/Old",), "usage"),
        (("here/Old", "here/New", "--queries", "10", "--golden", "demo"), "usage"),
        (("here/Old", "here/New", "--queries", "0"), "usage"),
        (("here/Old", "here/New", "-k", "0"), "usage"),
        (("here/Old", "here/New", "--golden", "nothing"), "not-found"),
        (("here/Old", "here/New", "--queries-file", "nothing.txt"), "not-found"),
        (("here/Old", "here/New", "--filter", "{"), "usage"),
        (("here/Old", "here/New", "--threshold", "nan"), "usage"),
        (("here/Old", "here/Gone"), "not-found"),
        (("here/Old", "encoder:nobody"), "encoder-unknown"),
        (("encoder:scenes-v1", "encoder:scenes-v2"), "usage"),
        (("here/Old", "here/New", "--text", "a red circle"), "encoder-unknown"),
    ],
)
def test_what_can_not_be_done_is_said_with_its_code(
    console: Console, words: tuple[str, ...], code: str
) -> None:
    ran = console("compare", *words, "--format", "json")
    assert ran.code == 2
    error = ran.json["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["where"]


def test_a_file_of_queries_is_refused_by_its_line(console: Console) -> None:
    file = console.cwd / "queries.jsonl"
    file.write_text('{"text": "one"}\n{"other": 1}\n')
    ran = console("compare", "here/Old", "here/New", "--queries-file", str(file), "--format", "json")
    assert ran.code == 2
    assert ran.json["error"]["where"].endswith("line 2")
    file.write_text(json.dumps([1]) + "\n{}")
    assert console("compare", "here/Old", "here/New", "--queries-file", str(file)).code == 2
    file.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in console("compare", "here/Old", "here/New", "--queries-file", str(file)).err
