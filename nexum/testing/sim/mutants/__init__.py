"""Would the simulator notice? For each race, the protection against it is taken out, and some seed must fail.

A mutant replaces the function that closes a race by one that does not, for as long as a world plays; nothing in the product
knows of it. A mutant that no seed reaches proves nothing, so each counts how often its replacement was called. A race whose
protection lies outside what is simulated, or that this build does not have, is listed with the reason.

    python -m nexum.testing.sim.mutants --seeds 5000      -> build/mutants.json, exit code 1 when one survives
"""
