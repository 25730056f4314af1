"""Every fault on every base, as Qdrant and as Weaviate would hold it, at three intensities, through the whole check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from console.cli.checking import fails
from tests.faults.__main__ import FIRST, SECOND, intensities
from tests.faults.bases import BASES
from tests.faults.plants import FAULTS
from tests.faults.running import above_info, judge, run, unmeasured

CELLS = [
    (base, fault, kind)
    for base in BASES
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


TEXT = BASES["text"](FIRST)
SHARES = [n for n, f in FAULTS.items() if 1 < f.smallest(TEXT) < len(TEXT)]


@pytest.mark.parametrize("name", SHARES)
def test_far_below_its_line_it_is_silent_or_a_remark(tmp_path: Path, name: str) -> None:
    """A tenth of the smallest intensity that must be found."""
    base, fault = TEXT, FAULTS[name]
    count = max(1, fault.smallest(base) // 10)
    planted = fault.plant(base, count, np.random.default_rng([FIRST, count]))
    report = run(tmp_path, "weaviate", planted)
    assert [f["code"] for f in above_info(report) if f["code"] == fault.code] == []
