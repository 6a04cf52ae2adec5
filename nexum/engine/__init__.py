"""The step: how a run moves on in a real database, whoever does it and whatever dies.

A worker keeps the folded state of the runs it continues. When a handler has returned, it folds and decides in memory and
then makes one call (`Store.step`): record the result, compare and set the run on (seq, hash), append, swap tasks, claim
the next. That is the *fast path*, one round trip and one commit. Whoever loses the comparison has recorded and takes the
*slow path* (`drain`): lock the run, read what it missed, fold the inbox, decide, write, commit, look again. Everything
that comes from outside (a timer, the end of a dead worker's lease) goes through the inbox and a drain.

Rules. The record never depends on the decision. A change that a worker must notice is an event, for only events move the
sequence number that fences everybody. A cached state is never trusted to be current; it is tested by the comparison. After
an answer that was lost, the session *adopts* what it holds without knowing. Doorbells ring after the commit and are never
waited for. What is wrong with a run stops that run and nothing else: it is suspended, and its tasks leave the queue.

Files: `seal` events to rows · `changes` states to row changes · `memory` cached states · `begun` known claims · `loading`
from the store · `engine` begin and finish · `completing` within a handler's transaction · `calls` that a handler journals ·
`draining` the slow path · `suspending` runs that cannot go on · `starting` new runs · `sweep` what nobody else will do.
"""
