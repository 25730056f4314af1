"""The pictures of the HTML export: shapes as the counts are, their numbers in words, and nothing that runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from console.health.charts import charts as counted
from console.health.options import FieldNames
from console.health.render import to_html
from console.health.render.pictures import HEIGHT, WIDTH, pictures
from tests.health.building import evidence
from tests.health.test_render import HOSTILE, plain_characters, report
from tests.ui.reports import charts


class Page(HTMLParser):
    """Tags and attributes, and each picture's paths and words."""

    def __init__(self, told: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.images: list[tuple[str, list[tuple[str, str]]]] = []
        self.titles: list[str] = []
        self._in_title = self._drawing = False
        self.feed(told)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {k: v or "" for k, v in attrs}
        self.tags.append(tag)
        self.names |= set(held)
        if tag == "svg":
            self._drawing = held.get("role") == "img"
            if self._drawing:
                self.images.append((held["aria-label"], []))
        if tag == "path" and self._drawing:
            self.images[-1][1].append((held["class"], held["d"]))
        self._in_title = tag == "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.titles.append(data)
            self._in_title = False

    def image(self, begins: str) -> tuple[str, list[tuple[str, str]]]:
        return next(i for i in self.images if i[0].startswith(begins))


def drawn(**changes: Any) -> Page:
    return Page("\n".join(pictures(report(charts={**charts(), **changes}))))


def columns(shape: str) -> list[tuple[float, float]]:
    """Left edge and height of each column of a path."""
    found = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)V([\d.]+)z", shape)
    assert "".join(f"M{a} {b}V{c}H{d}V{e}z" for a, b, c, d, e in found) == shape
    return [(float(left), float(low) - float(high)) for left, low, high, _, _ in found]


def test_a_histogram_is_as_high_as_its_counts() -> None:
    counts = [0, 8, 16, 4]
    edges = [1.0, 2.0, 3.0, 4.0, 5.0]
    norms = {**charts()["norms"], "edges": edges, "all": counts, "rows": 28, "log": False, "groups": {}}
    label, [(_, shape)] = drawn(norms=norms).image("28 rows")
    assert columns(shape) == [(WIDTH / 4, HEIGHT / 2), (WIDTH / 2, HEIGHT), (3 * WIDTH / 4, HEIGHT / 4)]
    assert label == "28 rows; most, 16, have lengths of 3 to 4; nine in ten of 2 to 5."


def test_every_group_has_a_histogram_and_the_field_of_the_cause_comes_first() -> None:
    page = drawn()
    assert [i[0].partition(":")[0] for i in page.images[1:4]] == ["scenes-v1", "scenes-v2", "no value"]
    norms = charts()["norms"]
    (series,) = norms["groups"].values()
    norms["groups"] = {"other": series[:2], "source": series}
    made = report(charts={"norms": norms})
    made["findings"][0]["group"] = {"field": "source", "value": "camera-3"}
    told = "\n".join(pictures(made))
    assert told.index("By <code>source</code>") < told.index("By <code>other</code>")
    assert told.count("<details>") == 1


@pytest.mark.parametrize(
    ("more", "told"),
    [({}, "all others: "), ({"values": 1}, "all others (1 value): "),
     ({"values": 1_200, "about": True}, "all others (about 1,200 values): ")],
)  # fmt: skip
def test_all_others_say_how_many_values_they_are(more: dict[str, Any], told: str) -> None:
    held = charts()["norms"]
    (series,) = held["groups"].values()
    held["groups"] = {"source": [series[0], {**series[1], "kind": "other", "value": "", **more}]}
    assert drawn(norms=held).image(told)[1][0][0] == "s6"


def test_the_version_mix_stacks_to_the_whole_and_says_its_course() -> None:
    label, shapes = drawn().image("Rows by version tag over time")
    assert "scenes-v1 2,000 rows (50%), scenes-v2 2,000 rows (50%)" in label
    assert "scenes-v1 100% in the first quarter and 0% in the last" in label
    assert "from 18 Nov 2026 00:00 to 21 Nov 2026 00:00" in label
    assert [kind for kind, _ in shapes] == ["s0", "s1"]
    left = [c[0] for _, shape in shapes for c in columns(shape)]
    assert left == pytest.approx(np.linspace(0, WIDTH, 41)[:-1].tolist(), abs=0.06)


