"""Rows of nothing, texts that are cut, vectors older than their source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from connectors.model import Batch, Vectors
from console.health.baseline import Baseline
from console.health.checks.source import cut_source, empty_source
from console.health.checks.stale import stale_vectors
from console.health.columns import Reading
from console.health.evidence import Evidence
from console.health.findings import Finding, NotMeasured
from console.health.options import FieldNames
from console.health.policy import policy
from console.health.probes import source as module
from console.health.probes.panel import PanelNow, panel
from console.health.probes.source import Tokens, tokens
from console.health.table import Ids
from tests.health.building import evidence
from tests.health.encoding import NAMES, Hashing, captions, probing, texts, with_result

MINE = Hashing("mine")


def only(found: Any) -> Finding:
    assert len(found) == 1, found
    assert isinstance(found[0], Finding), found[0]
    return found[0]


def why(found: Any) -> str:
    assert [type(f) for f in found] == [NotMeasured]
    return found[0].why


# --- empty-source


@pytest.mark.parametrize("nothing", ["", None, "absent", "   ", "\n\t", "nan", "NULL", " None "])
def test_rows_of_nothing_are_named(nothing: str | None) -> None:
    matrix, payloads = texts(200, MINE)
    for i in (3, 77, 199):
        payloads[i]["caption"] = nothing
        if nothing == "absent":
            del payloads[i]["caption"]
    finding = only(empty_source(evidence(matrix, payloads, names=NAMES), policy()))
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == [3, 77, 199]
    assert (finding.severity, finding.rows, finding.share, finding.interval) == ("warning", 3, 0.015, None)
    assert finding.sample_ids == (3, 77, 199)


def test_a_word_that_one_row_has_may_mean_the_word() -> None:
    """A list of words: `none`, `null` and `nan` are there as all others are."""
    matrix, payloads = texts(200, MINE)
    for i, word in enumerate(("none", "null", "nan", "None")):
        payloads[i]["caption"] = word
    assert empty_source(evidence(matrix, payloads, names=NAMES), policy()) == []
    payloads[100]["caption"] = ""
    finding = only(empty_source(evidence(matrix, payloads, names=NAMES), policy()))
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == [100]
    assert (finding.severity, finding.rows) == ("warning", 1)


@pytest.mark.parametrize("nothing", ["", None, "  ", "NULL"])
def test_a_word_for_nothing_counts_at_once_with_the_vector_of_another_nothing(nothing: str | None) -> None:
    matrix, payloads = texts(200, MINE)
    payloads[3]["caption"], payloads[77]["caption"], payloads[150]["caption"] = "nan", nothing, "none"
    matrix[77] = matrix[3]
    finding = only(empty_source(evidence(matrix, payloads, names=NAMES), policy()))
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == [3, 77]


def test_a_word_for_nothing_that_shares_a_vector_with_a_text_alone_may_mean_the_word() -> None:
    matrix, payloads = texts(200, MINE)
    payloads[3]["caption"] = "nan"
    matrix[77] = matrix[3]
    assert empty_source(evidence(matrix, payloads, names=NAMES), policy()) == []


def test_rows_with_something_are_silent() -> None:
    matrix, payloads = texts(200, MINE)
    assert empty_source(evidence(matrix, payloads, names=NAMES), policy()) == []


def test_a_picture_is_a_source_too() -> None:
    matrix, payloads = texts(200, MINE)
    for p in payloads[:100]:
        p["image"] = f"pictures/{p.pop('caption')}.jpg"
        p["modality"] = "image"
    assert empty_source(evidence(matrix, payloads, names=NAMES), policy()) == []


def test_rows_without_vector_need_no_source() -> None:
    matrix, payloads = texts(200, MINE)
    for p in payloads[:50]:
        p["caption"] = ""
    held = evidence(matrix, payloads, names=NAMES, present=np.arange(200) >= 50)
    assert empty_source(held, policy()) == []


def test_none_of_one_modality_is_asked_about_only() -> None:
    matrix, payloads = texts(200, MINE)
    for p in payloads[:15]:
        p["caption"] = ""
        p["modality"] = "sound"
    finding = only(empty_source(evidence(matrix, payloads, names=NAMES), policy()))
    assert (finding.severity, finding.evidence["by_design"]) == ("info", "modality")
    payloads[100]["caption"] = ""
    assert only(empty_source(evidence(matrix, payloads, names=NAMES), policy())).severity == "warning"


def test_rows_without_text_and_with_vectors_of_their_own_came_from_elsewhere() -> None:
    matrix, payloads = texts(200, MINE)
    for p in payloads[:100]:
        p["caption"] = ""
    assert only(empty_source(evidence(matrix, payloads, names=NAMES), policy())).severity == "info"
    matrix[:100] = MINE.encode_texts([""])
    finding = only(empty_source(evidence(matrix, payloads, names=NAMES), policy()))
    assert (finding.severity, finding.evidence["distinct_vectors"]) == ("warning", 1)
    assert "one and the same vector" in finding.summary


def test_a_sample_of_empty_rows_has_its_interval() -> None:
    matrix, payloads = texts(300, MINE)
    for i in range(6):
        payloads[i]["caption"] = ""
    finding = only(empty_source(evidence(matrix, payloads, names=NAMES, exact=False, rows=90_000), policy()))
    assert finding.interval == pytest.approx((beta.ppf(0.025, 6, 295), beta.ppf(0.975, 7, 294)))
    assert finding.basis == "sample"


def test_peeled_rows_are_not_empty_rows() -> None:
    matrix, payloads = texts(100, MINE)
    payloads[5]["caption"] = ""
    held = evidence(matrix, payloads, names=NAMES)
    assert empty_source(held.without(np.arange(100) == 5), policy()) == []


def test_no_source_field_and_no_rows_are_not_measured() -> None:
    matrix, payloads = texts(10, MINE)
    assert "text_field" in why(empty_source(evidence(matrix, payloads, names=FieldNames()), policy()))
    assert "No row" in why(empty_source(evidence(matrix[:0], [], names=NAMES), policy()))


# --- cut-source


def counted(tmp_path: Path, said: list[str], **more: Any) -> Evidence:
    payloads = [{"caption": t, "modality": "text"} for t in said]
    one = probing(tmp_path, MINE.encode_texts(said), payloads, (MINE,), **more)
    return with_result(one, {Tokens: tokens(one)})


def test_long_texts_are_named_with_what_is_lost(tmp_path: Path) -> None:
    said = captions(200)
    said[10] = "word " * 14
    said[20] = "word " * 30
    said[30] = "word " * 6
    finding = only(cut_source(counted(tmp_path, said), policy()))
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == [10, 20]
    assert finding.evidence["context_length"] == 8
    assert finding.evidence["share_lost"]["median"] == pytest.approx(np.median([1 - 8 / 16, 1 - 8 / 32]))
    assert finding.evidence["tokens"]["max"] == 32
    assert (finding.severity, finding.basis) == ("info", "exact")
    said[100:110] = ["word " * 20] * 10
    assert only(cut_source(counted(tmp_path, said), policy())).severity == "warning"


def test_texts_that_fit_are_silent(tmp_path: Path) -> None:
    assert cut_source(counted(tmp_path, captions(100)), policy()) == []


def test_captions_of_pictures_are_not_counted(tmp_path: Path) -> None:
    said = ["word " * 20] * 50
    payloads = [{"caption": t, "image": "a.jpg"} for t in said]
    one = probing(tmp_path, MINE.encode_texts(said), payloads, (MINE,))
    assert isinstance(tokens(one), NotMeasured)


def test_many_texts_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXTS", 100)
    said = captions(400)
    said[::4] = ["word " * 20] * 100
    finding = only(cut_source(counted(tmp_path, said), policy()))
    assert finding.examined is not None
    assert int(finding.examined.sum()) == 100
    assert finding.interval is not None
    assert finding.interval[0] < 0.25 < finding.interval[1]


def test_without_an_encoder_only_characters_are_known(tmp_path: Path) -> None:
    matrix, payloads = texts(100, MINE)
    one = replace(probing(tmp_path, matrix, payloads, (MINE,)), load_encoder=None)
    said = why(cut_source(with_result(one, {Tokens: tokens(one)}), policy()))
    assert "--encoder" in said
    assert "18 characters in the median and 18 at most" in said


def test_a_huge_text_is_counted_in_part(tmp_path: Path) -> None:
    finding = only(cut_source(counted(tmp_path, [*captions(50), "word " * 2_000_000]), policy()))
    assert finding.rows == 1
    assert finding.evidence["tokens"]["max"] <= 20_000


# --- stale-vectors


def names_of(*more: str) -> FieldNames:
    return replace(NAMES, columns=(*NAMES.columns, *more))


def base(matrix: np.ndarray, payloads: Any, ids: Any, chosen: Any) -> Baseline:
    held = Ids.of([ids[i] for i in chosen])
    columns = {path: [payloads[i].get(path) for i in chosen] for path in NAMES.columns}
    nothing = Vectors(matrix[chosen], np.ones(len(chosen), np.bool_))
    read = Reading(NAMES).read(Batch(tuple(int(i) for i in chosen), {"": nothing}, columns))
    return Baseline(
        {"id": "r1"},
        {
            "panel.id_high": held.high,
            "panel.id_low": held.low,
            "panel.integer": held.integer,
            "panel.vectors": matrix[chosen].astype(np.float32),
            "panel.source": read.source,
            "panel.content": read.content,
            "panel.version": np.array(["mine"] * len(chosen)),
            "panel.fields": np.array(NAMES.columns),
        },
    )


def now(tmp_path: Path, before: Baseline, matrix: np.ndarray, payloads: Any, **more: Any) -> Evidence:
    one = probing(tmp_path, matrix, payloads, (MINE,), baseline=before, **more)
    return with_result(one, {PanelNow: panel(one)})


def test_a_changed_text_with_the_old_vector_is_stale(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    before = base(matrix, payloads, range(300), np.arange(0, 300, 2))
    later = [dict(p) for p in payloads]
    fresh = matrix.copy()
    fresh *= np.float32(3)
    for i in (10, 20, 30, 41):
        later[i]["caption"] = f"new text {i}"
    later[50]["caption"] = "new text, new vector"
    fresh[50] = MINE.encode_texts(["new text, new vector"])[0]
    finding = only(stale_vectors(now(tmp_path, before, fresh, later), policy()))
    assert (finding.id, finding.rows, finding.evidence["rows_compared"]) == ("stale-vectors:panel", 3, 150)
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == [10, 20, 30]
    assert finding.sample_ids == (10, 20, 30)
    assert finding.evidence["sources_changed"] == 4
    assert finding.interval == pytest.approx((beta.ppf(0.025, 3, 148), beta.ppf(0.975, 4, 147)))
    assert finding.severity == "info"
    for i in range(60, 80):
        later[i]["caption"] = f"new text {i}"
    assert only(stale_vectors(now(tmp_path, before, fresh, later), policy())).severity == "warning"


def test_an_unchanged_panel_is_silent(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    before = base(matrix, payloads, range(300), np.arange(300))
    assert stale_vectors(now(tmp_path, before, matrix, payloads), policy()) == []


def test_a_panel_row_that_is_gone_does_not_count(tmp_path: Path) -> None:
    matrix, payloads = texts(300, MINE)
    before = base(matrix, payloads, range(300), np.arange(300))
    later = [dict(p) for p in payloads[:200]]
    later[7]["caption"] = "another"
    finding = only(stale_vectors(now(tmp_path, before, matrix[:200], later), policy()))
    assert finding.evidence["rows_compared"] == 200


def test_the_panel_is_read_from_the_database_where_the_sample_lacks_it(tmp_path: Path) -> None:
    matrix, payloads = texts(2_000, MINE)
    before = base(matrix, payloads, range(2_000), np.arange(1, 2_000, 2))
    later = [dict(p) for p in payloads]
    for i in range(1, 101, 2):
        later[i]["caption"] = f"new {i}"
    finding = only(
        stale_vectors(now(tmp_path, before, matrix, later, only=np.arange(0, 2_000, 10)), policy())
    )
    assert (finding.rows, finding.evidence["rows_compared"], finding.severity) == (50, 1_000, "warning")
    assert finding.affected is not None
    assert not finding.affected.any()
    assert finding.sample_ids[:2] == (1, 3)


def test_pictures_that_moved_are_worth_a_word_only(tmp_path: Path) -> None:
    matrix, payloads = texts(100, MINE)
    payloads = [{"image": f"old/{i}.jpg"} for i in range(100)]
    before = base(matrix, payloads, range(100), np.arange(100))
    finding = only(
        stale_vectors(
            now(tmp_path, before, matrix, [{"image": f"new/{i}.jpg"} for i in range(100)]), policy()
        )
    )
    assert (finding.severity, finding.evidence["only_references_changed"]) == ("info", True)


def test_a_panel_of_another_dimension_says_nothing_of_staleness(tmp_path: Path) -> None:
    matrix, payloads = texts(50, MINE)
    before = base(matrix[:, :8], payloads, range(50), np.arange(50))
    assert "not known" in why(stale_vectors(now(tmp_path, before, matrix, payloads), policy()))


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
@pytest.mark.parametrize("digits", [None, 16])
def test_a_hash_in_the_rows_is_found_out_and_held_to_the_text(kind: str, digits: int | None) -> None:
    matrix, payloads = texts(300, MINE)
    for p in payloads:
        p["source_hash"] = hashlib.new(kind, str(p["caption"]).encode()).hexdigest()[:digits]
    held = names_of("source_hash")
    assert stale_vectors(evidence(matrix, payloads, names=held), policy()) == []
    for i in (5, 6, 200):
        payloads[i]["caption"] = f"changed {i}"
    finding = only(stale_vectors(evidence(matrix, payloads, names=held), policy()))
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == [5, 6, 200]
    assert (finding.evidence["hash"], finding.severity) == (kind, "warning")


def test_a_hash_of_something_else_says_nothing() -> None:
    matrix, payloads = texts(100, MINE)
    for i, p in enumerate(payloads):
        p["checksum"] = hashlib.sha256(str(i).encode()).hexdigest()
    assert "not known" in why(stale_vectors(evidence(matrix, payloads, names=names_of("checksum")), policy()))


def timed(after: Mapping[int, float], n: int = 300) -> tuple[np.ndarray, list[dict[str, Any]], FieldNames]:
    matrix, payloads = texts(n, MINE)
    for i, p in enumerate(payloads):
        p["embedded_at"] = "2026-03-01T12:00:00Z"
        p["updated_at"] = 1_772_366_400 + after.get(i, -3_600.0)
    return matrix, payloads, replace(names_of("embedded_at", "updated_at"), time="embedded_at")


def test_rows_changed_after_they_were_embedded_are_stale() -> None:
    matrix, payloads, names = timed({4: 3_600, 5: 90_000, 6: 30})
    finding = only(stale_vectors(evidence(matrix, payloads, names=names), policy()))
    assert finding.affected is not None
    assert np.flatnonzero(finding.affected).tolist() == [4, 5]
    assert finding.evidence["median_delay_seconds"] == pytest.approx((3_600 + 90_000) / 2)
    assert "`updated_at`" in finding.summary
    matrix, payloads, names = timed({})
    assert stale_vectors(evidence(matrix, payloads, names=names), policy()) == []


def test_a_time_of_creation_is_no_time_of_embedding() -> None:
    matrix, payloads, _ = timed({4: 3_600})
    for p in payloads:
        p["created_at"] = p.pop("embedded_at")
    names = replace(names_of("created_at", "updated_at"), time="created_at")
    assert "not known" in why(stale_vectors(evidence(matrix, payloads, names=names), policy()))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows(n: int) -> None:
    matrix, payloads = texts(2, MINE)
    held = evidence(matrix[:n], payloads[:n], names=NAMES)
    assert "not known" in why(stale_vectors(held, policy()))
    assert "not run" in why(cut_source(held, policy())) or n == 0
