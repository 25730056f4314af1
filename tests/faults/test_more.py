"""Faults of index, server, metric, sources and encoders through the whole check, held against what is true."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.model import IndexState
from connectors.spec import ConnectionSpec
from console.cli.checking import fails
from console.health import registry
from console.health.keeping import keep
from console.health.options import CheckOptions
from console.health.report import Report
from console.health.run import check
from console.settings import Address, CollectionSettings, Settings
from console.settings.model import EncoderSettings, ImageSettings
from console.store import Store
from console.workspace import Workspace
from tests.faults import plants_more as more
from tests.faults.bases import Base, text
from tests.faults.memory import Memory, Rows
from tests.faults.plants import FAULTS, Fault, Planted, grouped, rotation
from tests.faults.running import above_info, judge, rows_of, silent

SEED = 1_000
HERE = Address("mem", "rows")
NAMES = {
    "caption": "text_field",
    "ingested_at": "time_field",
    "modality": "modality_field",
    "image": "image_field",
}


class Place:
    """A console over rows in memory that keeps its home: baselines and canaries last from check to check."""

    def __init__(self, home: Path, kind: str = "qdrant", pictures: Path | None = None) -> None:
        self.home, self.kind, self.pictures = home, kind, pictures
        self.encoders: Mapping[str, EncoderSettings] = {}

    def settings(self, base: Base) -> Settings:
        spec = ConnectionSpec(name="mem", kind=self.kind, url="http://127.0.0.1:1")  # type: ignore[arg-type]
        named: dict[str, Any] = {
            setting: name for name, setting in NAMES.items() if any(name in p for p in base.payloads[:2])
        }
        return Settings(
            home=self.home,
            connections={"mem": spec},
            encoders=self.encoders,
            collections={HERE: CollectionSettings(**{**named, **base.settings})},
            images=ImageSettings(roots=() if self.pictures is None else (self.pictures,)),
        )

    def check(
        self,
        planted: Planted,
        memory: Callable[[ConnectionSpec, Mapping[str, Rows]], Memory] = Memory,
        **options: Any,
    ) -> Report:
        rows = rows_of(planted.base, self.kind, planted.more)
        chosen = CheckOptions(**{"sample": None, "budget": 600.0, **planted.options, **options})
        settings = self.settings(planted.base)
        with Workspace(settings, connect=lambda s: memory(s, {"rows": rows})) as ws:  # type: ignore[arg-type,return-value]
            (report,) = check(ws, HERE, chosen)
            assert keep(ws, report) is None
        return report

    def pin(self, report: Report) -> None:
        with Store.open(self.settings(text(1, 2))) as store:
            store.set_baseline(report.data["address"], report.data["id"])


def pictures(needed: bool) -> Path | None:
    if not needed:
        return None
    pytest.importorskip("open_clip", reason="the clip extra is not installed")
    from tests.faults.demo_base import demo

    return demo().pictures


def of(report: Report, code: str) -> list[dict[str, Any]]:
    return [f for f in report.data["findings"] if f["code"] == code]


def worst(report: Report, code: str) -> str | None:
    held = [f["severity"] for f in of(report, code)]
    return max(held, key=["info", "warning", "critical"].index, default=None)


def not_measured(report: Report) -> dict[str, str]:
    return {n["check"]: n["why"] for n in report.data["not_measured"]}


def cells() -> list[object]:
    return [
        pytest.param(name, kind, step, id=f"{name}-{kind}-{step}")
        for name, held in more.CELLS.items()
        for kind in held.kinds
        for step in held.steps
        # The same vectors on both: what an encoder says does not depend on the database.
        if not (held.encoder and kind == "weaviate" and step != max(held.steps))
    ]


@pytest.mark.parametrize(("name", "kind", "step"), cells())
def test_it_weighs_what_it_should_and_is_the_root(tmp_path: Path, name: str, kind: str, step: int) -> None:
    held = more.CELLS[name]
    place = Place(tmp_path, kind, pictures(held.encoder))
    planted = held.plant(held.make(), step, np.random.default_rng([SEED, step, *name.encode()]))
    report = place.check(planted)
    wanted = held.steps[step]
    assert not any(why.startswith("The check failed") for why in not_measured(report).values())
    if wanted is None:
        assert [f for f in of(report, held.code) if f["severity"] != "info"] == []
        others = {f["code"] for f in above_info(report)}
        assert others <= (set(planted.follows) if step else set())
        assert fails(report.data, "warning") == bool(others)
        return
    assert worst(report, held.code) == wanted
    verdict = judge(fault_of(held), planted, report)
    assert verdict.found
    assert verdict.root, report.data["root_causes"]
    assert verdict.false == []
    assert verdict.wrong == []
    assert fails(report.data, "warning")
    assert fails(report.data, "critical") == any(f["severity"] == "critical" for f in above_info(report))
    if planted.group is not None:
        named = [f["group"] and (f["group"]["field"], f["group"]["value"]) for f in of(report, held.code)]
        # A name needs enough of its value's rows: more than half of all can't be one group's.
        assert planted.group in named


def fault_of(held: more.Cell) -> Fault:
    return Fault(held.name, held.code, held.plant, lambda base: 1, lambda base, kind: "")


# Index and server.


@pytest.mark.parametrize("name", more.STATES)
def test_what_the_server_says_of_its_index(tmp_path: Path, name: str) -> None:
    kind, state, severity, remedy = more.STATES[name]
    report = Place(tmp_path, kind).check(Planted(more.few(), None, (), more={"index": state}))
    (said,) = of(report, "unindexed-vectors")
    assert (said["severity"], said["remedy"]["action"], said["basis"]) == (severity, remedy, "exact")
    assert said["because_of"] is None
    assert [f["code"] for f in above_info(report)] == (["unindexed-vectors"] if severity != "info" else [])
    assert fails(report.data, "warning") == (severity != "info")


def test_a_state_that_is_not_known_is_not_measured(tmp_path: Path) -> None:
    state = IndexState("unknown", "The key may not read the cluster's state.")
    report = Place(tmp_path).check(Planted(more.few(), None, (), more={"index": state}))
    assert not_measured(report)["unindexed-vectors"] == "The key may not read the cluster's state."
    assert silent(report) == []


@pytest.mark.parametrize("key", more.CONFIGS)
def test_a_setting_that_was_left_behind(tmp_path: Path, key: str) -> None:
    kind, settings, severity = more.CONFIGS[key]
    report = Place(tmp_path, kind).check(Planted(more.few(), None, (), more=settings))
    (said,) = [f for f in of(report, "index-config") if f["key"] == key]
    assert (said["severity"], said["remedy"]["action"], said["because_of"]) == (severity, "configure", None)
    assert {f["code"] for f in above_info(report)} <= {"index-config"}
    assert fails(report.data, "warning") == (severity == "warning")


@pytest.mark.parametrize("name", more.FINE)
def test_a_setting_that_is_right_is_not_accused(tmp_path: Path, name: str) -> None:
    kind, settings = more.FINE[name]
    report = Place(tmp_path, kind).check(Planted(more.few(), None, (), more=settings))
    assert of(report, "index-config") == []
    assert silent(report) == []


def test_weaviate_can_not_say_what_quantization_takes(tmp_path: Path) -> None:
    planted = more.codebook(more.few(), 150, np.random.default_rng(SEED))
    report = Place(tmp_path, "weaviate").check(planted)
    assert of(report, "stale-quantization") == []
    assert "stale-quantization" in not_measured(report)


@pytest.mark.parametrize(("lost", "severity"), [(2, None), (40, "warning"), (70, "warning"), (95, "warning")])
def test_a_tenant_that_is_served_worse(tmp_path: Path, lost: int, severity: str | None) -> None:
    base = text(SEED, 1_500)
    rows = np.array([i for i, p in enumerate(base.payloads) if p["source"] == "camera-3"])
    hidden = np.random.default_rng(SEED).choice(rows, len(rows) * lost // 100, replace=False)
    report = Place(tmp_path).check(Planted(base, None, (), more={"hidden": hidden}), more.Tenants)
    said = [f for f in of(report, "shard-gap") if f["severity"] != "info"]
    assert [f["severity"] for f in said] == ([severity] if severity else [])
    assert {f["code"] for f in above_info(report)} <= {"shard-gap", "low-ann-recall", "cohort-gap"}
    if severity:
        assert "shard-gap" in report.data["root_causes"]
        assert said[0]["key"] == "camera-3"
        assert fails(report.data, "warning")


def test_without_tenants_nothing_is_said_of_them(tmp_path: Path) -> None:
    report = Place(tmp_path).check(Planted(text(SEED, 400), None, ()))
    assert "tenants" in not_measured(report)["shard-gap"]


# Against a baseline.


def with_baseline(place: Place, base: Base, **options: Any) -> Report:
    first = place.check(Planted(base, None, ()), **options)
    assert silent(first) == []
    assert not_measured(first)["baseline"].startswith("There is no baseline")
    place.pin(first)
    return first


@pytest.mark.parametrize(("count", "severity"), [(0, None), (7, None), (60, "warning"), (600, "warning")])
def test_texts_that_were_edited_since_the_baseline(tmp_path: Path, count: int, severity: str | None) -> None:
    base, place = text(SEED, 1_500), Place(tmp_path)
    with_baseline(place, base)
    edited, at, group = grouped(base, count, np.random.default_rng(SEED))
    rows = [dict(p) for p in edited.payloads]
    for i in at:
        rows[i]["caption"] += " edited"
    report = place.check(Planted(edited.but(payloads=rows), None, ()))
    said = of(report, "stale-vectors")
    assert [f["severity"] for f in said if f["severity"] != "info"] == ([severity] if severity else [])
    assert {f["code"] for f in above_info(report)} == ({"stale-vectors"} if severity else set())
    assert fails(report.data, "warning") == (severity is not None)
    if severity:
        assert report.data["root_causes"] == ["stale-vectors"]
        assert (said[0]["group"]["field"], said[0]["group"]["value"]) == group
        low, high = said[0]["interval"]
        assert low <= count / len(base) <= high
        assert set(said[0]["sample_ids"]) <= {base.ids[i] for i in at}


def test_edited_and_embedded_again_is_not_stale(tmp_path: Path) -> None:
    base, place = text(SEED, 1_500), Place(tmp_path)
    with_baseline(place, base)
    rows, matrix = [dict(p) for p in base.payloads], base.matrix.copy()
    for i in range(60):
        rows[i]["caption"] += " edited"
        matrix[i] += np.float32(0.02) * base.matrix[i + 60]
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    report = place.check(Planted(base.but(payloads=rows, matrix=matrix), None, ()))
    assert silent(report) == []


@pytest.mark.parametrize(("count", "severity"), [(0, None), (3, None), (60, "warning"), (300, "critical")])
def test_rows_that_were_embedded_again_without_a_word(
    tmp_path: Path, count: int, severity: str | None
) -> None:
    """Same source and same tag, another vector: the panel of the baseline tells."""
    base, place = text(SEED, 1_500), Place(tmp_path)
    with_baseline(place, base)
    moved, at, group = grouped(base, count, np.random.default_rng(SEED))
    matrix = base.matrix.copy()
    matrix[at] = matrix[at] @ rotation(96).astype(np.float32)
    # The rows' source stays as it was: `source` is a camera, not what was embedded.
    report = place.check(Planted(moved.but(matrix=matrix), None, ()))
    said = [f for f in of(report, "distribution-drift") if f["key"] == "panel"]
    assert [f["severity"] for f in said if f["severity"] != "info"] == ([severity] if severity else [])
    assert fails(report.data, "warning") == (severity is not None)
    if severity:
        low, high = said[0]["interval"]
        assert low <= count / len(base) <= high
        assert (said[0]["group"]["field"], said[0]["group"]["value"]) == group
        assert "distribution-drift" in report.data["root_causes"] or said[0]["because_of"]


def grown(base: Base, other: Base, count: int) -> Base:
    """With the first `count` rows of another base behind it."""
    start = len(base)
    return base.but(
        matrix=np.concatenate([base.matrix, other.matrix[:count]]),
        payloads=[*base.payloads, *other.payloads[:count]],
        ids=[*base.ids, *range(start + 1, start + 1 + count)],
        present=np.ones(start + count, np.bool_),
        topics=np.concatenate([base.topics, other.topics[:count]]),
    )


def cut(base: Base, n: int) -> Base:
    return base.but(
        matrix=base.matrix[:n], payloads=base.payloads[:n], ids=base.ids[:n], present=base.present[:n], topics=base.topics[:n]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "severity"),
    [(2_000, None), (1_985, None), (1_900, "warning"), (1_600, "critical"), (0, "critical")],
)
def test_rows_that_are_gone(tmp_path: Path, rows: int, severity: str | None) -> None:
    base, place = text(SEED, 2_000), Place(tmp_path)
    with_baseline(place, base)
    report = place.check(Planted(cut(base, rows), None, ()))
    said = [f for f in of(report, "size-change") if f["severity"] != "info"]
    assert [f["severity"] for f in said] == ([severity] if severity else [])
    assert {f["code"] for f in above_info(report)} == ({"size-change"} if severity else set())
    assert fails(report.data, "warning") == (severity is not None)
    if severity:
        assert report.data["root_causes"] == ["size-change"]
        assert said[0]["evidence"]["rows_then"] == 2_000
        assert said[0]["evidence"]["rows_now"] == rows


@pytest.mark.parametrize(("then", "severity"), [(1_990, None), (1_900, "info"), (1_600, "warning")])
def test_growth_of_the_same_kind_is_no_drift(tmp_path: Path, then: int, severity: str | None) -> None:
    base, place = text(SEED, 2_000), Place(tmp_path)
    with_baseline(place, cut(base, then))
    report = place.check(Planted(base, None, ()))
    assert worst(report, "size-change") == severity
    assert worst(report, "distribution-drift") is None
    assert {f["code"] for f in above_info(report)} == ({"size-change"} if severity == "warning" else set())


@pytest.mark.parametrize(("share", "severity"), [(0.0, None), (0.1, "warning"), (0.5, "critical")])
def test_rows_of_another_encoder_that_came_since(tmp_path: Path, share: float, severity: str | None) -> None:
    """Untagged by design, so no tag tells; the new rows alone are another encoder's."""
    base, place = text(SEED, 2_000), Place(tmp_path)
    bare = base.but(
        payloads=[{k: v for k, v in p.items() if k not in ("embedding_version", "caption")} for p in base.payloads]
    )  # fmt: skip
    with_baseline(place, bare)
    count = round(share / (1 - share) * len(base))
    other = text(SEED + 1, 2_000)
    foreign = other.but(matrix=other.matrix @ rotation(96).astype(np.float32), payloads=bare.payloads)
    report = place.check(Planted(grown(bare, foreign, count), None, ()))
    assert worst(report, "distribution-drift") == severity
    assert fails(report.data, "warning") == (severity is not None)
    if severity:
        assert "distribution-drift" in report.data["root_causes"]


