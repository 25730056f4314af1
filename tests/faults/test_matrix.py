"""Every fault on every base, as Qdrant and as Weaviate would hold it, at three intensities, through the whole check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from console.cli.checking import fails
from tests.faults.__main__ import FIRST, SECOND, intensities
from tests.faults.bases import BASES, lacking
from tests.faults.plants import FAULTS, NEEDS, WEAKER
from tests.faults.running import above_info, causes, judge, run, unmeasured

CELLS = [
    (base, fault, kind)
    for base in BASES
    if base != "demo"
    for fault in FAULTS
    for kind in ("qdrant", "weaviate")
    if not FAULTS[fault].applies(BASES[base](FIRST), kind)
]


def cells() -> list[object]:
    """Each cell once: its seed, of the set that was looked at or of the other, by turns."""
    return [
        pytest.param(*cell, SECOND if i % 2 else FIRST, id=f"{cell[1]}-{cell[0]}-{cell[2]}")
        for i, cell in enumerate(CELLS)
    ]


@pytest.mark.parametrize(("base_name", "name", "kind", "seed"), cells())
def test_it_is_found_with_its_rows_and_its_group_and_is_the_root(
    tmp_path: Path, base_name: str, name: str, kind: str, seed: int
) -> None:
    base, fault = BASES[base_name](seed), FAULTS[name]
    for count in intensities(fault.smallest(base), len(base)):
        rng = np.random.default_rng([seed, count, *name.encode()])
        planted = fault.plant(base, count, rng)
        report = run(tmp_path, kind, planted)
        verdict = judge(fault, planted, report)
        assert verdict.found, f"{count} rows: missed"
        assert verdict.root, f"{count} rows: roots {report.data['root_causes']}"
        assert verdict.wrong == [], f"{count} rows"
        assert verdict.false == [], f"{count} rows"
        assert unmeasured(fault, planted, kind, report) == [], f"{count} rows"
        assert fails(report.data, "warning")
        folded = [f for f in above_info(report) if f["because_of"] is not None]
        assert all(
            set(f["because_of_ids"]) <= set(report.data["root_ids"]) | {g["id"] for g in folded}
            for f in folded
        )


@pytest.mark.parametrize("name", FAULTS)
def test_symptoms_are_told_under_their_cause(tmp_path: Path, name: str) -> None:
    """In half of the rows, where a fault has the most symptoms."""
    base, fault = BASES["unit-dot"](FIRST), FAULTS[name]
    if why := fault.applies(base, "weaviate"):
        pytest.skip(f"not applicable: {why}")
    planted = fault.plant(base, max(fault.smallest(base), len(base) // 2), np.random.default_rng(FIRST))
    report = run(tmp_path, "weaviate", planted)
    assert causes(planted, report) == []
    for f in above_info(report):
        true = planted.causes_of(f["code"])
        assert true is None or f["because_of"] in true, f"{f['code']} because of {f['because_of']}"


TEXT = BASES["text"](FIRST)
BELOW = [n for n, f in FAULTS.items() if f.smallest(TEXT) > 1]


@pytest.mark.parametrize("base_name", ["text", "unit-dot"])
@pytest.mark.parametrize("name", BELOW)
def test_below_its_line_it_is_silent_or_a_remark(tmp_path: Path, name: str, base_name: str) -> None:
    """At a size, or of a fault in all rows at a strength, at which the rule fires once in a hundred times at most."""
    base, fault = BASES[base_name](FIRST), FAULTS[name]
    rng = np.random.default_rng([FIRST, *name.encode()])
    if fault.below is None:
        planted = WEAKER[name](base, len(base), rng)
    else:
        assert fault.below(base) < fault.smallest(base)
        planted = fault.plant(base, fault.below(base), rng)
    report = run(tmp_path, "weaviate", planted)
    assert [f["summary"] for f in above_info(report) if f["code"] in planted.roots] == []
    assert not fails(report.data, "warning")


ON_ROWS = [n for n, f in FAULTS.items() if f.smallest(TEXT) < NEEDS // 10]


@pytest.mark.parametrize("name", ON_ROWS)
def test_faults_of_rows_are_found_among_real_embeddings(tmp_path: Path, name: str) -> None:
    if why := lacking("demo"):
        pytest.skip(why)
    base, fault = BASES["demo"](FIRST), FAULTS[name]
    kind = "qdrant" if len(name) % 2 else "weaviate"
    if why := fault.applies(base, kind):
        pytest.skip(f"not applicable: {why}")
    for count in intensities(fault.smallest(base), len(base))[:2]:
        planted = fault.plant(base, count, np.random.default_rng([FIRST, count, *name.encode()]))
        verdict = judge(fault, planted, run(tmp_path, kind, planted))
        assert verdict.clean, f"{count} rows: {verdict}"
