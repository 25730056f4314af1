"""The gate: what must hold before a new collection takes over. Pass, fail, or not measurable, each with its figure.

    run.run_gate(ws, left, right, golden, waive=…) -> GateResult    .data is the JSON of `plumbline gate`
    run.keep(ws, result) -> id                                      stored as evidence
    run.run(ws, request JSON, tell, cancelled) -> id                both, for a process of its own

`conditions/` are pure functions of the evidence, `gather/` gets it, `verdict` puts them together, `render/` draws.
"""
