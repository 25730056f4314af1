"""Golden sets: queries with judgements, and how searches fare on them."""

from console.ui import golden

golden.draw()
