"""Real processes, killed at random, judged by a ledger that is not ours.

A world is PostgreSQL with fsync, Redis, a payment and mail provider with its own fsynced ledger, a worker with children, a
scheduler and a web process. Runs are started over HTTP with idempotency keys while the monkey sends SIGKILL to one of them
after another; whoever dies is started again a moment later. When every run has ended, or stands in doubt by its policy, the
judge compares the provider's ledger with what the database says. The seed decides who is killed and when.

    python -m nexum.testing.crash RUNS KILLS [--seed N]    -> build/crash.json, exit code 0 only if nothing was found
"""
