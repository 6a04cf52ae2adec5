"""Record first, then advance: the fast path's protocol in plain statements.

SQLite runs it as it stands; PostgreSQL has the same protocol in one function call (`nexum_step_v1`), or runs this where
functions may not be created, and a property test holds all to the same tables. The record stands outside the savepoint,
so a lost compare-and-set or a constraint that speaks takes back the advance and nothing else.
"""

from __future__ import annotations

from nexum.crash import crash
from nexum.errors import InternalError
from nexum.store import advancing
from nexum.store.api import Advance, EffectOutcome, Mail, Record, RecordAnswer, StepAnswer
from nexum.store.rows import INSERT_EVIDENCE, INSERT_MAIL, clean, evidence_row, mail_row
from nexum.store.statement import Statement, Transaction

# IN_DOUBT and UNKNOWN under the same token: nobody else has claimed since, and evidence that it happened beats suspicion.
_OUTCOME = Statement("""
    UPDATE nexum_effects
       SET state = :state, result = :result, result_hash = :result_hash, reference = :reference, raw = :raw,
           recorded_at = {now}
     WHERE tenant = :tenant AND key = :key AND token = :token
       AND (state = 'CLAIMED' OR (state IN ('IN_DOUBT', 'UNKNOWN') AND :happened = 1))""")
_MINE = Statement("""
    SELECT 1 FROM nexum_effects
     WHERE tenant = :tenant AND key = :key AND token = :token
       AND (state = :state OR (state IN ('RECORDED', 'APPLIED') AND :happened = 1))""")
_NOT_APPLIED = Statement("""
    UPDATE nexum_effects SET state = 'RECORDED'
     WHERE tenant = :tenant AND key = :key AND token = :token AND state = 'APPLIED'""")
_IN_EVENTS = Statement("""
    SELECT 1 FROM nexum_events WHERE run_id = :run_id AND dedupe = :dedupe AND dedupe > ''""")
HAS_MAIL = Statement("SELECT 1 FROM nexum_inbox WHERE run_id = :run_id LIMIT 1")


def step(tx: Transaction, record: Record, advance: Advance) -> StepAnswer:
    """Record, then advance; see `api.Store.step`."""
    now = tx.now()
    if record.effect is not None and not settle_outcome(tx, record, record.effect, record.effect.state, now):
        return StepAnswer(False, False, False, False, now)
    cas, claimed = _advance(tx, advance, record.session, now)
    if not cas:
        _to_inbox(tx, record, now)
    mail = tx.row(HAS_MAIL, run_id=advance.run_id) is not None
    return StepAnswer(cas, True, claimed, mail, now)


def record_only(tx: Transaction, record: Record) -> RecordAnswer:
    """Only record; see `api.Store.record`."""
    now = tx.now()
    effect = record.effect
    if effect is not None:
        state = "RECORDED" if effect.state == "APPLIED" else effect.state
        if not settle_outcome(tx, record, effect, state, now):
            return RecordAnswer(recorded=False, known=False)
    return RecordAnswer(recorded=True, known=not _post(tx, record.mail, now))


def post(tx: Transaction, mail: Mail) -> bool:
    """Put a fact into the inbox; False when its dedupe key is known."""
    return _post(tx, mail, tx.now())


def _advance(tx: Transaction, advance: Advance, session: str, now: int) -> tuple[bool, bool]:
    try:
        with tx.savepoint():
            if not advancing.move(tx, advance, session):
                return False, False
            return True, advancing.follow(tx, advance, now, session)
    except InternalError as error:
        if error.code != "NX-S105":
            raise
        return False, False


def settle_outcome(tx: Transaction, record: Record, effect: EffectOutcome, state: str, now: int) -> bool:
    """Write an outcome under its token; False when the token is an old one, and the outcome is kept as evidence."""
    name = {"tenant": effect.tenant, "key": effect.key, "token": effect.token}
    happened = int(effect.state == "APPLIED")
    changed = tx.run(
        _OUTCOME,
        **name,
        state=state,
        result=effect.result,
        result_hash=effect.result_hash,
        reference=clean(effect.reference),
        raw=effect.raw,
        happened=happened,
    )
    if changed or tx.row(_MINE, **name, state=state, happened=happened) is not None:
        return True
    tx.insert(INSERT_EVIDENCE, [evidence_row(record, effect, now)])
    if happened:  # the run knows whether another result stands there already
        _post(tx, late_mail(record), now)
    return False


def late_mail(record: Record) -> Mail:
    """The fact that a result has come too late to be its effect's own, apart from the attempt's own end."""
    return record.mail._replace(dedupe=f"late|{record.token}|{record.mail.dedupe}")


def _to_inbox(tx: Transaction, record: Record, now: int) -> None:
    effect = record.effect
    applied = tx.row(_IN_EVENTS, run_id=record.mail.run_id, dedupe=record.mail.dedupe) is not None
    if applied:
        return
    if effect is not None and effect.state == "APPLIED":
        tx.run(_NOT_APPLIED, tenant=effect.tenant, key=effect.key, token=effect.token)
    tx.insert(INSERT_MAIL, [mail_row(record.mail, now)])
    crash("inbox.after_insert", run=record.mail.run_id)


def _post(tx: Transaction, mail: Mail, now: int) -> bool:
    if tx.row(_IN_EVENTS, run_id=mail.run_id, dedupe=mail.dedupe) is not None:
        return False
    is_new = tx.insert(INSERT_MAIL, [mail_row(mail, now)]) == 1
    crash("inbox.after_insert", run=mail.run_id)
    return is_new
