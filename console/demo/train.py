"""Trains the demo's encoders: `python -m console.demo.train scenes-v1`.

One thread, no download, about ten minutes for `scenes-v1` and half an hour for `scenes-v2`; killed, it goes on where it
was. Run again with its seed it reaches the same figures, not the same bits.
"""

# torch and open_clip have no types that a strict checker accepts; nothing here is for secrets.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# ruff: noqa: S311

from __future__ import annotations

import argparse
import json
import logging
import math
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from console.demo import bpe, gallery
from console.demo.captions import Caption, Language, describe, matches, mention, words
from console.demo.models import BPE_NAME, CONFIG_NAME, SHAPES, WEIGHTS, WEIGHTS_NAME
from console.demo.scenes import Scene

BATCH: Final = 128
SHORT_SHARE: Final = 0.35
FOREIGN_SHARE: Final = 0.10
SEED: Final = 7
Source = Literal["twins", "mirrors"]
log = logging.getLogger("plumbline.train")


@dataclass(frozen=True, slots=True)
class Phase:
    """Some steps on some groups; with `claims`, every picture that a caption is true of counts as its match."""

    sources: tuple[Source, ...]
    steps: int
    rate: float
    claims: bool = False
    telling: Literal["all", "whole", "plain"] = "all"
    """`plain`: whole captions in one wording, from the first thing's side; `whole`: in every wording, from either."""


PHASES: Final[dict[str, tuple[Phase, ...]]] = {
    "scenes-v1": (Phase(("twins",), 5_000, 1.5e-3),),
    "scenes-v2": (
        Phase(("twins",), 3_500, 1.5e-3),
        Phase(("mirrors",), 400, 7e-4),
        Phase(("twins", "mirrors"), 1_000, 7e-4, claims=True),
        # Which side is which is learned from mirrored pairs in these steps, and hardly at all in one.
        Phase(("mirrors",), 600, 1e-3, telling="plain"),
        Phase(("mirrors",), 400, 1.2e-3, telling="whole"),
        Phase(("twins", "mirrors"), 300, 6e-4, claims=True),
    ),
}


class Tokens:
    """Captions to token rows through open_clip's own tokenizer, which meets each word once."""

    def __init__(self, folder: Path) -> None:
        from open_clip.tokenizer import SimpleTokenizer

        self._tokenizer: Any = SimpleTokenizer(bpe_path=str(folder / BPE_NAME))
        self._known: dict[str, list[int]] = {}
        self.length: int = json.loads((folder / CONFIG_NAME).read_text())["model_cfg"]["text_cfg"][
            "context_length"
        ]

    def __call__(self, texts: list[str]) -> Tensor:
        """`(n, context length)` int64."""
        rows = np.zeros((len(texts), self.length), dtype=np.int64)
        for i, text in enumerate(texts):
            ids: list[int] = [self._tokenizer.sot_token_id]
            for word in text.split():
                if word not in self._known:
                    self._known[word] = self._tokenizer.encode(word)
                ids += self._known[word]
            rows[i, : len(ids) + 1] = [*ids, self._tokenizer.eot_token_id]
        return torch.from_numpy(rows)