@pytest.mark.parametrize(("lost", "drops"), [(0.0, False), (0.02, False), (0.15, True), (0.3, True)])
def test_an_index_that_finds_less_than_before(tmp_path: Path, lost: float, drops: bool) -> None:
    base, place = text(SEED, 2_000), Place(tmp_path)
    with_baseline(place, base)
    hidden = np.random.default_rng(SEED).choice(len(base), int(lost * len(base)), replace=False)
    report = place.check(Planted(base, None, (), more={"hidden": hidden}))
    said = of(report, "recall-drop")
    assert [f["severity"] for f in said] == (["warning"] if drops else [])
    assert fails(report.data, "warning") == drops
    if drops:
        # The figure that is over its own line is the one to look at.
        assert report.data["root_causes"][0] == "low-ann-recall"
        assert said[0]["because_of"] == "low-ann-recall"
        assert said[0]["effect"]["value"] == pytest.approx(lost, abs=0.05)


@pytest.mark.parametrize(("pause", "severity"), [(0.0, None), (0.002, None), (0.04, "warning")])
def test_searches_that_take_longer_than_before(tmp_path: Path, pause: float, severity: str | None) -> None:
    base, place = text(SEED, 600), Place(tmp_path)

    class At10(more.Slow):
        pause = 0.01

    class Then(more.Slow):
        pass

    Then.pause = At10.pause + pause
    first = place.check(Planted(base, None, ()), At10)
    place.pin(first)
    report = place.check(Planted(base, None, ()), Then)
    assert worst(report, "latency-spike") == severity
    assert fails(report.data, "warning") == (severity is not None)
    if severity:
        assert report.data["root_causes"] == ["latency-spike"]
        (said,) = of(report, "latency-spike")
        assert said["evidence"]["p95_ms_now"] >= 1_000 * Then.pause


