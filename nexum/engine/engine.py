"""Begin and finish: what a worker asks of the engine around each attempt.

One engine serves one process; its verbs may be called from any thread and take turns (a step is half a millisecond, and
the database connection is one). The engine holds the cached states of the runs that this process continues.
"""

from __future__ import annotations

import logging
import threading

from nexum.broker.doorbell import Doorbell
from nexum.core.graph.workflow import AnyNode
from nexum.core.run.events import Cell
from nexum.core.run.state import CellState, CellStatus, State
from nexum.core.values import INLINE_MAX
from nexum.crash import crash
from nexum.engine.begun import Begun
from nexum.engine.breaking import Breakers
from nexum.engine.calls import makes_calls, report_of
from nexum.engine.changes import cell_of_task
from nexum.engine.clock import StoreClock
from nexum.engine.completing import complete_within, settled
from nexum.engine.draining import drain
from nexum.engine.graphs import Graphs
from nexum.engine.handing import announce, work_of
from nexum.engine.late import record_late
from nexum.engine.loading import current, keep_snapshot
from nexum.engine.memory import SNAPSHOT_EVERY, Known, Memory
from nexum.engine.met import met_report
from nexum.engine.patience import patiently
from nexum.engine.quiet import quiet_after
from nexum.engine.reports import Report, claimed_key, doubt_report, record_of, stop_report
from nexum.engine.stepping import step_of
from nexum.engine.suspending import ELSEWHERE, Claim, give_up, suspend
from nexum.engine.work import FIRST_TOKEN, Committed, Outcome, Succeeded, TakenBack, Waits, Work
from nexum.errors import ConfigurationError, NexumError, UnavailableError
from nexum.store.api import Advance, Claimed, StepAnswer, Store, TaskKey

log = logging.getLogger("nexum.engine")

UNFIT_PAUSE = 10_000_000  # us until a task is tried again that this installation could not begin
CALL_PAUSE = 1_000_000  # us until a handler runs again that met a call which another run is making


