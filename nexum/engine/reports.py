"""What became of an attempt, as the message that goes into the run and the record that must survive everything."""

from __future__ import annotations

from typing import NamedTuple

from nexum.core.canonical import sha256_hex
from nexum.core.graph.nodes import Effect
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import AttemptFailed, AttemptStopped, Body, Cell, EffectInDoubt, NodeCompleted
from nexum.core.run.plan import Plan
from nexum.core.run.state import CellState
from nexum.core.values import BLOB, HERE, INLINE_MAX, Ref
from nexum.crash import crash
from nexum.engine.changes import cell_of_task
from nexum.engine.quiet import quiet_after, reported_by_all
from nexum.engine.work import Failed, Reported, Succeeded
from nexum.store.api import Claimed, EffectOutcome, Mail, Record, Store, TaskKey

TEXT_MAX = 16_384


class Report(NamedTuple):
    """A message about one attempt, its inline payload, and what it says of the effect ("" when there is none)."""

    task: TaskKey
    token: int
    message: Body
    payload: bytes
    effect: EffectOutcome | None


def outcome_report(
    store: Store,
    task: TaskKey,
    token: int,
    outcome: Reported,
    *,
    tenant: str,
    key: str,
    inline_max: int = INLINE_MAX,
    alive: int = 0,
    doubtful: bool = False,
) -> Report:
    """The report of an outcome. Payloads beyond `inline_max` bytes become blobs, written before the record.

    `key` is that of an effect ("" for other kinds); `alive` is the instant until which another process that was given this
    attempt may still send it (0: nobody was given it): that this one sent nothing proves nothing then. `doubtful` says that an
    earlier attempt may have acted: that this one sent nothing leaves that as it is.
    """
    cell = cell_of_task(task)
    journal = Ref(store.put_blob(tenant, outcome.journal), len(outcome.journal)) if outcome.journal else None
    match outcome:
        case Succeeded():
            if key:
                crash("effect.before_blob", node=task.path, run=task.run_id)
            ref, inline = keep(store, tenant, outcome.output, inline_max)
            if key:
                crash("effect.after_blob", node=task.path, run=task.run_id)
            message: Body = NodeCompleted(
                cell,
                ref,
                attempt=task.attempt,
                reference=outcome.reference,
                usage=outcome.usage,
                journal=journal,
                answer=outcome.answer,
            )
            effect = None
            if key:
                effect = EffectOutcome(
                    tenant, key, token, "APPLIED", inline, ref.hash, outcome.reference, outcome.raw[:TEXT_MAX]
                )
        case Failed():
            raw, inline = keep(store, tenant, outcome.raw, inline_max) if outcome.raw else (None, b"")
            message = AttemptFailed(
                cell,
                task.attempt,
                outcome.error,
                sent=_sent(key, outcome, alive),
                retry_after=outcome.retry_after,
                repairable=outcome.repairable,
                raw=raw,
                usage=outcome.usage,
                journal=journal,
                alive_until=alive,
                status=outcome.status,
            )
            effect = None
            if key:
                sent = _sent(key, outcome, alive)
                state = "IN_DOUBT" if sent == "yes" else _left(sent == "no" and not doubtful)
                effect = EffectOutcome(tenant, key, token, state, raw=outcome.raw[:TEXT_MAX])
    return Report(task, token, message, inline, effect)


def _sent(key: str, outcome: Failed, alive: int) -> str:
    if not key:
        return "no"
    return "unknown" if alive and outcome.sent == "no" else outcome.sent


def _left(certain: bool) -> str:
    """The state in which an effect is left without a result: FAILED alone lets others send its key."""
    return "FAILED" if certain else "UNKNOWN"


def doubt_report(claimed: Claimed) -> Report | None:
    """The report of a claim whose effect is in doubt; None for every other claim."""
    if claimed.effect != "doubt":
        return None
    task = claimed.key
    evidence = "an earlier attempt may have acted, and its key may not be sent again"
    if claimed.holder:
        evidence = f"{claimed.holder} held this business key and ended without knowing whether it acted"
    proof = "reported" if reported_by_all(claimed) else "expired"
    doubt = EffectInDoubt(cell_of_task(task), task.attempt, evidence, proof, quiet_after(claimed))
    return Report(task, claimed.token, doubt, b"", None)


def stop_report(
    task: TaskKey, token: int, *, tenant: str, key: str, claimed: bool, quiet: int = 0, doubtful: bool = False
) -> Report:
    """The report of an attempt that was asked to stop before its handler began.

    `quiet` is the instant from which a process that had this attempt before it died cannot send any more (0: none had it);
    `doubtful` as in `outcome_report`.
    """
    cell = cell_of_task(task)
    if key and quiet:
        evidence = "it was to be stopped; a process that died may have sent it"
        doubt = EffectInDoubt(cell, task.attempt, evidence, "reported", quiet)
        return Report(task, token, doubt, b"", EffectOutcome(tenant, key, token, "IN_DOUBT"))
    effect = EffectOutcome(tenant, key, token, _left(not doubtful)) if key and claimed else None
    return Report(task, token, AttemptStopped(cell, task.attempt, claimed), b"", effect)


def claimed_key(plan: Plan, cell: Cell, at: CellState) -> str:
    """The key of the effect that a task's claim has claimed too; "" when there is none, as where calls are journaled."""
    node = plan.node_at(cell.path)
    return "" if isinstance(node, Effect) and node.io else at.key


def keep(store: Store, tenant: str, data: bytes, inline_max: int = INLINE_MAX) -> tuple[Ref, bytes]:
    """Where a payload goes: inline when small, else a blob. Gives the reference and the inline bytes."""
    if len(data) <= inline_max:
        return Ref(sha256_hex(data), len(data), HERE), data
    return Ref(store.put_blob(tenant, data), len(data), BLOB), b""


def dedupe_of(task: TaskKey, message: Body) -> str:
    """The dedupe key of a message about an attempt: one attempt has one end, whoever tells it.

    A suspicion is no end: what the suspected process still reports must reach the run, so doubt has a key of its own.
    """
    what = "doubt" if isinstance(message, EffectInDoubt) else "attempt"
    return f"{what}|{task.path}|{task.visit}|{task.item}|{task.attempt}"


def record_of(report: Report, *, session: str, trace: str, at: int, body: bytes = b"") -> Record:
    """The record that makes a report durable. `body` are the message's bytes, when they are known already."""
    message = report.message
    mail = Mail(
        run_id=report.task.run_id,
        dedupe=dedupe_of(report.task, message),
        type=type(message).__name__,
        body=body or encode_mail(message),
        payload=report.payload,
        actor=session,
        trace=trace,
        at=at,
    )
    return Record(report.task, session, report.token, mail, report.effect)


def hash_of(report: Report) -> str:
    """The hash of the payload that a report brings; "" when it brings none."""
    output = getattr(report.message, "output", None) or getattr(report.message, "raw", None)
    return output.hash if output is not None else ""


def as_accepted(record: Record, fact: Body) -> Record:
    """The record with what the run makes of the effect: a failure accepted as doubt leaves the effect in doubt."""
    if record.effect is None:
        return record
    if isinstance(fact, EffectInDoubt):
        return record._replace(effect=record.effect._replace(state="IN_DOUBT"))
    if isinstance(fact, AttemptFailed) and fact.sent != "no":
        return record._replace(effect=record.effect._replace(state="UNKNOWN"))
    return record
