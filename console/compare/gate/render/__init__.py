"""A gate as text for people and for other programs, from its JSON alone. Everything in it is untrusted."""

from console.compare.gate.render.junit import to_junit
from console.compare.gate.render.markdown import to_markdown
from console.compare.gate.render.table import to_table

__all__ = ["to_junit", "to_markdown", "to_table"]
