"""What a report keeps, and what a later check makes of it: on Qdrant's own engine, through the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from connectors.spec import ConnectionSpec
from console.health.baseline import PANEL, Baseline, kept
from console.health.keeping import keep
from console.health.options import CheckOptions, FieldNames
from console.health.run import check
from console.health.stored import past
from console.settings import Address, Settings
from console.store import Store
from console.store.blobs import packed, unpacked
from console.workspace import Workspace
from tests.health.building import evidence
from tests.health.test_drift import cloud

ROWS = 700
AT = Address("store", "Docs")
FULL = CheckOptions(sample=None)


def row(i: int, vector: np.ndarray, caption: str | None = None) -> Row:
    payload = {
        "caption": caption or f"text number {i} of some length",
        "embedding_version": "v1",
        "number": i,
    }
    return Row(i, {"clip": vector}, payload)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture
def ws(place: Path, tmp_path: Path) -> Iterator[Workspace]:
    spec = ConnectionSpec("store", "qdrant", path=str(place))
    with Workspace(Settings(home=tmp_path, connections={"store": spec})) as made:
        vectors = cloud(ROWS, 1)
        fill(made, [row(i, vectors[i]) for i in range(ROWS)])
        yield made
        made.connector("store").drop("Docs")


def fill(ws: Workspace, rows: list[Row]) -> None:
    fields = (PayloadField("caption", "text"), PayloadField("embedding_version", "keyword", indexed=True))
    plan = CollectionPlan((VectorField("clip", "dense", 64, "cosine"),), fields)
    ws.connector("store").create("Docs", plan)
    write(ws, rows)


def write(ws: Workspace, rows: list[Row]) -> None:
    done = ws.connector("store").insert(Target("Docs"), rows, mode="replace")
    assert not done.failed


def checked(ws: Workspace, options: CheckOptions = FULL) -> dict[str, Any]:
    (report,) = check(ws, AT, options)
    assert keep(ws, report) is None
    return dict(report.data)


def found(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(f for f in data["findings"] if f["id"] == name)


def test_rows_embedded_again_and_rows_gone_are_found_against_the_pinned_report(ws: Workspace) -> None:
    first = checked(ws)
    assert first["baseline"] is None
    assert "baseline" in {u["check"] for u in first["not_measured"]}
    store = Store.open(ws)
    assert store.set_baseline(AT).id == first["id"]

    again = checked(ws)
    assert again["baseline"] == first["id"]
    against = {"distribution-drift", "size-change", "recall-drop", "latency-spike", "stale-vectors"}
    assert not [f for f in again["findings"] if f["code"] in against and f["severity"] != "info"]

    foreign = cloud(ROWS, 5, encoder=9)
    same = cloud(ROWS, 1)
    ws.connector("store").drop("Docs")
    left = [i for i in range(ROWS) if i not in range(1, 400, 10)]
    fill(ws, [row(i, same[i] if i % 5 else foreign[i]) for i in left])
    later = checked(ws)
    panel = found(later, "distribution-drift:panel")
    assert panel["severity"] == "critical"
    assert panel["rows"] == ROWS // 5
    assert {i % 5 for i in panel["sample_ids"]} == {0}
    assert panel["evidence"]["gone"] == 40
    drift = found(later, "distribution-drift")
    assert drift["severity"] in ("warning", "critical")
    size = found(later, "size-change")
    assert (size["severity"], size["evidence"]["rows_now"]) == ("warning", ROWS - 40)
    assert [h.id for h in store.reports(AT)] == [later["id"], again["id"], first["id"]]
    history = store.history(Address("store", "Docs", vector="clip"))
    assert [h.figures["rows"] for h in history] == [ROWS, ROWS, ROWS - 40]
    assert all(h.figures["latency_p95"] > 0 for h in history)


def test_a_named_report_the_latest_and_one_that_is_not_there(ws: Workspace) -> None:
    with pytest.raises(PlumblineError) as caught:
        check(ws, AT, replace(FULL, baseline="r00000000000"))
    assert caught.value.code == "not-found"
    first, second = checked(ws), checked(ws)
    assert checked(ws, replace(FULL, baseline=first["id"]))["baseline"] == first["id"]
    latest = checked(ws, replace(FULL, baseline="latest"))["baseline"]
    assert latest not in (first["id"], second["id"])


def test_a_sample_read_again_says_nothing_of_the_rows_that_came_since(ws: Workspace) -> None:
    first = checked(ws, CheckOptions(sample=100, seed=3))
    zero = np.zeros(64, np.float32)
    write(ws, [row(i, zero) for i in range(ROWS, ROWS + 400)])
    write(ws, [row(int(i), zero) for i in past(ws, AT.with_vector("clip")).sampled_ids(first["id"])[:3]])
    again = checked(ws, CheckOptions(sample_of=first["id"]))
    assert (again["scanned"], again["rows"], again["profile"]["zero"]) == (100, ROWS + 400, 3)
    told = " ".join(again["limits"])
    assert (
        "Rows that came since that report can't be among these. The collection has 400 rows more than then."
        in told
    )
    assert "of all rows" not in told
    assert "for the whole collection" not in told
    hit = found(again, "zero-vectors")
    assert (hit["rows"], hit["rows_estimated"]) == (3, None)
    fresh = found(checked(ws, CheckOptions(sample=100, seed=3)), "zero-vectors")
    assert fresh["rows_estimated"]["low"] <= 403 <= fresh["rows_estimated"]["high"]


def other(ws: Workspace, name: str, fields: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The reports of a new collection with these vectors."""
    plan = CollectionPlan(tuple(VectorField(f, "dense", m.shape[1], "cosine") for f, m in fields.items()))
    connector = ws.connector("store")
    connector.create(name, plan)
    rows = [
        Row(i, {f: m[i] for f, m in fields.items()}, {"caption": f"text number {i} of some length"})
        for i in range(ROWS)
    ]
    assert not connector.insert(Target(name), rows).failed
    made = check(ws, Address("store", name), FULL)
    assert all(keep(ws, r) is None for r in made)
    return [dict(r.data) for r in made]