class Trainer:
    """Model, optimiser and place in the phases; saved together, so that a killed run goes on."""

    def __init__(self, name: str, cache: Path, out: Path) -> None:
        import open_clip

        self.phases = PHASES[name]
        self.out = out / name
        self.checkpoint = cache / f"{name}.checkpoint"
        self.shape = SHAPES[name]
        merges = bpe.learn_merges(words())
        self.out.mkdir(parents=True, exist_ok=True)
        bpe.write_merges(self.out / BPE_NAME, merges)
        config = self.shape.model_config(bpe.vocabulary_size(merges))
        settings = {"model_cfg": config, "preprocess_cfg": self.shape.preprocess_config()}
        (self.out / CONFIG_NAME).write_text(json.dumps(settings, indent=2) + "\n")
        self.tokens = Tokens(self.out)
        torch.manual_seed(SEED)
        self.model: Any = open_clip.CLIP(**config)
        self.model.to(memory_format=torch.channels_last).train()
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        free = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.05}, {"params": free, "weight_decay": 0.0}],
            betas=(0.9, 0.98),
        )
        self.done = 0
        if self.checkpoint.exists():
            kept = torch.load(self.checkpoint)
            self.model.load_state_dict(kept["model"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.done = kept["done"]
        pre = self.shape.preprocess_config()
        self.mean = torch.tensor(pre["mean"]).view(1, 3, 1, 1)
        self.std = torch.tensor(pre["std"]).view(1, 3, 1, 1)

    def run(self, galleries: dict[Source, gallery.Gallery]) -> None:
        before = 0
        for phase in self.phases:
            if self.done < before + phase.steps:
                self._run_phase(phase, before, galleries)
            before += phase.steps
        self._save_weights()

    def _run_phase(self, phase: Phase, before: int, galleries: dict[Source, gallery.Gallery]) -> None:
        batches = _batches(phase, [galleries[s] for s in phase.sources], before)
        started, seen, losses = time.perf_counter(), 0, 0.0
        for step, (scenes, pictures) in enumerate(batches):
            if before + step < self.done:
                continue
            for group in self.optimiser.param_groups:
                group["lr"] = phase.rate * _schedule(step, phase.steps)
            losses += self._step(phase, scenes, pictures, random.Random(f"{SEED}:{before + step}"))
            seen += 1
            self.done = before + step + 1
            if self.done % 100 == 0:
                rate = seen * BATCH / (time.perf_counter() - started)
                log.info("step %d loss %.3f, %.0f examples/s", self.done, losses / seen, rate)
                started, seen, losses = time.perf_counter(), 0, 0.0
            if self.done % 500 == 0:
                self._save_checkpoint()
        self._save_checkpoint()

    def _step(
        self, phase: Phase, scenes: list[Scene], pictures: npt.NDArray[np.uint8], rng: random.Random
    ) -> float:
        captions = [_caption(scene, rng, phase.telling) for scene in scenes]
        images = (
            torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255).sub_(self.mean).div_(self.std)
        )
        tokens = self.tokens([c.text for c in captions])
        image = F.normalize(
            self.model.encode_image(images.contiguous(memory_format=torch.channels_last)), dim=-1
        )
        text = F.normalize(self._encode_text(tokens), dim=-1)
        logits = self.model.logit_scale.exp() * image @ text.T
        if phase.claims:
            codes = np.stack([s.code() for s in scenes])
            true = torch.from_numpy(
                matches(np.stack([c.claim for c in captions]), codes).T.astype(np.float32)
            )
            loss = (_soft_cross_entropy(logits, true) + _soft_cross_entropy(logits.T, true.T)) / 2
        else:
            same = torch.arange(len(scenes))
            loss = (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        return float(loss.detach())

    def _encode_text(self, tokens: Tensor) -> Tensor:
        """As the model's own `encode_text`, without the columns that are padding in the whole batch (causal mask)."""
        model, ends = self.model, tokens.argmax(-1)
        length = int(ends.max()) + 1
        x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
        x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
        return x[torch.arange(len(x)), ends] @ model.text_projection

    def _save_checkpoint(self) -> None:
        part = self.checkpoint.with_suffix(".part")
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
        }
        torch.save(state, part)
        part.replace(self.checkpoint)

    def _save_weights(self) -> None:
        state: dict[str, Tensor] = self.model.state_dict()
        half = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in state.items()}
        save_file(half, self.out / WEIGHTS_NAME)
        (self.out / WEIGHTS_NAME).chmod(0o644)


def _batches(
    phase: Phase, sources: list[gallery.Gallery], seed: int
) -> Iterator[tuple[list[Scene], npt.NDArray[np.uint8]]]:
    """`phase.steps` batches of whole groups; each group comes once before any comes again."""
    groups = [(s, g) for s, one in enumerate(sources) for g in range(len(one.scenes) // gallery.GROUP)]
    rng = np.random.default_rng([SEED, seed])
    order: list[int] = []
    for _ in range(phase.steps):
        if len(order) < BATCH // gallery.GROUP:
            order = rng.permutation(len(groups)).tolist()
        scenes: list[Scene] = []
        pictures: list[npt.NDArray[np.uint8]] = []
        for _ in range(BATCH // gallery.GROUP):
            source, group = groups[order.pop()]
            here = slice(group * gallery.GROUP, (group + 1) * gallery.GROUP)
            scenes += sources[source].scenes[here]
            pictures.append(sources[source].pictures[here])
        yield scenes, np.concatenate(pictures)


def _caption(scene: Scene, rng: random.Random, telling: str) -> Caption:
    language: Language = "en"
    if rng.random() < FOREIGN_SHARE:
        language = "de" if rng.random() < 0.5 else "es"
    if telling == "plain":
        return describe(scene, language)
    short = telling == "all" and rng.random() < SHORT_SHARE
    return mention(scene, language, rng) if short else describe(scene, language, rng)


def _soft_cross_entropy(logits: Tensor, true: Tensor) -> Tensor:
    """Cross entropy against all true answers of a row in equal shares."""
    return -(F.log_softmax(logits, dim=-1) * (true / true.sum(-1, keepdim=True))).sum(-1).mean()


def _schedule(step: int, steps: int) -> float:
    warm = max(1, round(0.03 * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m console.demo.train", description=__doc__)
    parser.add_argument("name", choices=sorted(SHAPES))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "plumbline-scenes")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    torch.set_num_threads(chosen.threads)
    sets: dict[Source, list[Scene]] = {
        "twins": gallery.twin_groups(gallery.TWIN_GROUPS, seed=1),
        "mirrors": gallery.mirror_groups(gallery.MIRROR_GROUPS, seed=2),
    }
    wanted: set[Source] = {source for phase in PHASES[chosen.name] for source in phase.sources}
    for name in sorted(wanted):
        gallery.prepare(chosen.cache, name, sets[name])
    size = SHAPES[chosen.name].image_size
    galleries: dict[Source, gallery.Gallery] = {
        name: gallery.load(chosen.cache, name, sets[name], size) for name in wanted
    }
    Trainer(chosen.name, chosen.cache, chosen.out).run(galleries)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
