"""Which encoder made an untagged row: by toys whose answer is known, and by the demo's two real encoders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from console.encoders import EncoderSpec
from console.health.checks.encoder import encoder_mismatch, misaligned, misaligned_payload
from console.health.evidence import Evidence
from console.health.findings import Finding
from console.health.inference import (
    NOBODY,
    OWN,
    UNTAGGED,
    attribute,
    candidates,
    inferred_versions,
    load_others,
    owners,
)
from console.health.options import CheckOptions, FieldNames
from console.health.policy import policy
from console.health.probes import reencode as module
from console.health.probes.reencode import Reencoded, reencode
from console.health.probing import Budget, Probing
from console.settings import Settings, parse_address
from console.workspace import Workspace
from tests.health.building import evidence
from tests.health.encoding import NAMES, Arrays, Bench, Hashing, captions, probing, texts, with_result

MINE, OLD, THIRD = Hashing("mine"), Hashing("old"), Hashing("third")


def spec(name: str, dimension: int | None = 32, **more: Any) -> EncoderSpec:
    return EncoderSpec(name, f"hash:{name}", dimension=dimension, **more)


def inferred(home: Path, matrix: np.ndarray, payloads: Any, encoders: Any, **more: Any) -> Evidence:
    one = probing(home, matrix, payloads, encoders, **more)
    return with_result(one, {Reencoded: reencode(one)})


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {e.name: e for e in (MINE, OLD, THIRD)}
    real = module.load_by_spec
    monkeypatch.setattr(module, "load_by_spec", lambda s: held[s.name] if s.name in held else real(s))


def test_a_row_is_named_by_exactly_one_encoder() -> None:
    by = {
        "a": np.array([1.0, 0.2, 0.995, 0.3, np.nan, 0.99], np.float32),
        "b": np.array([0.1, 0.999, 0.996, 0.2, 0.992, -1.0], np.float32),
    }
    found = attribute(by)
    assert found.made_by.tolist() == [0, 1, -1, -1, 1, 0]
    assert found.confidence[[2, 3]].tolist() == [0, 0]
    angle = np.arccos(np.float64(np.float32(0.999)))
    assert found.confidence[1] == pytest.approx(1 - angle / np.arccos(np.float64(np.float32(0.2))))
    assert found.confidence[0] == pytest.approx(1, abs=1e-6)
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    assert attribute({}).names == ()


def test_tags_are_read_as_encoders() -> None:
    matrix, payloads = texts(7, MINE)
    tags: list[Any] = ["mine", "print-of-mine", "old", None, "", "nobody-knows", ["old"]]
    for p, tag in zip(payloads, tags, strict=True):
        p["embedding_version"] = tag if not isinstance(tag, list) else tag[0]
    held = evidence(matrix, payloads, names=NAMES)
    specs = Bench(Path(), (MINE, OLD)).encoder_specs()
    found = owners(held, specs["mine"], specs)
    assert found.codes.tolist() == [OWN, OWN, 1, UNTAGGED, UNTAGGED, NOBODY, 1]
    assert (found.others, found.tags) == (("old",), {"mine": "mine", "old": "old"})
    bare = owners(evidence(matrix, payloads, names=FieldNames(text="caption")), specs["mine"], specs)
    assert not bare.field
    assert (bare.codes == UNTAGGED).all()


def test_candidates_are_few_and_of_the_dimension() -> None:
    live = spec("live", fingerprint="x")
    others = {n: spec(n) for n in ("a", "b", "c", "d")}
    specs = {
        "live": live,
        "alias": spec("alias", fingerprint="x"),
        "wide": spec("wide", 64),
        "z": spec("z", None),
        **others,
    }
    assert [s.name for s in candidates(specs, live, 32, ())] == ["a", "b", "c"]
    assert [s.name for s in candidates(specs, live, 32, ("z", "d", "gone"))] == ["z", "d", "a"]
    assert candidates(specs, live, 7, ()) == []


def test_an_encoder_that_cant_be_loaded_is_told() -> None:
    def load(wanted: EncoderSpec) -> Any:
        if wanted.name == "lost":
            raise PlumblineError("encoder-unavailable", "No weights.")
        return {"old": OLD, "wide": Hashing("wide", dimension=48)}[wanted.name]

    loaded, failed = load_others([spec("lost"), spec("old"), spec("wide")], load, 32)
    assert ([e.name for e in loaded], failed) == (["old"], ("lost",))


def mixed(
    n: int, untagged_mine: int, untagged_old: int, lost: int = 0
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    matrix, payloads = texts(n, MINE)
    a, b, c = untagged_mine, untagged_mine + untagged_old, untagged_mine + untagged_old + lost
    for p in payloads[:c]:
        del p["embedding_version"]
    matrix[a:b] = OLD.encode_texts(captions(n)[a:b])
    matrix[b:c] = np.random.default_rng(1).normal(size=(c - b, 32))
    for i in range(c, c + 10):
        matrix[i], payloads[i]["embedding_version"] = OLD.encode_texts([captions(n)[i]])[0], "old"
    return matrix, payloads


def test_untagged_rows_are_counted_by_encoder(tmp_path: Path) -> None:
    matrix, payloads = mixed(300, 30, 50, 20)
    found = inferred_versions(inferred(tmp_path, matrix, payloads, (MINE, OLD, THIRD)))
    assert found is not None
    assert {tag: entry["rows"] for tag, entry in found.items()} == {"mine": 30, "old": 50}
    assert all(entry["confidence"] > 0.99 and "low" not in entry for entry in found.values())


def test_a_tag_of_the_collection_names_the_encoder(tmp_path: Path) -> None:
    matrix, payloads = mixed(300, 30, 50)
    for p in payloads:
        if p.get("embedding_version") == "old":
            p["embedding_version"] = "print-of-old"
    found = inferred_versions(inferred(tmp_path, matrix, payloads, (MINE, OLD)))
    assert found is not None
    assert set(found) == {"mine", "print-of-old"}


def test_no_untagged_row_no_inference(tmp_path: Path) -> None:
    matrix, payloads = texts(60, MINE)
    assert inferred_versions(inferred(tmp_path, matrix, payloads, (MINE, OLD))) is None
    assert inferred_versions(evidence(matrix, payloads, names=NAMES)) is None


def test_a_sample_of_untagged_rows_estimates_the_collection_within_its_interval(tmp_path: Path) -> None:
    matrix, payloads = mixed(4_000, 600, 900)
    order = np.random.default_rng(9).permutation(4_000)
    matrix, payloads = matrix[order], [payloads[int(i)] for i in order]
    right = 0
    for seed in range(8):
        chosen = np.sort(np.random.default_rng(seed).choice(4_000, 1_000, replace=False))
        held = inferred(tmp_path, matrix, payloads, (MINE, OLD), only=chosen.tolist(), seed=seed)
        found = inferred_versions(held)
        assert found is not None
        assert found["old"]["low"] < found["old"]["rows"] < found["old"]["high"]
        right += found["old"]["low"] <= 900 <= found["old"]["high"]
        right += found["mine"]["low"] <= 600 <= found["mine"]["high"]
    assert right >= 14


def test_peeled_rows_are_not_counted(tmp_path: Path) -> None:
    matrix, payloads = mixed(300, 30, 50)
    held = inferred(tmp_path, matrix, payloads, (MINE, OLD))
    found = inferred_versions(held.without(np.arange(300) < 30))
    assert found is not None
    assert {tag: entry["rows"] for tag, entry in found.items()} == {"old": 50}


# --- the demo's encoders, on rows that are broken in known ways

SCENES = 260


@dataclass(frozen=True)
class Broken:
    evidence: Evidence
    probed: Reencoded
    faults: dict[str, set[int]]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    pytest.importorskip("torch")
    from console.demo.faults import break_rows
    from console.demo.rows import make_rows
    from console.encoders import shared

    home = tmp_path_factory.mktemp("inference")
    rows = make_rows(home, SCENES)
    made = break_rows(rows)
    ws = Workspace(Settings(home=home))
    known = ws.encoder_specs()["scenes-v2"]
    names = FieldNames(
        modality="modality", image="image", text="caption", groups=("embedding_version", "modality", "source")
    )
    held = evidence(
        made.matrix,
        made.payloads,
        ids=rows.ids,
        metric="dot",
        names=names,
        encoder=known,
        options=CheckOptions(sample=None, encoder="scenes-v2"),
    )
    reader: Any = Arrays(made.matrix, made.payloads, rows.ids)
    one = Probing(
        ws,
        parse_address("demo/scenes-broken"),
        reader,
        held.description.target,
        held,
        policy(),
        Budget(120),
        lambda: shared().get(known),
    )
    probed = reencode(one)
    assert isinstance(probed, Reencoded)
    faults = {name: set(at) for name, at in made.positions.items()}
    return Broken(replace(held, results={Reencoded: probed}), probed, faults)


def test_real_untagged_rows_are_inferred_without_error(broken: Broken) -> None:
    untagged = np.flatnonzero(broken.probed.owner == UNTAGGED)
    found = attribute({name: cosine[untagged] for name, cosine in broken.probed.by.items()})
    said = {
        int(broken.probed.rows[i]): found.names[k]
        for i, k in zip(untagged, found.made_by, strict=True)
        if k >= 0
    }
    assert {r for r, name in said.items() if name == "scenes-v1"} == broken.faults["old_encoder_untagged"]
    assert {r for r, name in said.items() if name == "scenes-v2"} == broken.faults["untagged"]
    counted = inferred_versions(broken.evidence)
    assert counted is not None
    assert {tag: entry["rows"] for tag, entry in counted.items()} == {
        "scenes-v1": len(broken.faults["old_encoder_untagged"]),
        "scenes-v2": len(broken.faults["untagged"]),
    }


def test_real_misaligned_rows_are_exactly_those_of_the_manifest(broken: Broken) -> None:
    judged = {int(r) for r in broken.probed.rows[broken.probed.judged]}
    wrong = broken.probed.judged & misaligned(broken.probed, 0.99)
    assert {int(r) for r in broken.probed.rows[wrong]} == broken.faults["misaligned"] & judged
    (finding,) = misaligned_payload(broken.evidence, policy())
    assert isinstance(finding, Finding)
    assert finding.evidence["shift"] is None


def test_real_foreign_rows_and_placeholders_are_the_mismatch(broken: Broken) -> None:
    (finding,) = encoder_mismatch(broken.evidence, policy())
    assert isinstance(finding, Finding)
    assert finding.affected is not None
    judged = {int(r) for r in broken.probed.rows[broken.probed.judged]}
    planted = (broken.faults["old_encoder_untagged"] | broken.faults["placeholder"]) & judged
    assert set(np.flatnonzero(finding.affected).tolist()) == planted
    assert finding.evidence["other_tags"]["scenes-v1"]["median_cosine_to_its_own"] == pytest.approx(
        1, abs=1e-4
    )
    assert finding.severity in ("warning", "critical")
