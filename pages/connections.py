"""Which databases are configured, whether they answer, and how to add one."""

from console.ui import connections

connections.draw()
