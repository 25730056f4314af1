"""A report as JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def to_json(reports: Sequence[Mapping[str, Any]]) -> str:
    """One report as it is, several under `reports`."""
    data: Any = reports[0] if len(reports) == 1 else {"reports": list(reports)}
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
