"""Workers: one attempt of one task at a time, in processes that may be killed at any moment.

A parent owns processes; a child owns work. Each child has one session row, one engine and at most `slots` runs at a time.
It hears of a task by a Celery message, by a datagram, or by looking; from there on there is one road: claim, begin,
execute, finish, and on with the next node of the same run without asking anybody. `async` handlers and language models
share the child's one loop thread; `def` handlers run one at a time.

An attempt is five verbs: bind the inputs, call the handler, validate its output, spell it, name the outcome. The outcome
is a value; a handler can end its attempt in no other way, for every exception, exit, overtime and foreign object becomes
one. A worker never decides what follows.

Death has two proofs. A child's death is proven by its parent, which waits for it and ends its session at once. A parent's
death takes its children with it (the kernel's death signal, and a pipe whose other end closes), and then the lease of
their sessions runs out. A child that only looks alive is ended by its own watchdog.

Files: `outcome` result or exception to a value · `guard` purity of compute handlers · `limits` what must not last ·
`transacting` one commit with the handler's writes · `attempt` the five verbs · `hands` slots and the one body · `child` a
process that works · `tending` sessions of the children · `outage` what is told of a database that is away · `parent` a pool
without a broker · `app` and `celery_parent` the pool that Celery keeps · `run` which of both, and until when.
"""
