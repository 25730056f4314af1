"""The matrix's sample on the real databases: every fault once, at a tenth of the rows, through the whole check."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import numpy as np
import pytest

from tests.faults.__main__ import FIRST
from tests.faults.bases import BASES, CLEAN, lacking
from tests.faults.plants import FAULTS, Planted
from tests.faults.real import NOT_APPLICABLE, Database, as_stored, examine, put, with_uuids
from tests.faults.running import judge, silent

EVERYTHING = os.environ.get("PLUMBLINETEST_FAULTS") == "all"
"""`make test-faults`: three bases more, and the hard ones among the clean."""
ROWS = 1_000
CHOSEN = ["unit-dot", "text", "mixed", "popular"] if EVERYTHING else ["unit-dot", "text"]
HARD = (
    list(CLEAN)
    if EVERYTHING
    else ["text", "mixed", "products", "pareto", "float16", "0-rows", "1-row", "flat"]
)


def made(database: Database, planted: Planted) -> str:
    name = f"Faults{uuid.uuid4().hex[:10]}"
    put(database.connector, name, planted.base)
    return name


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("base_name", CHOSEN)
def test_it_is_found_on_the_real_thing(database: Database, tmp_path: Path, base_name: str, name: str) -> None:
    fault = FAULTS[name]
    base = BASES[base_name](FIRST, ROWS)  # type: ignore[call-arg]
    why = NOT_APPLICABLE.get((name, database.name), "") or fault.applies(base, database.kind)
    if why:
        pytest.skip(f"not applicable: {why}")
    count = max(fault.smallest(base), ROWS // 10)
    planted = fault.plant(base, count, np.random.default_rng([FIRST, *name.encode()]))
    planted = as_stored(name, with_uuids(planted))
    collection = made(database, planted)
    try:
        report = examine(tmp_path, database.spec, collection, planted)
    finally:
        database.connector.drop(collection)
    verdict = judge(fault, planted, report)
    told = f"{report.data['headline']} roots {report.data['root_causes']}"
    assert verdict.found, told
    assert verdict.root, told
    assert verdict.wrong == []
    assert verdict.false == [], told


@pytest.mark.parametrize("name", HARD)
def test_a_clean_one_stays_silent(database: Database, tmp_path: Path, name: str) -> None:
    if why := lacking(name):
        pytest.skip(why)
    base = CLEAN[name](FIRST)
    if base.storage != "float32" and database.kind == "weaviate":
        pytest.skip("not applicable: Weaviate stores float32 only")
    planted = with_uuids(Planted(base, None, ()))
    collection = made(database, planted)
    try:
        report = examine(tmp_path, database.spec, collection, planted)
    finally:
        database.connector.drop(collection)
    assert silent(report) == []
