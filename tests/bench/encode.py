"""Pictures per second through `Encoder.encode_images` from JPEG files, against the bare model on prepared tensors.

`python -m tests.bench.encode`. The two are measured in turn, in changing order; of each the best round counts, which is
the one that other work on the machine disturbed least. ViT-B-32 has random weights: its speed does not depend on them. Prints one JSON object.
"""

from __future__ import annotations

import io
import json
import time
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image

from console.encoders.fingerprint import tensors_hash
from console.encoders.loading import load
from console.encoders.openclip import OpenClipEncoder
from console.encoders.spec import built_in

ROUNDS = 8


def vit() -> OpenClipEncoder:
    torch.manual_seed(0)
    model: Any = open_clip.create_model("ViT-B-32", pretrained_text=False)
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    return OpenClipEncoder(model, tokenizer, name="ViT-B-32", fingerprint=tensors_hash({}))


def files(count: int) -> list[bytes]:
    """JPEGs of 640 x 480, as a camera's."""
    rng = np.random.default_rng(1)
    made: list[bytes] = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        out = io.BytesIO()
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
        made.append(out.getvalue())
    return made


def measure(encoder: OpenClipEncoder, count: int) -> dict[str, float]:
    pictures = files(count)
    size = encoder.batch
    tensors = [encoder.prepare(pictures[at : at + size]) for at in range(0, count, size)]
    whole: list[float] = []
    bare: list[float] = []
    encoder.encode_images(pictures[:size])
    for turn in range(ROUNDS):
        for kind in ("bare", "whole") if turn % 2 else ("whole", "bare"):
            started = time.perf_counter()
            if kind == "whole":
                encoder.encode_images(pictures)
            else:
                for tensor in tensors:
                    encoder.forward_images(tensor)
            (whole if kind == "whole" else bare).append(time.perf_counter() - started)
    return {
        "images_per_s": round(count / min(whole), 1),
        "bare_images_per_s": round(count / min(bare), 1),
        "ratio": round(min(bare) / min(whole), 3),
    }


def main() -> None:
    found = {"ViT-B-32, random weights": measure(vit(), 48)}
    for name, spec in built_in().items():
        found[name] = measure(load(spec), 640)
    print(json.dumps({"encode": found}))


if __name__ == "__main__":
    main()
