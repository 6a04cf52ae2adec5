"""What nobody else will do: old mail, due timers, late starts, the tasks of dead processes, READY tasks nobody told of.

Any number of sweepers may run. Each action is a compare-and-set or an insert with a dedupe key, so two sweepers that
see the same thing do it once. Timers are only read here; the run's own drain decides whether they still matter.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from nexum.broker.doorbell import Doorbell
from nexum.core.run.accept import SAFE_SHARE
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import AttemptFailed, Body, EffectInDoubt, Error, SenderEnded, TimerFired
from nexum.crash import crash
from nexum.engine.calls import doubt_mail
from nexum.engine.changes import cell_of_task
from nexum.engine.draining import BUSY, drain
from nexum.engine.graphs import Graphs
from nexum.engine.memory import SNAPSHOT_EVERY
from nexum.engine.quiet import quiet_from
from nexum.engine.reports import dedupe_of
from nexum.engine.suspending import ELSEWHERE, give_up
from nexum.errors import UnavailableError
from nexum.store.api import Held, Mail, Store, TaskKey

log = logging.getLogger("nexum.sweep")

SECOND = 1_000_000
BATCH = 500
REST = 60.0  # seconds before a run that could not be drained is tried again
MANY = 20  # effects that come into doubt in one sweep: no handlers die so together, machines or networks do
MACHINE_PATIENCE = 4  # times `poison_after` when the last process fell silent instead of being seen to die


@dataclass(slots=True)
class SweepReport:
    """What one sweep did, by rule."""

    drained: int = 0
    timers: int = 0
    late_starts: int = 0
    requeued: int = 0
    poisoned: int = 0
    doubted: int = 0
    told: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """How many things were done."""
        return self.drained + self.timers + self.late_starts + self.requeued + self.poisoned + self.doubted + self.told


class Sweeper:
    """Runs the rules once when asked. `told_after` and `mail_after` are microseconds; `poison_after` counts deliveries.

    `snapshot_every` counts events of a run between two snapshots.
    """

    def __init__(
        self,
        store: Store,
        doorbell: Doorbell,
        *,
        poison_after: int = 5,
        mail_after: int = SECOND,
        told_after: int = 2 * SECOND,
        snapshot_every: int = SNAPSHOT_EVERY,
        actor: str = "sweeper",
    ) -> None:
        self._store = store
        self._doorbell = doorbell
        self._graphs = Graphs(store)
        self._poison_after = poison_after
        self._mail_after = mail_after
        self._told_after = told_after
        self._snapshot_every = snapshot_every
        self._actor = actor
        self._resting: dict[str, float] = {}

    def run_once(self) -> SweepReport:
        """Apply every rule once. Raises `UnavailableError` when the database does not answer."""
        report = SweepReport()
        runs: dict[str, None] = {}
        self._dead_sessions(report, runs)
        if report.doubted >= MANY:
            told = "[NX-E231] %d effects came into doubt in one sweep; look at the machines before deciding about any of them"
            log.error(told, report.doubted, extra={"code": "NX-E231"})
        self._proven_dead(runs)
        self._due_timers(report, runs)
        self._late_starts(report, runs)
        self._resting = {run_id: until for run_id, until in self._resting.items() if until > time.monotonic()}
        runs.update(dict.fromkeys(self._store.old_mail(self._mail_after, BATCH + len(self._resting))))
        for run_id in runs:
            if run_id not in self._resting:
                crash("sweep.mail.before", run=run_id)
                self._drain(run_id, report)
                crash("sweep.mail.after", run=run_id)
        crash("sweep.untold.before")
        for key, queue in self._store.ready_untold(self._told_after, BATCH):
            crash("sweep.untold.after", run=key.run_id)
            self._doorbell.ring(queue, key)
            report.told += 1
        return report

    def _dead_sessions(self, report: SweepReport, runs: dict[str, None]) -> None:
        for held in self._store.held_by_dead(BATCH):
            key = held.claimed.key
            if not self._is_folded(key.run_id, report):
                continue
            if held.policy and not self._may_repeat(held):
                evidence = f"the process that may have sent it died (delivery {held.claimed.deliveries})"
                proof = "expired" if held.expired else "ended"
                body = EffectInDoubt(cell_of_task(key), key.attempt, evidence, proof, quiet_from(held))
                crash("sweep.doubt.before", run=key.run_id)
                if self._store.doubt(key, held.claimed.token, self._mail(key, body)):
                    crash("sweep.doubt.after", run=key.run_id)
                    report.doubted += 1
                    runs[key.run_id] = None
            elif held.claimed.deliveries >= self._bound(held) and self._doubt_calls(held):
                report.doubted += 1
                runs[key.run_id] = None
            elif held.claimed.deliveries >= self._bound(held):
                message = f"{key.path} killed its worker process {held.claimed.deliveries} times"
                poison = AttemptFailed(cell_of_task(key), key.attempt, Error("NX-R206", message, type="Poison"))
                crash("sweep.poison.before", run=key.run_id)
                self._store.post(self._mail(key, poison))
                crash("sweep.poison.after", run=key.run_id)
                report.poisoned += 1
                runs[key.run_id] = None
            else:
                self._requeue(held, report)

    def _proven_dead(self, runs: dict[str, None]) -> None:
        """Whoever waits for a silent sender to be dead for certain is told that it is."""
        for found in self._store.proven_dead(BATCH):
            key, cell = found.key, cell_of_task(found.key)
            body = encode_mail(SenderEnded(cell, key.attempt, found.ended_at))
            dedupe = f"ended|{cell.path}|{cell.visit}|{cell.item}|{key.attempt}"
            if self._store.post(Mail(key.run_id, dedupe, "SenderEnded", body, actor=self._actor)):
                runs[key.run_id] = None

    def _requeue(self, held: Held, report: SweepReport) -> None:
        key = held.claimed.key
        crash("sweep.requeue.before", run=key.run_id)
        if self._store.requeue(key, held.claimed.token):
            crash("sweep.requeue.after", run=key.run_id)
            report.requeued += 1
            self._doorbell.ring(held.claimed.queue, key)

    def _doubt_calls(self, held: Held) -> bool:
        """A node whose handler journals calls is not failed over one whose outcome is unknown: both come into doubt."""
        key = held.claimed.key
        found = self._store.open_calls(key) if held.claimed.kind == "effect" and not held.policy else ()
        evidence = f"the process that made it died (delivery {held.claimed.deliveries})"
        doubted = [
            c for c in found if self._store.doubt_call(c, key.attempt, doubt_mail(key, c, evidence, self._actor))
        ]
        if doubted:
            said = "; ".join(f"{call.path} may have been made" for call in doubted)
            self._store.post(self._mail(key, EffectInDoubt(cell_of_task(key), key.attempt, f"{said}: {evidence}")))
        return bool(doubted)

    def _is_folded(self, run_id: str, report: SweepReport) -> bool:
        """Fold what the dead have reported, perhaps how their attempt ended: then there is nothing to give back."""
        if not self._store.has_mail(run_id):
            return True
        if run_id not in self._resting:
            self._drain(run_id, report)
        return not self._store.has_mail(run_id)

    def _may_repeat(self, held: Held) -> bool:
        """Whether the provider still knows the key, and the task has not killed too many processes."""
        young = held.claimed.now - held.sent_at < held.ttl * SAFE_SHARE
        return held.policy == "dedupes" and young and held.claimed.deliveries < self._bound(held)

    def _bound(self, held: Held) -> int:
        """After how many deliveries a task is poison; a machine that goes takes innocent tasks with it: it counts less."""
        return self._poison_after * (MACHINE_PATIENCE if held.silent else 1)

    def _due_timers(self, report: SweepReport, runs: dict[str, None]) -> None:
        for due in self._store.due_timers(BATCH):
            body = TimerFired(due.timer)
            mail = Mail(due.run_id, f"timer|{due.timer}|{due.due}", "TimerFired", encode_mail(body), actor=self._actor)
            crash("timer.before", run=due.run_id)
            self._store.post(mail)
            crash("timer.after", run=due.run_id)
            report.timers += 1
            runs[due.run_id] = None

    def _late_starts(self, report: SweepReport, runs: dict[str, None]) -> None:
        for key, _queue in self._store.late_starts(BATCH):
            error = Error("NX-R203", f"{key.path} was not started in time", type="Timeout", retryable=True)
            crash("sweep.late_starts.before", run=key.run_id)
            if self._store.expire_start(key, self._mail(key, AttemptFailed(cell_of_task(key), key.attempt, error))):
                crash("sweep.late_starts.after", run=key.run_id)
                report.late_starts += 1
                runs[key.run_id] = None

    def _drain(self, run_id: str, report: SweepReport) -> None:
        try:
            now, every = self._store.now, self._snapshot_every
            done = drain(self._store, self._graphs, run_id, known=None, wait=False, clock=now, every=every)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 (one run that cannot be decided must not stop the others)
            report.failed += 1
            self._resting[run_id] = time.monotonic() + REST
            log.error("run %s cannot be drained: %s", run_id, error)
            if not isinstance(error, ELSEWHERE):
                self._give_up(run_id, error)
            return
        report.drained += 1
        for queue, key in done.ready:
            self._doorbell.ring(queue, key)

    def _give_up(self, run_id: str, error: Exception) -> None:
        try:
            give_up(self._store, run_id, error, session=self._actor)
        except UnavailableError as busy:  # whoever holds the run's row will find the same
            if busy.code != BUSY:
                raise

    def _mail(self, key: TaskKey, body: Body) -> Mail:
        return Mail(key.run_id, dedupe_of(key, body), type(body).__name__, encode_mail(body), actor=self._actor)