def test_a_report_of_another_collection_is_a_baseline_that_is_named(ws: Workspace) -> None:
    own = checked(ws)
    other(ws, "Old", {"vec": cloud(ROWS, 1)})
    other(ws, "Short", {"clip": cloud(ROWS, 1)[:, :16]})
    store = Store.open(ws)
    old, short = store.reports("store/Old")[0].id, store.reports("store/Short")[0].id
    told = [line for line in checked(ws, replace(FULL, baseline=old))["limits"] if "baseline" in line]
    assert told == [
        "The baseline is a report of store/Old#vec: where the two were never meant to be alike, what moved is no drift."
    ]
    for same in (own["id"], "latest"):
        assert not [x for x in checked(ws, replace(FULL, baseline=same))["limits"] if "baseline" in x]
    with pytest.raises(PlumblineError, match="16 dimensions; these have 64") as caught:
        check(ws, AT, replace(FULL, baseline=short))
    assert caught.value.code == "usage"
    for name in ("Old", "Short"):
        ws.connector("store").drop(name)


def test_a_report_of_one_field_is_no_baseline_of_another(ws: Workspace) -> None:
    first, second = other(ws, "Two", {"a": cloud(ROWS, 1), "b": cloud(ROWS, 2)})
    two = Address("store", "Two")
    a, b = (r.data for r in check(ws, two, replace(FULL, baseline=first["id"])))
    assert (a["baseline"], b["baseline"]) == (first["id"], None)
    assert not found_any(a, "distribution-drift")
    assert not found_any(b, "distribution-drift")
    assert {u["check"]: u["why"] for u in b["not_measured"]}["baseline"].startswith("The report named as")
    with pytest.raises(PlumblineError, match="store/Two#b, of another vector field") as caught:
        check(ws, two.with_vector("a"), replace(FULL, baseline=second["id"]))
    assert caught.value.code == "usage"
    ws.connector("store").drop("Two")


def found_any(data: Any, code: str) -> bool:
    return any(f["code"] == code for f in data["findings"])


