"""What every encoder can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, Union

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    Matrix: TypeAlias = npt.NDArray[np.float32]

Picture: TypeAlias = Union["Image", bytes]
"""A PIL image of any mode, or the bytes of an image file, which are decoded in threads beside the model."""


class Encoder(Protocol):
    """A loaded model. Safe to use from several threads."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str:
        """Tells it apart from every other encoder; the same on every machine and in every process."""
        ...

    @property
    def dimension(self) -> int: ...
    @property
    def normalizes(self) -> bool:
        """Whether its vectors have unit length."""
        ...

    @property
    def modalities(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def context_length(self) -> int:
        """In tokens, with start and end; longer text is cut."""
        ...

    @property
    def device(self) -> str: ...
    @property
    def precision(self) -> str:
        """In which it runs; `auto` is resolved."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should know: an activation that was corrected, a precision that was chosen."""
        ...

    def encode_texts(self, texts: list[str]) -> Matrix:
        """`(n, dimension)` float32; `(0, dimension)` for none. Raises `encoder-unavailable` for a vector that is
        zero or not finite."""
        ...

    def encode_images(self, pictures: Sequence[Picture]) -> Matrix:
        """As `encode_texts`. Raises `image-refused` for bytes that are no picture."""
        ...

    def token_counts(self, texts: list[str]) -> list[int]:
        """Tokens of each text with start and end, before any cut."""
        ...

    def truncated(self, texts: list[str]) -> list[bool]:
        """Whether the end of each text is cut off."""
        ...
