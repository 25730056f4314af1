"""A comparison as table, JSON, Markdown and HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from console.compare.render.html import to_html
from console.compare.render.markdown import to_markdown
from console.compare.render.table import to_table

__all__ = ["to_html", "to_json", "to_markdown", "to_table"]


def to_json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
