"""Tags that are mixed or missing, and one source with two vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.options import FieldNames
from console.health.probes.copies import MOST, Copies, copies_within
from tests.health.building import evidence
from tests.health.probed import captions, finding, judged, probed, themed, unit, why_not, with_field

N = 2_000
NAMES = FieldNames(
    modality="modality",
    text="caption",
    image="image",
    time="at",
    groups=("embedding_version", "modality"),
    columns=("caption", "embedding_version", "modality", "image", "at"),
)


def rotation(d: int = 64) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(9).normal(size=(d, d)))[0].astype(np.float32)


def tagged(old: np.ndarray, *, foreign: bool = True, **more: object) -> Evidence:
    """Rows of two versions, those of `old` by another encoder (or only tagged so)."""
    rows, of = themed(0)
    matrix = rows.copy()
    if foreign:
        matrix[old] = rows[old] @ rotation()
    payloads = with_field(captions(0, of), "embedding_version", ["v1" if o else "v2" for o in old])
    return probed(evidence(matrix, payloads, names=NAMES, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("foreign", [True, False])
def test_two_versions(share: float, foreign: bool) -> None:
    old = np.random.default_rng(1).random(N) < share
    held = finding("version-mix", tagged(old, foreign=foreign))
    assert held.affected is not None
    np.testing.assert_array_equal(held.affected, old)
    assert held.rows == old.sum()
    assert held.share == pytest.approx(old.mean())
    assert held.interval is None
    assert held.severity == ("critical" if foreign else "warning")
    assert held.remedy.action == ("rebuild" if foreign else "tag")
    assert held.evidence["tags"][0] == {"tag": "v2", "rows": N - old.sum()}
    assert set(held.sample_ids) <= set(np.flatnonzero(old).tolist())


def test_one_row_is_enough_and_says_nothing_of_spaces() -> None:
    old = np.arange(N) == 77
    held = finding("version-mix", tagged(old))
    assert held.severity == "warning"
    assert held.sample_ids == (77,)
    assert "why_not" in " ".join(held.evidence)


def test_a_sample_gives_an_interval() -> None:
    old = np.random.default_rng(1).random(N) < 0.1
    held = finding("version-mix", tagged(old, exact=False, rows=100_000))
    assert held.basis == "sample"
    assert held.interval is not None
    assert held.interval[0] < old.mean() < held.interval[1]


def test_without_texts_the_spaces_are_not_compared() -> None:
    tags = [{"embedding_version": "v1" if i % 3 == 0 else "v2"} for i in range(N)]
    held = finding("version-mix", probed(evidence(themed(0)[0], tags, names=NAMES)))
    assert held.severity == "warning"


def test_tags_that_split_exactly_by_modality_are_no_mix() -> None:
    payloads = [{"modality": m, "embedding_version": f"clip-{m}"} for m in ("image", "text") * (N // 2)]
    held = probed(evidence(themed(0)[0], payloads, names=NAMES))
    assert judged("version-mix", held) == []
    for i in range(0, 100, 2):
        payloads[i] = {"modality": "image", "embedding_version": "clip-old"}
    mixed = finding("version-mix", probed(evidence(themed(0)[0], payloads, names=NAMES)))
    assert mixed.affected is not None
    np.testing.assert_array_equal(np.flatnonzero(mixed.affected), np.arange(0, 100, 2))


@pytest.mark.parametrize(
    ("a", "b", "main"), [("v9", "v10", "v10"), ("base", "other", "base"), ("é1", "é2", "é2")]
)
def test_of_two_halves_the_higher_number_is_the_main_one(a: str, b: str, main: str) -> None:
    tags = [{"embedding_version": (a, b)[i % 2]} for i in range(100)]
    held = finding("version-mix", probed(evidence(themed(0)[0][:100], tags, names=NAMES)))
    assert held.evidence["main"] == main
    assert held.affected is not None
    assert held.affected[0] == (main == b)


def test_a_migration_that_stopped_says_where() -> None:
    held = finding("version-mix", tagged(np.arange(N) >= 1_700))
    assert "begin at id 1700" in held.summary
    backwards = finding("version-mix", tagged(np.arange(N) < 300))
    assert "end at id 300" in backwards.summary
    scattered = finding("version-mix", tagged(np.arange(N) % 10 == 0))
    assert scattered.evidence["order"] is None


def test_versions_in_the_order_of_time_say_since_when() -> None:
    rows, of = themed(0)
    order = np.random.default_rng(4).permutation(N)
    payloads = [
        {
            **p,
            "embedding_version": "v2" if order[i] >= 1_800 else "v1",
            "at": int(1_700_000_000 + 60 * order[i]),
        }
        for i, p in enumerate(captions(0, of))
    ]
    held = finding("version-mix", probed(evidence(rows, payloads, names=NAMES)))
    assert "begin at 2023-11-16 04:13:20 UTC" in held.summary


def test_hostile_tags_stay_short() -> None:
    tags = [{"embedding_version": "v2" if i else "\x00\n<b>" + "x" * 10_000} for i in range(50)]
    held = finding("version-mix", probed(evidence(themed(0)[0][:50], tags, names=NAMES)))
    assert len(held.summary) < 300
    assert "\n" not in held.summary


def test_rows_without_a_tag() -> None:
    without = np.random.default_rng(2).random(N) < 0.05
    rows = [{} if w else {"embedding_version": "v2"} for w in without]
    held = finding("untagged-rows", probed(evidence(themed(0)[0], rows, names=NAMES)))
    assert held.severity == "warning"
    assert held.affected is not None
    np.testing.assert_array_equal(held.affected, without)
    nothing = probed(evidence(themed(0)[0], [{"embedding_version": "v2"}] * N, names=NAMES))
    assert judged("untagged-rows", nothing) == []
    assert judged("version-mix", nothing) == []


@pytest.mark.parametrize("names", [NAMES, FieldNames()])
def test_no_tag_at_all_is_a_remark(names: FieldNames) -> None:
    held = finding("untagged-rows", probed(evidence(themed(0)[0], names=names)))
    assert held.severity == "info"
    assert held.affected is None
    assert judged("version-mix", probed(evidence(themed(0)[0], names=names))) == []


def test_missing_vectors_have_no_version() -> None:
    present = np.arange(N) >= 100
    rows = [{"embedding_version": "v1" if i < 100 else "v2"} for i in range(N)]
    held = probed(evidence(themed(0)[0] * present[:, None], rows, present=present, names=NAMES))
    assert judged("version-mix", held) == []


def copied(bad: int, pairs: int = 200) -> Evidence:
    """Rows 2i and 2i + 1 have one text each, for so many pairs, of which `bad` have another vector."""
    rows, _ = themed(0)
    matrix, payloads = rows.copy(), [{"caption": f"text {i}"} for i in range(N)]
    for i in range(pairs):
        matrix[2 * i + 1] = matrix[2 * i] @ rotation() if i < bad else matrix[2 * i]
        payloads[2 * i + 1] = payloads[2 * i]
    return evidence(matrix, payloads, names=NAMES)


@pytest.mark.parametrize(("bad", "severity"), [(0, None), (1, None), (8, "warning"), (40, "critical")])
def test_one_source_with_two_vectors(bad: int, severity: str | None) -> None:
    held = finding("same-source-different-vector", probed(copied(bad)))
    assert held.severity == severity
    assert held.share == pytest.approx(bad / 200)
    assert held.affected is not None
    np.testing.assert_array_equal(np.flatnonzero(held.affected), np.arange(2 * bad))
    assert held.evidence["pairs"] == 200


def test_rounding_is_not_another_vector() -> None:
    held = copied(0)
    noisy = held.reservoir.matrix.astype(np.float16).astype(np.float32)
    noisy[1::2] *= 1.001
    again = evidence(noisy, list(held.reservoir.payloads), names=NAMES)
    assert finding("same-source-different-vector", probed(again)).severity is None


def test_a_noisy_placeholder_on_rows_of_other_sources_makes_no_pair_that_differs() -> None:
    held = copied(0)
    matrix, rng = held.reservoir.matrix.copy(), np.random.default_rng(1)
    at = np.concatenate([np.arange(1, 61, 2), np.arange(1_000, 1_020)])
    matrix[at] = matrix[500] * (1 + 1e-6 * rng.normal(size=(len(at), matrix.shape[1])).astype(np.float32))
    again = probed(evidence(matrix, list(held.reservoir.payloads), names=NAMES))
    found = finding("same-source-different-vector", again)
    assert (found.severity, found.evidence["different"], found.evidence["pairs"]) == (None, 0, 170)


@pytest.mark.parametrize(("bad", "measured"), [(190, False), (90, True)])
def test_a_field_that_is_shown_was_not_embedded_where_most_of_its_pairs_differ(
    bad: int, measured: bool
) -> None:
    held = copied(bad)
    guessed = probed(
        evidence(
            held.reservoir.matrix, list(held.reservoir.payloads), names=replace(NAMES, image=None, shown=True)
        )
    )
    assert finding("same-source-different-vector", probed(held)).severity == "critical"
    if measured:
        assert finding("same-source-different-vector", guessed).severity == "critical"
    else:
        why = why_not("same-source-different-vector", guessed)
        assert why == (
            "190 of 200 pairs with one caption have different vectors: that field is not what was embedded."
            " Set `text_field`."
        )


def test_too_few_pairs_are_not_measured() -> None:
    assert "3 pairs" in why_not("same-source-different-vector", probed(copied(3, 3)))
    assert "made of" in why_not("same-source-different-vector", probed(evidence(themed(0)[0])))


def test_without_the_bad_rows_the_pairs_agree() -> None:
    held = probed(copied(40))
    left = finding("same-source-different-vector", held.without(np.arange(N) < 80))
    assert left.severity is None
    assert left.evidence["pairs"] == 160


def test_a_placeholder_is_not_two_vectors_of_one_source() -> None:
    held = copied(0)
    matrix = held.reservoir.matrix.copy()
    matrix[1:400:8] = unit(np.ones((1, 64)))
    again = evidence(matrix, list(held.reservoir.payloads), names=NAMES)
    assert finding("same-source-different-vector", probed(again)).severity is None


def test_tags_and_modalities_are_not_compared_with_each_other() -> None:
    held = copied(200)
    for field in ("embedding_version", "modality"):
        rows = with_field(held.reservoir.payloads, field, ["a" if i % 2 else "b" for i in range(N)])
        again = copies_within(evidence(held.reservoir.matrix, rows, names=NAMES), np.random.default_rng(0))
        assert isinstance(again, Copies)
        assert again.comparable == 0


def test_pairs_outside_the_reservoir_are_fetched_a_bounded_number() -> None:
    rng = np.random.default_rng(0)
    rows = unit(rng.normal(size=(6_000, 32)))
    rows[3_000:] = rows[:3_000]
    rows[3_000:3_300] = unit(rng.normal(size=(300, 32)))
    held = evidence(rows, [{"caption": f"{i % 3_000}"} for i in range(6_000)], names=NAMES, reservoir=100)
    asked: list[int] = []

    def fetch(wanted: np.ndarray) -> dict[int, np.ndarray]:
        asked.extend(wanted.tolist())
        return {int(i): rows[i] for i in wanted if i != asked[0]}

    found = copies_within(held, np.random.default_rng(0), fetch)  # type: ignore[arg-type]
    assert isinstance(found, Copies)
    assert found.comparable == 3_000
    assert len(found.pairs) == MOST
    assert len(asked) <= 2 * MOST
    assert not np.isin(asked, held.reservoir.rows).any()
    truth = (rows[found.pairs[:, 0]] * rows[found.pairs[:, 1]]).sum(axis=1)
    known = np.isfinite(found.cosine)
    assert (~known).sum() == 1
    np.testing.assert_allclose(found.cosine[known], truth[known], atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_few_rows_raise_nothing(n: int) -> None:
    rows, of = themed(0)
    held = probed(evidence(rows[:n], captions(0, of)[:n], names=NAMES))
    for code in ("version-mix", "untagged-rows", "same-source-different-vector"):
        assert all(isinstance(f, (Finding, NotMeasured)) for f in judged(code, held))
