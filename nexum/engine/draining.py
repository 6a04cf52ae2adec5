"""The slow path: take a run's row, read what was missed, fold the mail, decide, write, let go, look again.

Reading comes after locking, in a statement of its own, so that what is read is what the lock protects. Each message is
advanced to its fixed point before the next one is looked at; where batches begin and end cannot change history. A message
that cannot be read is buried in `inbox_dead`; when deciding itself fails, the fact is kept and the run is suspended.
A suspended run has no READY task: it folds what comes in, and nobody executes or decides anything for it.
Everyone who held the row looks for mail again after letting go, because an arrival may have found the row busy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nexum.core.run.accept import accept
from nexum.core.run.advance import Grown, NeedsValuesError, advance
from nexum.core.run.codec import decode_mail
from nexum.core.run.events import (
    RUN,
    Body,
    Cell,
    DoubtResolved,
    EffectInDoubt,
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeStopping,
    RunClosing,
    RunResumed,
    RunSuspended,
    RunTerminated,
    SkipRequested,
)
from nexum.core.run.fold import Event, fold
from nexum.core.run.places import call_name
from nexum.core.run.plan import Plan
from nexum.core.run.state import CellStatus, State
from nexum.core.values import BLOB, Ref
from nexum.crash import crash
from nexum.engine.calls import doubts_of, makes_calls
from nexum.engine.changes import changes, new_tasks, task_key, waiting_tasks
from nexum.engine.claims import seen_by_claims, stopped
from nexum.engine.graphs import Graphs
from nexum.engine.late import after_the_end, tell
from nexum.engine.loading import extend, keep_snapshot, load, read_payload
from nexum.engine.memory import SNAPSHOT_EVERY, Decoded, Known
from nexum.engine.reports import claimed_key, dedupe_of
from nexum.engine.seal import seal
from nexum.engine.suspending import cause_of
from nexum.errors import UnavailableError
from nexum.store.api import Drain, Mail, MailRow, NewTask, OpenCall, SettledEffect, Store, TaskKey

MAX_ROUNDS = 20
BATCH = 200
_ENDS = NodeCompleted | NodeFailed | NodeCancelled
_UNDER_WAY = frozenset({CellStatus.SCHEDULED, CellStatus.STOPPING})
BUSY = "NX-S104"  # the row's holder looks for mail after letting go, and the sweeper comes by


@dataclass(slots=True)
class Drained:
    """What a drain did: the run as it stands (None: it does not exist), tasks that became ready, mail taken.

    `busy`: somebody else held the row, and looks for mail after letting go.
    """

    known: Known | None = None
    ready: list[tuple[str, TaskKey]] = field(default_factory=list)
    taken: int = 0
    busy: bool = False


def grow(store: Store, known: Known, message: Body, now: int) -> Grown:
    """Advance in memory, reading the payloads that conditions ask for."""
    values = Decoded(known)
    while True:
        try:
            return advance(known.plan, known.state, message, now, values)
        except NeedsValuesError as need:
            for ref in need.refs:
                values.add(ref.hash, read_payload(store, known, ref))


def drain(
    store: Store,
    graphs: Graphs,
    run_id: str,
    *,
    known: Known | None,
    wait: bool,
    clock: Callable[[], int],
    every: int = SNAPSHOT_EVERY,
) -> Drained:
    """Fold a run's mail until there is none, at most `MAX_ROUNDS` times.

    `known` may be stale or None. With `wait` the call blocks for the row (a quarter of a second), else a busy row is left
    to its holder. Raises `UnavailableError` when the database does not answer.
    """
    result = Drained(known)
    for _ in range(MAX_ROUNDS):
        if result.known is None:  # a long history is read before the lock; only the rest is read under it
            result.known = load(store, graphs, run_id, every=every)
            if result.known is None:
                return result
        known, result.known = result.known, None  # until the commit, nothing of it may be believed
        try:
            with store.drain(run_id, wait=wait) as held:
                if held is None:
                    result.busy = True
                    return result
                crash("advance.after_lock", run=run_id)
                more = _Round(store, held, known, result, clock()).run()
                crash("advance.before_commit", run=run_id)
        except UnavailableError as error:
            if error.code != BUSY:
                raise
            result.busy = True
            return result
        crash("advance.after_commit", run=run_id)
        result.known = known
        keep_snapshot(store, known)
        has_mail = more or store.has_mail(run_id)
        crash("advance.after_recheck", run=run_id)
        if not has_mail:
            break
    return result


def fold_one(
    store: Store, held: Drain, known: Known, message: Body, mail: Mail, clock: Callable[[], int]
) -> Sequence[tuple[str, TaskKey]]:
    """Advance a held run by one message and write what follows; gives the tasks that became ready, with their queues.

    Raises what deciding cannot be blamed for: `UnavailableError`, `InternalError`.
    """
    result = Drained()
    _Round(store, held, known, result, clock()).append(message, mail)
    return result.ready


class _Round:
    """One transaction's worth of mail of one run."""

    def __init__(self, store: Store, held: Drain, known: Known, result: Drained, now: int) -> None:
        self._store = store
        self._held = held
        self._known = known
        self._result = result
        self._now = now
        self._seen: set[str] = set()

    def run(self) -> bool:
        """Fold a batch; True when a full batch suggests that there is more."""
        extend(self._known, self._held.events_after(self._known.state.seq))
        rows = self._held.inbox(BATCH)
        crash("advance.after_read", run=self._known.state.run_id)
        self._seen = set(self._held.known([row.mail.dedupe for row in rows])) if rows else set()
        for row in rows:
            if row.mail.dedupe in self._seen:
                self._held.take([row.id])
                continue
            self._take(row)
        self._result.taken += len(rows)
        if self._known.state.suspended:
            self._held.cancel_ready(waiting_tasks(self._known.state))
            self._result.ready.clear()
        return len(rows) >= BATCH

    def _take(self, row: MailRow) -> None:
        if self._known.state.phase.is_ended:
            self._held.keep_late(after_the_end(self._known.state, row))
            return
        try:
            message = decode_mail(row.mail.type, row.mail.body)
        except (KeyError, TypeError, ValueError) as error:
            self._held.bury(row, f"NX-X102 {type(error).__name__}: {error}")
            return
        self.append(message, row.mail)
        self._held.take([row.id])

    def append(self, message: Body, mail: Mail) -> None:
        """Advance by one message and write it; tasks that were told to stop before they began are answered at once."""
        known = self._known
        self._seen.add(mail.dedupe)
        if mail.payload and isinstance(message, NodeCompleted | DoubtResolved | SkipRequested) and message.output:
            known.remember(message.output.hash, mail.payload)
        message = seen_by_claims(self._held, known.state, message, self._now, self._calls)
        grown = self._grown(message)
        if doubted := self._doubted(grown):
            for key, told in doubted:
                self.append(told, _own_mail(key, told))
            grown = self._grown(message)  # from where the run stands now
        before = known.state
        crash("advance.after_decide", run=mail.run_id)
        fact = grown.events[0].body
        rows = seal(
            before,
            known.hash,
            grown.events,
            dedupe=mail.dedupe,
            payload=mail.payload,
            actor=mail.actor,
            trace=known.trace,
        )
        made = changes(
            known.plan,
            before,
            grown.state,
            grown.events,
            rows,
            expected=known.hash,
            applied=self._applied(grown),
            doubted=self._uncertain(grown.state, fact),
            settled=self._settled(grown, mail.payload),
        )
        self._held.apply(made)
        crash("advance.after_append", run=mail.run_id)
        known.state, known.hash = grown.state, made.new_hash
        tell(before.run_id, fact)
        added = made.new_tasks
        if isinstance(fact, RunResumed):
            added = tuple(_renewed(known.plan, task, self._now) for task in new_tasks(known.plan, grown.state))
            self._held.restore(known.state.tenant, added)
        self._result.ready.extend((task.queue, task.key) for task in added if task.not_before <= self._now)
        for key, told in self._stopped(grown):
            self.append(told, _own_mail(key, told))

    def _grown(self, message: Body) -> Grown:
        try:
            return grow(self._store, self._known, message, self._now)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever deciding raises, the fact is kept and the run is suspended)
            return _suspended(self._known, message, error, self._now)

    def _settled(self, grown: Grown, payload: bytes) -> tuple[SettledEffect, ...]:
        """What results and resolved doubts make of effects; `payload` is what the fact has brought.

        A late result is that of an effect which somebody else may have claimed since; where it is recorded already, as most
        are, nothing changes.
        Given up, one stays UNKNOWN: nobody has learned anything, so nobody may send its key. Where it did not happen and is
        to be sent again, the row stays as it is until the next attempt claims it: evidence of the old one is still welcome.
        """
        found: list[SettledEffect] = []
        for event in grown.events:
            cell = getattr(event.body, "cell", RUN)
            for key in self._keys(grown.state, cell):
                ended = grown.state.cells[cell].status.is_terminal or call_name(cell)  # a call has no task to claim it
                match event.body:
                    case NodeCompleted(by="attempt", output=output, reference=reference):
                        found.append(self._happened(key, output, reference, payload))
                    case DoubtResolved(outcome="happened", output=doubted, reference=reference):
                        found.append(self._happened(key, doubted, reference, payload))
                    case DoubtResolved(outcome="abandon"):
                        found.append(SettledEffect(key, "UNKNOWN"))
                    case DoubtResolved() if ended:
                        found.append(SettledEffect(key, "FAILED"))
        return tuple(found)

    def _happened(self, key: str, output: Ref | None, reference: str, payload: bytes) -> SettledEffect:
        result = b""
        if output is not None and output.seq != BLOB:
            result = payload or read_payload(self._store, self._known, output)
        return SettledEffect(key, "APPLIED", result, output.hash if output is not None else "", reference)

    def _calls(self, task: TaskKey) -> Sequence[OpenCall]:
        """The calls of a node whose outcome nobody knows."""
        return self._store.open_calls(task) if makes_calls(self._known.plan.node_at(task.path)) else ()

    def _doubted(self, grown: Grown) -> list[tuple[TaskKey, Body]]:
        """What must be known before these events end a node that journals calls: that calls of it may have been made.

        Its attempt has looked before it was recorded; from then on, and not earlier, no call of it can be begun.
        """
        known = self._known
        if not known.plan.calls:
            return []
        found: list[tuple[TaskKey, Body]] = []
        for cell in (event.body.cell for event in grown.events if isinstance(event.body, _ENDS)):
            at = known.state.cells.get(cell)
            node = known.plan.node_at(cell.path)
            if at is not None and node is not None and at.status in _UNDER_WAY:
                task = task_key(known.state.run_id, cell, at)
                found.extend(doubts_of(known.state, task, node, self._calls(task)))
        return found

    def _applied(self, grown: Grown) -> tuple[str, ...]:
        """The effects whose recorded results the run takes with these events."""
        taken: list[str] = []
        for event in grown.events:
            body = event.body
            if (isinstance(body, NodeCompleted) and body.by in ("attempt", "call", "read")) or (
                isinstance(body, DoubtResolved) and body.outcome == "happened"
            ):
                taken.extend(self._keys(grown.state, body.cell))
        return tuple(taken)

    def _uncertain(self, state: State, fact: Body) -> tuple[str, ...]:
        """The effects whose outcome this fact makes uncertain: nobody waits for those of a run that is terminated."""
        if isinstance(fact, EffectInDoubt):
            return self._keys(state, fact.cell)
        cells = fact.in_flight if isinstance(fact, RunTerminated) else ()
        left = [call.key for cell in cells for call in self._calls(task_key(state.run_id, cell, state.cells[cell]))]
        return (*(key for cell in cells for key in self._keys(state, cell)), *left)

    def _keys(self, state: State, cell: Cell) -> tuple[str, ...]:
        """The effect that the attempts of a cell claim; none where calls are journaled, which are claimed one by one."""
        at = state.cells.get(cell)
        key = claimed_key(self._known.plan, cell, at) if at is not None else ""
        return (key,) if key else ()

    def _stopped(self, grown: Grown) -> list[tuple[TaskKey, Body]]:
        """What is known at once about cells that were just asked to stop: whose tasks nobody holds answers here."""
        state = grown.state
        cells = [event.body.cell for event in grown.events if isinstance(event.body, NodeStopping)]
        asked = [cell for cell in cells if state.cells[cell].status is CellStatus.STOPPING]
        return stopped(self._held, self._known.plan, state, asked, self._now) if asked else []


