"""Events are the truth; everything else can be rebuilt or is on its way in.

Who is authoritative: `events` for what happened, `effects` for acts on the outside world, `inbox` for facts that are
durable and not yet folded, `start_keys` for which key started what. `runs` is the lock and the summary; `tasks`, `timers`
and `snapshots` follow from the events.

What locks what. A run moves on by one compare-and-set on `(last_seq, last_hash)`: whoever appends must win it. The fast
path (`step`) does it inside one statement and one commit: the result is recorded first, outside the block that applies
the decision, so nothing that the decision does can take the record back. The slow path (`drain`) locks the run's row
`FOR NO KEY UPDATE`, alone, and reads in the next statement. Facts from outside are inserted into `inbox` and never wait for
a run's row. A task is claimed by a compare-and-set on its own row; its `token` fences late reports, and the effect's token
moves with it. Guards are constraints of the database: one sequence, one terminal event per cell and per run, one fact per
dedupe key, one effect per key and per business key.

Nothing is kept in a database session: no prepared statements, no advisory locks, no LISTEN, so PgBouncer in transaction mode
works. A transaction is bound to one connection and dies with it; nothing reconnects silently.

Read next: `api.py` (the verbs), `tables.py`, then `steps.py` (the protocol in plain statements; `postgres.py` does the same in
one function call where it may).
"""
