"""The encoder asked again: kept answers, their files, and what a change is called."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.errors import PlumblineError
from console.health import canaries
from console.health.checks.canary import encoder_changed
from console.health.findings import Finding, NotMeasured
from console.health.policy import policy
from console.health.probes.canary import Canary, asked, canary
from console.health.probes.reencode import Reencoded, reencode
from tests.health.encoding import Hashing, probing, texts, with_result


class Drifting(Hashing):
    """Another library: `by` of each direction is noise, on the first `texts` questions only where given."""

    def __init__(self, by: float = 0.0, first: int | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.by = by
        self.first = first

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        held = super().encode_texts(texts)
        noise = np.random.default_rng(1).normal(size=held.shape).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        if self.first is not None:
            noise[self.first :] = 0
        moved = held + np.float32(self.by) * noise
        return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def outcomes(home: Path, encoder: Hashing, *, rows: bool = False, of: Hashing | None = None) -> list[Any]:
    matrix, payloads = texts(60, of or encoder, tag=None)
    one = probing(home, matrix, payloads, (encoder,))
    results: dict[type, Any] = {Canary: canary(one)}
    if rows:
        results[Reencoded] = reencode(one)
    return list(encoder_changed(with_result(one, results), policy()))


def test_the_first_use_keeps_and_the_second_compares(tmp_path: Path) -> None:
    (first,) = outcomes(tmp_path, Hashing())
    assert isinstance(first, NotMeasured)
    assert "First use" in first.why
    file = canaries.path_of(tmp_path, "mine", "print-of-mine")
    before = file.read_bytes()
    assert outcomes(tmp_path, Hashing()) == []
    assert file.read_bytes() == before
    held = canaries.read(tmp_path, "mine", "print-of-mine")
    assert held is not None
    assert held.matrix.shape == (48, 32)
    assert np.array_equal(held.texts, Hashing().encode_texts(list(canaries.TEXTS)))


@pytest.mark.parametrize(("by", "severity"), [(0.01, None), (0.1, "warning"), (3.0, "critical")])
def test_a_drift_is_weighed(tmp_path: Path, by: float, severity: str | None) -> None:
    outcomes(tmp_path, Drifting(0.0))
    found = outcomes(tmp_path, Drifting(by))
    if severity is None:
        assert found == []
        return
    (finding,) = found
    assert isinstance(finding, Finding)
    assert finding.severity == severity
    assert finding.evidence["questions_changed"] == 32
    assert finding.evidence["earlier_fingerprint"] is None
    now, then = Drifting(by), Drifting(0.0)
    exact = (now.encode_texts(list(canaries.TEXTS)) * then.encode_texts(list(canaries.TEXTS))).sum(axis=1)
    assert finding.evidence["smallest_cosine"] == pytest.approx(exact.min(), abs=1e-5)
    assert finding.evidence["mean_cosine"] == pytest.approx((exact.sum() + 16) / 48, abs=1e-5)


def test_one_changed_question_is_enough(tmp_path: Path) -> None:
    outcomes(tmp_path, Drifting(0.0))
    (finding,) = outcomes(tmp_path, Drifting(2.0, first=1))
    assert (finding.severity, finding.evidence["questions_changed"]) == ("warning", 1)


def test_other_weights_under_the_same_name_are_told_until_the_rows_follow(tmp_path: Path) -> None:
    outcomes(tmp_path, Hashing(weights="spring"))
    swapped = Hashing(weights="autumn")
    for _ in range(2):
        (finding,) = outcomes(tmp_path, swapped, rows=True, of=Hashing(weights="spring"))
        assert finding.severity == "critical"
        assert finding.evidence["earlier_fingerprint"] == "print-of-spring"
        assert finding.evidence["fingerprint"] == "print-of-autumn"
    (rebuilt,) = outcomes(tmp_path, swapped, rows=True, of=swapped)
    assert rebuilt.severity == "info"
    assert outcomes(tmp_path, Hashing("another")) != []


def test_weights_of_another_dimension_under_the_same_name(tmp_path: Path) -> None:
    outcomes(tmp_path, Hashing(weights="spring"))
    (finding,) = outcomes(tmp_path, Hashing(weights="autumn", dimension=48))
    assert finding.severity == "critical"
    assert "dimension" in finding.summary
    assert finding.evidence["mean_cosine"] is None


def test_an_encoder_of_texts_alone(tmp_path: Path) -> None:
    outcomes(tmp_path, Hashing(modalities=("text",)))
    assert outcomes(tmp_path, Hashing(modalities=("text",))) == []
    held = canaries.read(tmp_path, "mine", "print-of-mine")
    assert held is not None
    assert (held.texts.shape, held.pictures.shape) == ((32, 32), (0, 32))


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "pickle", "flipped", "nan", "questions"])
def test_a_damaged_file_is_said_with_the_way_out(tmp_path: Path, damage: str) -> None:
    outcomes(tmp_path, Hashing())
    file = canaries.path_of(tmp_path, "mine", "print-of-mine")
    whole = file.read_bytes()
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "text":
        file.write_text("no numbers here")
    elif damage == "pickle":
        np.savez(file, meta=np.array({"form": 1}, dtype=object), texts=np.zeros(1), pictures=np.zeros(1))
    elif damage == "flipped":
        middle = len(whole) // 2
        file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    else:
        held = dict(np.load(file))
        if damage == "nan":
            held["texts"][3, 3] = np.nan
        else:
            held["meta"] = np.frombuffer(
                bytes(held["meta"]).replace(b'"questions": "', b'"questions": "x'), np.uint8
            )
        np.savez(file, **held)
    (found,) = outcomes(tmp_path, Hashing())
    assert isinstance(found, NotMeasured)
    assert "Move the file away" in found.why
    assert "damaged" in found.why
    file.rename(file.with_suffix(".bad"))
    (again,) = outcomes(tmp_path, Hashing())
    assert "First use" in again.why
    assert outcomes(tmp_path, Hashing()) == []


def test_a_folder_that_cant_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / canaries.FOLDER).write_text("a file in the way")
    (found,) = outcomes(tmp_path, Hashing())
    assert isinstance(found, NotMeasured)
    assert "settings" in found.why


def _keep(home: Path, number: int) -> None:
    kept = asked(Hashing())  # type: ignore[arg-type]
    canaries.keep(
        home, canaries.Kept(kept.name, kept.fingerprint, str(number), kept.texts, kept.pictures, {})
    )


def test_many_first_uses_at_once_keep_one_whole_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=_keep, args=(tmp_path, i)) for i in range(6)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    assert [one.exitcode for one in running] == [0] * 6
    held = canaries.read(tmp_path, "mine", "print-of-mine")
    assert held is not None
    assert held.at in {str(i) for i in range(6)}
    assert not [
        p
        for p in (tmp_path / canaries.FOLDER).rglob("*")
        if p.is_file() and p.suffix not in (".npz", ".lock")
    ]


@pytest.mark.parametrize("name", ["../../escape", "a/b", "", "CON", "x" * 500, "naïve", "\0"])
def test_every_name_has_a_file_of_its_own_inside_the_folder(tmp_path: Path, name: str) -> None:
    file = canaries.path_of(tmp_path, name, "f")
    assert file.resolve().is_relative_to((tmp_path / canaries.FOLDER).resolve())
    assert len(file.parent.name) < 100
    others = {
        canaries.path_of(tmp_path, other, "f") for other in ("a_b", "escape", "______escape", "x" * 499)
    }
    assert file not in others


def test_the_questions_are_what_they_were() -> None:
    """Kept vectors stand for these very texts and pixels: a change of either is a change of the form."""
    assert canaries.questions() == "50b1fb87e591042e"
    shown = canaries.pixels()
    assert len(shown) == canaries.PICTURES == 16
    assert len(set(canaries.TEXTS)) == 32
    assert {p.shape for p in shown} == {(96, 96, 3)}
    assert len({p.tobytes() for p in shown}) == 16
    assert all(np.array_equal(np.asarray(a), b) for a, b in zip(canaries.pictures(), shown, strict=True))
    assert min(float(p.std()) for p in shown) > 10


def test_nothing_kept_is_nothing_read(tmp_path: Path) -> None:
    assert canaries.read(tmp_path, "mine", "f") is None
    assert canaries.earlier(tmp_path, "mine", "f") == []
    with pytest.raises(PlumblineError):
        canaries.keep(Path("/proc/nowhere"), asked(Hashing()))  # type: ignore[arg-type]
