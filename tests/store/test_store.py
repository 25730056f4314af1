"""Reports, arrays, baselines and retention, on both databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from connectors.errors import PlumblineError
from console.settings import Address
from console.store import Store, is_id, new_id
from console.store.blobs import packed
from tests.store.conftest import Desk, a_report


def stamp(days_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()


def test_a_report_comes_back_as_it_was_saved(store: Store) -> None:
    arrays = {
        "panel.vectors": np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32),
        "figure.recall": np.float64(0.97),
        "names": np.array(["a", "ü"]),
        "sample.low": np.arange(5, dtype=np.uint64),
    }
    held = a_report(
        arrays={k: np.asarray(v) for k, v in arrays.items()},
        verdict="degraded",
        root_causes=["norm-drift"],
        findings=[{"id": "norm-drift:a=b", "code": "norm-drift", "severity": "warning", "share": 0.3}],
        text="\x00 \ud800 🙂 </script>",
    )
    saved = store.save(held)
    assert saved == held.data["id"]
    back = store.whole(saved)
    assert back.data == held.data
    assert set(back.arrays) == {"panel.vectors", "figure.recall", "names"}
    for name, array in back.arrays.items():
        np.testing.assert_array_equal(array, arrays[name])
        assert array.dtype == np.asarray(arrays[name]).dtype
    np.testing.assert_array_equal(store.sample(saved)["sample.low"], arrays["sample.low"])
    (light,) = store.light()
    assert light["findings"] == [
        {
            "id": "norm-drift:a=b",
            "code": "norm-drift",
            "severity": "warning",
            "share": 0.3,
            "since": None,
            "because_of": None,
            "accepted": False,
        }
    ]
    assert light["figures"]["recall"] == 0.97
    (listed,) = store.reports("prod/rows")
    assert listed.to_json() == {
        "id": saved,
        "address": "prod/rows#",
        "at": held.data["at"],
        "verdict": "degraded",
        "root_causes": ["norm-drift"],
    }


def test_numbers_that_are_not_finite_are_null(store: Store) -> None:
    held = a_report(profile={"norms": {"mean": float("nan"), "max": float("inf")}})
    back = store.report(store.save(held))
    assert back["profile"] == {"norms": {"mean": None, "max": None}}


def test_lists_are_newest_first_whatever_the_zone_and_the_order_of_saving(store: Store) -> None:
    times = ["2026-11-19T23:00:00+02:00", "2026-11-19T22:00:00+00:00", "2026-11-19T19:00:00-01:00"]
    ids = {at: store.save(a_report(at=at)) for at in times}
    assert [h.id for h in store.reports("prod/rows")] == [ids[times[i]] for i in (1, 0, 2)]
    assert [h.id for h in store.history("prod/rows", 2)] == [ids[times[0]], ids[times[1]]]
    latest = store.latest("prod/rows")
    assert latest is not None
    assert latest["id"] == ids[times[1]]


def test_reports_of_one_second_stand_in_the_order_of_saving(store: Store) -> None:
    ids = [store.save(a_report(id=f"20261119-221000-{tail}")) for tail in ("c", "a", "b")]
    assert [h.id for h in store.reports()] == ids[::-1]


def test_an_address_means_every_field_and_with_a_vector_only_this_one(store: Store) -> None:
    one = store.save(a_report(vector="clip"))
    two = store.save(a_report(vector="a#b/c", address="prod/rows"))
    three = store.save(a_report(vector=""))
    other = store.save(a_report(address="prod/rows@tenant", vector="clip"))
    assert {h.id for h in store.reports(Address("prod", "rows"))} == {one, two, three}
    assert [h.id for h in store.reports(Address("prod", "rows", vector="clip"))] == [one]
    assert [h.id for h in store.reports(Address("prod", "rows", vector="a#b/c"))] == [two]
    assert [h.id for h in store.reports(Address("prod", "rows", vector=""))] == [three]
    assert [h.id for h in store.reports(Address("prod", "rows", "tenant"))] == [other]
    assert {h.id for h in store.latest_each()} == {one, two, three, other}
    assert store.reports("prod/other") == []
    assert store.latest("prod/other") is None


def test_saving_twice_changes_nothing_and_another_report_never_takes_an_id(store: Store) -> None:
    held = a_report()
    assert store.save(held) == store.save(held.data, held.arrays)
    assert len(store.reports()) == 1
    with pytest.raises(PlumblineError) as caught:
        store.save(a_report(id=held.data["id"], at="2026-11-20T00:00:00+00:00"))
    assert caught.value.code == "changed"
    assert store.report(held.data["id"]) == held.data


def test_a_report_without_an_id_gets_one(store: Store) -> None:
    held = a_report()
    del held.data["id"]
    made = store.save(held)
    assert is_id(made)
    assert store.report(made)["id"] == made


def test_what_is_not_there_is_not_found(store: Store) -> None:
    for ask in (store.report, store.whole, store.sample, lambda i: store.set_baseline("prod/rows", i)):
        with pytest.raises(PlumblineError) as caught:
            ask("r00000000000")
        assert caught.value.code == "not-found"


def test_a_baseline_is_pinned_per_vector_field(store: Store) -> None:
    first, second = (store.save(a_report(vector=v, at=stamp(2))) for v in ("clip", "text"))
    newer = store.save(a_report(vector="clip", at=stamp(1), arrays={"mean": np.ones(3)}))
    assert store.baseline("prod/rows#clip") is None
    assert store.set_baseline("prod/rows", first).id == first
    assert store.set_baseline("prod/rows#text", second).id == second
    assert [h.id for h in store.baselines()] == [first, second]
    assert store.set_baseline("prod/rows#clip").id == newer
    pinned = store.baseline(Address("prod", "rows", vector="clip"))
    assert pinned is not None
    assert pinned.id == newer
    np.testing.assert_array_equal(store.whole(pinned.id).arrays["mean"], np.ones(3))
    with pytest.raises(PlumblineError) as caught:
        store.set_baseline("prod/rows#clip", second)
    assert caught.value.code == "not-found"
    assert store.clear_baseline("prod/rows#clip") == 1
    assert store.clear_baseline("prod/rows#clip") == 0
    assert [h.id for h in store.baselines()] == [second]
    assert store.set_baseline("prod/rows", "latest").id == newer
    assert [h.id for h in store.baselines("prod/rows")] == [newer, second]
    with pytest.raises(PlumblineError) as caught:
        store.set_baseline("prod/other")
    assert caught.value.code == "not-found"


def test_retention_by_number_never_touches_the_baseline_or_another_field(desk: Desk) -> None:
    store = Store.open(desk.keeping(keep_reports=3, keep_panels=2))
    arrays = {"mean": np.ones(3), "sample.low": np.arange(3)}
    pinned = store.save(a_report(at=stamp(20), arrays=arrays))
    store.set_baseline("prod/rows", pinned)
    other = store.save(a_report(address="prod/other", at=stamp(30), arrays=arrays))
    ids = [store.save(a_report(at=stamp(10 - i), arrays=arrays)) for i in range(5)]
    assert [h.id for h in store.reports("prod/rows")] == [*ids[:-4:-1], pinned]
    kept = {i for i in (*ids[2:], pinned, other) if store.whole(i).arrays}
    assert kept == {*ids[3:], pinned, other}
    assert store.sample(ids[2]) == {}
    assert set(store.sample(pinned)) == {"sample.low"}
    store.close()


def test_retention_by_days_keeps_the_newest_and_the_baseline(desk: Desk) -> None:
    store = Store.open(desk.keeping(keep_days=30))
    pinned = store.save(a_report(at=stamp(90)))
    store.set_baseline("prod/rows", pinned)
    gone = store.save(a_report(at=stamp(60)))
    assert {h.id for h in store.reports()} == {pinned, gone}
    new = store.save(a_report(at=stamp(1)))
    assert [h.id for h in store.reports()] == [new, pinned]
    store.close()


def test_arrays_of_objects_are_refused_on_both_sides(store: Store) -> None:
    with pytest.raises(ValueError, match="objects"):
        packed({"a": np.array([{}, None], dtype=object)})
    saved = store.save(a_report(arrays={"mean": np.ones(3)}))
    from sqlalchemy import update

    from console.store import tables
    from console.store.engine import transaction

    with transaction(store._engine, "", write=True) as connection:
        connection.execute(update(tables.arrays).values(data=b"PK not really"))
    with pytest.raises(PlumblineError) as caught:
        store.whole(saved)
    assert caught.value.code == "damaged"
    assert store.report(saved)["id"] == saved


def test_ids_are_short_and_sort_by_time() -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    ids = [new_id(start + timedelta(milliseconds=17 * i)) for i in range(2000)]
    assert ids == sorted(ids)
    assert len({*ids}) == 2000
    assert all(is_id(i) and len(i) == 12 and i.isalnum() for i in ids)
    assert json.dumps(ids[0]).strip('"') == ids[0]
    assert not is_id("r0000000000i")
