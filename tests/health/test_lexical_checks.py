"""Vectors held against their rows' texts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.options import FieldNames
from console.health.probes.twins import Twins, lexical_twins
from tests.health.building import evidence
from tests.health.probed import captions, finding, judged, probed, themed, unit, why_not

N = 2_500
CODE = "text-vector-disagreement"
NAMES = FieldNames(text="caption", image="image", groups=("embedding_version",), columns=("caption", "image"))


def shuffled(share: float, seed: int = 0, **fields: str) -> tuple[Evidence, np.ndarray]:
    rows, of = themed(seed, n=N)
    payloads = [{**p, **fields} for p in captions(seed, of)]
    at = np.sort(np.random.default_rng(seed).choice(N, int(share * N), replace=False))
    moved = [payloads[i] for i in np.roll(at, 1)]
    for i, payload in zip(at, moved, strict=True):
        payloads[i] = payload
    wrong = np.zeros(N, np.bool_)
    wrong[at] = of[at] != of[np.roll(at, 1)]
    return evidence(rows, payloads, names=NAMES), wrong


@pytest.mark.parametrize("seed", range(4))
def test_clean_texts_are_silent(seed: int) -> None:
    held = finding(CODE, probed(shuffled(0.0, seed)[0]))
    assert held.severity is None
    assert held.share is not None
    assert held.share < 0.008


@pytest.mark.parametrize(("share", "severity"), [(0.05, "warning"), (0.15, "critical"), (1.0, "critical")])
def test_shuffled_texts(share: float, severity: str) -> None:
    held, wrong = shuffled(share)
    found = finding(CODE, probed(held))
    assert found.severity == severity
    assert found.affected is not None
    assert wrong[found.affected].mean() > 0.8
    assert found.interval is not None
    assert found.share is not None
    assert found.interval[0] < found.share < found.interval[1]


def test_off_by_one() -> None:
    rows, of = themed(0, n=N)
    held = evidence(rows, list(np.roll(np.array(captions(0, of), dtype=object), 1)), names=NAMES)
    assert finding(CODE, probed(held)).severity == "critical"


def test_ranks_are_those_of_all_products() -> None:
    held, _ = shuffled(0.02)
    found = lexical_twins(held)
    assert isinstance(found, Twins)
    text = TfidfVectorizer().fit_transform([p["caption"] for p in held.reservoir.payloads])
    i = 17
    alike = (text[i] @ text.T).toarray()[0]
    alike[i] = 0
    np.testing.assert_allclose(found.mate_text[i], np.sort(alike)[::-1][:10], atol=1e-4)
    cosines = held.unit.astype(np.float64) @ held.unit[i].astype(np.float64)
    cosines[i] = -2
    for mate, rank in zip(found.mates[i], found.rank[i], strict=True):
        assert rank == pytest.approx((cosines > cosines[mate] + 1e-6).sum() / (N - 1), abs=2 / N)


def test_another_version_is_compared_within_itself() -> None:
    held, _ = shuffled(0.0)
    rng = np.random.default_rng(3)
    old = rng.random(N) < 0.3
    matrix = held.reservoir.matrix.copy()
    matrix[old] = matrix[old] @ np.linalg.qr(rng.normal(size=(64, 64)))[0].astype(np.float32)
    payloads = [
        {**p, "embedding_version": "v1" if o else "v2"}
        for p, o in zip(held.reservoir.payloads, old, strict=True)
    ]
    assert finding(CODE, probed(evidence(matrix, payloads, names=NAMES))).severity is None
    bare = [{k: v for k, v in p.items() if k != "embedding_version"} for p in payloads]
    assert finding(CODE, probed(evidence(matrix, bare, names=NAMES))).severity == "critical"


def test_a_placeholder_is_another_fault() -> None:
    held, _ = shuffled(0.0)
    matrix = held.reservoir.matrix.copy()
    at = np.random.default_rng(0).choice(N, N // 10, replace=False)
    matrix[at] = matrix[0]
    assert finding(CODE, probed(evidence(matrix, held.reservoir.payloads, names=NAMES))).severity is None


def test_captions_that_do_not_describe_the_pictures_are_left_alone() -> None:
    """The vectors are of pictures; what is written beside them has nothing to do with them."""
    held, _ = shuffled(1.0, image="a.png")
    assert "0 rows" in why_not(CODE, probed(held))
    described, _ = shuffled(0.15, image="a.png")
    assert finding(CODE, probed(described)).severity == "critical"


def test_noise_and_a_rogue_dimension_are_named_once() -> None:
    held, _ = shuffled(0.0)
    rng = np.random.default_rng(0)
    noise = probed(evidence(rng.normal(size=(N, 64)), held.reservoir.payloads, names=NAMES))
    assert "no structure" in why_not(CODE, noise)
    rogue = held.reservoir.matrix.copy()
    rogue[:, 3] += 2 * rng.normal(size=N)
    assert "One dimension" in why_not(
        CODE, probed(evidence(unit(rogue), held.reservoir.payloads, names=NAMES))
    )


def test_without_the_wrong_rows_the_texts_agree() -> None:
    held, wrong = shuffled(0.15)
    left = finding(CODE, probed(held).without(wrong))
    assert left.severity is None
    assert left.effect is not None
    assert left.effect.value < left.effect.threshold


def test_what_can_not_be_compared_is_not_measured() -> None:
    rows, of = themed(0, n=N)
    assert "No field" in why_not(CODE, probed(evidence(rows)))
    hostile = [{"caption": 5}, {"caption": None}, {"caption": "\x00"}, {"caption": True}, {}] * 40
    assert "a text" in why_not(CODE, probed(evidence(rows[:200], hostile, names=NAMES)))
    flat = evidence(rows[:, :2], captions(0, of), names=NAMES)
    assert "2 dimensions" in why_not(CODE, probed(flat))


@pytest.mark.parametrize("n", [0, 1, 2, 10, 49, 60])
def test_few_rows(n: int) -> None:
    rows, of = themed(0)
    held = probed(evidence(rows[:n], captions(0, of)[:n], names=NAMES))
    assert all(isinstance(f, NotMeasured) for f in judged(CODE, held))


def test_bad_rows_are_left_out() -> None:
    held, _ = shuffled(0.0)
    matrix = held.reservoir.matrix.copy()
    matrix[:300] = np.nan
    matrix[300:600] = 0
    found = finding(CODE, probed(evidence(matrix, held.reservoir.payloads, names=NAMES)))
    assert isinstance(found, Finding)
    assert found.severity is None
    assert found.evidence["compared"] <= N - 600


LOADERS = FieldNames(
    text="caption",
    image="image",
    groups=("embedding_version", "loader", "size"),
    columns=("caption", "image", "loader", "size"),
)


def loaded(seed: int = 0) -> tuple[np.ndarray, list[dict[str, object]], np.ndarray]:
    """Rows of four loaders; (N,) the rows of the last."""
    rows, of = themed(seed, n=N)
    rng = np.random.default_rng(seed + 50)
    loader = rng.integers(0, 4, N)
    payloads = [{**p, "loader": "abcd"[i], "size": int(rng.integers(3))}
                for p, i in zip(captions(seed, of), loader, strict=True)]  # fmt: skip
    return rows, payloads, loader == 3


@pytest.mark.parametrize("seed", range(3))
def test_a_loader_with_another_model_is_named_with_all_of_its_rows(seed: int) -> None:
    matrix, payloads, theirs = loaded(seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(64, 64)))[0].astype(np.float32)
    matrix[theirs] = matrix[theirs] @ turn
    found = finding(CODE, probed(evidence(matrix, payloads, names=LOADERS)))
    assert found.severity == "critical"
    assert found.group is not None
    assert (found.group.field, found.group.value) == ("loader", "d")
    assert found.examined is not None
    np.testing.assert_array_equal(found.affected, theirs & found.examined)
    assert "yet near each other" in found.summary
    told = found.evidence["apart"]
    assert told["far_across"] > 0.65
    assert max(told["far_inside"], told["far_outside"]) < 0.05


@pytest.mark.parametrize("share", [0.75, 1.0])
def test_a_loader_with_wrong_texts_is_told_and_only_rows_that_lie_apart_are_counted(share: float) -> None:
    matrix, payloads, theirs = loaded()
    rng = np.random.default_rng(0)
    at = rng.permutation(np.flatnonzero(theirs))[: int(share * theirs.sum())]
    texts = [payloads[i]["caption"] for i in rng.permutation(at)]
    for i, text in zip(at, texts, strict=True):
        payloads[i]["caption"] = text
    found = finding(CODE, probed(evidence(matrix, payloads, names=LOADERS)))
    assert found.severity == "critical"
    assert found.group is None
    assert found.rows == found.evidence["far"]
    assert found.affected is not None
    assert found.rows == np.count_nonzero(found.affected)
    assert "may be of other rows" in found.summary
    if share == 1.0:
        assert found.evidence["apart"]["far_inside"] > 0.5
        assert " Of similar texts of which one is from loader=d, " in found.summary


@pytest.mark.parametrize("share", [0.05, 0.15, 0.5])
def test_wrong_texts_anywhere_are_no_loaders(share: float) -> None:
    matrix, payloads, _ = loaded()
    rng = np.random.default_rng(1)
    at = rng.choice(N, int(share * N), replace=False)
    texts = [payloads[i]["caption"] for i in rng.permutation(at)]
    for i, text in zip(at, texts, strict=True):
        payloads[i]["caption"] = text
    found = finding(CODE, probed(evidence(matrix, payloads, names=LOADERS)))
    assert found.severity is not None
    assert found.group is None
    assert "apart" not in found.evidence