def _own_mail(key: TaskKey, told: Body) -> Mail:
    return Mail(key.run_id, dedupe_of(key, told), type(told).__name__, b"", actor="engine")


def _renewed(plan: Plan, task: NewTask, now: int) -> NewTask:
    """A task of a run that stood still: only from now on can it begin, so only from now on can it begin too late."""
    limit = plan.node_at(task.key.path).timeouts.schedule_to_start
    return task._replace(start_by=max(task.start_by, now + limit)) if limit else task


def _suspended(known: Known, message: Body, error: Exception, now: int) -> Grown:
    """The fact, and the suspension of a run about which deciding failed.

    Raises the error again when the fact itself cannot be folded: then nothing is known that could be written.
    """
    at = max(now, known.state.now)
    fact = Event(known.state.seq + 1, at, accept(known.plan, known.state, message, at))
    state = fold(known.state, fact)
    suspension = Event(state.seq + 1, at, RunSuspended(cause_of(error)))
    return Grown(fold(state, suspension), (fact, suspension))


def needs_drain(body: Body) -> bool:
    """Whether an event may only be written with the run's row held: stops race with claims, doubts with late results."""
    decided = isinstance(body, DoubtResolved) and body.by == "reconcile"
    return decided or isinstance(body, RunClosing | NodeStopping)
