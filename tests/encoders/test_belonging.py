from __future__ import annotations

import pytest

from connectors.errors import PlumblineError
from console.encoders import EncoderSpec, belongs, resolve_tag

A = EncoderSpec("a", "ViT-B-32", "x", tags=("2024-01",), fingerprint="fa")
B = EncoderSpec("b", "ViT-B-16", "y", tags=("2025-02", "shared"), fingerprint="fb")
C = EncoderSpec("c", "RN50", "z", tags=("shared",))
SPECS = {s.name: s for s in (A, B, C)}


def test_each_source_gives_way_to_the_one_before_it() -> None:
    everything = {
        "explicit": "a",
        "settings": "b",
        "choice": "c",
        "marker": {"encoders": {"clip": {"name": "a", "fingerprint": "fa"}}},
        "versions": {"2025-02": 1.0},
    }
    expected = [(A, "explicit"), (B, "settings"), (C, "choice"), (A, "marker"), (B, "version-tag")]
    for given, answer in zip(list(everything), expected, strict=True):
        assert belongs(SPECS, field="clip", **everything) == answer
        everything.pop(given)
    assert belongs(SPECS, field="clip") == (None, None)


@pytest.mark.parametrize("source", ["explicit", "settings"])
def test_a_name_that_is_not_configured_is_an_error_that_lists_those_that_are(source: str) -> None:
    with pytest.raises(PlumblineError) as caught:
        belongs(SPECS, field="clip", where="demo/scenes", **{source: "nobody"})
    assert caught.value.code == "encoder-unknown"
    assert caught.value.where == "demo/scenes"
    assert "a, b, c" in caught.value.hint


def test_a_choice_that_is_no_longer_configured_is_passed_over() -> None:
    assert belongs(SPECS, field="clip", choice="gone", versions={"2024-01": 3}) == (A, "version-tag")


@pytest.mark.parametrize(
    ("entry", "answer"),
    [
        ({"name": "a", "fingerprint": "fa"}, A),
        ({"name": "renamed", "fingerprint": "fb"}, B),
        ({"name": "a", "fingerprint": "of another a"}, None),
        ({"name": "c", "fingerprint": "not known yet"}, C),
        ("b", B),
        ("fa", A),
        (17, None),
        (None, None),
    ],
)
def test_a_marker_is_believed_by_fingerprint_before_name(entry: object, answer: EncoderSpec | None) -> None:
    assert belongs(SPECS, field="clip", marker={"encoders": {"clip": entry}})[0] is answer


def test_a_marker_speaks_for_its_own_vector_field_only() -> None:
    assert belongs(SPECS, field="other", marker={"encoders": {"clip": "a"}}) == (None, None)


@pytest.mark.parametrize(
    ("versions", "answer"),
    [
        ({"2024-01": 0.51, "2025-02": 0.49}, A),
        ({"2024-01": 0.5, "2025-02": 0.5}, None),
        ({"2024-01": 400, "2025-02": 1_000}, B),
        ({"a": 1}, A),
        ({"fb": 1}, B),
        ({"shared": 1.0}, None),
        ({"unheard of": 1.0}, None),
        ({"2024-01": 0}, None),
        ({}, None),
    ],
)
def test_a_version_tag_counts_above_half_and_only_if_one_encoder_claims_it(
    versions: dict[str, float], answer: EncoderSpec | None
) -> None:
    assert belongs(SPECS, field="clip", versions=versions)[0] is answer


def test_one_encoder_under_two_names_does_not_make_its_fingerprint_ambiguous() -> None:
    twins = {n: EncoderSpec(n, "ViT-B-32", "x", fingerprint="same") for n in ("one", "two")}
    assert resolve_tag("same", twins) is twins["one"]