# Encoders.


def scenes_place(home: Path) -> tuple[Place, Base]:
    root = pictures(True)
    return Place(home, "qdrant", root), more.scenes()


def test_a_shift_of_one_scene_is_named(tmp_path: Path) -> None:
    place, base = scenes_place(tmp_path)
    # Rows are read in the order of ids, which are random; the numbers of the scenes tell the order of ingestion.
    numbered = base.but(ids=list(range(len(base))))
    report = place.check(more.off_by_one(numbered, len(base), np.random.default_rng(0)))
    (said,) = of(report, "misaligned-payload")
    assert said["severity"] == "critical"
    assert report.data["root_causes"][0] == "misaligned-payload"
    assert abs(said["evidence"]["shift"]["steps"]) == 2
    assert said["evidence"]["shift"]["share"] > 0.95


def test_without_an_encoder_nothing_is_said_of_encoders(tmp_path: Path) -> None:
    place, base = scenes_place(tmp_path)
    planted = more.foreign(base, len(base), np.random.default_rng(0))
    why = not_measured(place.check(planted, encoder=None))
    for code in ("encoder-mismatch", "misaligned-payload", "encoder-changed", "cut-source"):
        assert "No encoder was asked for" in why[code]


def test_untagged_rows_are_inferred(tmp_path: Path) -> None:
    """A tenth by the earlier encoder, three tenths by today's, neither tagged."""
    from tests.faults.demo_base import demo

    place, base = scenes_place(tmp_path)
    order = np.random.default_rng(SEED).permutation(len(base))
    old, new = order[:60], order[60:240]
    matrix, rows = base.matrix.copy(), [dict(p) for p in base.payloads]
    matrix[old] = demo().old[old]
    for i in [*old.tolist(), *new.tolist()]:
        del rows[i]["embedding_version"]
    planted = Planted(base.but(matrix=matrix, payloads=rows), None, (), options=more.WITH)
    report = place.check(planted)
    inferred = report.data["inferred_versions"]
    assert set(inferred) == {"scenes-v1", "scenes-v2"}
    for tag, true in (("scenes-v1", 60), ("scenes-v2", 180)):
        assert inferred[tag]["low" if "low" in inferred[tag] else "rows"] <= true
        assert true <= inferred[tag]["high" if "high" in inferred[tag] else "rows"]
        assert inferred[tag]["confidence"] > 0.9
    assert worst(report, "untagged-rows") == "warning"
    assert {"encoder-mismatch", "untagged-rows"} <= set(report.data["root_causes"])


