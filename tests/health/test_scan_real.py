"""Examining what real databases hold: the embedded store, and Weaviate."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from connectors.filters import lookup
from connectors.model import ConnectionSpec, Row, RowId, Target, id_key
from console.health.naming import field_names
from console.health.options import CheckOptions, FieldNames
from console.health.progress import Progress
from console.health.scan import Examined, examine
from console.health.table import MISSING, NON_FINITE, ZERO
from console.settings import Address, Settings
from console.workspace import Workspace
from tests.connectors.weaviate_kit import ask
from tests.contract.conftest import Harness, opened, plan, store, vectors
from tests.health.building import table
from tests.health.test_scan import same_table

__all__ = ["opened", "store"]

D = 8
N = 700
NAMES = FieldNames(
    version="exact",
    text="caption",
    time="taken",
    groups=("exact", "flag", "labels"),
    columns=("exact", "flag", "labels", "caption", "count", "taken"),
)


def payload(i: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "caption": f"row {i}", "exact": f"v{i % 3}", "count": i, "flag": i % 2 == 0,
        "taken": f"2026-03-{1 + i % 28:02}T10:00:00Z",
    }  # fmt: skip
    if i % 5 == 0:
        made["labels"] = ["a", "b"]
    if i % 7 == 0:
        del made["exact"]
    return made


class World:
    """Rows that were written, in id order, each with what it should be read as."""

    def __init__(self, harness: Harness, n: int = N) -> None:
        self.target = harness.fresh(plan(D, "dot" if harness.integer_ids else "cosine", ("clip", "other")))
        self.ids: list[RowId] = sorted(harness.ids(n), key=id_key)
        rng = np.random.default_rng(1)
        self.matrix = rng.standard_normal((n, D)).astype(np.float32)
        self.matrix[3] = 0
        self.matrix[4, 2] = np.nan
        self.matrix[5, 1] = np.inf
        self.present = np.ones(n, np.bool_)
        self.other = np.arange(n) % 4 != 0
        self.payloads = [payload(i) for i in range(n)]
        harness.fill(
            self.target,
            [
                Row(
                    row,
                    {"clip": self.matrix[i], **({"other": self.matrix[i] * 2} if self.other[i] else {})},
                    p,
                )
                for i, (row, p) in enumerate(zip(self.ids, self.payloads, strict=True))
            ],
        )

    def expected(self, rows: Sequence[int] | None = None) -> Any:
        at = list(range(len(self.ids))) if rows is None else list(rows)
        # Lists are groups by their JSON text.
        held = [{k: json.dumps(v, separators=(",", ":")) if isinstance(v, list) else v
                 for k, v in self.payloads[i].items()} for i in at]  # fmt: skip
        return table(self.matrix[at], self.present[at], held, [self.ids[i] for i in at], NAMES)


def run(
    harness: Harness, world: World, options: CheckOptions, tell: Any = lambda _: None, **more: Any
) -> dict[str, Examined]:
    description = harness.connector.describe(world.target)
    return dict(examine(
        harness.connector, world.target, description, description.dense, NAMES, options,
        tell=tell, cancelled=lambda: False, **more,
    ))  # fmt: skip


def test_every_row_of_two_fields_in_one_pass(store: Harness):
    world = World(store)
    told: list[Progress] = []
    out = run(store, world, CheckOptions(sample=None), told.append, reread=True)
    assert out.keys() == {"clip", "other"}
    same_table(out["clip"].table, world.expected())
    flags = out["clip"].table.flags
    assert (flags[3], flags[4] & NON_FINITE, flags[5] & NON_FINITE) == (ZERO, NON_FINITE, NON_FINITE)
    np.testing.assert_array_equal(out["other"].table.flags & MISSING != 0, ~world.other)
    assert out["other"].profile.missing == (~world.other).sum()
    good = out["other"].table.flags == 0
    np.testing.assert_allclose(out["other"].table.norm[good], 2 * out["clip"].table.norm[good], rtol=1e-6)
    assert out["clip"].facts.exact
    assert out["clip"].facts.changed == ""
    assert told[-1].done == N
    places = out["clip"].reservoir.rows
    assert [lookup(p, "count") for p in out["clip"].reservoir.payloads] == places.tolist()


def test_a_sample_and_the_same_rows_again(store: Harness):
    world = World(store)
    out = run(store, world, CheckOptions(sample=200, seed=3))["clip"]
    assert out.facts.scanned == 200
    assert out.facts.rows == N
    assert not out.facts.exact
    at = {row: i for i, row in enumerate(world.ids)}
    rows = [at[row] for row in out.table.ids.take(range(200))]
    assert rows == sorted(set(rows))
    same_table(out.table, world.expected(rows))
    supported = store.connector.capabilities(world.target).random_sample.supported
    assert bool(out.facts.bias) == (supported is not True)
    again = run(store, world, CheckOptions(sample_of="earlier"), only=[world.ids[i] for i in reversed(rows)])[
        "clip"
    ]
    same_table(again.table, out.table)


def test_rows_rewritten_meanwhile_are_said(store: Harness):
    """Their number stays: only reading some of them again shows it."""
    world = World(store, 90)
    late = [Row(world.ids[i], {"clip": world.matrix[i] + 1}, world.payloads[i]) for i in range(20, 29)]

    def tell(progress: Progress) -> None:
        if late and progress.done == 90:
            assert not store.connector.insert(world.target, late, mode="replace").failed
            late.clear()

    facts = run(store, world, CheckOptions(sample=None), tell, reread=True)["clip"].facts
    assert not late
    assert facts.changed == "Rows were rewritten while it was read: of 90 rows 9 have another vector now."


def test_rows_written_meanwhile_are_said(store: Harness):
    world = World(store, 60)
    late = [Row(str(uuid.UUID(int=2**127 + i)), {"clip": world.matrix[0]}, payload(i)) for i in range(7)]

    def tell(progress: Progress) -> None:
        if late and progress.done == 0:
            store.fill(world.target, late)
            late.clear()

    facts = run(store, world, CheckOptions(sample=None), tell)["clip"].facts
    assert facts.rows == 60
    assert facts.changed == "The collection grew by 7 rows while it was read."


def test_names_are_found_in_real_rows(store: Harness, tmp_path: Any):
    world = World(store, 120)
    spec = ConnectionSpec("real", store.connector.spec.kind, url="http://127.0.0.1:1")
    with Workspace(
        Settings(home=tmp_path, connections={"real": spec}), connect=lambda _: store.connector
    ) as ws:
        description = store.connector.describe(world.target)
        address = Address("real", world.target.collection, vector="clip")
        found = field_names(
            ws, address, description, store.connector, world.target, CheckOptions(group_by=("count",))
        )
        ws._open.clear()
    assert found.text == "caption"
    assert {"exact", "flag", "count"} <= set(found.groups)
    assert "caption" not in found.groups


@pytest.mark.weaviate
def test_rows_know_their_tenant(store: Harness):
    if store.kind != "weaviate":
        pytest.skip("tenants as parts of a collection are Weaviate's")
    t = store.fresh(plan(D, names=("clip",), tenants=True), "Tenants")
    rng = np.random.default_rng(0)
    shares = {"ann": 300, "bob": 150, "cat": 50}
    ask(store.connector.spec, "POST", f"/schema/{t.collection}/tenants", [{"name": n} for n in shares])
    for tenant, n in shares.items():
        ids = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(n)]
        rows = [Row(i, {"clip": v}, {"caption": tenant}) for i, v in zip(ids, vectors(n, D), strict=True)]
        store.connector.insert(Target(t.collection, tenant), rows)
    names = FieldNames(text="caption", columns=("caption",))
    description = store.connector.describe(t)
    for options, total in ((CheckOptions(sample=None), 500), (CheckOptions(sample=100), 100)):
        out = examine(store.connector, t, description, description.dense, names, options,
                      tell=lambda _: None, cancelled=lambda: False)["clip"]  # fmt: skip
        codes = out.table.groups["tenant"]
        assert out.facts.scanned == total
        assert set(codes.values) == set(shares)
        for i, place in enumerate(out.reservoir.rows):
            assert codes.value(int(place)) == out.reservoir.payloads[i]["caption"]
        assert {v: g.rows for v, g in out.profile.groups["tenant"].items()} == {
            v: int(codes.mask(v).sum()) for v in shares
        }
        if options.full:
            assert {v: int(codes.mask(v).sum()) for v in shares} == shares
