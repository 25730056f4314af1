"""One family of errors: a code, what happened, where, and what to do.

The codes are a contract with other people's scripts. The text that a server or a library sends is
hostile: it is cut, stripped of control characters and of every secret before it becomes a message.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final, Literal, get_args

Code = Literal[
    "usage",
    "settings",
    "unreachable",
    "timeout",
    "unauthorised",
    "read-only",
    "not-found",
    "unsupported",
    "filter-unsupported",
    "vector-ambiguous",
    "dimension-mismatch",
    "encoder-unknown",
    "encoder-unavailable",
    "encoder-mismatch",
    "image-refused",
    "strict-mode",
    "busy",
    "disk-full",
    "tls",
    "wrong-protocol",
    "quota",
    "damaged",
    "extra-missing",
    "port-taken",
    "not-confirmed",
    "changed",
    "internal",
]
CODES: Final[tuple[str, ...]] = get_args(Code)

RETRYABLE: Final[frozenset[str]] = frozenset({"unreachable", "timeout", "busy", "quota"})
LONGEST: Final = 600


class PlumblineError(Exception):
    """Something could not be done.

    `message` says what happened in one sentence, `where` names the connection, collection, file or
    option, `hint` says what to do next. `retry_after` is the wait in seconds that a server asked for.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        where: str = "",
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.code: Code = code
        self.message = clean(message)
        self.where = clean(where, 200)
        self.hint = clean(hint)
        self.retry_after = retry_after
        super().__init__(self.message)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.hint}" if self.hint else ""
        return f"{place}{self.message}{advice}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.code, self.message, self.where, self.hint, self.retry_after))

    def at(self, where: str) -> PlumblineError:
        """Name the place where it was not known when the error was made; returns self."""
        if not self.where:
            self.where = clean(where, 200)
        return self

    def to_json(self) -> dict[str, str]:
        """The object that every exit code 2 prints under `error`."""
        return {"code": self.code, "message": self.message, "where": self.where, "hint": self.hint}


def _restore(code: Code, message: str, where: str, hint: str, retry_after: float | None) -> PlumblineError:
    return PlumblineError(code, message, where=where, hint=hint, retry_after=retry_after)


def clean(text: str, longest: int = LONGEST) -> str:
    """One printable line: no control, format or bidirectional characters, at most `longest` long."""
    line = "".join(c if unicodedata.category(c) not in _UNPRINTABLE else " " for c in text[: longest * 4])
    line = re.sub(r"\s+", " ", line).strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"


_UNPRINTABLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace every occurrence of a secret (4 characters or more) by `***`."""
    for secret in sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def unsupported(what: str, where: str, hint: str = "") -> PlumblineError:
    """The backend, or this version of it, cannot do `what`."""
    return PlumblineError("unsupported", what, where=where, hint=hint)