def test_an_encoder_that_answers_otherwise_than_before(tmp_path: Path) -> None:
    """What was kept at first use is another vector: libraries, a device or a precision changed meanwhile."""
    from console.health import canaries

    place, base = scenes_place(tmp_path)
    clean = Planted(base, None, (), options=more.WITH)
    first = place.check(clean)
    assert silent(first) == []
    assert not_measured(first)["encoder-changed"].startswith("First use of `scenes-v2`")
    again = place.check(clean)
    assert of(again, "encoder-changed") == []
    assert "encoder-changed" not in not_measured(again)
    fingerprint = again.evidence.encoder.fingerprint if again.evidence and again.evidence.encoder else None
    assert fingerprint is not None
    kept = canaries.read(tmp_path, "scenes-v2", fingerprint)
    assert kept is not None
    rng = np.random.default_rng(SEED)
    for size, severity in ((0.001, None), (0.01, "warning"), (0.2, "critical")):
        noise = rng.normal(size=kept.texts.shape) * size
        # A file that is there stays: kept answers are never written over.
        canaries.path_of(tmp_path, "scenes-v2", fingerprint).unlink()
        canaries.keep(tmp_path, replace(kept, texts=(kept.texts + noise).astype(np.float32)))
        report = place.check(clean)
        assert worst(report, "encoder-changed") == severity, size
        assert fails(report.data, "warning") == (severity is not None)
        if severity:
            assert report.data["root_causes"] == ["encoder-changed"]


