"""What a check is asked to do, and which payload fields mean what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

SAMPLE: Final = 5_000
"""Rows of a sampled check. A share of .1% is then seen with probability 1 - .999^5000 = .993."""

AGAINST_NONE: Final = "none"
"""As a baseline: none, also where one is pinned."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """As `plumbline check` takes them; JSON on its way to the child process. `sample` None: every row."""

    sample: int | None = SAMPLE
    sample_of: str | None = None
    """A report's id: the same rows are read again."""
    seed: int = 0
    encoder: str | None = None
    version_field: str | None = None
    modality_field: str | None = None
    group_by: tuple[str, ...] = ()
    expected_rows: int | None = None
    baseline: str | None = None
    """`latest`, a report's id, `none`, or None: the pinned one where there is one."""
    golden: str | None = None
    """A golden set whose texts the index is asked too, in place of captions; needs an encoder."""
    rate: float | None = None
    """Rows a second at most."""
    budget: float = 120.0
    """Seconds that the probes may take together."""

    @property
    def full(self) -> bool:
        return self.sample is None and self.sample_of is None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "group_by": list(self.group_by)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CheckOptions:
        held: dict[str, Any] = {**data, "group_by": tuple(data.get("group_by", ()))}
        return cls(**held)


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Payload paths by what they mean; None: not configured and not found in the rows.

    `groups`: fields whose values name groups of rows: the version and modality fields, cohorts, `--group-by`,
    and those that were found to have few distinct values. `columns`: every field that is read. `shown`: `text` is a
    guess by a name that says what is shown of a row (`title`, `name`), which need not be what was embedded.
    """

    version: str = "embedding_version"
    modality: str | None = None
    image: str | None = None
    text: str | None = None
    time: str | None = None
    cohorts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    shown: bool = False
