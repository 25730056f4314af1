"""Vectors come from outside: pasted, in files, damaged or hostile."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from console.search.vectors import LARGEST_FILE, blend, parse_vector, read_vector


def npy(array: Any, **kwargs: Any) -> bytes:
    held = io.BytesIO()
    np.save(held, array, **kwargs)
    return held.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        "[1, 2.5, -3]",
        "[[1, 2.5, -3]]",
        "1 2.5 -3",
        "1,2.5,-3",
        " 1;\n2.5\t-3,\n",
        b"\xef\xbb\xbf[1, 2.5, -3]",
        npy(np.array([1, 2.5, -3])),
        npy(np.array([[1, 2.5, -3]], dtype=">f4")),
        npy(np.array([1, 2.5, -3], dtype=np.float16)),
    ],
)
def test_every_form_gives_the_same_vector(data: str | bytes) -> None:
    assert parse_vector(data) == (1.0, 2.5, -3.0)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_json_and_npy_hold_float32_bit_for_bit(values: list[float]) -> None:
    values = [*values, 1.0]
    assert parse_vector(json.dumps(values)) == tuple(values)
    assert parse_vector(npy(np.array(values, dtype=np.float32))) == tuple(values)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/plumbline-bomb"),))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "empty"),
        ("[]", "empty"),
        ("[1, NaN]", "Component 1"),
        ("[1, Infinity]", "Component 1"),
        ("1 nan", "Component 1"),
        ("[1e39]", "Component 0"),
        ("[0, 0.0]", "all zeros"),
        ("[1, true]", "Element 1"),
        ('[1, "2"]', "Element 1"),
        ("[1, null]", "Element 1"),
        ("[[1],[2]]", "Element 0"),
        ('{"vector": [1]}', "not a list"),
        ("[1, 2", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[" + "9" * 400 + "]", "too large"),
        ("one two", "'one' is not a number"),
        (b"\xff\xfe\x00", "neither text"),
        (npy(np.eye(3)), "shape"),
        (npy(np.float32(1)), "shape"),
        (npy(np.array([1j])), "complex"),
        (npy(np.array(["a"])), "not real numbers"),
        (npy(np.array([True])), "not real numbers"),
        (npy(np.ones(4))[:-8], "can't be read"),
        (npy(np.array([np.nan, 1])), "Component 0"),
        ("1 " * 70_000, "more than 65,536"),
        ("1" * (LARGEST_FILE + 1), "bytes"),
    ],
)
def test_what_is_no_vector_is_a_usage_error_that_says_why(data: str | bytes, says: str) -> None:
    with pytest.raises(PlumblineError, match=says) as fault:
        parse_vector(data)
    assert fault.value.code == "usage"


def test_a_pickle_is_never_opened() -> None:
    bomb = np.array([Bomb()], dtype=object)
    for data in (npy(bomb, allow_pickle=True), pickle.dumps(Bomb())):
        with pytest.raises(PlumblineError):
            parse_vector(data)
    assert not Path("/tmp/plumbline-bomb").exists()


def test_a_header_that_promises_terabytes_takes_none() -> None:
    header = npy(np.ones(1)).replace(b"(1,), ", b"(9999999999999,), ", 1)
    with pytest.raises(PlumblineError):
        parse_vector(header)


def test_a_file_that_is_missing_or_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError) as fault:
        read_vector(tmp_path / "none.json")
    assert fault.value.code == "not-found"
    with pytest.raises(PlumblineError) as fault:
        read_vector(tmp_path)
    assert fault.value.code == "usage"
    path = tmp_path / "v.json"
    path.write_text("[3, 4]")
    assert read_vector(path) == (3.0, 4.0)


def test_early_fusion_weighs_directions_and_not_lengths() -> None:
    text, image = np.array([0, 150.0], dtype=np.float32), np.array([1e-3, 0], dtype=np.float32)
    mixed = blend(text, image, 0.6)
    assert mixed == pytest.approx([0.4 / np.hypot(0.4, 0.6), 0.6 / np.hypot(0.4, 0.6)])
    assert blend(text, image, 1.0) == pytest.approx([0, 1])
    assert blend(text, image, 0.0) == pytest.approx([1, 0])


def test_a_blend_without_a_direction_is_said() -> None:
    one = np.array([1, 0], dtype=np.float32)
    with pytest.raises(PlumblineError, match="cancel"):
        blend(one, -one, 0.5)
    with pytest.raises(PlumblineError, match="no direction"):
        blend(one, np.zeros(2, dtype=np.float32), 0.5)