def test_other_weights_under_the_same_name(tmp_path: Path) -> None:
    from console.encoders.spec import built_in

    place, base = scenes_place(tmp_path)
    held = built_in()

    def named(model: str) -> Mapping[str, EncoderSettings]:
        return {"mine": EncoderSettings("mine", model=held[model].model, tags=("scenes-v2",))}

    clean = Planted(base, None, (), options={"encoder": "mine"})
    place.encoders = named("scenes-v2")
    assert silent(place.check(clean)) == []
    place.encoders = named("scenes-v1")
    report = place.check(clean)
    (said,) = of(report, "encoder-changed")
    assert said["severity"] == "critical"
    assert said["evidence"]["earlier_fingerprint"] == held["scenes-v2"].fingerprint
    assert said["evidence"]["fingerprint"] == held["scenes-v1"].fingerprint
    assert worst(report, "encoder-mismatch") == "critical"
    assert "encoder-changed" in report.data["root_causes"]
    assert fails(report.data, "critical")


# What no store at hand can show: by doubles.


def test_copies_that_disagree_by_a_double(tmp_path: Path) -> None:
    """A double: a connector whose counts come from two copies by turns, as no store at hand does."""

    class TwoCopies(Memory):
        asked = 0

        def describe(self, t: Any, *, timeout: float | None = None) -> Any:
            return replace(
                super().describe(t), settings={"params": {"replication_factor": 2}, "replication_factor": 2}
            )

        def count(self, t: Any, where: Any = None, *, timeout: float | None = None) -> Any:
            TwoCopies.asked += 1
            held = super().count(t, where)
            return replace(held, rows=held.rows - (5 if TwoCopies.asked % 2 else 0))

    report = Place(tmp_path).check(Planted(text(SEED, 600), None, ()), TwoCopies)
    (said,) = of(report, "replica-divergence")
    assert said["severity"] == "warning"
    assert report.data["root_causes"] == ["replica-divergence"]
    assert fails(report.data, "warning")


