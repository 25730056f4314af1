"""What the demo's encoders can do on scenes that they never saw: `python -m console.demo.evaluate`.

Prints the figures as JSON; with `--write` they become the manifest beside the weights, from which the base install
knows the encoders' fingerprints without loading them.
"""

# ruff: noqa: S311 - drawing, not secrets

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from console.demo.captions import LANGUAGES, claim_of, describe, matches, retell
from console.demo.draw import render
from console.demo.models import SHAPES, WEIGHTS
from console.demo.scenes import COLOURS, HELD_OUT_PAIRS, Scene, unseen_scenes
from console.demo.scenes import SHAPES as SHAPE_NAMES
from console.encoders import Encoder, EncoderSpec
from console.encoders.loading import load

GALLERY: Final = 2_000
SEED: Final = 11
Matrix = npt.NDArray[np.float32]


def figures(encoder: Encoder, count: int = GALLERY) -> dict[str, Any]:
    """Retrieval figures of one encoder on `count` unseen scenes; see the keys."""
    scenes = unseen_scenes(count, SEED)
    pictures = encoder.encode_images([render(s, i) for i, s in enumerate(scenes)])
    codes = np.stack([s.code() for s in scenes])
    told = {
        language: encoder.encode_texts([describe(s, language).text for s in scenes]) for language in LANGUAGES
    }
    retold = {
        language: encoder.encode_texts([retell(s, language).text for s in scenes])
        for language in LANGUAGES
        if language != "en"
    }
    strange = unseen_scenes(count // 4, SEED, untrained_pairs=True)
    strange_pictures = encoder.encode_images([render(s, i) for i, s in enumerate(strange)])
    strange_texts = encoder.encode_texts([describe(s).text for s in strange])
    return {
        "gallery": count,
        "text_to_image": {language: recalls(texts @ pictures.T) for language, texts in told.items()},
        "text_to_image_in_other_words": {k: recalls(texts @ pictures.T) for k, texts in retold.items()},
        "image_to_text": {"en": recalls(pictures @ told["en"].T)},
        "short_queries": {"precision@10": short_precision(encoder, pictures, codes)},
        "untrained_pairs": {"gallery": len(strange), **recalls(strange_texts @ strange_pictures.T)},
        "mirrored": _mirrored(encoder, [s for s in scenes if s.relation is not None][: count // 4]),
    }


def recalls(scores: Matrix) -> dict[str, float]:
    """R@1, R@5 and R@10 of `(n, n)` scores whose true answers lie on the diagonal; ties count against."""
    own = scores.diagonal()[:, None]
    better = (scores >= own).sum(axis=1) - 1
    return {f"r@{k}": round(float((better < k).mean()), 4) for k in (1, 5, 10)}


def short_precision(encoder: Encoder, pictures: Matrix, codes: npt.NDArray[np.int8], k: int = 10) -> float:
    """Mean share of the first `k` pictures that "a red circle" is true of, over every trained pair."""
    pairs = [(c, s) for c in COLOURS for s in SHAPE_NAMES if (c, s) not in HELD_OUT_PAIRS]
    texts = [f"{'an' if c[0] in 'aeiou' else 'a'} {c} {s}" for c, s in pairs]
    true = matches(np.stack([claim_of(colour=c, shape=s) for c, s in pairs]), codes)
    best = np.argsort(-(encoder.encode_texts(texts) @ pictures.T), axis=1)[:, :k]
    return round(float(np.take_along_axis(true, best, axis=1).mean()), 4)


def _mirrored(encoder: Encoder, scenes: list[Scene]) -> float:
    """How often a caption is nearer to its picture than to the picture with both things' places exchanged.

    Captions are told from either side: by "left of" as often as by "right of".
    """
    told = [describe(s, "en", random.Random(i)).text for i, s in enumerate(scenes)]
    texts = encoder.encode_texts(told)
    straight = encoder.encode_images([render(s, i) for i, s in enumerate(scenes)])
    crossed = encoder.encode_images([render(s.mirrored(), i) for i, s in enumerate(scenes)])
    return round(float(((texts * straight).sum(1) > (texts * crossed).sum(1)).mean()), 4)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m console.demo.evaluate", description=__doc__)
    parser.add_argument("names", nargs="*", default=sorted(SHAPES), metavar="NAME")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--write", action="store_true", help="write the manifest beside the weights")
    chosen = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    for name in chosen.names:
        encoder = load(EncoderSpec(name, f"local-dir:{chosen.weights / name}", device="cpu"))
        found[name] = {
            "fingerprint": encoder.fingerprint,
            "dimension": encoder.dimension,
            "image_size": SHAPES[name].image_size,
            "context_length": encoder.context_length,
            "figures": figures(encoder),
        }
    text = json.dumps({"encoders": found}, indent=2)
    sys.stdout.write(text + "\n")
    if chosen.write:
        manifest = chosen.weights / "manifest.json"
        known: dict[str, Any] = json.loads(manifest.read_text())["encoders"] if manifest.exists() else {}
        manifest.write_text(json.dumps({"encoders": {**known, **found}}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
