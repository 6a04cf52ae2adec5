"""Real processes, killed at random, judged by a ledger that is not ours.

A world is PostgreSQL with fsync, Redis, a payment and mail provider with its own fsynced ledger, a worker with children, a
scheduler and a web process. Runs are started over HTTP with idempotency keys while an attacker rages: the monkey sends
SIGKILL to one process after another, others freeze workers, cut commits, empty the broker or end the database. Whoever dies
is started again a moment later. What is held in doubt is settled by a clerk who reads the provider's list, as a person
would. When every run has ended, the judge compares the provider's ledger with what the database says.

Files: `scenarios` what is done and expected · `world` and `kept` the processes · `agents` and `sending` the workflows ·
`attack` starting and waiting · `monkey` and `attackers` who attacks · `clerk` who decides · `judge` what is true ·
`report` what is written down.

    python -m nexum.testing.crash RUNS KILLS [--scenario NAME] [--seed N]    -> build/crash.json, exit code 0: target met
"""
