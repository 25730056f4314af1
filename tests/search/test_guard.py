"""The version guard's judgement, and how it reads the tags.

The readings here come from a stand-in for a connector, because a database can't be made to fail, to
approximate or to take its time on demand; test_run.py reads the tags of real ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Code, PlumblineError
from connectors.model import Batch, Facet, Target
from connectors.protocol import Reader
from connectors.spec import ConnectionSpec
from console.search import VersionMix
from console.search.fields import tag_of
from console.search.guard import KEPT, SAMPLE, Mixes, Reading, judge, read_mix
from console.search.proportions import clopper_pearson

T = Target("c")
OWNERS = {"own": "live", "own-2": "live", "old": "other", "older": "another"}


class Tags:
    """Answers a facet and a sample; anything else is an error of the test."""

    def __init__(
        self, facet: Facet | Code | None = None, sample: Sequence[Any] | Code = (), name: str = "c"
    ) -> None:
        self.spec = ConnectionSpec(name, "qdrant", url="http://127.0.0.1:1")
        self._facet = facet
        self._sample = sample
        self.calls: list[str] = []

    def facet(self, t: Target, field: str, where: Any = None, limit: int = 100, **_: Any) -> Facet:
        self.calls.append("facet")
        if isinstance(self._facet, Facet):
            return self._facet
        raise PlumblineError(self._facet or "unsupported", "No index.", where="c")

    def sample(self, t: Target, n: int, fields: Any = (), payload: Any = (), **_: Any) -> Batch:
        self.calls.append(f"sample {n}")
        if isinstance(self._sample, str):
            raise PlumblineError(cast("Code", self._sample), "It is gone.", where="c")
        held = self._sample[:n]
        return Batch(tuple(range(len(held))), {}, {payload[0]: list(held)})

    @property
    def reader(self) -> Reader:
        return cast("Reader", self)


def mix(shares: Mapping[str, float], **kwargs: Any) -> Reading:
    return Reading(VersionMix("embedding_version", dict(shares), 0.0, 100, 100, **{"exact": True, **kwargs}))


def verdict(reading: Reading, known: str | None = None, allow: bool = False) -> Any:
    return judge("c/x", "live", known, reading, OWNERS.get, allow=allow)


def test_a_facet_is_exact_and_counts_the_untagged_apart() -> None:
    tags = Tags(Facet({"v1": 30, "v2": 50, "": 5, "  ": 5}, 10, True, 100))
    read = read_mix(tags.reader, T, "embedding_version")
    assert read.mix == VersionMix("embedding_version", {"v2": 0.625, "v1": 0.375}, 0.2, 100, 80, True)
    assert tags.calls == ["facet"]


def test_without_a_facet_a_thousand_rows_are_sampled_with_intervals() -> None:
    tags = Tags("unsupported", ["v1"] * 300 + ["v2"] * 600 + [None] * 300)
    read = read_mix(tags.reader, T, "embedding_version")
    assert read.mix is not None
    assert tags.calls == ["facet", f"sample {SAMPLE}"]
    assert (read.mix.exact, read.mix.rows, read.mix.tagged) == (False, 1000, 900)
    assert read.mix.shares == {"v2": 600 / 900, "v1": 300 / 900}
    assert read.mix.intervals["v1"] == clopper_pearson(300, 900)
    assert read.mix.untagged == 0.1
    assert read.mix.untagged_interval == clopper_pearson(100, 1000)


def test_a_sample_that_holds_every_row_is_exact() -> None:
    read = read_mix(Tags("strict-mode", ["v1", "v1", "v2", None]).reader, T, "embedding_version")
    assert read.mix is not None
    assert (read.mix.exact, read.mix.intervals, read.mix.untagged) == (True, {}, 0.25)


@pytest.mark.parametrize("facet", [Facet({}, 40, True, 40), Facet({"": 40}, 0, True, 40), "unsupported"])
def test_no_tagged_row_means_not_known_and_is_no_fault(facet: Any) -> None:
    assert read_mix(Tags(facet, [None] * 40).reader, T, "embedding_version") == Reading(None)


def test_tags_that_cannot_be_read_are_not_known_with_the_reason() -> None:
    assert read_mix(Tags("unsupported", "timeout").reader, T, "v") == Reading(None, "It is gone.")
    unreachable = Tags("unreachable", ["v1"])
    assert read_mix(unreachable.reader, T, "v").why == "No index."
    assert unreachable.calls == ["facet"]


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("v1", "v1"),
        (2, "2"),
        (2.5, "2.5"),
        (["v1"], "v1"),
        ("", None),
        (" ", None),
        (None, None),
        ([], None),
        (["a", "b"], None),
        ({"a": 1}, None),
        (True, None),
        ([["a"]], None),
    ],
)
def test_a_tag_is_one_plain_value(value: Any, tag: str | None) -> None:
    assert tag_of(value) == tag


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_mix_is_believed_for_sixty_seconds_for_its_own_place_only() -> None:
    clock, tags = Clock(), Tags(Facet({"v1": 1}, 0, True, 1))
    mixes = Mixes(clock)
    for _ in range(3):
        mixes.read(tags.reader, T, "v")
    assert len(tags.calls) == 1
    mixes.read(tags.reader, T, "w")
    mixes.read(tags.reader, Target("c", "tenant"), "v")
    mixes.read(tags.reader, Target("d"), "v")
    assert len(tags.calls) == 4
    clock.now = KEPT - 0.1
    mixes.read(tags.reader, T, "v")
    assert len(tags.calls) == 4
    clock.now = KEPT + 0.1
    mixes.read(tags.reader, T, "v")
    assert len(tags.calls) == 5


def test_a_reading_that_failed_is_tried_again() -> None:
    tags = Tags("unreachable")
    mixes = Mixes()
    mixes.read(tags.reader, T, "v")
    mixes.read(tags.reader, T, "v")
    assert tags.calls == ["facet", "facet"]


def test_queries_at_the_same_time_read_the_tags_once() -> None:
    gate = threading.Event()

    class Slow(Tags):
        def facet(self, *args: Any, **kwargs: Any) -> Facet:
            gate.wait(10)
            return super().facet(*args, **kwargs)

    tags, mixes = Slow(Facet({"v1": 1}, 0, True, 1)), Mixes()
    threads = [threading.Thread(target=mixes.read, args=(tags.reader, T, "v")) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(10)
    assert tags.calls == ["facet"]


def test_its_own_rows_pass_without_a_word() -> None:
    for shares in ({"own": 1.0}, {"own": 0.7, "own-2": 0.3}):
        assert verdict(mix(shares)) == judge("c/x", "live", None, Reading(None), OWNERS.get)
        assert verdict(mix(shares)).warnings == ()


def test_another_known_encoder_stops_and_both_are_named() -> None:
    stop = verdict(mix({"own": 1.0}), known="other").stop
    assert stop is not None
    assert stop.code == "encoder-mismatch"
    assert "`other`" in stop.message
    assert "`live`" in stop.message
    assert "rank rows by chance" in stop.hint
    assert "--allow-mismatch" in stop.hint


def test_under_half_of_its_own_stops_and_says_the_share() -> None:
    stop = verdict(mix({"own": 0.3, "old": 0.5, "older": 0.2})).stop
    assert stop is not None
    assert "30.0%" in stop.message
    assert "`other`" in stop.message
    assert "`another`" in stop.message
    assert "--encoder other" in stop.hint


def test_a_sampled_share_is_said_with_its_interval() -> None:
    stop = verdict(mix({"own": 0.3, "old": 0.7}, exact=False)).stop
    assert stop is not None
    low, high = clopper_pearson(30, 100)
    assert f"{low:.1%} to {high:.1%}" in stop.message


def test_half_of_its_own_is_enough_and_the_rest_is_a_warning_with_shares() -> None:
    read = verdict(mix({"own": 0.5, "old": 0.5}))
    assert read.stop is None
    assert "`old` 50.0%, `own` 50.0%" in read.warnings[0]


def test_tags_that_resolve_to_nobody_warn_and_do_not_stop() -> None:
    read = verdict(mix({"prod-2024": 1.0}))
    assert read.stop is None
    assert "`prod-2024` 100.0% resolves to no encoder" in read.warnings[0]
    read = verdict(mix({"own": 0.6, "x": 0.2, "y": 0.2}))
    assert read.stop is None
    assert len(read.warnings) == 1
    assert "resolve to no encoder" in read.warnings[0]


def test_where_its_own_tag_is_in_use_a_majority_of_unknown_tags_stops() -> None:
    assert verdict(mix({"own": 0.3, "prod-2024": 0.7})).stop is not None


def test_an_override_turns_each_stop_into_a_visible_warning() -> None:
    for read in (verdict(mix({"old": 1.0}), allow=True), verdict(mix({"own": 1.0}), "other", allow=True)):
        assert read.stop is None
        assert "overridden" in read.warnings[0]
        assert "by chance" in read.warnings[0]


def test_a_mix_that_could_not_be_read_is_said() -> None:
    assert "could not be read: It is gone." in verdict(Reading(None, "It is gone.")).warnings[0]
    assert verdict(Reading(None)).warnings == ()


@given(
    st.dictionaries(st.sampled_from([*OWNERS, "x", "y"]), st.integers(1, 100), min_size=1),
    st.booleans(),
)
def test_a_query_stops_exactly_where_too_few_rows_are_its_own(rows: dict[str, int], allow: bool) -> None:
    whole = sum(rows.values())
    own = sum(n for tag, n in rows.items() if OWNERS.get(tag) == "live")
    foreign = any(OWNERS.get(tag) not in (None, "live") for tag in rows)
    strange = any(tag not in OWNERS for tag in rows)
    read = verdict(mix({tag: n / whole for tag, n in rows.items()}), allow=allow)
    must_stop = own * 2 < whole and (own > 0 or foreign)
    assert (read.stop is not None) == (must_stop and not allow)
    if read.stop is None:
        assert bool(read.warnings) == (must_stop or foreign or strange)


@pytest.mark.parametrize("tag", ["<script>alert(1)</script>", "x" * 5000, "\u202egnp", "a\nb"])
def test_a_hostile_tag_is_one_bounded_printable_line_in_an_error(tag: str) -> None:
    owner: Callable[[str], str | None] = {"own": "live"}.get
    stop = judge("c/x", "live", None, mix({"own": 0.1, tag: 0.9}), owner).stop
    assert stop is not None
    assert "\n" not in stop.message
    assert len(stop.message) <= 600
    assert np.all([c.isprintable() for c in stop.message])


def test_a_page_names_no_option_and_offers_the_other_encoder() -> None:
    from connectors.errors import PlumblineError
    from console.search.guard import _another, without_options

    stop = _another("prod/a", "scenes-v1", "scenes-v2", None)
    assert stop is not None
    told, other = without_options(stop)
    assert other == "scenes-v2"
    assert "--" not in told.hint
    assert "Search with the encoder `scenes-v2`." in told.hint
    assert (told.code, told.message, told.where) == (stop.code, stop.message, stop.where)
    plain = PlumblineError(
        "encoder-mismatch", "m", hint="Configure it, or override for this query with --allow-mismatch."
    )
    assert without_options(plain)[1] is None
    assert without_options(plain)[0].hint == "Configure it."
