from __future__ import annotations

from collections.abc import Callable

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from console.encoders.openclip import OpenClipEncoder
from console.encoders.preprocess import Preprocess

Encode = Callable[..., bytes]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture(scope="module")
def vit() -> torch.nn.Module:
    torch.manual_seed(3)
    return open_clip.create_model("ViT-B-32", pretrained_text=False).eval()


@pytest.mark.parametrize("size", [(640, 480), (300, 900), (224, 224), (100, 80), (33, 1_000)])
def test_vectors_are_those_of_open_clips_own_preprocessing(
    vit: torch.nn.Module, photograph: Image.Image, size: tuple[int, int]
) -> None:
    picture = photograph.resize(size)
    own = image_transform_v2(PreprocessCfg(**vit.visual.preprocess_cfg), is_train=False)
    ours = Preprocess(vit.visual.preprocess_cfg).batch([picture])
    with torch.inference_mode():
        expected = vit.encode_image(own(picture)[None]).numpy()
        assert cosine(vit.encode_image(ours).numpy(), expected) >= 0.9999


def test_a_jpeg_that_is_decoded_smaller_gives_the_same_vector(
    vit: torch.nn.Module, photograph: Image.Image, encoded: Encode
) -> None:
    data = encoded(photograph.resize((2_000, 1_500), Image.Resampling.BICUBIC), "JPEG", quality=92)
    import io

    own = image_transform_v2(PreprocessCfg(**vit.visual.preprocess_cfg), is_train=False)
    with torch.inference_mode():
        expected = vit.encode_image(own(Image.open(io.BytesIO(data)))[None]).numpy()
        ours = vit.encode_image(Preprocess(vit.visual.preprocess_cfg).batch([data])).numpy()
    assert cosine(ours, expected) >= 0.9999


def test_the_demos_vectors_are_those_of_open_clips_own_preprocessing(scenes_v1: OpenClipEncoder) -> None:
    from console.demo.draw import render
    from console.demo.scenes import unseen_scenes

    pictures = [render(s, i) for i, s in enumerate(unseen_scenes(24, seed=4))]
    own = image_transform_v2(PreprocessCfg(**scenes_v1._model.visual.preprocess_cfg), is_train=False)
    expected = scenes_v1.forward_images(torch.stack([own(p) for p in pictures]))
    assert (scenes_v1.encode_images(pictures) * expected).sum(axis=1).min() >= 0.9999


@pytest.mark.parametrize("mode", ["squash", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_other_ways_to_resize_follow_open_clip(
    photograph: Image.Image, mode: str, interpolation: str
) -> None:
    config = {"size": 96, "resize_mode": mode, "interpolation": interpolation}
    config |= {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4), "mode": "RGB", "fill_color": 0}
    own = image_transform_v2(PreprocessCfg(**config), is_train=False)(photograph)
    ours = Preprocess(config).batch([photograph])[0]
    assert ours.shape == own.shape == (3, 96, 96)
    assert cosine(ours.numpy(), own.numpy()) > 0.9999


def test_a_very_long_picture_is_not_blown_up() -> None:
    config = {"size": 224, "resize_mode": "shortest", "mean": (0.5,) * 3, "std": (0.5,) * 3}
    tensor = Preprocess(config).batch([Image.new("RGB", (1, 60_000), (255, 0, 0))])
    assert tensor.shape == (1, 3, 224, 224)
    assert torch.allclose(tensor[0, 0], torch.ones(224, 224))
