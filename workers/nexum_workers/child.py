"""A worker process: hears of tasks, takes them, and goes on with their runs until it is told to stop.

There is one road, whoever woke us. A run takes a slot; a claim is made holding the *body*, of which there is one, so that
at most one `def` handler runs at a time and nothing new is taken meanwhile. An `async` handler gives the body back at once
and takes its slot to the loop. After each handler the engine may hand over the next node of the same run, and it goes on
from there; when its turn is over, a task of another run that is waiting goes first.

The engine and the store may be called from any thread (the engine takes turns by a lock of its own).
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from nexum.broker.local import Ring
from nexum.core.graph.nodes import Effect
from nexum.core.run.breaker import breaker_of
from nexum.crash import crash
from nexum.engine.engine import Engine
from nexum.engine.work import Outcome, Succeeded, Work
from nexum.errors import NexumError, UnavailableError
from nexum.logs import about
from nexum.patience import patiently
from nexum.presence import session_name
from nexum.store.api import Claimed, SessionRow, TaskKey
from nexum_workers.board import Phase
from nexum_workers.early import Early
from nexum_workers.forking import keep_alive
from nexum_workers.limits import DATABASE_SECONDS, RECORDING, Limits, Stuck, watchdog
from nexum_workers.looping import LoopThread
from nexum_workers.outage import Outage
from nexum_workers.serving import Serving
from nexum_workers.slots import Slots, Turn

logger = logging.getLogger("nexum.worker")

ALONE_SECONDS = 0.25  # between two looks without a broker, or while it is down
NET_SECONDS = 2.0  # between two looks as the safety net beside a broker
HANDOVER_SECONDS = 1.0  # how long a run that needs the body waits for it before the task is given to others
GRACE_SECONDS = 5.0  # for an `async` handler to end after its cancellation
STUCK = 69


class Child:
    """One process's engine, slots and threads. Make it after the fork; `open` waits for the database."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self.ear = serving.ear
        self.session = session_name(serving.host)
        self.slots = Slots(serving.slots)
        self._body = threading.Lock()
        self._claiming = threading.Lock()
        self._loop = LoopThread()
        self._watchdog = watchdog(self._bite)
        self._outage = Outage("the database does not answer", logger)
        self._lost = threading.Event()
        self._closing = threading.Event()
        self._looked_for_lost = True

    def open(self) -> None:
        """Open the store, announce the session to the parent, write its row."""
        serving = self._serving
        serving.board.report(self.session, is_open=False)
        crash("worker.before_session")
        self._doorbell = serving.open_doorbell()
        self._store = patiently(serving.open_store, "the database", self._is_ordered_out)
        keep_alive(self._store)
        patiently(lambda: self._store.open_session(self._row()), "the database", self._is_ordered_out)
        serving.board.report(self.session, is_open=True)
        self._engine = Engine(
            self._store,
            session=self.session,
            doorbell=self._doorbell,
            inline_max=serving.inline_max,
            snapshot_every=serving.snapshot_every,
        )
        self._executor = serving.open_executor()
        self._telling = serving.open_telling()

    # hearing

    def deliver(self, queue: str, key: TaskKey) -> None:
        """A message names this task: take it, or, if somebody else has, another of its queue. Returns when there is room.

        Never raises: what goes wrong is logged, and the task is found again by looking.
        """
        if not self._is_free:
            self.ear.ring(queue)  # the pool gave the message to one who is busy; another child may be idle
        if self.wants_more and self.slots.take():
            with self._body:
                self._take_one(lambda: self._by_name(queue, key))
        self.slots.wait_for_room()

    def look_on(self) -> None:
        """Look for work until told to stop; sleeps between looks unless it is woken. Runs in the caller's thread."""
        heard: Ring | None = None
        while self.wants_more:
            began = time.monotonic_ns()
            found = self.look(heard)
            if found:
                heard = None
                continue
            if found is None:  # busy: leave the ring to the others, and listen again when there is room
                if heard is not None:
                    self.ear.pass_on(heard)
                self._wait_for_room()
            heard = self.ear.wait(self._pause(), since=0 if found is None else began)
        if heard is not None:
            self.ear.pass_on(heard)
        logger.debug("session %s takes nothing more", self.session)

    def look(self, heard: Ring | None = None) -> bool | None:
        """Take one task, because of a ring or without; True when it is worth looking again, None when there is no room."""
        if not self._body.acquire(blocking=False):
            return None  # a `def` handler is running here
        try:
            if not self.slots.take(0):
                return None
            if heard is not None:
                self.ear.answer(heard)
            return self._take_one(self._next)
        finally:
            self._body.release()

    @property
    def wants_more(self) -> bool:
        """Whether this process may take anything new."""
        return self._serving.board.phase is Phase.RUN and not self._lost.is_set() and not self._closing.is_set()

    def lose(self) -> None:
        """The database holds this session for dead: finish what is under way, take nothing, and leave."""
        self._lost.set()

    # stopping

    def close(self) -> None:
        """Wait for what is under way, at most the drain timeout or until told to stop at once; then let go."""
        self._closing.set()  # a pool may end a process that nobody ordered to drain
        self.ear.wake()
        until = time.monotonic() + self._serving.drain_timeout
        while time.monotonic() < until and self._serving.board.phase is not Phase.NOW:
            if self.slots.wait_until_idle(0.1):
                break
        else:
            logger.warning("session %s leaves %d runs unfinished", self.session, self.slots.taken)
        self._telling.close()
        self._executor.close()
        self._doorbell.close()
        self._loop.stop()
        self.ear.close()

    @property
    def is_closing(self) -> bool:
        """Whether `close` has been called."""
        return self._closing.is_set()

    @property
    def is_lost(self) -> bool:
        """Whether this process must be replaced."""
        return self._lost.is_set()

    # taking

    def _take_one(self, claim: Callable[[], Claimed | None]) -> bool:
        """Claim by `claim()` and run what it gives; holds a slot, which goes along with the run. True if there was one."""
        work, was_there = self._claim_and_begin(claim) if self.wants_more else (None, False)
        if work is None:
            self.slots.give_back()
            return was_there
        self._go_on(work, Turn())
        return True

    def _claim_and_begin(self, claim: Callable[[], Claimed | None]) -> tuple[Work | None, bool]:
        """A claim and its work, begun before anybody can take the claim for a lost one; and whether there was one."""
        with self._claiming, self._watchdog.limit(Stuck("claiming"), DATABASE_SECONDS):
            try:
                if (self._engine.may_have_lost or not self._looked_for_lost) and (work := self._adopt()) is not None:
                    return work, True  # before anything new: a run under load would wait for ever otherwise
                crash("claim.before")
                claimed = claim()
                self._outage.answered("claiming")
                if claimed is None:
                    return None, False
                crash("claim.after_commit", node=claimed.key.path, run=claimed.key.run_id)
                return self._engine.begin(claimed), True
            except UnavailableError as error:
                self._outage.failed("claiming", error)
            except Exception:
                logger.exception("a task could not be begun; it is taken up again or given to others")
            self._looked_for_lost = False
            return None, False

    def _by_name(self, queue: str, key: TaskKey) -> Claimed | None:
        return self._store.claim_one(self.session, key) or next(
            iter(self._store.claim(self.session, (queue,), 1)), None
        )

    def _next(self) -> Claimed | None:
        return next(iter(self._store.claim(self.session, self._serving.queues, 1)), None)

    def _adopt(self) -> Work | None:
        """Look once for claims whose answer never arrived; the first is ours to run, the rest go back."""
        found = self._engine.adopt()
        for work in found[1:]:
            self._engine.release(work)
        self._looked_for_lost = len(found) < 2
        return found[0] if found else None

    # going on

    def _go_on(self, work: Work | None, turn: Turn) -> None:
        """Run a chain in this thread, which holds the body; an `async` handler takes the rest of it to the loop."""
        while work is not None:
            if self._executor.is_async(work):
                self._loop.start(self._go_on_async(work, turn))
                return
            with about(partial(_subject, work)):
                work = self._finish(work, self._attempt(work), turn)
        self.slots.give_back()

    async def _go_on_async(self, work: Work | None, turn: Turn) -> None:
        """Run a chain on the loop; `def` handlers in it borrow the body."""
        try:
            while work is not None:
                with about(partial(_subject, work)):
                    if self._executor.is_async(work):
                        outcome: Outcome | None = await self._attempt_async(work)
                    else:
                        outcome = await self._loop.blocking(partial(self._attempt_with_body, work))
                    if outcome is None:
                        return
                    work = await self._loop.blocking(partial(self._finish, work, outcome, turn))
        finally:
            self.slots.give_back()
            self.ear.wake()

    def _attempt_with_body(self, work: Work) -> Outcome | None:
        """Wait a moment for the body; None when the task was given to others instead."""
        if not self._body.acquire(timeout=HANDOVER_SECONDS):
            self._engine.release(work)
            return None
        try:
            return self._attempt(work)
        finally:
            self._body.release()

    def _attempt(self, work: Work) -> Outcome:
        told, began = self._telling.began(work), time.monotonic()
        limits = Limits(self._watchdog, work)
        outcome = self._executor.execute(work, limits.beat, self._early(work, limits))
        limits.leave(outcome)
        self._telling.ended(told, work, outcome, time.monotonic() - began)
        return outcome

    async def _attempt_async(self, work: Work) -> Outcome:
        told, began = self._telling.began(work), time.monotonic()
        limits = Limits(self._watchdog, work, GRACE_SECONDS)
        outcome = await self._executor.execute_async(work, limits.beat, self._early(work))
        if not limits.end(outcome):
            await asyncio.Event().wait()
        self._telling.ended(told, work, outcome, time.monotonic() - began)
        return outcome

    def _early(self, work: Work, limits: Limits | None = None) -> Early:
        return Early(self._engine, work, inline_max=self._serving.inline_max, limits=limits)

    def _finish(self, work: Work, outcome: Outcome, turn: Turn) -> Work | None:
        """Record, and give what comes next in this slot: the same run's next node, or another's when the turn is over."""
        other, wants_more = None, self.wants_more
        is_over = wants_more and turn.step()
        # What may open a breaker is told before anything else is begun, which would have asked too early.
        is_told_first = is_over and breaker_of(work.graph.workflow, work.node) is not None
        if is_over and not is_told_first:
            other, _ = self._claim_and_begin(self._next)
        watched = self._watchdog.watch(RECORDING, DATABASE_SECONDS)
        try:
            following = self._record(work, outcome, keep=wants_more and other is None and not is_told_first)
        except Exception:
            logger.exception("a result could not be recorded; its task stays claimed until this process ends")
            following = None
        finally:
            self._watchdog.release(watched)
        if is_told_first:
            other, _ = self._claim_and_begin(self._next)
        return other or following

    def _record(self, work: Work, outcome: Outcome, *, keep: bool) -> Work | None:
        """Offer the result until the database takes it; only an order to stop at once ends that."""
        if not isinstance(work.node, Effect):
            return self._offer(work, outcome, keep)
        crash("effect.before_record_commit", run_key=work.run_key, node=work.node.id, attempt=work.attempt)
        following = self._offer(work, outcome, keep)
        crash("effect.after_record_commit", run_key=work.run_key, node=work.node.id, attempt=work.attempt)
        return following

    def _offer(self, work: Work, outcome: Outcome, keep: bool) -> Work | None:
        return patiently(lambda: self._engine.finish(work, outcome, keep=keep), "the database", self._is_ordered_out)

    # watching

    def _bite(self, stuck: Stuck) -> None:
        """In the watchdog's thread: say what became of the stuck attempt, give the others a moment, end the process."""
        with about(partial(_subject, stuck.work) if stuck.work else None):
            logger.error("[NX-W211] %s is stuck; this process ends", stuck.what, extra={"code": "NX-W211"})
        self._lost.set()
        self._in_ten_seconds(partial(self._tell, stuck))
        self.slots.wait_until_idle(GRACE_SECONDS, leaving=1)
        self._in_ten_seconds(partial(self._tell_late, stuck))
        self._doorbell.close()
        os._exit(STUCK)

    def _in_ten_seconds(self, act: Callable[[], None]) -> None:
        """Do something that may hang, and leave it alone when it does."""
        teller = threading.Thread(target=act, daemon=True)
        teller.start()
        teller.join(10)

    def _tell(self, stuck: Stuck) -> None:
        """What became of the attempt: what its handler has brought by now, or that its time is over."""
        if stuck.work is None or stuck.outcome is None or stuck.answer is None:
            return
        self._executor.abandon()
        try:
            self._engine.finish(stuck.work, stuck.answer.take() or stuck.outcome(), keep=False)
        except NexumError:
            logger.exception("what became of %s could not be recorded", stuck.work.task)

    def _tell_late(self, stuck: Stuck) -> None:
        """The handler has brought something while its end was told: of an effect that is evidence."""
        outcome = stuck.answer.take() if stuck.answer is not None else None
        if stuck.work is None or not isinstance(outcome, Succeeded):
            return
        try:
            self._engine.add_evidence(stuck.work, outcome)
        except NexumError:
            logger.exception("the late answer of %s could not be recorded", stuck.work.task)

    # small things

    @property
    def _is_free(self) -> bool:
        """Whether a task could begin here at once."""
        return self.wants_more and not self._body.locked() and self.slots.taken < self.slots.count

    def _wait_for_room(self) -> None:
        """Wait until a task could begin here, at most until the next look is due."""
        if self._body.acquire(timeout=self._pause()):
            self._body.release()
            self.slots.wait_for_room(self._pause())

    def _pause(self) -> float:
        down = getattr(self._doorbell, "is_down", False)
        return NET_SECONDS if self._serving.broker and not down else ALONE_SECONDS

    def _is_ordered_out(self) -> bool:
        return self._serving.board.phase is Phase.NOW

    def _row(self) -> SessionRow:
        serving, now = self._serving, self._store.now()
        return SessionRow(
            session=self.session,
            kind="worker",
            host=serving.host,
            pid=os.getpid(),
            parent_pid=os.getppid(),
            queues=serving.queues,
            slots=serving.slots,
            started_at=now,
            beat_at=now,
            beats=0,
            state="LIVE",
            lease=round(serving.lease * 1_000_000),
        )


def _subject(work: Work) -> dict[str, object]:
    """What log lines about this attempt carry."""
    return {
        "run": work.task.run_id,
        "run_key": work.run_key,
        "workflow": work.graph.workflow,
        "version": work.graph.version,
        "node": work.task.path,
        "visit": work.task.visit,
        "item": work.task.item if work.task.item >= 0 else None,
        "attempt": work.attempt,
        "effect": getattr(work.node, "tool", ""),
        "key": work.key,
        "trace": work.trace,
    }
