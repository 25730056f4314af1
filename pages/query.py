"""Live cross-modal search over one or several collections."""

from console.ui import query

query.draw()
