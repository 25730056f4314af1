"""An open_clip model as an `Encoder`: batches prepared in threads while the model works."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.errors import PlumblineError
from console.encoders import heavy
from console.encoders.preprocess import Preprocess

if TYPE_CHECKING:
    from console.encoders.protocol import Matrix, Picture

TEXTS: Final = 256
AHEAD: Final = 3
"""Batches of pictures prepared before the model asks for them."""
PREPARERS: Final = 2
SMALL: Final = 20_000_000
"""Parameters up to which one thread of a CPU does the work. More wait for each other: on two busy cores one text
took 200 ms by two threads and 1.4 ms by one."""


class OpenClipEncoder:
    """A model in evaluation mode on its device, its tokenizer and its preprocessing."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        fingerprint: str,
        normalize: bool = True,
        tags: tuple[str, ...] = (),
        device: str = "cpu",
        precision: str = "fp32",
        notes: tuple[str, ...] = (),
    ) -> None:
        """Encodes one text to learn the dimension; raises `encoder-unavailable` where that fails."""
        self._model: Any = model.eval()
        self._tokenizer: Any = tokenizer
        self._preprocess = Preprocess(model.visual.preprocess_cfg)
        self._dtype: Any = _input_dtype(precision)
        self.name = name
        self.fingerprint = fingerprint
        self.normalizes = normalize
        self.modalities: tuple[str, ...] = ("text", "image")
        self.tags = tags
        self.device = device
        self.precision = precision
        self.notes = notes
        self.context_length = int(tokenizer.context_length)
        # Small models gain from large batches; on a CPU larger ones only cost cache.
        self.batch = 64 if device != "cpu" or max(self._preprocess.size) <= 96 else 16
        small = device == "cpu" and sum(int(p.numel()) for p in model.parameters()) <= SMALL
        full = heavy.threads()
        self._threads: int = 1 if small else full
        self.dimension = 0
        self.dimension = int(self._texts([name]).shape[1])

    def encode_texts(self, texts: list[str]) -> Matrix:
        """`(n, dimension)` float32."""
        parts = [self._texts(texts[at : at + TEXTS]) for at in range(0, len(texts), TEXTS)]
        return self._whole(parts)

    def encode_images(self, pictures: Sequence[Picture]) -> Matrix:
        """`(n, dimension)` float32. Encoded bytes are decoded in threads, while the model works on what is ready."""
        chunks = [pictures[at : at + self.batch] for at in range(0, len(pictures), self.batch)]
        if len(chunks) == 1:
            return self._whole([self._images(self._preprocess.batch(chunks[0]))])
        return self._whole([self._images(tensor) for tensor in self._prepared(chunks)])

    def token_counts(self, texts: list[str]) -> list[int]:
        """With start and end, before any cut."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return [len(ids) for ids in inner(texts, truncation=False)["input_ids"]]
        return [len(self._tokenizer.encode(text)) + 2 for text in texts]

    def truncated(self, texts: list[str]) -> list[bool]:
        return [count > self.context_length for count in self.token_counts(texts)]

    def forward_images(self, tensor: Any) -> Matrix:
        """The bare model on prepared `(n, 3, height, width)` float32: what preprocessing is measured against."""
        return self._images(tensor)

    def prepare(self, pictures: Sequence[Picture]) -> Any:
        """`(n, 3, height, width)` float32, as the model takes it."""
        return self._preprocess.batch(pictures)

    def _prepared(self, chunks: Iterable[Sequence[Picture]]) -> Iterator[Any]:
        waiting: collections.deque[Future[Any]] = collections.deque()
        with ThreadPoolExecutor(PREPARERS, thread_name_prefix="plumbline-pictures") as pool:
            try:
                for chunk in chunks:
                    waiting.append(pool.submit(self._preprocess.batch, chunk))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _texts(self, texts: list[str]) -> Matrix:
        with self._working():
            tokens: Any = self._tokenizer(texts).to(self.device)
            return self._checked(self._model.encode_text(tokens), "text")

    def _images(self, tensor: Any) -> Matrix:
        with self._working():
            moved: Any = tensor.to(self.device, dtype=self._dtype)
            return self._checked(self._model.encode_image(moved), "picture")

    def _working(self) -> Any:
        """Without gradients, and with this model's number of threads: torch keeps it for each calling thread."""
        torch = heavy.torch()
        torch.set_num_threads(self._threads)
        return torch.inference_mode()

    def _checked(self, vectors: Any, what: str) -> Matrix:
        matrix: Matrix = vectors.float().cpu().numpy()
        norms = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
        if not np.isfinite(norms).all() or not (norms > 0).all():
            at = int(np.flatnonzero(~(np.isfinite(norms[:, 0]) & (norms[:, 0] > 0)))[0])
            raise PlumblineError(
                "encoder-unavailable",
                f"The encoder's vector of a {what} is zero or not finite (number {at + 1} of its batch).",
                where=f"encoder {self.name}",
                hint=f"Its weights are damaged, or it can't run in {self.precision} on {self.device}.",
            )
        return (matrix / norms).astype(np.float32) if self.normalizes else matrix

    def _whole(self, parts: list[Matrix]) -> Matrix:
        return np.concatenate(parts) if parts else np.zeros((0, self.dimension), dtype=np.float32)


def _input_dtype(precision: str) -> Any:
    torch = heavy.torch()
    if precision in ("bf16", "pure_bf16"):
        return torch.bfloat16
    return torch.float16 if precision in ("fp16", "pure_fp16") else torch.float32
