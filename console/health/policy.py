"""All thresholds under one name and version, which every report carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from connectors.errors import PlumblineError
from console.health import registry

NAME: Final = "plumbline"
VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class Policy:
    """`values[code][name]`; `severity[code]` caps or raises what a code's findings weigh (`off`: not reported)."""

    name: str
    version: str
    values: Mapping[str, Mapping[str, float]]
    severity: Mapping[str, str]

    def of(self, code: str) -> Mapping[str, float]:
        return self.values[code]

    def get(self, code: str, name: str) -> float:
        return self.values[code][name]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version}


def policy(overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Policy:
    """The shipped policy with `[policy.CODE]` over it; one that differs carries a digest of the difference.

    Raises `settings` for a code or threshold that does not exist, with the nearest name.
    """
    values = {code: {t.name: t.default for t in c.thresholds} for code, c in registry.checks().items()}
    severity: dict[str, str] = {}
    for code, held in (overrides or {}).items():
        if code not in values:
            raise _unknown(f"There is no finding `{code}`.", f"policy.{code}", code, values)
        for name, value in held.items():
            if name == "severity":
                severity[code] = str(value)
            elif name not in values[code]:
                raise _unknown(
                    f"`{code}` has no threshold `{name}`.",
                    f"policy.{code}.{name}",
                    name,
                    {**values[code], "severity": 0.0},
                )
            else:
                values[code][name] = float(value)
    if not overrides:
        return Policy(NAME, VERSION, values, severity)
    digest = hashlib.sha256(json.dumps(overrides, sort_keys=True, default=str).encode()).hexdigest()[:8]
    return Policy(NAME, f"{VERSION}+{digest}", values, severity)


def _unknown(message: str, where: str, name: str, known: Mapping[str, Any]) -> PlumblineError:
    near = get_close_matches(name, known, 1)
    hint = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(sorted(known)) or 'none'}."
    return PlumblineError("settings", message, where=where, hint=hint)
