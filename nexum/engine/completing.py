"""A transaction node's completion, inside the transaction that its handler wrote in: both are one commit, or neither is.

The engine comes last. It takes the run's row, reads in the next statement what was missed, and asks whether the task is
still this session's and the attempt still the one that the run waits for; then nobody else can move the run before the
commit. Where the answer is no, somebody else has the task or the run has gone on without it, and everything is taken back:
a late worker's writes are undone by the database itself, so there is never a doubt.
"""

from __future__ import annotations

from collections.abc import Callable

from nexum.core.run.codec import encode_mail
from nexum.core.run.events import AttemptStopped
from nexum.core.run.state import CellStatus
from nexum.engine.draining import fold_one
from nexum.engine.graphs import Graphs
from nexum.engine.loading import extend, load
from nexum.engine.memory import Known
from nexum.engine.patience import patiently
from nexum.engine.reports import dedupe_of, outcome_report
from nexum.engine.work import Committed, Outcome, Reported, Succeeded, TakenBack, Unanswered, Waits, Work
from nexum.store.api import Mail, Store


def complete_within(
    store: Store,
    graphs: Graphs,
    work: Work,
    outcome: Succeeded,
    *,
    known: Known | None,
    session: str,
    actor: str,
    clock: Callable[[], int],
    inline_max: int,
) -> Committed | TakenBack:
    """Complete a transaction node on `store`, which is the caller's transaction; whoever opened it commits.

    `known` may be stale or None, and must not be used again unless the transaction is committed. Raises
    `UnavailableError` when the database does not answer or the run's row stays busy, `InternalError` when the run's history
    does not hold together.
    """
    report = outcome_report(store, work.task, work.token, outcome, tenant=work.tenant, key="", inline_max=inline_max)
    with store.drain_within(work.task.run_id) as held:
        if held is None or not held.holds(work.task, session, work.token):
            return TakenBack()
        known = known or load(store, graphs, work.task.run_id)
        if known is None:
            return TakenBack()
        extend(known, held.events_after(known.state.seq))
        at = known.state.cells.get(work.cell)
        if at is None or at.status is not CellStatus.SCHEDULED or at.attempt != work.attempt:
            return TakenBack()
        mail = Mail(
            run_id=work.task.run_id,
            dedupe=dedupe_of(work.task, report.message),
            type=type(report.message).__name__,
            body=encode_mail(report.message),
            payload=report.payload,
            actor=actor,
            trace=work.trace,
        )
        ready = fold_one(store, held, known, report.message, mail, clock)
        return Committed(len(outcome.output), known, tuple(ready))


def settled(store: Store, work: Work, outcome: Outcome) -> Reported | Committed | TakenBack | Waits:
    """An outcome that hangs on the database, once that has been asked; the others as they are. Raises `UnavailableError`."""
    if isinstance(outcome, Unanswered):
        return TakenBack() if patiently(lambda: is_known(store, work)) else outcome.instead
    if isinstance(outcome, Waits) and patiently(lambda: store.open_calls(work.task)):
        return outcome.instead  # another call of this attempt may have been made: that is told first
    return outcome


def is_known(store: Store, work: Work) -> bool:
    """Whether the attempt's end stands in its run. Raises `UnavailableError` while somebody holds the run's row.

    The row is locked for the look: a commit that is still under way on a lost connection holds it until it is decided.
    """
    dedupe = dedupe_of(work.task, AttemptStopped(work.cell, work.attempt, claimed=True))  # one attempt has one end
    with store.drain(work.task.run_id, wait=True) as held:
        return held is not None and dedupe in held.known([dedupe])
