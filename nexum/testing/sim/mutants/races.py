"""The mutants, by the race that each one brings back; and why some races have none."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import nexum.core.run.accept
import nexum.engine.calls
import nexum.engine.draining
import nexum.engine.engine
import nexum.engine.handing
import nexum.engine.loading
import nexum.engine.sweep
import nexum.store.memory.advancing
import nexum.store.memory.calls
import nexum.store.memory.claiming
import nexum.store.memory.leases
import nexum.store.memory.steps
import nexum.store.memory.sweeping
import nexum_orchestrator.sessions
from nexum.core.run.codec import decode_mail
from nexum.engine.reports import outcome_report, record_of
from nexum.errors import UnavailableError
from nexum.store.api import CallAnswer, TaskKey
from nexum.store.memory.draining import HeldRun
from nexum.store.memory.store import MemoryStore
from nexum.testing.sim.mutants.swapping import Mutant, Swap, gives


def _drain_only(original: Any) -> Any:
    return lambda self, report, trace: self.drain(report.task.run_id)


def _recorded_once(original: Any) -> Any:
    def record_and_drain(self: Any, report: Any, trace: str) -> None:
        record = record_of(report, session=self.session, trace=trace, at=self._now())
        with suppress(UnavailableError):
            if self.store.record(record).recorded:
                self.drain(report.task.run_id)

    return record_and_drain


def _taken_only(original: Any) -> Any:
    return lambda self, row: self.take([row.id])


def _late_again(original: Any) -> Any:
    return lambda self, row: original(self, row._replace(mail=row.mail._replace(dedupe=f"{row.mail.dedupe}|again")))


def _rings_inside(original: Any) -> Any:
    def drain(self: Any, run_id: str, **options: Any) -> None:
        with self.store.drain(run_id, wait=False) as held:
            if held is not None:
                self._doorbell.ring("nowhere", TaskKey(run_id, "", 1, -1, 1))
        original(self, run_id, **options)

    return drain


def _takes_claimed(original: Any) -> Any:
    def claim_one(tx: Any, session: str, key: Any, recent: int) -> Any:
        task = tx.tables.tasks.rows.get(key)
        return None if task is None else nexum.store.memory.claiming._take(tx, task, session, recent)

    return claim_one


def _key_by_attempt(original: Any) -> Any:
    def key(known: Any, cell: Any, at: Any) -> str:
        found = original(known, cell, at)
        return f"{found}-{at.attempt}" if found else ""

    return key


def _start_without_key(original: Any) -> Any:
    return lambda tx, row: original(tx, row._replace(run_key=""))


def _judged_alone(original: Any) -> Any:
    return lambda effect, task, now: original(effect, task, now) if effect.is_of(task) else ""


def _any_token(original: Any) -> Any:
    def settle(tx: Any, record: Any, outcome: Any, state: str) -> bool:
        effect = tx.tables.effects.get(outcome.tenant, outcome.key)
        token = outcome.token if effect is None else effect.token
        return bool(original(tx, record, outcome._replace(token=token), state))

    return settle


def _one_clock(original: Any) -> Any:
    def newest(self: Any, row: Any, at: float) -> Any:
        return nexum_orchestrator.sessions._Seen(row.beats, at - 1e6)

    return newest


def _doubts_anything(original: Any) -> Any:
    def doubt(tx: Any, key: Any, token: int, mail: Any) -> bool:
        leases = nexum.store.memory.leases
        task = leases._held(tx, key, token)
        effect = leases._effect_of(tx, task) if task is not None else None
        if task is None or effect is None:
            return False
        tx.update(tx.tables.effects, effect, state="IN_DOUBT", attempt=key.attempt)
        tx.delete(tx.tables.tasks, task)
        nexum.store.memory.steps.put(tx, mail)
        return True

    return doubt


def _takes_timer(original: Any) -> Any:
    return lambda state, message, now: message


def _takes_failure(original: Any) -> Any:
    def failure(plan: Any, state: Any, message: Any, now: int) -> Any:
        at = state.cells.get(message.cell)
        fits = at is not None and str(at.status) in ("SCHEDULED", "STOPPING") and message.attempt == at.attempt
        return message if fits else original(plan, state, message, now)

    return failure


def _tasks_stay(original: Any) -> Any:
    def drop(tx: Any, key: Any, states: Any = ("READY", "CLAIMED")) -> bool:
        task = tx.tables.tasks.rows.get(key)
        return False if task is not None and task.state == "READY" else bool(original(tx, key, states))

    return drop


def _folds_after_end(original: Any) -> Any:
    def take(self: Any, row: Any) -> None:
        self.append(decode_mail(row.mail.type, row.mail.body), row.mail)
        self._held.take([row.id])

    return take


def _closes_mail(original: Any) -> Any:
    def follow(tx: Any, advance: Any, session: str) -> bool:
        if advance.closed:
            for letter in tx.tables.inbox.of_run(advance.run_id):
                tx.delete(tx.tables.inbox, letter)
        return bool(original(tx, advance, session))

    return follow


def _requeues_anything(original: Any) -> Any:
    def requeue(tx: Any, key: Any, token: int) -> bool:
        task = tx.tables.tasks.rows.get(key)
        if task is None or task.state != "CLAIMED":
            return False
        tx.update(tx.tables.tasks, task, state="READY", session="", claimed_at=0, told_at=0)
        return True

    return requeue


def _any_queue(original: Any) -> Any:
    def claim(tx: Any, session: str, queues: Any, limit: int, recent: int) -> Any:
        return original(tx, session, {task.queue for task in tx.tables.tasks.rows.values()}, limit, recent)

    return claim


def _forgetful(original: Any) -> Any:
    return lambda state: original(state._replace(settled=0))


def _stale(original: Any) -> Any:
    def current(store: Any, graphs: Any, memory: Any, claimed: Any, *, every: int) -> Any:
        return memory.get(claimed.key.run_id) or original(store, graphs, memory, claimed, every=every)

    return current


def _any_arguments(original: Any) -> Any:
    return lambda found, call, now: original(found, call._replace(input_hash=found.input_hash), now)


def _outcome_alone(original: Any) -> Any:
    def report(store: Any, work: Any, outcome: Any, now: int, inline_max: int) -> Any:
        named = {"tenant": work.tenant, "key": "", "inline_max": inline_max}
        return outcome_report(store, work.task, work.token, outcome, **named)

    return report


def _nothing_left(original: Any) -> Any:
    def end_call(tx: Any, record: Any) -> bool:
        return bool(nexum.store.memory.steps.settle_outcome(tx, record, record.effect, record.effect.state))

    return end_call


def _not_kept(original: Any) -> Any:
    return lambda self, name, arguments, result: CallAnswer("")


_ENGINE = nexum.engine.engine.Engine
_SWEEPER = nexum.engine.sweep.Sweeper
_VIGIL = nexum_orchestrator.sessions.Vigil
_ROUND = nexum.engine.draining._Round
_mem = nexum.store.memory

RACES = (
    Mutant("R2", "reading after the lock", [Swap(nexum.engine.draining, "extend", gives(None))]),
    Mutant(
        "R3",
        "looking for mail after letting go, and the sweeper behind it",
        [Swap(MemoryStore, "has_mail", gives(False)), Swap(MemoryStore, "old_mail", gives(()))],
    ),
    Mutant(
        "R4", "sweeping old mail after the death of whoever held the run", [Swap(MemoryStore, "old_mail", gives(()))]
    ),
    Mutant("R7", "recording before deciding", [Swap(_ENGINE, "_record_and_drain", _drain_only)]),
    Mutant("R8", "keeping mail that comes after the end", [Swap(HeldRun, "keep_late", _taken_only)]),
    Mutant("R10", "repeating a record whose answer was lost", [Swap(_ENGINE, "_record_and_drain", _recorded_once)]),
    Mutant("R11", "telling of READY tasks again", [Swap(MemoryStore, "ready_untold", gives(()))]),
    Mutant("R12", "ringing after the commit", [Swap(_ENGINE, "_drain", _rings_inside)]),
    Mutant("R13", "waiting twice as long before each announcement", [Swap(_mem.sweeping, "_MOST", lambda original: 0)]),
    Mutant("R14", "claiming by compare-and-set", [Swap(_mem.claiming, "claim_one", _takes_claimed)]),
    Mutant("R15", "counting deliveries", [Swap(_SWEEPER, "_bound", gives(1 << 30))]),
    Mutant("R16", "one key over all attempts", [Swap(nexum.engine.handing, "_key", _key_by_attempt)]),
    Mutant("R17", "start keys", [Swap(_mem.advancing, "start", _start_without_key)]),
    Mutant("R17", "business keys over all runs", [Swap(_mem.claiming, "judge", _judged_alone)]),
    Mutant("R18", "comparing tokens", [Swap(_mem.steps, "settle_outcome", _any_token)]),
    Mutant("R20", "watching a beat by a clock of one's own", [Swap(_VIGIL, "_newest", _one_clock)]),
    Mutant(
        "R21",
        "doubting only what is not recorded, and folding before what the dead have reported",
        [Swap(_mem.leases, "doubt", _doubts_anything), Swap(_SWEEPER, "_is_folded", gives(True))],
    ),
    Mutant(
        "R22", "asking whether a timer is armed and due", [Swap(nexum.core.run.accept, "_accept_timer", _takes_timer)]
    ),
    Mutant(
        "R25", "taking an unknown outcome for doubt", [Swap(nexum.core.run.accept, "_accept_failure", _takes_failure)]
    ),
    Mutant("R26", "taking READY tasks away from a closing run", [Swap(_mem.advancing, "_drop", _tasks_stay)]),
    Mutant("R27", "refusing facts after the end", [Swap(_ROUND, "_take", _folds_after_end)]),
    Mutant("R28", "keeping mail that comes while a run ends", [Swap(_mem.advancing, "follow", _closes_mail)]),
    Mutant(
        "R29",
        "asking whether a fact is known",
        [Swap(_mem.steps, "is_event", gives(False)), Swap(HeldRun, "known", gives(frozenset()))],
    ),
    Mutant("R30", "giving back by compare-and-set", [Swap(_mem.leases, "requeue", _requeues_anything)]),
    Mutant("R32", "claiming only what one serves", [Swap(_mem.claiming, "claim", _any_queue)]),
    Mutant("R34", "comparing the arguments of a call", [Swap(_mem.calls, "judge_call", _any_arguments)]),
    Mutant("R34", "journaling what was read", [Swap(nexum.engine.calls.Journal, "keep", _not_kept)]),
    Mutant(
        "R35",
        "asking for a node's calls when its attempt has ended, and when something else ends it",
        [Swap(nexum.engine.calls, "_with_calls", _outcome_alone), Swap(_ROUND, "_doubted", gives(()))],
    ),
    Mutant("R35", "asking for its calls when something else ends a node", [Swap(_ROUND, "_doubted", gives(()))]),
    Mutant("R35", "what an earlier claim of a call has left behind", [Swap(_mem.calls, "end_call", _nothing_left)]),
    Mutant("R36", "asking who holds the node's task", [Swap(_mem.calls, "_holds", gives(True))]),
    Mutant("R46", "snapshots that are what the events fold to", [Swap(nexum.engine.loading, "freeze", _forgetful)]),
    Mutant("R51", "adopting lost claims", [Swap(_ENGINE, "adopt", gives(()))]),
    Mutant(
        "R53", "bringing a remembered state to where the claim stands", [Swap(nexum.engine.engine, "current", _stale)]
    ),
    Mutant("R55", "keeping late mail once", [Swap(HeldRun, "keep_late", _late_again)]),
)

ELSEWHERE = {
    "R1": "a lock mode of PostgreSQL: test_a_run_is_never_locked_for_update",
    "R5": "the same protection as R4: whoever rolls back leaves the mail to the sweeper",
    "R6": "no run here has more mail than one drain takes: tests/engine/test_floods_of_mail.py",
    "R9": "cannot exist: the order of a history is that of its events",
    "R19": "the parent beats, not the handler's process: tests/workers; hosts are built so here",
    "R23": "cannot exist: timers are read without a lock and sent as mail",
    "R24": "no timer storm is played: the sweeper's batches are bounded",
    "R31": "cannot exist: graphs are data in the database, and deciding calls no user code",
    "R33": "child runs are not built",
    "R37": "a matter of cost: what reads is journaled without a claim, and calls are played both ways",
    "R38": "results that cannot be stored are made by the worker's codec: tests/workers",
    "R39": "repair rounds are cells of their own: tests of the core",
    "R40": "blobs are not collected yet",
    "R41": "blobs are not collected yet",
    "R42": "blobs are kept by tenant; hashes are not shared",
    "R43": "the archive is not built",
    "R44": "the archive is not built",
    "R45": "asynchronous failover is not simulated: an acknowledged commit stays",
    "R47": "cannot exist: one row beats for a session",
    "R48": "no replica is read",
    "R49": "budgets are not built",
    "R50": "texts are cut by the worker: tests/workers",
    "R52": "the store in memory has no connection to lose in silence: tests/store on real ones",
    "R54": "asynchronous failover is not simulated",
    "R56": "the store in memory has no planner: test_steps_never_read_a_hot_table_from_end_to_end",
}