class Engine:
    """Turns claims into work and outcomes into events.

    `session` names the process in the database; `inline_max` is the size in bytes beyond which a payload becomes a blob,
    `snapshot_every` is in events. With `always_drain` every result takes the slow path, as every result may have to.
    """

    def __init__(
        self,
        store: Store,
        *,
        session: str,
        doorbell: Doorbell,
        inline_max: int = INLINE_MAX,
        snapshot_every: int = SNAPSHOT_EVERY,
        actor: str = "",
        always_drain: bool = False,
    ) -> None:
        self.store = store
        self.session = session
        self.graphs = Graphs(store)
        self._doorbell = doorbell
        self._inline_max, self._every = inline_max, snapshot_every
        self._actor = actor or session
        self._always_drain = always_drain
        self._memory = Memory()
        self._breakers = Breakers(store)
        self._clock = StoreClock()
        self._begun = Begun()
        self._folded = True
        self.may_have_lost = False  # whether `adopt` may find something
        self._lock = threading.RLock()

    # what a worker asks

    def begin(self, claimed: Claimed) -> Work | None:
        """Load what an attempt needs. None: there is nothing to execute, and what had to be said has been said.

        A run that cannot go on is suspended and its claim given back. Raises `UnavailableError` when the database does not
        answer; the claim is then found again by `adopt`. Raises `ConfigurationError` when this installation does not fit
        the database; the task is then put off.
        """
        with self._lock:
            self._clock.set(claimed.now)
            if claimed.effect == "wait":
                return None
            try:
                return self._begin(claimed)
            except UnavailableError:
                raise
            except ConfigurationError:
                self.store.release(self.session, claimed.key, claimed.token, pause=UNFIT_PAUSE)
                raise
            except Exception as error:  # noqa: BLE001 (`give_up` logs it: whatever it is, it stops this run alone)
                self._give_up(claimed.key.run_id, error, (claimed.key, claimed.token))
                return None

    def finish(self, work: Work, outcome: Outcome, *, keep: bool = True) -> Work | None:
        """Record an outcome and let the run advance; gives the run's next work if it was claimed in the same commit.

        With `keep=False` nothing is claimed. Raises `UnavailableError` only after half a minute of trying to record.
        """
        with self._lock:
            reported = settled(self.store, work, outcome)
            if isinstance(reported, Waits):
                self._give_back(work, reported.call)
                reported = TakenBack()  # with what it has journaled before
            if isinstance(reported, Committed | TakenBack):
                return self._go_on(work, reported, keep=keep)
            report = patiently(lambda: report_of(self.store, work, reported, self._now(), self._inline_max))
            self._folded = True
            following = self._tell(self._memory.get(work.task.run_id), report, work.node, work.trace, keep=keep)
            # only now: a result that could not be recorded is offered again, and its task must not be adopted meanwhile
            self._begun.end(work.task, work.token, folded=self._folded)
            self._breakers.tell(work, outcome)  # last: nothing may stand between an answer and its record
            return following

    def complete(self, store: Store, work: Work, outcome: Succeeded) -> Committed | TakenBack:
        """Complete a transaction node inside the caller's transaction, which `store` is bound to; then commit, or roll back.

        Whatever becomes of it, offer the outcome to `finish`. Raises what `complete_within` does: then roll back.
        """
        with self._lock:
            known = self._memory.get(work.task.run_id)
            self._memory.forget(work.task.run_id)
            return complete_within(
                store,
                self.graphs,
                work,
                outcome,
                known=known,
                session=self.session,
                actor=self._actor,
                clock=self._now,
                inline_max=self._inline_max,
            )

    def add_evidence(self, work: Work, outcome: Succeeded) -> None:
        """Record what an effect brought after `finish` was told that nobody knows; for other kinds it means nothing."""
        with self._lock:
            if record_late(self.store, work, outcome, self.session, at=self._now(), inline_max=self._inline_max):
                self._drain(work.task.run_id)

    def adopt(self) -> list[Work]:
        """Take up tasks that this session holds without knowing. Raises what `begin` does, unless something was found."""
        with self._lock:
            found: list[Work] = []
            self.may_have_lost = True
            try:
                lost = self._begun.unknown(self.store.adopt(self.session))
                self.may_have_lost = False  # from here on: to begin one may lose another
                found.extend(work for claimed in lost if (work := self.begin(claimed)) is not None)
            except NexumError:  # the rest is left for the next time
                self.may_have_lost = True
                if not found:
                    raise
            return found

    def drain(self, run_id: str, *, wait: bool = True) -> None:
        """Fold a run's mail and announce what became ready."""
        with self._lock:
            self._drain(run_id, wait=wait)

    def _drain(self, run_id: str, *, wait: bool = True, claim: Claim | None = None) -> None:
        """As `drain`; `claim` is what this session holds of the run and gives back should the run be unable to go on."""
        known = self._memory.get(run_id)
        self._memory.forget(run_id)
        try:
            done = drain(self.store, self.graphs, run_id, known=known, wait=wait, clock=self._now, every=self._every)
        except ELSEWHERE:
            raise
        except Exception as error:  # noqa: BLE001 (as in `begin`)
            self._give_up(run_id, error, claim)
            return
        self._folded = self._folded and not done.busy
        if done.known is not None and not done.known.state.phase.is_ended:
            self._memory.put(done.known)
        for queue, key in done.ready:
            self._doorbell.ring(queue, key)

    def release(self, work: Work, *, pause: int = 0) -> None:
        """Give work back that was not begun, for `pause` us; what cannot be given back now is found by `adopt`."""
        with self._lock:
            self._begun.end(work.task, work.token)
            self._breakers.forget(work)
            try:
                if self.store.release(self.session, work.task, work.token, pause=pause) and not pause:
                    self._doorbell.ring(work.graph.queue, work.task)
            except UnavailableError as error:
                log.warning("%s could not be given back: %s", work.task, error.message)
                self.may_have_lost = True

    def _give_back(self, work: Work, call: str) -> None:
        """Give work back that waits for a call of another run.

        It was executed, so it must not be adopted, which would execute it again under the same token.
        """
        held = (self.session, work.task, work.token)
        patiently(lambda: self.store.release(*held, pause=CALL_PAUSE, waits_for=call))
        self._breakers.forget(work)

    # the step

    def _begin(self, claimed: Claimed) -> Work | None:
        known = current(self.store, self.graphs, self._memory, claimed, every=self._every)
        task = claimed.key
        if known.state.suspended:
            self._put_aside(task, claimed.token)
            return None
        cell = cell_of_task(task)
        at = known.state.cells.get(cell)
        if at is None or at.attempt != task.attempt or known.state.phase.is_ended:
            self._discard(claimed)
            return None
        node, tenant = known.plan.node_at(cell.path), known.state.tenant
        report = met_report(self.store, node, claimed, tenant=tenant) or doubt_report(claimed)
        if report is not None:
            return self._settle(known, report, keep=True)
        if at.status is CellStatus.STOPPING:
            quiet = quiet_after(claimed) if claimed.deliveries > 1 else 0
            return self._stop(known, cell, at, task, claimed.token, quiet)
        if at.status is not CellStatus.SCHEDULED:
            self._discard(claimed)
            return None
        return self._work(known, cell, at, task, claimed.token, claimed.deliveries, claimed.max_run)

    def _settle(self, known: Known, report: Report, *, keep: bool) -> Work | None:
        """The fast path; whatever goes wrong in it is answered with `record` and the slow path."""
        run_id, path = known.state.run_id, report.task.path
        try:
            now = self._now()
            step = step_of(self.store, known, report, session=self.session, actor=self._actor, now=now, claim=keep)
        except UnavailableError:
            raise
        except Exception:
            log.exception("deciding failed; the result is recorded and the run takes the slow path")
            step = None
        if step is None:
            self._record_and_drain(report, known.trace)
            return None
        crash("step.before_commit", run=run_id, node=path)
        try:
            answer = self.store.step(step.record, step.made)
            crash("step.after_commit", run=run_id, node=path)
        except Exception:
            log.exception("the step was not answered; the result is recorded and the run takes the slow path")
            self.may_have_lost |= step.made.claim >= 0  # with the answer went the news of what the step has claimed
            self._record_and_drain(report, known.trace)
            return None
        return self._after_step(known, step.made, answer, step.state)

    def _after_step(self, known: Known, made: Advance, answer: StepAnswer, state: State) -> Work | None:
        self._clock.set(answer.now)
        run_id = made.run_id
        if not answer.recorded:  # a zombie: the evidence is kept, the task is somebody else's, and the run is told
            self.drain(run_id)
            return None
        if not answer.cas:
            crash("inbox.after_commit", run=run_id)
            self._memory.forget(run_id)
            self.drain(run_id)
            return None
        known.state, known.hash = state, made.new_hash
        announce(self._doorbell, made, answer)
        claimed = made.new_tasks[made.claim].key if answer.claimed and made.claim >= 0 else None
        claim = None if claimed is None else (claimed, FIRST_TOKEN)
        try:
            return self._next(known, made, claimed, mail=answer.mail)
        except ELSEWHERE:
            self.may_have_lost |= claimed is not None
            raise
        except Exception as error:  # noqa: BLE001 (as in `begin`: the step stands, the run does not go on)
            self._give_up(run_id, error, claim)
            return None

    def _next(self, known: Known, made: Advance, claimed: TaskKey | None, *, mail: bool) -> Work | None:
        """The work that was claimed together with a step."""
        run_id, state = made.run_id, known.state
        if state.phase.is_ended:
            self._memory.forget(run_id)
        else:
            keep_snapshot(self.store, known)
        if mail:
            self.drain(run_id)
            fresh = self._memory.get(run_id)
            if claimed is not None and (fresh is None or fresh.state.suspended):
                self._put_aside(claimed, FIRST_TOKEN)
            if claimed is None or fresh is None or fresh.state.suspended:
                return None
            known = fresh
        if claimed is None:
            return None
        cell = cell_of_task(claimed)
        at = known.state.cells[cell]
        if at.status is CellStatus.STOPPING and at.attempt == claimed.attempt:
            return self._stop(known, cell, at, claimed, FIRST_TOKEN, 0)
        if at.status is not CellStatus.SCHEDULED or at.attempt != claimed.attempt:
            return None
        return self._work(known, cell, at, claimed, FIRST_TOKEN, 1, made.new_tasks[made.claim].max_run)

    def _stop(self, known: Known, cell: Cell, at: CellState, task: TaskKey, token: int, quiet: int) -> Work | None:
        """A claimed attempt that was asked to stop before its handler began; `quiet` as in `stop_report`."""
        key = claimed_key(known.plan, cell, at)
        report = stop_report(
            task, token, tenant=known.state.tenant, key=key, claimed=True, quiet=quiet, doubtful=at.doubtful
        )
        return self._tell(known, report, known.plan.node_at(cell.path), known.trace, keep=True)

    def _tell(self, known: Known | None, report: Report, node: AnyNode, trace: str, *, keep: bool) -> Work | None:
        """Report how an attempt ended, and give what comes next if it was claimed in the same commit."""
        if known is not None and not self._always_drain and not makes_calls(node):
            return self._settle(known, report, keep=keep)
        self._record_and_drain(report, trace)  # behind the facts of the node's calls
        return None

    def _go_on(self, work: Work, outcome: Committed | TakenBack, *, keep: bool) -> Work | None:
        """After a transaction node: nothing is left to record, and what follows may be taken as anybody would."""
        run_id = work.task.run_id
        first = self._begun.end(work.task, work.token)  # then a drain may fold into `known` what is not committed
        ready = list(outcome.ready) if isinstance(outcome, Committed) else []
        if first and isinstance(outcome, Committed) and not outcome.known.state.phase.is_ended:
            self._memory.put(outcome.known)
            keep_snapshot(self.store, outcome.known)
        if not isinstance(outcome, Committed) or self.store.has_mail(run_id):
            self._drain(run_id)
        self.may_have_lost |= keep and bool(ready)  # the answer to this claim, too, may never arrive
        claimed = self.store.claim_one(self.session, ready[0][1]) if keep and ready else None
        for queue, key in ready[claimed is not None :]:
            self._doorbell.ring(queue, key)
        return self.begin(claimed) if claimed is not None else None

    def _record_and_drain(self, report: Report, trace: str) -> None:
        """Make the result durable whatever else is wrong, then advance by the slow path and take up lost claims."""
        run_id = report.task.run_id
        self._memory.forget(run_id)
        record = record_of(report, session=self.session, trace=trace, at=self._now())
        answer = patiently(lambda: self.store.record(record))
        crash("inbox.after_commit", run=run_id, node=report.task.path)
        claim = (report.task, report.token) if answer.recorded else None
        patiently(lambda: self._drain(run_id, claim=claim))

    def _put_aside(self, task: TaskKey, token: int) -> None:
        """Give back a task of a run that is suspended, or that somebody else holds just now."""
        if self.store.release(self.session, task, token):
            patiently(lambda: suspend(self.store, task.run_id, None, actor=self._actor))

    def _give_up(self, run_id: str, error: Exception, claim: Claim | None) -> None:
        self._memory.forget(run_id)
        patiently(lambda: give_up(self.store, run_id, error, session=self.session, claim=claim))

    def _work(
        self, known: Known, cell: Cell, at: CellState, task: TaskKey, token: int, deliveries: int, max_run: int
    ) -> Work | None:
        now = self._now()
        work = work_of(self.store, known, cell, at, task, token=token, deliveries=deliveries, max_run=max_run, now=now)
        pause = self._breakers.pause(work)
        self._begun.begin(task, token)  # only now: what could not be asked for was not handed out, and must be adopted
        if pause:
            self.release(work, pause=pause)
        return None if pause else work

    def _discard(self, claimed: Claimed) -> None:
        """A task that the events do not know (any more): let the run's own drain put the rows right."""
        log.warning("task %s is not what its run expects; draining the run", claimed.key)
        self.store.drop_task(claimed.key, claimed.token)
        self.drain(claimed.key.run_id)

    def _now(self) -> int:
        return self._clock.read(self.store)
