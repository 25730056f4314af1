"""Pictures to model input: open_clip's own preprocessing, faster.

A JPEG is decoded at a reduced size (`draft`), resizing runs on uint8 tensors, scaling and normalising on whole
batches. Where a model asks for something else than resizing the shortest side or squashing, open_clip's own
transform is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.encoders import heavy
from console.encoders.images import ImageLimits, decode, flatten

if TYPE_CHECKING:
    from PIL.Image import Image

    from console.encoders.protocol import Picture

DRAFT: Final = 2
"""A JPEG is decoded at no less than this many times the model's side, so that resizing still has detail to average."""

LONGEST: Final = 8
"""Times its short side: beyond that, only the middle of a picture is resized."""


class Preprocess:
    """One model's preprocessing. Safe to use from several threads."""

    def __init__(self, config: Mapping[str, Any], limits: ImageLimits | None = None) -> None:
        """`config` is open_clip's `visual.preprocess_cfg`."""
        torch = heavy.torch()
        size: Any = config["size"]
        self.size: tuple[int, int] = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
        self.limits = limits or ImageLimits()
        self._bilinear = config.get("interpolation") == "bilinear"
        mode = config.get("resize_mode") or "shortest"
        self._squash = mode == "squash"
        fast = self._squash or (mode == "shortest" and self.size[0] == self.size[1])
        self._slow: Callable[[Image], Any] | None = None if fast else _open_clips_own(config)
        self._mean: Any = torch.tensor(config["mean"]).view(1, -1, 1, 1)
        self._std: Any = torch.tensor(config["std"]).view(1, -1, 1, 1)

    def batch(self, pictures: Sequence[Picture]) -> Any:
        """`(n, 3, height, width)` float32 tensor on the CPU."""
        torch = heavy.torch()
        if self._slow is not None:
            return torch.stack([self._slow(self._opened(p)) for p in pictures])
        whole: Any = torch.stack([self._shrunk(self._opened(p)) for p in pictures])
        return whole.float().div_(255).sub_(self._mean).div_(self._std)

    def _opened(self, picture: Picture) -> Image:
        """An RGB picture; the encoded one is decoded, with its orientation applied."""
        side = DRAFT * max(self.size)
        if isinstance(picture, bytes):
            return decode(picture, self.limits, at_least=side)
        return flatten(picture, at_least=side)

    def _shrunk(self, picture: Image) -> Any:
        """`(3, height, width)` uint8 tensor."""
        v2, modes = heavy.vision().functional, heavy.vision().InterpolationMode
        height, width = self.size
        tensor: Any = heavy.torch().from_numpy(np.array(_bounded(picture))).permute(2, 0, 1)
        how = modes.BILINEAR if self._bilinear else modes.BICUBIC
        if self._squash:
            return v2.resize(tensor, [height, width], interpolation=how, antialias=True)
        if min(tensor.shape[-2:]) != height:
            tensor = v2.resize(tensor, [height], interpolation=how, antialias=True)
        return v2.center_crop(tensor, [height, width])


def _bounded(picture: Image) -> Image:
    """The middle of a very long picture: all that the crop leaves, without resizing millions of pixels first."""
    width, height = picture.size
    short = min(width, height)
    if max(width, height) <= LONGEST * short:
        return picture
    across, down = min(width, LONGEST * short), min(height, LONGEST * short)
    left, top = (width - across) // 2, (height - down) // 2
    return picture.crop((left, top, left + across, top + down))


def _open_clips_own(config: Mapping[str, Any]) -> Callable[[Image], Any]:
    own = heavy.open_clip().transform
    return own.image_transform_v2(own.PreprocessCfg(**config), is_train=False)
