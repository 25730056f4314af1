from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from connectors.errors import PlumblineError
from console.demo.captions import describe
from console.demo.draw import render
from console.demo.scenes import unseen_scenes
from console.encoders.openclip import OpenClipEncoder

SCENES = unseen_scenes(150, seed=8)
PICTURES = [render(s, i) for i, s in enumerate(SCENES)]
TEXTS = [describe(s).text for s in SCENES]


def test_texts_and_pictures_become_float32_rows_of_unit_length(scenes_v1: OpenClipEncoder) -> None:
    for matrix in (scenes_v1.encode_texts(TEXTS), scenes_v1.encode_images(PICTURES)):
        assert matrix.shape == (150, 128)
        assert matrix.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-6)


def test_nothing_gives_no_rows_of_the_right_width(scenes_v1: OpenClipEncoder) -> None:
    assert scenes_v1.encode_texts([]).shape == (0, 128)
    assert scenes_v1.encode_images([]).shape == (0, 128)
    assert scenes_v1.encode_images([]).dtype == np.float32


def test_a_caption_finds_its_picture_among_150_that_were_never_trained_on(scenes_v1: OpenClipEncoder) -> None:
    scores = scenes_v1.encode_texts(TEXTS) @ scenes_v1.encode_images(PICTURES).T
    assert (scores.argmax(axis=1) == np.arange(150)).mean() > 0.9


def test_a_row_does_not_depend_on_its_batch_nor_on_the_form_of_its_picture(
    scenes_v1: OpenClipEncoder, encoded: Callable[..., bytes]
) -> None:
    together = scenes_v1.encode_images(PICTURES)
    alone = np.concatenate([scenes_v1.encode_images([p]) for p in PICTURES[::50]])
    as_files = scenes_v1.encode_images([encoded(p) for p in PICTURES])
    assert (together[::50] * alone).sum(axis=1).min() > 0.99999
    assert (together * as_files).sum(axis=1).min() > 0.99999


def test_rows_come_in_the_order_of_what_was_given(scenes_v1: OpenClipEncoder) -> None:
    forward, backward = scenes_v1.encode_images(PICTURES), scenes_v1.encode_images(PICTURES[::-1])
    assert (forward * backward[::-1]).sum(axis=1).min() > 0.99999


def test_several_threads_get_the_same_answers_as_one(scenes_v1: OpenClipEncoder) -> None:
    expected = scenes_v1.encode_texts(TEXTS)
    got: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: got.append(scenes_v1.encode_texts(TEXTS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    for matrix in got:
        np.testing.assert_allclose(matrix, expected, atol=1e-5)


def test_text_beyond_the_context_is_said_to_be_cut_and_does_not_count(scenes_v1: OpenClipEncoder) -> None:
    fits = " ".join(["red"] * 26)
    long = fits + " circle"
    assert scenes_v1.token_counts(["", "a red circle", fits, long]) == [2, 5, 28, 29]
    assert scenes_v1.truncated([fits, long]) == [False, True]
    cut, whole = scenes_v1.encode_texts([long, fits])
    np.testing.assert_allclose(cut, whole, atol=1e-6)


@pytest.mark.parametrize("text", ["", "  ", "日本語 🙂", "\x00\x01", "a" * 10_000, "<start_of_text>"])
def test_any_text_has_a_finite_vector(scenes_v1: OpenClipEncoder, text: str) -> None:
    assert np.isfinite(scenes_v1.encode_texts([text])).all()


def test_a_damaged_picture_among_good_ones_is_refused(
    scenes_v1: OpenClipEncoder, encoded: Callable[..., bytes]
) -> None:
    files = [encoded(p) for p in PICTURES]
    files[100] = files[100][:60]
    with pytest.raises(PlumblineError) as caught:
        scenes_v1.encode_images(files)
    assert caught.value.code == "image-refused"


class Broken(torch.nn.Module):
    """Answers with what it is told to."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value
        self.visual = torch.nn.Module()
        self.visual.preprocess_cfg = {"size": 8, "mean": (0.5,) * 3, "std": (0.5,) * 3}

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(tokens), 4)

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 4), self.value)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_zero_or_non_finite_vector_is_an_error_never_an_answer(
    scenes_v1: OpenClipEncoder, value: float
) -> None:
    encoder = OpenClipEncoder(Broken(value), scenes_v1._tokenizer, name="broken", fingerprint="-")
    with pytest.raises(PlumblineError) as caught:
        encoder.encode_images([Image.new("RGB", (8, 8))])
    assert caught.value.code == "encoder-unavailable"
    assert caught.value.where == "encoder broken"


def test_without_normalising_the_models_own_lengths_are_kept(scenes_v1: OpenClipEncoder) -> None:
    raw = OpenClipEncoder(
        scenes_v1._model, scenes_v1._tokenizer, name="raw", fingerprint="-", normalize=False
    )
    lengths = np.linalg.norm(raw.encode_images(PICTURES), axis=1)
    assert lengths.std() > 0.01 * lengths.mean()
    unit = raw.encode_images(PICTURES) / lengths[:, None]
    np.testing.assert_allclose(unit, scenes_v1.encode_images(PICTURES), atol=1e-5)
