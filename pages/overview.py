"""What is there: every collection of every connection, and which encoder made its vectors."""

from console.ui import overview

overview.draw()
