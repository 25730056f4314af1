"""What the console knows and does."""
