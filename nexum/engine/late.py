"""Results that came too late: what they mean for their run, and that nobody overlooks them."""

from __future__ import annotations

import logging

from nexum.core.graph.nodes import Effect
from nexum.core.run.accept import second_result
from nexum.core.run.codec import decode_mail, encode_mail
from nexum.core.run.events import Body, DuplicateEffectSuspected, NodeCompleted
from nexum.core.run.state import State
from nexum.engine.calls import makes_calls
from nexum.engine.reports import outcome_report, record_of
from nexum.engine.work import Succeeded, Work
from nexum.store.api import MailRow, Store

log = logging.getLogger("nexum.engine")

CODE = "NX-E230"


def after_the_end(state: State, row: MailRow) -> MailRow:
    """Mail of a run that has ended, as it is kept: the result of an effect that has another one is a suspicion."""
    if row.mail.type != "NodeCompleted":
        return row
    try:
        message = decode_mail(row.mail.type, row.mail.body)
    except (KeyError, TypeError, ValueError):
        return row
    assert isinstance(message, NodeCompleted)
    at = state.cells.get(message.cell)
    if (
        at is None or at.kind != "effect" or not at.status.is_terminal
    ):  # a terminated run was waiting for it: no second one
        return row
    found = second_result(at, message)
    if not isinstance(found, DuplicateEffectSuspected):
        return row
    tell(state.run_id, found)
    return row._replace(mail=row.mail._replace(type=type(found).__name__, body=encode_mail(found)))


def tell(run_id: str, fact: Body) -> None:
    """One line at ERROR for each suspicion."""
    if isinstance(fact, DuplicateEffectSuspected):
        stands = f"as {fact.recorded}" if fact.recorded else "otherwise"
        came = f" as {fact.reference}" if fact.reference else ""
        log.error(
            "[%s] %s of run %s has ended %s, and a late result says that it was done%s",
            CODE,
            fact.cell.path,
            run_id,
            stands,
            came,
            extra={"code": CODE, "run": run_id, "node": fact.cell.path},
        )


def record_late(store: Store, work: Work, outcome: Succeeded, session: str, *, at: int, inline_max: int) -> bool:
    """Record an effect's result that came after its attempt had been given up, by the process that had begun it.

    The attempt's end was told already, as unknown; so the fact has a name of its own, and completes what is still in doubt.
    False for other kinds, of which a second end means nothing. Raises `UnavailableError`.
    """
    if not isinstance(work.node, Effect) or makes_calls(work.node):
        return False
    tenant, key = work.tenant, work.key
    report = outcome_report(store, work.task, work.token, outcome, tenant=tenant, key=key, inline_max=inline_max)
    record = record_of(report, session=session, trace=work.trace, at=at)
    store.record(record._replace(mail=record.mail._replace(dedupe=f"late|{work.token}|{record.mail.dedupe}")))
    return True
