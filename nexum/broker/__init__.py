"""How a worker hears that a task is ready: a doorbell, never a memory.

The row in the database says what is true; a message says "look now". So a message may be lost, doubled or late, and the
broker may be flushed, without any harm but latency: workers look by themselves every two seconds (every quarter of a
second when there is no broker or it is down), and the sweeper rings again for what nobody was told.

Three rules follow. `ring` never blocks and never raises: it puts a name into a bounded queue, and a side thread speaks to
the broker with a deadline and a circuit breaker. What does not fit is dropped and counted, because the sweeper will find
it. And nothing is rung inside a transaction: a worker that looks before the commit would see nothing.

`doorbell.py` is the protocol, `publisher.py` the side thread, `senders.py` what it speaks (Redis raw, any other transport
through kombu), `message.py` the bytes of one Celery message, `local.py` the datagram that makes all of it needless on
one machine, `options.py` the only transport settings we accept, `lengths.py` how many messages wait,
`eviction.py` whether Redis may remove them.
"""
