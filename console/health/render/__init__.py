"""A report as text for people and for other programs, from its JSON alone. Everything in it is untrusted."""

from console.health.render.html import to_html
from console.health.render.json_text import to_json
from console.health.render.junit import to_junit
from console.health.render.markdown import skipped, to_markdown, unexamined
from console.health.render.table import to_table

__all__ = ["skipped", "to_html", "to_json", "to_junit", "to_markdown", "to_table", "unexamined"]
