"""Which rows pass which of many filters: each atom is looked at once for each value that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from connectors.filters import And, Atom, Filter, Ids, Not, Or, fields_of, matches
from connectors.model import RowId

Mask = npt.NDArray[np.bool_]

_MOST_VALUES: Final = 50_000
"""Different values of one field that are remembered."""


class Passing:
    """Filters, evaluated on columns as `connectors.filters.matches` does on payloads."""

    def __init__(self, wanted: Sequence[Filter]) -> None:
        self._wanted = tuple(wanted)
        atoms = dict.fromkeys(a for f in wanted for a in _atoms(f))
        self.fields = tuple(dict.fromkeys(name for f in wanted for name in fields_of(f)))
        self._ids = [a for a in atoms if isinstance(a, Ids)]
        self._of: dict[str, list[Atom]] = {name: [] for name in self.fields}
        for atom in atoms:
            if not isinstance(atom, Ids):
                self._of[atom.field].append(atom)
        self._known: dict[str, dict[str, Mask]] = {name: {} for name in self.fields}

    def masks(self, ids: Sequence[RowId], columns: Mapping[str, Sequence[Any]]) -> list[Mask]:
        """(n,) for each filter. `columns`: field path -> n values, None where a row lacks it."""
        n = len(ids)
        truth: dict[Atom, Mask] = {}
        for ids_atom in self._ids:
            named = frozenset(ids_atom.ids)
            truth[ids_atom] = np.fromiter((row in named for row in ids), np.bool_, n)
        for name, atoms in self._of.items():
            table = np.empty((n, len(atoms)), np.bool_)
            for place, value in enumerate(columns[name]):
                table[place] = self._judged(name, atoms, value)
            truth.update({atom: table[:, i] for i, atom in enumerate(atoms)})
        return [_together(f, truth, n) for f in self._wanted]

    def _judged(self, name: str, atoms: Sequence[Atom], value: Any) -> Mask:
        known, spelled = self._known[name], repr(value)
        if (held := known.get(spelled)) is None:
            payload = {} if value is None else {"value": value}
            held = np.array([matches(_renamed(a), payload) for a in atoms], np.bool_)
            if len(known) >= _MOST_VALUES:
                known.clear()
            known[spelled] = held
        return held


def _renamed(atom: Atom) -> Atom:
    return atom if isinstance(atom, Ids) else replace(atom, field="value")


def _atoms(what: Filter) -> tuple[Atom, ...]:
    match what:
        case And(parts) | Or(parts):
            return tuple(a for p in parts for a in _atoms(p))
        case Not(part):
            return _atoms(part)
        case _:
            return (what,)


def _together(what: Filter, truth: Mapping[Atom, Mask], n: int) -> Mask:
    match what:
        case And(parts):
            held = np.ones(n, np.bool_)
            for part in parts:
                held = held & _together(part, truth, n)
            return held
        case Or(parts):
            held = np.zeros(n, np.bool_)
            for part in parts:
                held = held | _together(part, truth, n)
            return held
        case Not(part):
            return ~_together(part, truth, n)
        case _:
            return truth[what]