def test_a_mix_without_an_order_is_one_bar() -> None:
    held = charts()["versions"]
    series = [{**s, "counts": [s["rows"]]} for s in held["series"]]
    _, shapes = drawn(versions={**held, "by": None, "edges": [], "series": series}).image(
        "Rows by version tag:"
    )
    assert shapes == [("s0", "M0.0 100V0H480.0V100z"), ("s1", "M480.0 100V0H960.0V100z")]


def test_dead_dimensions_are_marked_and_named() -> None:
    page = drawn()
    label, shapes = page.image("Variance")
    assert "2 constant, in red: 7, 41" in label
    dead = dict(shapes)["dead"]
    assert [c[0] for c in columns(dead)] == pytest.approx([7 * 10.0, 41 * 10.0])
    assert len(columns(dict(shapes)["s0"])) == 96


def test_the_pictures_of_a_real_check_are_drawn() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(400, 12)) * np.where(np.arange(400) < 100, 3, 1)[:, None]
    payloads = [{"embedding_version": "v1" if i < 100 else "v2"} for i in range(400)]
    names = FieldNames(groups=("embedding_version",), columns=("embedding_version",))
    held = counted(evidence(matrix, payloads, names=names))
    page = Page("\n".join(pictures(report(charts=held))))
    assert page.image("v1: 100 rows")[1]
    assert "v1 100 rows (25%)" in page.image("Rows by version tag")[0]
    assert "12 dimensions" in page.image("Mean of each")[0]


def test_nothing_runs_nothing_is_fetched_and_every_picture_has_its_numbers_in_words() -> None:
    told = to_html(report(charts=charts()))
    page = Page(told)
    assert {"svg", "path", "title", "figure"} <= {*page.tags}
    assert not {"script", "img", "image", "use", "a", "foreignobject", "animate", "set"} & {*page.tags}
    assert page.tags.count("style") == 1
    assert not {n for n in page.names if n.startswith("on") or n in ("style", "href", "src", "xlink:href")}
    assert page.titles[1:] == [label for label, _ in page.images]
    assert all(re.search(r"\d", label) for label, _ in page.images)


def test_hostile_labels_stay_text() -> None:
    held = charts()
    (series,) = held["norms"]["groups"].values()
    evil = [{**s, "value": HOSTILE} for s in series[:2]]
    held["norms"]["groups"] = {HOSTILE: evil}
    held["versions"] = {**held["versions"], "field": HOSTILE, "series": [
        {**s, "value": HOSTILE} for s in held["versions"]["series"]
    ]}  # fmt: skip
    told = to_html(report(charts=held))
    page = Page(told)
    assert not {"script", "img", "b"} & {*page.tags}
    assert not {n for n in page.names if n.startswith("on")}
    assert plain_characters(told)
    assert page.tags.count("svg") == told.count("</svg>")


@pytest.mark.parametrize(
    "held",
    [
        None,
        {},
        "text",
        {"norms": 3, "versions": [], "dimensions": "x"},
        {"norms": {}, "versions": {}, "dimensions": {}},
        {"norms": {**charts()["norms"], "edges": []}},
        {"norms": {**charts()["norms"], "all": [float("nan")] * 48}},
        {"norms": {**charts()["norms"], "groups": {"x": [{"value": "y"}]}}},
        {"versions": {**charts()["versions"], "series": []}},
        {"versions": {**charts()["versions"], "edges": [1e300, 2e300]}},
        {"dimensions": {**charts()["dimensions"], "variance": ["x"]}},
        {"dimensions": {**charts()["dimensions"], "mean": [0.0] * 100_000}},
    ],
)
def test_what_a_report_holds_in_another_form_is_left_out(held: Mapping[str, Any] | None) -> None:
    made = report(charts=held)
    assert pictures(made) == []
    assert "norm-drift" in to_html(made)


def test_equal_lengths_are_a_sentence() -> None:
    told = "\n".join(pictures(report(charts={"norms": charts(flat=True)["norms"]})))
    assert "All 4,052 lengths are 1." in told
    assert "<svg" not in told