def test_a_pinned_report_is_put_aside_where_no_baseline_is_wanted(ws: Workspace) -> None:
    first = checked(ws)
    Store.open(ws).set_baseline(AT)
    assert checked(ws)["baseline"] == first["id"]
    alone = checked(ws, replace(FULL, baseline="none"))
    assert alone["baseline"] is None
    told = {u["check"]: u["why"] for u in alone["not_measured"]}
    assert told["baseline"] == "No baseline was wanted (`none`)."


def test_the_same_sample_is_read_again(ws: Workspace) -> None:
    first = checked(ws, CheckOptions(sample=100, seed=3))
    held = past(ws, AT.with_vector("clip"))
    ids = held.sampled_ids(first["id"])
    assert len(set(ids)) == first["scanned"]
    with pytest.raises(PlumblineError) as caught:
        held.sampled_ids(checked(ws)["id"])
    assert caught.value.code == "not-found"
    assert "not kept" in caught.value.message


@pytest.mark.parametrize("how", ["damaged", "newer", "unwritable"])
def test_a_check_looks_also_where_the_store_is_of_no_use(ws: Workspace, how: str) -> None:
    file = ws.home / "store.sqlite3"
    if how == "damaged":
        file.write_bytes(b"this is no database at all " * 300)
    elif how == "newer":
        from console.store import tables
        from console.store.engine import transaction

        store = Store.open(ws)
        with transaction(store._engine, "", write=True) as connection:
            connection.exec_driver_sql(f"UPDATE {tables.VERSION_TABLE} SET version_num = '9999'")
        store.close()
    else:
        file.mkdir()
    (report,) = check(ws, AT, FULL)
    assert report.data["scanned"] == ROWS
    told = {u["check"]: u["why"] for u in report.data["not_measured"]}
    assert "Earlier reports could not be read" in told["history"]
    note = keep(ws, report)
    assert note is not None
    assert "not kept" in note
    held = past(ws, AT.with_vector("clip"))
    assert held.baseline(None) is None
    assert held.reports == ()
    with pytest.raises(PlumblineError):
        held.baseline("latest")
    with pytest.raises(PlumblineError):
        held.sampled_ids("x")


def test_what_is_kept_goes_into_the_store_and_comes_back() -> None:
    payloads = [
        {
            "caption": f"text {i}",
            "embedding_version": "v1" if i % 2 else None,
            "modality": "text" if i % 3 else "image",
        }
        for i in range(2000)
    ]
    names = FieldNames(modality="modality", text="caption", groups=("embedding_version", "modality"),
                       columns=("caption", "embedding_version", "modality"))  # fmt: skip
    matrix = cloud(2000, 1)
    matrix[:50] = np.nan
    matrix[50:60] = 0
    held = evidence(matrix, payloads, names=names, rows=100_000, exact=False)
    arrays = kept(held)
    assert not any(a.dtype.hasobject for a in arrays.values())
    back = unpacked(packed(arrays), "")
    assert set(back) == set(arrays)
    assert len(back["panel.id_low"]) == PANEL
    assert back["panel.id_low"].min() >= 60
    assert np.isfinite(back["panel.vectors"]).all()
    assert set(back["panel.version"]) == {"", "v1"}
    assert len(back["sample.id_low"]) == 2000
    assert len(back["scores"]) >= 20_000 * 0.95
    assert back["norm.quantiles"] == pytest.approx(np.ones(101), abs=1e-5)
    assert set(back["modality.values"]) == {"image", "text"}
    base = Baseline({"id": "r"}, back)
    assert base.number("rows") == 100_000
    assert base.number("nothing") is None
    assert base.spread is not None
    assert base.spread.n == 1940
    unit = matrix[60:] / np.linalg.norm(matrix[60:], axis=1, keepdims=True)
    assert base.spread.mean == pytest.approx(unit.mean(axis=0), abs=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_a_few_rows_keep_what_they_can(n: int) -> None:
    arrays = kept(evidence(cloud(n, 1) if n else np.zeros((0, 64), np.float32)))
    assert float(arrays["figure.rows"]) == n
    assert len(arrays.get("panel.id_low", ())) == n
    assert unpacked(packed(arrays), "").keys() == arrays.keys()
