"""What is wrong with a collection, which rows, since when, and what to do."""

from console.ui import health

health.draw()
