"""What the pages can change in golden sets, and evaluate. Each asks for the right itself, whoever shows the button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from connectors.filters import Filter
from console.search import golden
from console.search.golden import GoldenQuery, GoldenSet
from console.ui import access, actions, golden_store, session

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.jobs.model import Run

KIND: Final = "evaluate"


def judge(name: str, query: GoldenQuery | str, key: str, grade: int | None) -> GoldenSet:
    """Keep a judgement in the draft; None takes it back, and one that is gone already stays gone.

    Raises `read-only`, `usage`, `busy`, and `not-found` for what a grade is taken back from and is not there.
    """

    def change(draft: GoldenSet) -> GoldenSet:
        if grade is None and not golden.has_grade(draft, query, key):
            return draft
        return golden.judged(draft, query, key, grade)

    return _edit("Judging", name, change, there=grade is None)


def create(name: str, key_field: str | None) -> GoldenSet:
    """An empty draft. Raises `read-only`, `usage`, and `changed` where there is a set of this name."""
    from connectors.errors import PlumblineError

    def made(draft: GoldenSet) -> GoldenSet:
        if draft.queries or any(h["name"] == name for h in golden_store.sets().heads(name)):
            raise PlumblineError("changed", "There is a golden set of this name already.", where=name)
        return draft.but(key_field=key_field)

    return _edit("Making a golden set", name, made)


def add_query(name: str, query: GoldenQuery) -> GoldenSet:
    """Raises `read-only`, `usage`, `not-found`, and `changed` where the set asks it already."""
    return _edit("Adding a query", name, lambda draft: golden.with_query(draft, query))


def keep_smoke(name: str, query: str, must: Sequence[str], must_not: Sequence[str]) -> GoldenSet:
    """What must be found for a query, and what must not be; nothing else of it changes. Raises `read-only`, `usage`, `not-found`."""
    return _edit("Changing smoke items", name, lambda draft: golden.with_smoke(draft, query, must, must_not))


def remove_query(name: str, query: str) -> GoldenSet:
    """The query with its judgements and rules. Raises `read-only`, `not-found`."""
    return _edit("Removing a query", name, lambda draft: golden.without_query(draft, query))


def add_rule(name: str, query: str, where: Filter, grade: int) -> GoldenSet:
    """Raises `read-only`, `not-found`, `usage`."""
    return _edit("Judging by a rule", name, lambda draft: golden.with_rule(draft, query, where, grade))


def remove_rule(name: str, query: str, where: Filter) -> GoldenSet:
    """Raises `read-only`."""
    return _edit("Removing a rule", name, lambda draft: golden.without_rule(draft, query, where))


def freeze(name: str, expected: str) -> tuple[GoldenSet, bool]:
    """Make the draft a version. `expected`: its hash as it was looked at. Raises `read-only`, `usage`, `changed`."""
    access.require_operator("Freezing a golden set")
    made = golden.freeze(session.workspace(), name, expected)
    golden_store.forget()
    return made


def remove(name: str) -> None:
    """Raises `read-only`, `not-found`."""
    access.require_operator("Removing a golden set")
    golden.remove(session.workspace(), name)
    golden_store.forget()


def take_in(name: str, given: GoldenSet, pictures: Mapping[str, bytes], replace: bool) -> GoldenSet:
    """Add a set that was read from files to the draft, or put it in its place. Raises `read-only`, `usage`, `changed`."""
    access.require_operator("Importing a golden set")
    change = (lambda draft: given) if replace else (lambda draft: golden.joined(draft, given))
    made = golden.edit(session.workspace(), name, change, pictures)
    golden_store.forget()
    return made


def evaluate(key: str, options: Mapping[str, Any]) -> str:
    """Start an evaluation and return its run's id; the running one's where there is one.

    It asks every query of the set, and reads every row where the set has rules. Raises `read-only`, `busy`.
    """
    access.require_operator("Evaluating a golden set")
    return actions.runs().start(KIND, key, dict(options))


def cancel(run: str) -> None:
    """Raises `read-only`, `not-found`."""
    access.require_operator("Ending an evaluation")
    actions.runs().cancel(run)


def latest(key: str) -> Run | None:
    return actions.runs().latest_of(KIND, key)


def _edit(
    what: str, name: str, change: Callable[[GoldenSet], GoldenSet], *, there: bool = False
) -> GoldenSet:
    access.require_operator(what)
    made = golden.edit(session.workspace(), name, change, there=there)
    golden_store.forget()
    return made
