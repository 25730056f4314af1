"""One file for each family of conditions; `console.compare.gate.registry` finds them."""
