"""How the evidence is got: every search, scan and call of an encoder that a gate makes."""
