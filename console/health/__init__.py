"""What the console knows of a collection's health: profile, probes, checks, causes, reports."""
