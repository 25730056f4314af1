"""Searches and re-encodings: every input and output of a check, with a budget."""
