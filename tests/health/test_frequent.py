"""Heavy values among those past the bound, against counts of every value."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.model import Batch, Vectors
from console.health import columns, frequent
from console.health import groups as grouping
from console.health.charts import versions
from console.health.evidence import Evidence
from console.health.frequent import Frequent, Heavy, Others
from console.health.options import FieldNames
from console.health.profile import OTHER, Profile
from console.health.render.html import to_html
from console.health.rows import Gathered, Gathering
from console.health.values import key_of
from console.ui import health_pictures
from tests.health.building import codes, evidence
from tests.health.probed import finding, probed

NAMES = FieldNames(version="v", groups=("v",), columns=("v",))
HOSTILE: list[Any] = [
    1,
    True,
    1.0,
    "1",
    "true",
    "(other)",
    "\x00\n<b>",
    "\ud800",
    "é" * 200,
    '"\\' * 120,
    "x" * 5_000,
    "x" * 5_001,
    "🙂" * 255,
    '["a","b"]',
    json.dumps(["x" * 60, "0"]),
    -(2**63),
]


def batches(values: Sequence[Any], size: int = 70) -> Iterator[Batch]:
    for start in range(0, len(values), size):
        part = list(values[start : start + size])
        n = len(part)
        vectors = {"clip": Vectors(np.ones((n, 2), np.float32), np.ones(n, np.bool_))}
        yield Batch(list(range(start, start + n)), vectors, {"v": part}, None)


def gathered(values: Sequence[Any], cuts: Sequence[int] = (), size: int = 70) -> Gathered:
    gathering = Gathering(("clip",), NAMES)
    for a, b in zip([0, *cuts], [*cuts, len(values)], strict=True):
        into = gathering.range()
        for batch in batches(values[a:b], size):
            into.add(batch)
    return gathering.finish()["clip"]


def profiled(values: Sequence[Any]) -> Profile:
    made = Profile()
    made.update(np.ones((len(values), 2), np.float32), np.ones(len(values), np.bool_), {"v": codes(values)})
    return made


def put_away(profile: Profile, values: Sequence[Any]) -> Counter[Any]:
    """Rows of each value (with its kind) that has no group of its own."""
    named = {key_of(v) for v in profile.groups["v"] if v is not None and v is not OTHER}
    return Counter(key for v in values if (key := key_of(v)) not in named)


def hold(others: Others, true: Counter[Any], share: float = frequent.HEAVY) -> None:
    """Bounds hold the truth, nothing heavy is left out, and the rows add up."""
    assert others.rows == sum(true.values())
    by_name: dict[Any, list[Heavy]] = {}
    for one in others.heavy:
        by_name.setdefault((one.cut, type(one.value).__name__, one.value), []).append(one)
    for (kind, value), rows in true.items():
        cut = isinstance(value, str) and len(value) > 60 and (False, kind, value) not in by_name
        told = by_name.get((cut, kind, value[:60] if cut else value), [])
        if rows > max(others.apart, share * others.rows):
            assert told, (value, rows)
        if len(told) == 1 and not cut:
            assert told[0].at_least <= rows <= told[0].at_most, (value, rows)
        assert all(h.at_most - h.at_least <= others.apart for h in told)
    if not others.apart:
        assert others.at_least == others.values == others.at_most == len(true)
        assert all(h.at_least == h.at_most for h in others.heavy)


def skewed(rng: np.random.Generator, n: int, many: int) -> list[Any]:
    """Heavy-tailed text, and hostile values."""
    places = np.minimum(rng.zipf(1.3, n), many)
    return [HOSTILE[p] if p < len(HOSTILE) and p % 2 else f"value {p}" for p in places.tolist()]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 600),
    many=st.sampled_from([5, 40, 400]),
    cuts=st.lists(st.integers(0, 600), max_size=6),
    order=st.randoms(use_true_random=False),
    lg=st.sampled_from([3, 5, 10]),
)
def test_any_split_and_order_of_merging_keeps_true_counts_within_the_bounds(
    seed: int, n: int, many: int, cuts: list[int], order: Any, lg: int
):
    values = skewed(np.random.default_rng(seed), n, many)
    edges = sorted({0, n, *(c for c in cuts if c < n)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frequent, "LG_SIZE", lg)
        patch.setattr(grouping, "VALUES", 6)
        parts = [profiled(values[a:b]) for a, b in itertools.pairwise(edges)] + [Profile()]
        exact = profiled(values).groups.get("v", {})
        order.shuffle(parts)
        while len(parts) > 1:
            i = order.randrange(len(parts) - 1)
            parts[i : i + 2] = [parts[i].merge(parts[i + 1])]
        held = parts[0]
    true = put_away(held, values) if n else Counter[Any]()
    groups = held.groups.get("v", {})
    assert {v: s.rows for v, s in groups.items()} == {v: s.rows for v, s in exact.items()}
    if not true:
        assert not held.others
        return
    hold(held.others["v"], true)
    assert held.others["v"].apart <= 3.5 / 2**lg * sum(true.values())
    assert lg < 10 or not held.others["v"].apart


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 900),
    cuts=st.lists(st.integers(0, 900), max_size=4),
    size=st.integers(1, 200),
)
def test_a_scan_counts_what_its_codes_put_away(seed: int, n: int, cuts: list[int], size: int):
    """Both bounds at once: of the codes of a range (some die on the way), and of the groups of the profile."""
    values = skewed(np.random.default_rng(seed), n, 300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "VALUES", 12)
        patch.setattr(grouping, "VALUES", 6)
        patch.setattr(frequent, "LG_SIZE", 5)
        held = gathered(values, sorted(c for c in cuts if c < n), size).profile
    true = put_away(held, values)
    assert bool(true) == ("v" in held.others)
    if true:
        hold(held.others["v"], true)


def test_a_field_that_fits_has_no_others_and_exact_counts():
    values = [f"user {i % 100}" for i in range(1_000)]
    held = gathered(values).profile
    assert held.others == {}
    assert all(s.rows == 10 for s in held.groups["v"].values())
    assert held.to_json()["versions"] == {f"user {i}": 10 for i in range(100)}


def test_a_heavy_value_among_very_many_is_named():
    rng = np.random.default_rng(1)
    values: list[Any] = [f"user {i}" for i in range(60_000)]
    heavy = next(
        f"heavy {i}"
        for i in range(1_000)
        if put_away(profiled([*values[:400], f"heavy {i}"]), [f"heavy {i}"])
    )
    for i in rng.choice(len(values), 3_000, replace=False):
        values[int(i)] = heavy
    held = gathered(values, [20_000, 45_000], 2_000).profile
    others = held.others["v"]
    true = put_away(held, values)
    hold(others, true)
    assert [h.value for h in others.heavy] == [heavy]
    assert others.heavy[0].at_least <= 3_000 <= others.heavy[0].at_most
    assert others.heavy[0].at_most - others.heavy[0].at_least <= 0.0035 * others.rows
    assert others.at_least <= len(true) <= others.at_most
    assert others.values == pytest.approx(len(true), rel=0.05)
    told = held.to_json()["groups"]["v"]["(other)"]
    assert told["heavy"] == [
        {"value": heavy, "at_least": others.heavy[0].at_least, "at_most": others.heavy[0].at_most}
    ]
    assert told["values_at_least"] <= told["values"] <= told["values_at_most"]


def test_merging_changes_neither_side():
    values = [f"user {i}" for i in range(5_000)]
    one, other = profiled(values[:3_000]), profiled(values[2_000:])
    before = one.others["v"], other.others["v"]
    together = one.merge(other)
    assert together.others["v"].rows > before[0].rows
    together.update(np.ones((3, 2), np.float32), np.ones(3, np.bool_), {"v": codes(["a", "b", "c"])})
    assert (one.others["v"], other.others["v"]) == before


def test_rows_that_nobody_counted_widen_the_bounds():
    made = Frequent()
    made.update({key_of("a"): 60, key_of("b"): 5})
    others = made.among(100)
    assert others.apart == 35
    assert [(h.value, h.at_least, h.at_most) for h in others.heavy] == [("a", 60, 95), ("b", 5, 40)]
    assert (others.at_least, others.at_most) == (2, 37)


def test_hostile_values_are_told_apart_bounded_and_can_be_written():
    made = Frequent()
    made.update({key_of(v): i + 1 for i, v in enumerate(HOSTILE)})
    others = made.among(sum(range(1, len(HOSTILE) + 1)), 0)
    assert others.values == len(HOSTILE)
    assert [h.at_least for h in others.heavy] == list(range(len(HOSTILE), 0, -1))
    assert all(len(h.name) <= frequent.WHOLE for h in others.heavy)
    assert {type(h.value) for h in others.heavy} == {int, bool, float, str}
    text = json.dumps(others.to_json(), allow_nan=False, ensure_ascii=False)
    assert len(text.encode()) < 10_000


def test_memory_does_not_grow_with_values():
    made = Frequent()
    for start in range(0, 20_000, 1_000):
        made.update({key_of(f"\x01{i}" * 100): 1 for i in range(start, start + 1_000)})
    items = made.among(20_000, 0).heavy
    assert len(items) <= 768
    assert made.size < 768 * 800


def overflowing(others: int, heavy: int, name: str = "heavy") -> Evidence:
    """v1 on 1,000 rows, v2 on 60, and more tags than have codes: one of `heavy` rows, the rest of 1."""
    tags: list[Any] = ["v1"] * 1_000 + ["v2"] * 60 + [f"user {i}" for i in range(others)]
    tags += [name] * heavy
    payloads = [{"v": t} for t in tags]
    held = evidence(np.random.default_rng(0).standard_normal((len(tags), 8)), payloads, names=NAMES)
    found = gathered(tags, size=500)
    object.__setattr__(held, "table", found.table)
    object.__setattr__(held, "profile", found.profile)
    return held


def test_a_mix_of_very_many_tags_names_the_heavy_ones_and_how_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
):
    first = {key_of("v1"): 0, key_of("v2"): 1}
    last = {key_of("heavy"): 2**65}

    def rank(key: Any, heavy: Any = frozenset()) -> int:
        return first.get(key, last.get(key, 2 + int(str(key[1])[5:] or 0) if key[0] == "str" else 0))

    for module in (columns, grouping):
        monkeypatch.setattr(module, "rank_of", rank)
    monkeypatch.setattr(columns, "VALUES", 50)
    monkeypatch.setattr(grouping, "VALUES", 10)
    held = finding("version-mix", probed(overflowing(400, 200)))
    assert held.rows == 60 + 400 + 200
    assert held.evidence["main"] == "v1"
    assert held.evidence["tags"][:3] == [
        {"tag": "v1", "rows": 1_000},
        {"tag": "heavy", "at_least": 200, "at_most": 200},
        {"tag": "v2", "rows": 60},
    ]
    assert held.evidence["others"] == {"rows": 552, "tags": 353, "tags_at_least": 353, "tags_at_most": 353}
    assert "v1 on 1,000, heavy on 200, v2 on 60 and 400 more." in held.summary
    monkeypatch.setattr(frequent, "LG_SIZE", 6)
    estimated = finding("version-mix", probed(overflowing(2_000, 200)))
    one = estimated.evidence["tags"][1]
    assert one["tag"] == "heavy"
    assert one["at_least"] <= 200 <= one["at_most"]
    assert (
        estimated.evidence["others"]["tags_at_least"] <= 1_953 <= estimated.evidence["others"]["tags_at_most"]
    )
    assert " and about " in estimated.summary


def test_pictures_and_files_say_how_many_others_there_are_and_name_the_heavy_ones(
    monkeypatch: pytest.MonkeyPatch,
):
    rank = columns.rank_of
    special = {"v1": 0, "v2": 0, "<b>heavy": 2**65}
    for module in (columns, grouping):
        monkeypatch.setattr(module, "rank_of", lambda k, h: special.get(k[1], rank(k, h)))
    monkeypatch.setattr(columns, "VALUES", 50)
    monkeypatch.setattr(grouping, "VALUES", 10)
    held = overflowing(700, 200, "<b>heavy")
    other = next(s for s in versions(held)["series"] if s["kind"] == "other")  # type: ignore[index]
    assert (other["values"], other["about"]) == (703 - 6, False)
    assert other["common"][0] == "<b>heavy on 200"
    assert all(not c.startswith("user") for c in other["common"])
    assert health_pictures.label(other) == "all others (697 values)"
    assert health_pictures.commonest([other])[0].startswith("The commonest of all others: <b>heavy on 200.")
    assert health_pictures.label({"kind": "other", "value": ""}) == "all others"
    profile = held.profile.to_json()
    text = to_html(
        {
            "address": "a",
            "at": "2026-10-01T00:00:00+00:00",
            "verdict": "degraded",
            "profile": profile,
            "fields": {"version": "v"},
        }
    )
    assert "(other)</code> 693 tags, among them &lt;b&gt;heavy on 200" in text


def test_the_others_are_not_the_main_tag_however_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(columns, "VALUES", 20)
    monkeypatch.setattr(grouping, "VALUES", 10)
    tags = [f"tag {i}" for i in range(900)]
    held = evidence(np.random.default_rng(0).standard_normal((900, 8)), [{"v": t} for t in tags], names=NAMES)
    found = gathered(tags)
    object.__setattr__(held, "table", found.table)
    object.__setattr__(held, "profile", found.profile)
    mix = finding("version-mix", probed(held))
    assert mix.rows == 899
    assert mix.evidence["main"] in tags
    assert "other tags" not in mix.summary
    assert mix.summary.endswith("and about 900 more.")