@pytest.mark.parametrize(("deleted", "severity"), [(100, None), (500, "warning"), (5_000, "warning")])
def test_deleted_rows_that_are_still_kept_by_a_double(
    tmp_path: Path, deleted: int, severity: str | None
) -> None:
    """A double: a server that tells its deleted rows, as none at hand does."""
    state = IndexState("ready", rows=1_500, indexed=1_500, details={"deleted_rows": deleted})
    report = Place(tmp_path).check(Planted(more.few(), None, (), more={"index": state}))
    assert worst(report, "tombstone-load") == severity
    assert fails(report.data, "warning") == (severity is not None)


@pytest.mark.parametrize("code", more.NOT_APPLICABLE)
def test_what_no_store_tells_is_not_measured_with_its_reason(tmp_path: Path, code: str) -> None:
    report = Place(tmp_path).check(Planted(text(SEED, 60), None, ()))
    assert len(not_measured(report)[code]) > 20


def test_every_code_is_planted_somewhere() -> None:
    planted = {f.code for f in FAULTS.values()} | {c.code for c in more.CELLS.values()}
    every = planted | more.ELSEWHERE | set(more.NOT_APPLICABLE)
    assert every == set(registry.checks())
    assert not more.ELSEWHERE & set(more.NOT_APPLICABLE)


# The demo.


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("open_clip", reason="the clip extra is not installed")
    from connectors.qdrant import host
    from console.settings import demo_spec
    from tests.faults.demo_base import demo_home

    home = demo_home(tmp_path_factory.mktemp("demo") / "home")
    yield home
    path = demo_spec(home).path
    assert path is not None
    host.stop(Path(path))


