"""The shape of the demo's two encoders, and where their weights lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WEIGHTS: Final = Path(__file__).parent / "weights"
DIMENSION: Final = 128
CONTEXT_LENGTH: Final = 28
BPE_NAME: Final = "bpe.txt.gz"
WEIGHTS_NAME: Final = "open_clip_model.safetensors"
CONFIG_NAME: Final = "open_clip_config.json"


@dataclass(frozen=True, slots=True)
class Shape:
    """What differs between the two encoders: picture side in pixels, width and heads of the text tower."""

    name: str
    image_size: int
    text_width: int
    text_heads: int

    def model_config(self, vocabulary: int) -> dict[str, Any]:
        """open_clip's `model_cfg`: a ModifiedResNet of width 16 and a text tower of two layers."""
        return {
            "embed_dim": DIMENSION,
            "vision_cfg": {"image_size": self.image_size, "layers": [1, 1, 1, 1], "width": 16},
            "text_cfg": {
                "context_length": CONTEXT_LENGTH,
                "vocab_size": vocabulary,
                "width": self.text_width,
                "heads": self.text_heads,
                "layers": 2,
                "tokenizer_kwargs": {"bpe_path": BPE_NAME},
            },
        }

    def preprocess_config(self) -> dict[str, Any]:
        return {
            "size": [self.image_size, self.image_size],
            "mode": "RGB",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
            "interpolation": "bicubic",
            "resize_mode": "shortest",
            "fill_color": 0,
        }


SHAPES: Final[dict[str, Shape]] = {
    "scenes-v1": Shape("scenes-v1", 32, 96, 3),
    "scenes-v2": Shape("scenes-v2", 64, 128, 4),
}
