"""What a long reading is, for whoever asks: the page, a later job engine, a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, get_args

if TYPE_CHECKING:
    from console.health.options import CheckOptions
    from console.settings import Address

Kind = Literal["check", "compare", "gate", "evaluate"]
State = Literal["starting", "running", "done", "failed", "cancelled"]
ENDED: Final = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Run:
    """One reading. Times are seconds since 1970; `rate` is rows a second; `eta_seconds` None: not known.

    `address`: what is read, by a name of its own: an address, for a comparison or a gate both sides. `reports`: ids of
    what was stored: of a check the reports, one for each vector field that the address means. `error`: the
    object of every error, without secrets. `stopping`: somebody asked for the end.
    """

    id: str
    address: str
    options: Mapping[str, Any]
    state: State
    submitted: float
    phase: str = "Starting"
    done: int = 0
    total: int | None = None
    rate: float | None = None
    eta_seconds: float | None = None
    heartbeat: float = 0.0
    """When its process last wrote."""
    ended: float | None = None
    pid: int | None = None
    pid_started: float | None = None
    reports: tuple[str, ...] = ()
    error: Mapping[str, str] | None = None
    kind: Kind = "check"
    stopping: bool = field(default=False)

    @property
    def active(self) -> bool:
        return self.state not in ENDED

    def but(self, **changes: Any) -> Run:
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        held = asdict(self)
        held.pop("stopping")
        return {**held, "reports": list(self.reports)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """Raises KeyError, TypeError, ValueError where the data is no run's."""
        if data["state"] not in get_args(State):
            raise ValueError(data["state"])
        # Runs of an earlier version were all checks.
        if data.get("kind", "check") not in get_args(Kind):
            raise ValueError(data["kind"])
        held: dict[str, Any] = {**data, "reports": tuple(data["reports"])}
        return cls(**held)


class Readings(Protocol):
    """Starts and watches long readings. `Runs` does it with child processes; a job engine can take its place."""

    def submit(self, address: Address, options: CheckOptions) -> str:
        """Starts a check and returns its id; the running one's where the address is being checked already."""
        ...

    def start(self, kind: Kind, name: str, options: Mapping[str, Any]) -> str:
        """The same for every kind of reading; `name`: what is read, of which one of a kind runs at a time."""
        ...

    def progress(self, run: str) -> Run:
        """Raises `not-found`."""
        ...

    def cancel(self, run: str) -> None:
        """Ends it within two seconds; one that has ended stays as it is. Raises `not-found`."""
        ...

    def result(self, run: str) -> tuple[str, ...] | None:
        """The ids of the stored reports; None while it runs. Raises what ended it, and `not-found`."""
        ...

    def active(self) -> Sequence[Run]:
        """Those that have not ended, oldest first."""
        ...

    def latest(self, address: Address) -> Run | None:
        """The newest check of an address that is still known, ended or not."""
        ...

    def latest_of(self, kind: Kind, name: str) -> Run | None:
        """The same for every kind."""
        ...

    def forget(self, run: str) -> None:
        """Drops one that has ended. Raises `not-found`, and `busy` while it runs."""
        ...
