"""Record first, then advance: what was recorded stays when the advance is taken back."""

from __future__ import annotations

from nexum.errors import InternalError
from nexum.store.api import Advance, EffectOutcome, Mail, Record, RecordAnswer, StepAnswer
from nexum.store.memory import advancing
from nexum.store.memory.rows import Effect, Evidence, Letter
from nexum.store.memory.transaction import Transaction
from nexum.store.rows import clean, evidence_row, mail_row
from nexum.store.steps import late_mail


def step(tx: Transaction, record: Record, advance: Advance) -> StepAnswer:
    """Record, then advance; see `api.Store.step`."""
    if record.effect is not None and not settle_outcome(tx, record, record.effect, record.effect.state):
        return StepAnswer(False, False, False, False, tx.now)
    cas, claimed = _advance(tx, advance, record.session)
    if not cas:
        _defer(tx, record)
    return StepAnswer(cas, True, claimed, bool(tx.tables.inbox.of_run(advance.run_id)), tx.now)


def record_only(tx: Transaction, record: Record) -> RecordAnswer:
    """Only record; see `api.Store.record`."""
    effect = record.effect
    if effect is not None:
        state = "RECORDED" if effect.state == "APPLIED" else effect.state
        if not settle_outcome(tx, record, effect, state):
            return RecordAnswer(recorded=False, known=False)
    return RecordAnswer(recorded=True, known=not post(tx, record.mail))


def post(tx: Transaction, mail: Mail) -> bool:
    """Put a fact into the inbox; False when its dedupe key is known."""
    return not is_event(tx, mail.run_id, mail.dedupe) and put(tx, mail)


def put(tx: Transaction, mail: Mail) -> bool:
    """Put a fact into the inbox without asking whether it is an event; False when it lies there."""
    inbox = tx.tables.inbox
    return tx.keep(inbox, Letter(tx.tables.number(inbox), *mail_row(mail, tx.now)))


def is_event(tx: Transaction, run_id: str, dedupe: str) -> bool:
    """Whether a fact stands in a run's events."""
    return tx.tables.events.having("one_fact", (run_id, dedupe)) is not None


def _advance(tx: Transaction, advance: Advance, session: str) -> tuple[bool, bool]:
    try:
        with tx.savepoint():
            if not advancing.move(tx, advance, session):
                return False, False
            return True, advancing.follow(tx, advance, session)
    except InternalError as error:
        if error.code != "NX-S105":
            raise
        return False, False


def settle_outcome(tx: Transaction, record: Record, outcome: EffectOutcome, state: str) -> bool:
    """Write an outcome under its token, if it is not there; what has no claim of its own is kept as evidence."""
    effects, evidence = tx.tables.effects, tx.tables.effect_evidence
    happened = outcome.state == "APPLIED"
    effect = effects.get(outcome.tenant, outcome.key)
    if effect is not None and effect.token == outcome.token:
        if _takes(effect, happened):
            tx.update(
                effects,
                effect,
                state=state,
                result=outcome.result,
                result_hash=outcome.result_hash,
                reference=clean(outcome.reference),
                raw=outcome.raw,
                recorded_at=tx.now,
            )
            return True
        if effect.state == state or (happened and effect.state in ("RECORDED", "APPLIED")):
            return True
    tx.keep(evidence, Evidence(tx.tables.number(evidence), *evidence_row(record, outcome, tx.now)))
    if happened:
        post(tx, late_mail(record))
    return False


def _takes(effect: Effect, happened: bool) -> bool:
    """Whether the holder of the token may still say what came of it: evidence beats suspicion."""
    return effect.state == "CLAIMED" or (happened and effect.state in ("IN_DOUBT", "UNKNOWN"))


def _defer(tx: Transaction, record: Record) -> None:
    """The record stands, the advance does not: the fact waits in the inbox."""
    mail, outcome = record.mail, record.effect
    if is_event(tx, mail.run_id, mail.dedupe):
        return
    if outcome is not None and outcome.state == "APPLIED":
        effect = tx.tables.effects.get(outcome.tenant, outcome.key)
        if effect is not None and effect.token == outcome.token and effect.state == "APPLIED":
            tx.update(tx.tables.effects, effect, state="RECORDED")
    put(tx, mail)
