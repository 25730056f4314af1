"""The scan against the table that tests build row by row, and against the rows themselves."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from connectors.filters import lookup
from connectors.model import Batch, ConnectionSpec, Count, Range, RowId, Target, Vectors, id_key
from console.health import columns, reservoir, spill
from console.health.options import CheckOptions, FieldNames
from console.health.probing import Cancelled
from console.health.progress import Progress
from console.health.rows import Gathering
from console.health.scan import Examined, examine, gather
from console.health.table import MISSING, NON_FINITE, OVERFLOW, ZERO, Ids, RowTable
from console.health.values import seconds
from console.search.proportions import clopper_pearson
from tests.faults.memory import Memory, Rows
from tests.health.building import table

NAMES = FieldNames(
    version="tag",
    text="caption",
    image="image",
    time="at",
    groups=("tag", "deep.kind", "flag", "labels"),
    columns=("tag", "deep.kind", "flag", "labels", "caption", "image", "at"),
)


def payload(i: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "tag": ("v1", "v2", "v2", "")[i % 4],
        "deep": {"kind": i % 5},
        "flag": i % 2 == 0,
        "caption": f"row {i}, «ü»",
        "at": f"2026-03-{1 + i % 28:02}T10:00:00Z",
    }
    if i % 3 == 0:
        made["image"] = f"pictures/{i // 6}.png"
    return made


def bad_rows(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    matrix = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    matrix[3], matrix[4, 1], matrix[5, 2], matrix[6] = 0, np.nan, np.inf, 3e38
    matrix[7, d // 2 :] = 0
    matrix[9] = matrix[8]
    present = np.ones(n, np.bool_)
    present[[10, 11]] = False
    matrix[~present] = 0
    return matrix, present


def batches(
    matrix: np.ndarray,
    present: np.ndarray,
    payloads: list[dict[str, Any]],
    ids: list[RowId],
    names: FieldNames,
    size: int = 170,
) -> Iterator[Batch]:
    for start in range(0, len(ids), size):
        part = slice(start, start + size)
        held: Mapping[str, list[Any]] = {
            path: [value if isinstance(value := lookup(p, path), (str, int, list, float)) else None
                   for p in payloads[part]] for path in names.columns
        }  # fmt: skip
        yield Batch(tuple(ids[part]), {"clip": Vectors(matrix[part], present[part])}, held)


def same_table(held: RowTable, expected: RowTable) -> None:
    """All that does not hang on the hash that was chosen is equal; hashes are equal where the others are."""
    for name in ("high", "low", "integer"):
        np.testing.assert_array_equal(getattr(held.ids, name), getattr(expected.ids, name))
    for name in ("flags", "norm", "tail", "peak", "text_length", "time"):
        np.testing.assert_array_equal(getattr(held, name), getattr(expected, name), err_msg=name)
        assert getattr(held, name).dtype == getattr(expected, name).dtype
    for name in ("digest", "source", "content"):
        mine, theirs = getattr(held, name), getattr(expected, name)
        np.testing.assert_array_equal(mine == 0, theirs == 0, err_msg=name)
        classes = np.unique(mine, return_inverse=True)[1], np.unique(theirs, return_inverse=True)[1]
        pairs = set(zip(*(c.tolist() for c in classes), strict=True))
        assert len(pairs) == len(set(mine.tolist())) == len(set(theirs.tolist())), name
    assert held.groups.keys() == expected.groups.keys()
    for name, codes in held.groups.items():
        assert codes.values == expected.groups[name].values
        np.testing.assert_array_equal(codes.codes, expected.groups[name].codes, err_msg=name)


def test_the_table_is_that_of_row_by_row_building():
    n = 1_000
    matrix, present = bad_rows(n, 12)
    payloads = [payload(i) for i in range(n)]
    ids: list[RowId] = [i if i % 3 else str(uuid.UUID(int=i * 2**70 + 5)) for i in range(n)]
    held = gather(batches(matrix, present, payloads, ids, NAMES), ["clip"], NAMES)["clip"]
    same_table(held.table, table(matrix, present, payloads, ids, NAMES))
    assert held.table.flags[3:7].tolist() == [ZERO, NON_FINITE, NON_FINITE, NON_FINITE | OVERFLOW]
    assert held.table.flags[10] == MISSING
    assert held.table.ids.take([0, 1]) == (ids[0], 1)
    assert held.profile.duplicates == 1
    assert (held.profile.missing, held.profile.zero, held.profile.non_finite) == (2, 1, 3)


@pytest.mark.parametrize("bound", [0, 5_000, 10**9])
def test_a_table_in_a_file_is_the_same(monkeypatch: pytest.MonkeyPatch, bound: int):
    n = 3_000
    matrix, present = bad_rows(n, 8)
    payloads = [payload(i) for i in range(n)]
    ids: list[RowId] = list(range(n))
    gathering = Gathering(("clip",), NAMES)
    gathering.spill = spill.Spill(bound)
    thirds = [gathering.range() for _ in range(3)]
    for third, into in reversed(list(enumerate(thirds))):
        part = slice(third * 1_000, third * 1_000 + 1_000)
        for batch in batches(matrix[part], present[part], payloads[part], ids[part], NAMES):
            into.add(batch)
    held = gathering.finish()["clip"]
    same_table(held.table, table(matrix, present, payloads, ids, NAMES))
    assert held.reservoir.rows.tolist() == list(range(n))
    np.testing.assert_array_equal(held.reservoir.matrix, matrix * present[:, None])


def test_values_past_the_bound_share_one_code_however_a_scan_is_split(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(columns, "VALUES", 20)
    names = FieldNames(version="v", groups=("user",), columns=("user",))
    n = 900
    users = [{"user": f"user {i % 90}"} for i in range(n)]
    matrix, present = np.ones((n, 2), np.float32), np.ones(n, np.bool_)
    found = []
    for cut in (0, 300, 650):
        gathering = Gathering(("clip",), names)
        for part in (slice(0, cut), slice(cut, n)):
            into = gathering.range()
            for batch in batches(matrix[part], present[part], users[part], list(range(n))[part], names):
                into.add(batch)
        found.append(gathering.finish()["clip"].table.groups["user"])
    for codes in found:
        assert codes.values == found[0].values
        assert len(codes.values) == 20
        np.testing.assert_array_equal(codes.codes, found[0].codes)
        assert (codes.codes == codes.other).sum() == n - 200
        for value in codes.values:
            assert codes.mask(value).sum() == 10


def test_time_is_no_part_of_the_content_and_equal_payloads_are_equal():
    names = FieldNames(version="v", time="at", columns=("a", "b", "at"))
    payloads = [
        {"a": "x", "b": ["p", 1], "at": "2026-01-01"},
        {"a": "x", "b": ["p", 1], "at": "2026-01-02"},
        {"a": "x", "b": ["p", 2], "at": "2026-01-01"},
        {"at": "2026-01-01"},
    ]
    rows = batches(np.ones((4, 2), np.float32), np.ones(4, np.bool_), payloads, [0, 1, 2, 3], names)
    content = gather(rows, ["clip"], names)["clip"].table.content
    assert content[0] == content[1] != content[2]
    assert content[3] == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-05-04T03:02:01Z", 1_777_863_721.0),
        ("2026-05-04T05:02:01+02:00", 1_777_863_721.0),
        ("2026-05-04", 1_777_852_800.0),
        (1_777_863_721, 1_777_863_721.0),
        (1_777_863_721_000, 1_777_863_721.0),
        ("1777863721", 1_777_863_721.0),
        (1_777_863_721_000_000_000, 1_777_863_721.0),
        ("soon", None),
        (True, None),
        (None, None),
        (10**400, None),
    ],
)
def test_times_in_every_usual_form(value: Any, expected: float | None):
    found = seconds(value)
    assert np.isnan(found) if expected is None else found == expected


def test_lists_and_long_texts_as_groups():
    names = FieldNames(version="tags", groups=("tags", "labels"), columns=("tags", "labels"))
    payloads = [
        {"tags": ["v1"], "labels": ["a", "b"]},
        {"tags": "v1", "labels": "x" * 300},
        {"tags": " ", "labels": ["a", "b"]},
    ]
    rows = batches(np.ones((3, 2), np.float32), np.ones(3, np.bool_), payloads, [0, 1, 2], names)
    groups = gather(rows, ["clip"], names)["clip"].table.groups
    assert groups["tags"].values == ("v1",)
    assert groups["tags"].codes.tolist() == [1, 1, 0]
    assert groups["labels"].values == ('["a","b"]',)
    assert groups["labels"].codes.tolist() == [1, groups["labels"].other, 1]


def test_uuids_in_any_form_are_one_id():
    text = "6f1c1d0e-1b2a-4c3d-8e4f-5a6b7c8d9e0f"
    ids = Ids.of([text, 7])
    assert (ids.at(0), ids.at(1)) == (text, 7)
    assert Ids.of([]).high.shape == (0,)


# examine


def memory(n: int, d: int = 6, kind: str = "qdrant") -> tuple[Memory, Rows]:
    rng = np.random.default_rng(9)
    ids: list[RowId] = [int(i) for i in rng.choice(10**9, n, replace=False)]
    held = Rows(ids, rng.standard_normal((n, d)).astype(np.float32), np.ones(n, np.bool_),
                [payload(i) for i in range(n)], metric="dot").ordered()  # fmt: skip
    return Memory(ConnectionSpec("m", kind), {"Rows": held}), held  # type: ignore[arg-type]


def run(
    reader: Any,
    options: CheckOptions,
    told: list[Progress] | None = None,
    names: FieldNames = NAMES,
    **more: Any,
) -> Examined:
    target = Target("Rows")
    description = reader.describe(target)
    said: list[Progress] = told if told is not None else []
    return next(iter(examine(
        reader, target, description, description.dense, names, options,
        tell=said.append, cancelled=more.pop("cancelled", lambda: False), **more,
    ).values()))  # fmt: skip


def test_a_full_examination_holds_every_row_in_the_order_of_ids():
    reader, held = memory(45_000)
    told: list[Progress] = []
    out = run(reader, CheckOptions(sample=None), told)
    assert (out.facts.rows, out.facts.scanned, out.facts.exact) == (45_000, 45_000, True)
    assert out.facts.changed == out.facts.bias == ""
    assert out.table.ids.low.tolist() == sorted(held.ids)
    np.testing.assert_allclose(out.table.norm, np.linalg.norm(held.matrix, axis=1), rtol=1e-6)
    at = {row: i for i, row in enumerate(held.ids)}
    assert len(out.reservoir.rows) == 5_000
    assert (np.diff(out.reservoir.rows) > 0).all()
    chosen = [at[out.table.ids.at(int(i))] for i in out.reservoir.rows]
    np.testing.assert_array_equal(out.reservoir.matrix, held.matrix[chosen])
    assert [lookup(p, "deep.kind") for p in out.reservoir.payloads] == [
        held.payloads[i]["deep"]["kind"] for i in chosen
    ]
    assert told[-1].done == told[-1].total == 45_000
    assert {p.phase for p in told} == {"Reading rows"}


def test_the_reservoir_is_uniform_and_repeats_by_its_seed():
    reader, _ = memory(12_000)
    one, again, other = (run(reader, CheckOptions(sample=None, seed=s)).reservoir.rows for s in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()
    counts = np.zeros(12)
    for seed in range(12):
        rows = run(reader, CheckOptions(sample=None, seed=seed)).reservoir.rows
        counts += np.bincount(rows // 1_000, minlength=12)
    expected = counts.sum() / 12
    assert ((counts - expected) ** 2 / expected).sum() < 31.3  # chi-squared, 11 degrees of freedom, p = .001


def test_a_sample_is_as_large_as_asked_and_a_small_collection_is_read_whole():
    reader, _ = memory(3_000)
    out = run(reader, CheckOptions(sample=500, seed=4))
    assert (out.facts.rows, out.facts.scanned, out.facts.exact, out.facts.seed) == (3_000, 500, False, 4)
    keys = [id_key(out.table.ids.at(i)) for i in range(500)]
    assert keys == sorted(keys)
    assert run(reader, CheckOptions(sample=5_000)).facts.exact


def test_the_rows_of_an_earlier_sample_are_read_again():
    reader, held = memory(200)
    out = run(reader, CheckOptions(sample_of="1"), only=[held.ids[7], held.ids[3], 5 * 10**9])
    assert set(out.table.ids.take(range(2))) == {held.ids[7], held.ids[3]}
    assert not out.facts.exact
    assert out.facts.changed == "1 of the 3 rows of the earlier sample are gone."
    assert out.facts.again
    assert out.facts.bias == "Rows that came since that report can't be among these."
    assert not run(reader, CheckOptions(sample=50)).facts.again


@pytest.mark.parametrize(
    ("then", "more"), [(200, ""), (201, ""), (188, " The collection has 12 rows more than then.")]
)
def test_rows_that_came_since_a_sample_are_counted_where_that_is_known(then: int, more: str):
    reader, held = memory(200)
    facts = run(reader, CheckOptions(sample_of="1"), only=held.ids[:5], then=then).facts
    assert facts.bias == f"Rows that came since that report can't be among these.{more}"


class Moving:
    """A reader whose count grows by so many rows between two looks."""

    def __init__(self, reader: Memory, by: int) -> None:
        self._reader, self._by, self._asked = reader, by, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def count(self, t: Target, *args: Any, **more: Any) -> Count:
        self._asked += 1
        return Count(self._reader.count(t).rows + (self._by if self._asked > 1 else 0))


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (1_204, "The collection grew by 1,204 rows while it was read."),
        (-7, "The collection shrank by 7 rows while it was read."),
    ],
)
def test_a_collection_that_changes_says_so(by: int, said: str):
    reader, _ = memory(300)
    assert run(Moving(reader, by), CheckOptions(sample=None)).facts.changed == said


class Rewriting(Moving):
    """A reader whose rows are written to once they were read: some get other vectors, some are other rows."""

    def __init__(self, reader: Memory, other: int, gone: int) -> None:
        super().__init__(reader, 0)
        self._other, self._gone = other, gone

    def fetch(self, t: Target, ids: Any, *args: Any, **more: Any) -> Batch:
        held = self._reader.held["Rows"]
        for i in range(self._other):
            held.matrix[i, 2] = np.nextafter(held.matrix[i, 2], np.float32(9))
        for i in range(self._other, self._other + self._gone):
            held.ids[i] = 10**9 + i
        return self._reader.fetch(t, ids, *args, **more)


@pytest.mark.parametrize(
    ("n", "other", "gone", "said"),
    [
        (300, 0, 0, ""),
        (300, 5, 0, "of 300 rows 5 have another vector now."),
        (300, 0, 2, "of 300 rows 2 are gone."),
        (300, 5, 2, "of 300 rows 5 have another vector now and 2 are gone."),
    ],
)
def test_rows_that_are_rewritten_under_a_full_scan_are_seen(n: int, other: int, gone: int, said: str):
    reader, held = memory(n)
    held = reader.held["Rows"]
    held.matrix[7] = np.nan
    held.matrix[8] = 0
    held.present[9] = False
    changed = run(Rewriting(reader, other, gone), CheckOptions(sample=None), reread=True).facts.changed
    assert changed == (f"Rows were rewritten while it was read: {said}" if said else "")


def test_of_many_rows_500_are_read_again_and_their_share_has_its_interval():
    reader, _ = memory(6_000)
    changed = run(Rewriting(reader, 3_000, 0), CheckOptions(sample=None), reread=True).facts.changed
    told = re.fullmatch(
        r"Rows were rewritten while it was read: of 500 random rows (\d+) have another vector now,"
        r" which makes ([\d.]+)% to ([\d.]+)% of all rows\.",
        changed,
    )
    assert told is not None
    low, high = clopper_pearson(int(told[1]), 500)
    assert [float(told[2]), float(told[3])] == pytest.approx([100 * low, 100 * high], abs=0.5)
    assert low < 0.5 < high
    assert not run(Rewriting(reader, 9, 0), CheckOptions(sample=100), reread=True).facts.changed


def test_an_end_is_heard_between_pages():
    reader, _ = memory(45_000)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 1

    with pytest.raises(Cancelled):
        run(reader, CheckOptions(sample=None, rate=1_000.0), cancelled=cancelled)
    with pytest.raises(Cancelled):
        run(reader, CheckOptions(sample=100), cancelled=lambda: True)


class Failing:
    def __init__(self, reader: Memory) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def scan(
        self, t: Target, fields: Any, over: Range | None = None, *args: Any, **more: Any
    ) -> Iterator[Batch]:
        yield from self._reader.scan(t, fields, over, *args, **more)
        raise PlumblineError("unreachable", "The server went away.")


def test_a_fault_of_one_range_is_the_fault_of_the_scan():
    reader, _ = memory(45_000)
    with pytest.raises(PlumblineError, match="went away"):
        run(Failing(reader), CheckOptions(sample=None))


def test_a_rate_is_kept_to():
    reader, _ = memory(2_000)
    out = run(reader, CheckOptions(sample=None, rate=4_000.0))
    assert out.facts.seconds >= 0.4
    assert out.facts.scanned == 2_000


@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_few_rows_or_none(n: int):
    reader, _ = memory(n, d=2)
    for options in (CheckOptions(sample=None), CheckOptions(sample=5)):
        out = run(reader, options)
        assert len(out.table) == out.facts.scanned == out.profile.rows == min(n, options.sample or n)
        assert len(out.reservoir.rows) == len(out.table)
        assert out.table.groups.keys() == set(NAMES.groups)


def test_no_payload_at_all():
    reader, _ = memory(50)
    out = run(reader, CheckOptions(sample=None), names=FieldNames())
    assert not out.table.groups
    assert not out.table.content.any()
    assert list(out.reservoir.payloads) == [{}] * 50


@pytest.mark.parametrize("sample", [None, 8_000])
def test_a_common_value_among_thousands_keeps_its_group(sample: int | None):
    n = 9_000
    rng = np.random.default_rng(3)
    users = [{"user": "the one" if rng.random() < 0.3 else f"user {i}"} for i in range(n)]
    held = Rows(list(range(n)), np.ones((n, 2), np.float32), np.ones(n, np.bool_), users, metric="dot")
    reader = Memory(ConnectionSpec("m", "qdrant"), {"Rows": held})
    names = FieldNames(version="v", groups=("user",), columns=("user",))
    out = run(reader, CheckOptions(sample=sample), names=names)
    expected = sum(p["user"] == "the one" for p in (users[i] for i in out.table.ids.low.tolist()))
    assert out.table.groups["user"].mask("the one").sum() == expected
    assert out.profile.groups["user"]["the one"].rows == expected


@pytest.mark.parametrize(("dimension", "rows"), [(0, 5_000), (512, 5_000), (4_096, 4_096), (65_535, 1_000)])
def test_wide_vectors_make_the_reservoir_smaller(dimension: int, rows: int):
    assert reservoir.size(dimension) == rows


def test_progress_comes_at_most_five_times_a_second_and_names_a_time_left_late():
    reader, _ = memory(3_000)
    told: list[Progress] = []
    out = run(reader, CheckOptions(sample=None, rate=4_000.0), told)
    assert len(told) <= 3 + 5 * out.facts.seconds
    assert told[0].done == 0
    assert told[0].eta_seconds is None
    assert told[-1].eta_seconds == 0
