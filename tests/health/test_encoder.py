"""Rows embedded again: whose vectors they are, and whose payloads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from console.health import matching
from console.health.checks.encoder import encoder_mismatch, misaligned_payload
from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.matching import lag
from console.health.options import FieldNames
from console.health.policy import policy
from console.health.probes import reencode as module
from console.health.probes.reencode import Reencoded, reencode
from tests.health.encoding import (
    NAMES,
    Arrays,
    Bench,
    Hashing,
    Refusing,
    as_uri,
    captions,
    picture,
    probing,
    texts,
    with_result,
)

MINE, OLD = Hashing("mine"), Hashing("old")


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {e.name: e for e in (MINE, OLD)}
    monkeypatch.setattr(module, "load_by_spec", lambda spec: held[spec.name])


def run(
    home: Path,
    matrix: np.ndarray,
    payloads: Sequence[Any],
    encoders: Sequence[Any] = (MINE, OLD),
    **more: Any,
) -> Evidence:
    one = probing(home, matrix, payloads, encoders, **more)
    return with_result(one, {Reencoded: reencode(one)})


def only(found: Sequence[Any]) -> Finding:
    assert len(found) == 1, found
    assert isinstance(found[0], Finding), found[0]
    return found[0]


def why(found: Sequence[Any]) -> str:
    assert [type(f) for f in found] == [NotMeasured]
    return found[0].why


def mismatch(evidence: Evidence) -> Any:
    return encoder_mismatch(evidence, policy())


def moved(evidence: Evidence) -> Any:
    return misaligned_payload(evidence, policy())


def test_rows_of_the_encoder_are_silent(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    evidence = run(tmp_path, matrix * 7.5, payloads)
    assert mismatch(evidence) == []
    assert moved(evidence) == []
    probed = evidence.get(Reencoded)
    assert isinstance(probed, Reencoded)
    assert probed.scale == pytest.approx(7.5, rel=1e-5)
    assert probed.every
    assert np.allclose(probed.cosine, 1, atol=1e-6)


@pytest.mark.parametrize("kind", ["float16", "bfloat16-like", "scaled"])
def test_rounding_and_scale_are_no_mismatch(tmp_path: Path, kind: str) -> None:
    matrix, payloads = texts(200, MINE)
    if kind == "float16":
        matrix = matrix.astype(np.float16).astype(np.float32)
    elif kind == "scaled":
        matrix = matrix * np.linspace(0.1, 40, 200)[:, None].astype(np.float32)
    else:
        matrix = (matrix.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert mismatch(run(tmp_path, matrix, payloads)) == []


def test_foreign_rows_are_named_exactly_in_a_full_scan(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    matrix[50:56] = OLD.encode_texts(captions(300)[50:56])
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert finding.severity == "warning"
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == list(range(50, 56))
    assert (finding.rows, finding.share, finding.interval, finding.basis) == (6, 0.02, None, "exact")
    assert finding.evidence["made_by_other_encoders"] == {"old": 6}
    assert finding.sample_ids == tuple(range(50, 56))
    assert finding.summary == (
        "6 of 300 re-encoded rows are not what `mine` makes of their source (cosine under 0.99);"
        " 6 of them were made by `old`."
    )


def test_a_sample_carries_the_interval_and_fires_on_its_bound(tmp_path: Path) -> None:
    n = 3_000
    matrix, payloads = texts(n, MINE)
    foreign = np.arange(0, n, 50)
    matrix[foreign] = OLD.encode_texts([captions(n)[i] for i in foreign])
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert finding.basis == "sample"
    assert finding.examined is not None
    assert int(finding.examined.sum()) == module.ROWS
    hits = finding.rows
    assert finding.interval == pytest.approx(
        (beta.ppf(0.025, hits, module.ROWS - hits + 1), beta.ppf(0.975, hits + 1, module.ROWS - hits))
    )
    assert finding.severity == ("warning" if finding.interval and finding.interval[0] > 0.005 else "info")
    assert finding.affected is not None
    assert set(np.flatnonzero(finding.affected)) <= set(foreign)


@pytest.mark.parametrize(
    ("share", "severity"), [(0.02, "warning"), (0.2, "critical"), (0.5, "critical"), (1.0, "critical")]
)
def test_severity_grows_with_the_share(tmp_path: Path, share: float, severity: str) -> None:
    n = 400
    matrix, payloads = texts(n, MINE)
    count = int(share * n)
    matrix[:count] = OLD.encode_texts(captions(n)[:count])
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert (finding.severity, finding.rows) == (severity, count)


def test_near_misses_of_half_of_the_rows_are_critical_by_the_median(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    noise = np.random.default_rng(3).normal(size=matrix.shape).astype(np.float32)
    noise -= (noise * matrix).sum(axis=1, keepdims=True) * matrix
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    near = 0.9 * matrix + np.sqrt(1 - 0.81).astype(np.float32) * noise
    assert only(mismatch(run(tmp_path, near, payloads))).severity == "critical"
    assert (
        only(mismatch(run(tmp_path, np.where(np.arange(300)[:, None] < 60, near, matrix), payloads))).severity
        == "warning"
    )


def test_rows_tagged_as_another_encoder_are_measured_apart(tmp_path: Path) -> None:
    matrix, payloads = texts(400, MINE)
    matrix[:120] = OLD.encode_texts(captions(400)[:120])
    for p in payloads[:120]:
        p["embedding_version"] = "old"
    matrix[200:210] = OLD.encode_texts(captions(400)[200:210])
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert finding.rows == 10
    assert finding.evidence["rows_reencoded"] == 280
    apart = finding.evidence["other_tags"]["old"]
    assert apart["median_cosine_to_its_own"] == pytest.approx(1, abs=1e-6)
    assert abs(apart["median_cosine_to_this_encoder"]) < 0.3


def test_a_collection_of_another_encoder_is_a_mismatch_whatever_its_tags(tmp_path: Path) -> None:
    matrix, payloads = texts(300, OLD, tag="old")
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert (finding.severity, finding.rows, finding.remedy.action) == ("critical", 300, "configure")
    assert finding.evidence["made_by_other_encoders"] == {"old": 300}


def test_untagged_rows_are_judged(tmp_path: Path) -> None:
    matrix, payloads = texts(200, OLD, tag=None)
    assert only(mismatch(run(tmp_path, matrix, payloads))).severity == "critical"
    matrix, payloads = texts(200, MINE, tag=None)
    assert mismatch(run(tmp_path, matrix, payloads)) == []


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (lambda t: f"a photo of a {t}", 'the prompt "a photo of a"'),
        (lambda t: f"query: {t}", 'the prefix "query: "'),
        (str.lower, "the text in lower case"),
    ],
)
def test_a_prompt_is_found_before_the_verdict(tmp_path: Path, said: Any, name: str) -> None:
    held = [f"Row {i} Of The Shop" for i in range(200)]
    payloads = [{"caption": t, "embedding_version": "mine"} for t in held]
    matrix = MINE.encode_texts([said(t) for t in held])
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert finding.severity == "info"
    assert (finding.rows, finding.evidence["explained_by"]) == (0, {name: 200})
    assert name in finding.summary


def test_first_dimensions_are_found_before_the_verdict(tmp_path: Path) -> None:
    matrix, payloads = texts(200, MINE)
    matrix[:30, 20:] = 0
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert (finding.severity, finding.evidence["explained_by"]) == ("info", {"its first 20 dimensions": 30})


def test_an_intended_cut_of_the_whole_field_is_no_mismatch(tmp_path: Path) -> None:
    matrix, payloads = texts(200, MINE)
    evidence = run(tmp_path, matrix[:, :16], payloads)
    assert mismatch(evidence) == []


def test_another_dimension_says_both(tmp_path: Path) -> None:
    wide = Hashing("wide", dimension=48)
    matrix, payloads = texts(200, wide, tag=None)
    said = why(mismatch(run(tmp_path, matrix, payloads, (MINE,))))
    assert "32" in said
    assert "48" in said
    assert "dimension-mismatch" in said
    assert why(moved(run(tmp_path, matrix, payloads, (MINE,)))) == said


@pytest.mark.parametrize("shift", [1, -1, 7])
def test_a_shift_of_payloads_is_named(tmp_path: Path, shift: int) -> None:
    matrix, payloads = texts(300, MINE)
    evidence = run(tmp_path, np.roll(matrix, shift, axis=0), payloads)
    finding = only(moved(evidence))
    assert finding.severity == "critical"
    assert finding.rows == 300
    assert finding.evidence["shift"]["steps"] == shift
    assert finding.evidence["shift"]["share"] >= 0.95
    assert mismatch(evidence) == []


def test_a_shuffle_has_no_shift_and_names_exactly_its_rows(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    at = np.array([3, 50, 77, 120, 121, 200, 250, 299])
    matrix[at] = matrix[np.array([77, 250, 299, 3, 200, 50, 121, 120])]
    evidence = run(tmp_path, matrix, payloads)
    finding = only(moved(evidence))
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == at.tolist()
    assert (finding.severity, finding.evidence["shift"]) == ("warning", None)
    assert finding.evidence["belongs_to"][0] == {"id": 3, "vector_at": 120}
    assert mismatch(evidence) == []


@pytest.mark.parametrize("read", [0, 20_000])
def test_matches_outside_the_sample_are_found(
    tmp_path: Path, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "READ", read)
    n = 2_000
    matrix, payloads = texts(n, MINE)
    matrix = np.roll(matrix, 1, axis=0)
    chosen = np.arange(0, n, 10).tolist()
    found = only(moved(run(tmp_path, matrix, payloads, only=chosen)))
    assert (found.rows, found.evidence["looked_for_in"]) == (200, "the whole collection")
    assert found.evidence["shift"]["steps"] == 1
    assert found.basis == "sample"
    assert found.interval is not None
    unsearched = run(tmp_path, matrix, payloads, only=chosen, reader=Refusing)
    assert moved(unsearched) == []
    assert only(mismatch(unsearched)).severity == "critical"


def test_twins_are_no_misalignment(tmp_path: Path) -> None:
    """A foreign row whose text another row has too, or has in other words that mean the same vector."""

    class Spaces(Hashing):
        def of(self, what: bytes) -> np.ndarray:
            return super().of(what.strip())

    mine = Spaces("mine")
    matrix, payloads = texts(300, mine)
    payloads[10]["caption"] = payloads[20]["caption"]
    payloads[30]["caption"] = str(payloads[40]["caption"]) + " "
    matrix[[10, 30]] = OLD.encode_texts(["foreign", "foreign too"])
    evidence = run(tmp_path, matrix, payloads, (mine,))
    assert moved(evidence) == []
    assert only(mismatch(evidence)).rows == 2


def test_a_shift_of_uuid_rows_is_told_by_their_order(tmp_path: Path) -> None:
    matrix, payloads = texts(200, MINE)
    ids = [hashlib.md5(str(i).encode()).hexdigest() for i in range(200)]
    ids = [f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in sorted(ids)]
    finding = only(moved(run(tmp_path, np.roll(matrix, 2, axis=0), payloads, ids=ids)))
    assert finding.evidence["shift"]["steps"] == 2
    assert finding.evidence["shift"]["of"] == "place in the order of ids"


def test_a_shift_in_time_is_told_where_ids_say_nothing(tmp_path: Path) -> None:
    matrix, payloads = texts(200, MINE)
    order = np.random.default_rng(5).permutation(200)
    for place, row in enumerate(order):
        payloads[row]["at"] = 1_700_000_000 + 60 * place
    shifted = matrix.copy()
    shifted[order] = matrix[np.roll(order, 1)]
    names = FieldNames(text="caption", time="at", groups=("embedding_version",))
    finding = only(moved(run(tmp_path, shifted, payloads, names=names)))
    assert (finding.evidence["shift"]["steps"], finding.evidence["shift"]["of"]) == (1, "place in time")


def test_no_lag_of_nothing(tmp_path: Path) -> None:
    matrix, payloads = texts(20, MINE)
    evidence = run(tmp_path, matrix, payloads)
    assert lag(evidence, np.zeros(0, np.int64), [], np.zeros(0, np.int64)) is None


def with_pictures(n: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
    held = [picture(i) for i in range(n)]
    payloads: list[dict[str, Any]] = [
        {"image": as_uri(p), "caption": f"words {i}", "modality": "image", "embedding_version": "mine"}
        for i, p in enumerate(held)
    ]
    return MINE.encode_images(held), payloads


def test_pictures_are_encoded_where_a_row_has_one(tmp_path: Path) -> None:
    matrix, payloads = with_pictures(60)
    evidence = run(tmp_path, matrix, payloads)
    assert mismatch(evidence) == []
    probed = evidence.get(Reencoded)
    assert isinstance(probed, Reencoded)
    assert probed.picture.all()


def test_rows_whose_text_was_embedded_are_told_though_they_have_pictures(tmp_path: Path) -> None:
    _, payloads = with_pictures(60)
    matrix = MINE.encode_texts([p["caption"] for p in payloads])
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert (finding.severity, finding.evidence["explained_by"]) == (
        "info",
        {"the text field in place of the picture": 60},
    )


def test_swapped_channels_are_named_and_stay_a_mismatch(tmp_path: Path) -> None:
    from PIL import Image

    _, payloads = with_pictures(60)
    swapped = [Image.fromarray(np.asarray(picture(i))[..., ::-1].copy()) for i in range(60)]
    finding = only(mismatch(run(tmp_path, MINE.encode_images(swapped), payloads)))
    assert finding.severity == "critical"
    assert finding.evidence["explained_by"] == {"red and blue swapped in the picture": 60}
    assert "channels" in finding.remedy.text


def test_refused_pictures_are_counted_and_said(tmp_path: Path) -> None:
    matrix, payloads = with_pictures(40)
    for p in payloads[:30]:
        p["image"] = "../../etc/passwd"
    matrix[35:] = OLD.encode_images([picture(i) for i in range(35, 40)])
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert finding.evidence["rows_reencoded"] == 10
    assert sum(finding.evidence["refused"].values()) == 30
    assert (finding.basis, finding.rows) == ("sample", 5)
    assert finding.rows_estimated == (20.0, 5.0, 35.0), "nothing is known of the rows of refused pictures"
    assert finding.evidence["rows_not_readable"] == 30
    assert "(of the rows whose source can be read; that of 30 more can't)" in finding.summary
    for p in payloads:
        p["image"] = "../../etc/passwd"
        p.pop("caption")
    said = why(mismatch(run(tmp_path, matrix, payloads)))
    assert "40 pictures were refused" in said
    assert "passwd" not in said


def test_slow_pictures_do_not_outlast_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from console.encoders.sources import ImageStore
    from console.health.origins import LATE

    matrix, payloads = with_pictures(100)
    quick = ImageStore.open

    def slow(store: ImageStore, reference: str) -> Any:
        time.sleep(0.1)
        return quick(store, reference)

    monkeypatch.setattr(ImageStore, "open", slow)
    began = time.monotonic()
    evidence = run(tmp_path, matrix, payloads, seconds=2.0)
    assert time.monotonic() - began < 9, "a hundred pictures take ten seconds"
    probed = evidence.get(Reencoded)
    assert isinstance(probed, Reencoded)
    assert 0 < len(probed.rows) < 100
    assert probed.refused[LATE] > 0
    assert not probed.every


def test_hostile_texts_are_encoded_as_text(tmp_path: Path) -> None:
    payloads = [
        {"caption": t, "embedding_version": "mine"}
        for t in ("\ud800 lone", "a" * 10_000_000, "\0", "ok " * 3)
    ]
    matrix = MINE.encode_texts(["x"] * 4)
    finding = only(mismatch(run(tmp_path, matrix, payloads)))
    assert finding.rows == 4


@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_few_rows(tmp_path: Path, n: int) -> None:
    matrix, payloads = texts(10, MINE)
    evidence = run(tmp_path, matrix[:n], payloads[:n])
    if n:
        assert mismatch(evidence) == []
        assert moved(evidence) == []
    else:
        assert "No row has a vector" in why(mismatch(evidence))


def test_two_dimensions_name_no_other_row(tmp_path: Path) -> None:
    flat = Hashing("mine", dimension=2)
    matrix, payloads = texts(200, flat)
    evidence = run(tmp_path, np.roll(matrix, 1, axis=0), payloads, (flat,))
    assert moved(evidence) == []
    assert only(mismatch(evidence)).severity == "critical"


def test_bad_rows_are_left_out(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    matrix[:20] = np.nan
    matrix[20:40] = 0
    matrix[40:60, 3] = np.inf
    evidence = run(tmp_path, matrix, payloads, present=np.arange(300) < 290)
    assert mismatch(evidence) == []
    probed = evidence.get(Reencoded)
    assert isinstance(probed, Reencoded)
    assert probed.every
    assert len(probed.rows) == 230


def test_rows_that_were_peeled_away_do_not_count(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    matrix[:30] = OLD.encode_texts(captions(300)[:30])
    evidence = run(tmp_path, matrix, payloads)
    assert mismatch(evidence.without(np.arange(300) < 30)) == []
    assert only(mismatch(evidence.without(np.arange(300) < 20))).rows == 10
    assert "is left" in why(mismatch(evidence.without(np.ones(300, np.bool_))))


@pytest.mark.parametrize("names", [FieldNames(), FieldNames(text="nowhere")])
def test_without_a_source_nothing_is_measured(tmp_path: Path, names: FieldNames) -> None:
    matrix, payloads = texts(30, MINE)
    assert (
        "source" in (said := why(mismatch(run(tmp_path, matrix, payloads, names=names))))
        or "text_field" in said
    )


def test_bytes_are_not_compared(tmp_path: Path) -> None:
    matrix, payloads = texts(30, MINE)
    assert "bytes" in why(mismatch(run(tmp_path, matrix * 100, payloads, storage="uint8")))


def test_no_encoder_no_probe(tmp_path: Path) -> None:
    from dataclasses import replace

    matrix, payloads = texts(30, MINE)
    one = probing(tmp_path, matrix, payloads, (MINE,))
    found = reencode(replace(one, load_encoder=None))
    assert isinstance(found, NotMeasured)
    assert "--encoder" in found.why


def test_little_time_measures_few_rows_and_says_so(tmp_path: Path) -> None:
    class Slow(Hashing):
        def encode_texts(self, texts: list[str]) -> np.ndarray:
            import time

            time.sleep(0.1)
            return super().encode_texts(texts)

    slow = Slow("mine")
    matrix, payloads = texts(400, MINE)
    evidence = run(tmp_path, matrix, payloads, (slow,), seconds=0.5)
    probed = evidence.get(Reencoded)
    assert isinstance(probed, Reencoded)
    assert 0 < len(probed.rows) < 400
    assert not probed.every


def test_the_same_seed_draws_the_same_rows(tmp_path: Path) -> None:
    matrix, payloads = texts(1_000, MINE)
    drawn = [run(tmp_path, matrix, payloads, seed=s).get(Reencoded) for s in (1, 1, 2)]
    rows = [d.rows.tolist() for d in drawn if isinstance(d, Reencoded)]
    assert rows[0] == rows[1] != rows[2]


def test_the_double_reads_as_the_interface_says(tmp_path: Path) -> None:
    matrix, payloads = texts(5, MINE)
    batch = Arrays(matrix, payloads, range(5)).fetch(None, [3, 9, 1], [""], ("caption",))
    assert batch.ids == (3, 1)
    assert Bench(tmp_path, (MINE,)).encoder_specs()["mine"].dimension == 32
    assert NAMES.text == "caption"
