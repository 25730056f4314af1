"""How the host says no: Qdrant's own status codes and texts, and what only an embedded store can suffer."""

from __future__ import annotations

import re
from typing import Final, NoReturn

import grpc

MARK: Final = "plumbline-code"
"""Trailing metadata that carries Plumbline's own code where a gRPC status says too little:
`damaged` (with DATA_LOSS) and `disk-full` (with INTERNAL)."""


class Refused(Exception):
    """A call that ends with a gRPC status. `mark` is sent in the trailing metadata `plumbline-code`."""

    def __init__(
        self,
        code: grpc.StatusCode,
        text: str,
        mark: str | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.mark = mark
        self.metadata = ((MARK, mark), *metadata) if mark is not None else metadata


def wrong(text: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {text}")


def invalid(text: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, text)


def missing(text: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, f"Not found: {text}")


def unserved(what: str) -> Refused:
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"The embedded store does not serve {what}.")


def damaged(collection: str, why: str) -> Refused:
    return Refused(
        grpc.StatusCode.DATA_LOSS, f"Collection `{collection}` is damaged and not served: {why}", "damaged"
    )


def disk_full(why: str) -> Refused:
    return Refused(
        grpc.StatusCode.INTERNAL, f"Service internal error: No space left on device: {why}", "disk-full"
    )


_FULL: Final = re.compile(r"no space left on device|os error 28|quota exceeded|os error 122", re.IGNORECASE)
_BAD_PATH: Final = "invalid JSON path"
_BAD_INPUT: Final = (
    "Vector dimension error",
    "Not existing vector name error",
    "Payload type does not match",
    "Unable to infer type",
    "Validation failed",
    "No range index",
    "No appropriate index",
    "The expression",
)


def translate(fault: BaseException) -> Refused:
    """The status of an engine's exception, as Qdrant's server 1.18 maps the same text (conversions.rs)."""
    if isinstance(fault, Refused):
        return fault
    text = str(fault)
    if _FULL.search(text):
        return disk_full(text)
    if not isinstance(fault, Exception):
        return Refused(
            grpc.StatusCode.INTERNAL,
            f"Service internal error: the engine panicked: {text or type(fault).__name__}",
        )
    if text.startswith("No point with id"):
        return missing(f"{text} found")
    if text.startswith(_BAD_INPUT) or (text.startswith("Expected ") and "payload" in text):
        return wrong(text)
    if text == "Wrong usage of sparse vectors":
        return wrong("Conversion between sparse and regular vectors failed")
    if text == "Wrong usage of multi vectors":
        return wrong("Conversion between multi and regular vectors failed")
    if text.startswith(_BAD_PATH):
        return invalid(f"Invalid json path: '{text.removeprefix(_BAD_PATH).lstrip()}'")
    if isinstance(fault, (ValueError, TypeError, OverflowError)):
        return invalid(text)
    return Refused(
        grpc.StatusCode.INTERNAL, f"Service internal error: {text.removeprefix('Service runtime error: ')}"
    )


def fail(fault: BaseException) -> NoReturn:
    raise translate(fault) from fault
