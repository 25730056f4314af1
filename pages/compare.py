"""An old and a new space side by side: what changes, for whom, and whether it is better."""

from console.ui import compare

compare.draw()