def cli(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """`plumbline check WORDS` in this process: exit code and report."""
    from console.cli.run import main

    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("PLUMBLINE_HOME", str(home))
        code = main(["check", *words, "--full", "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["scenes", "scenes-old"])
def test_the_demos_sound_collections_are_not_accused(
    demo: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    code, report = cli(demo, capsys, f"demo/{name}")
    assert [(f["code"], f["summary"]) for f in report["findings"] if f["severity"] != "info"] == []
    assert (code, report["verdict"], report["rows"], report["exact"]) == (0, "healthy", 6_000, True)


TRUE_ROOTS = (
    "norm-drift", "version-mix", "zero-vectors", "untagged-rows", "encoder-mismatch", "misaligned-payload", "duplicate-vectors",
)  # fmt: skip


def test_the_broken_collection_is_told_as_its_manifest_has_it(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from console.demo.seed import manifest_path

    manifest = json.loads(manifest_path(demo).read_text(encoding="utf-8"))
    true = {name: set(fault["ids"]) for name, fault in manifest["faults"].items()}
    out = demo / "rows.jsonl"
    code, report = cli(demo, capsys, "demo/scenes-broken", "--encoder", "scenes-v2", "--rows-out", str(out))
    assert (code, report["verdict"], report["rows"]) == (1, "broken", 6_000)
    rows: dict[str, set[str]] = {}
    for line in out.read_text(encoding="utf-8").splitlines()[1:]:
        row = json.loads(line)
        for found in row["codes"]:
            rows.setdefault(found, set()).add(row["id"])
    assert rows["zero-vectors"] == true["zero"]
    assert rows["norm-drift"] == true["unnormalised"]
    assert rows["version-mix"] == true["old_encoder"]
    assert rows["untagged-rows"] == true["untagged"] | true["old_encoder_untagged"]
    copies = true["ingested_twice"] | set(manifest["copied_from"].values())
    assert rows["duplicate-vectors"] == true["placeholder"] | copies
    # Those that were re-encoded, a sample: none is named that is not at fault.
    assert rows["misaligned-payload"] <= true["misaligned"]
    assert rows["encoder-mismatch"] <= true["old_encoder_untagged"] | true["placeholder"]
    held = {f["id"]: f for f in report["findings"]}
    drift = held["norm-drift"]
    assert (drift["group"]["field"], drift["group"]["value"]) == ("source", manifest["unnormalised_source"])
    assert (drift["group"]["precision"], drift["group"]["recall"]) == (1.0, 1.0)
    twice = held["duplicate-vectors:same-source"]
    assert (twice["rows"], twice["severity"]) == (len(copies), "info")
    assert held["duplicate-vectors"]["rows"] == len(true["placeholder"])
    # Judged: rows with a direction that no other encoder's tag claims.
    judged = 6_000 - len(true["zero"]) - len(true["old_encoder"])
    for name, wrong in (
        ("misaligned-payload", true["misaligned"]),
        ("encoder-mismatch", true["old_encoder_untagged"] | true["placeholder"]),
    ):
        low, high = held[name]["interval"]
        assert low <= len(wrong) / judged <= high
    roots = report["root_causes"]
    assert set(TRUE_ROOTS) <= set(roots)
    flood = held[f"filter-masking:source={manifest['unnormalised_source']}"]
    assert flood["because_of"] == "norm-drift"
    assert "filter-masking" not in roots
    # What the texts say goes with the rows on the wrong vectors, among those that were embedded again.
    assert held["text-vector-disagreement"]["because_of"] in ("misaligned-payload", "encoder-mismatch")
    assert roots == [c for c in roots if c in TRUE_ROOTS]
    inferred = report["inferred_versions"]
    assert inferred["scenes-v1"]["low"] <= len(true["old_encoder_untagged"]) <= inferred["scenes-v1"]["high"]
    assert inferred["scenes-v2"]["low"] <= len(true["untagged"]) <= inferred["scenes-v2"]["high"]
