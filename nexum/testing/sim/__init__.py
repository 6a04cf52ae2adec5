"""A whole installation in one thread: every order of events and every failure comes from one seed.

A *world* has hosts with worker processes, schedulers, web processes, people who resolve doubts, a broker, a provider of
effects, and one database. The engine, the sweeper, the watch over sessions, starting and deciding are the real ones; the
database is `nexum.store.memory`, which the conformance suite holds to the same contract as PostgreSQL. Time is a number
that jumps from one event to the next.

Each process is one or more *fibers* (greenlets). A fiber gives way at every call that leaves its process: each verb of the
store, each request to the provider, each wait. There the seed decides how long the call takes, who goes on meanwhile, and
whether something goes wrong: the process is killed before the call or after it, the call fails, the call is executed and
its answer is lost, the answer is late, the process stands still for longer than its lease and then goes on as a zombie.
So every interleaving of round trips can happen, and the same seed plays the same history again, byte for byte.

A history has three parts. *Safety*: things fail at rates that the seed has drawn, and the *monitor* looks at every commit:
it folds and decides again what was written, and compares. *Heal*: nothing fails any more, who is dead is started, who
stands still goes on. *Liveness*: within a bounded time every run has ended, or stands in doubt where nobody is there to
resolve it; nothing is left lying. The provider's own ledger is the judge of effects.

That the simulator would notice is shown by mutants: for each race of the catalogue, the protection against it is taken
out, and some seed must fail (`nexum.testing.sim.mutants`).

    python -m nexum.testing.sim --seeds 2000            -> build/sim.json, exit code 0 only without violations
    python -m nexum.testing.sim --seed 4711             one seed, with its trace
    python -m nexum.testing.sim --replay tests/sim/seeds.json

Files: `machine` fibers and virtual time - `faults` what goes wrong, and how often - `wire` the store as a process sees it -
`broker`, `provider` the world outside - `workflows` random graphs - `handlers`, `calls`, `transactions` what nodes do -
`workers`, `schedulers`, `clients`, `people` who acts - `clocks` the engine's own clocks made virtual - `monitor`, with
`journals`, `sagas` and `breakers`, and `ending` the invariants - `world` one seed from end to end - `spreading` many of them.
"""
