"""Benchmarks: one file per workload, each figure beside the floor of this machine and beside its peers, in the same run.

The theory. Milliseconds cannot be compared across machines or days, ratios taken within one round can. A round measures the
floor, Nexum and every peer one after the other; the ratio is computed per round, and the figure is the median of the
rounds' ratios. Foreign load is metered and printed, because a neighbour that burns a core moves everything. What does not
depend on hardware at all (transactions, syncs, round trips, messages and bytes per step) is counted, not timed.

Every contestant writes the same mark at the start of each step: one O_APPEND write of run, step and CLOCK_MONOTONIC. The
latency of a step is the gap between two marks of one run, so it holds everything that lies between two handlers.

`places` gives servers and databases, `fleet` real worker processes, `peers` the others, `floors` the machine's own limits,
`figures` the arithmetic and `targets` what has to be reached; `w1` ... `w5`, `growth` and `surfaces` are the workloads.
"""
