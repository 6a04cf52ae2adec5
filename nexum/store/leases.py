"""What a session holds, gives back, and leaves behind when it dies. The same statements on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nexum.store.api import Claimed, Held, Mail, TaskKey
from nexum.store.rows import INSERT_MAIL, mail_row
from nexum.store.shapes import EXPIRED, SILENCE
from nexum.store.statement import Statement, Transaction
from nexum.store.sweeping import UNTOUCHED

_CELL = "run_id = :run_id AND path = :path AND visit = :visit AND item = :item AND attempt = :attempt"
_HELD = (
    "t.run_id, t.path, t.visit, t.item, t.attempt, t.kind, t.queue, t.token, t.deliveries, t.max_run,"
    " r.last_seq, r.last_hash"
)
_BY_SESSION = Statement(f"""
    SELECT {_HELD}, t.effect_key, t.input_hash, e.state, e.input_hash, e.token,
           CASE WHEN e.run_id = t.run_id AND e.path = t.path AND e.visit = t.visit AND e.item = t.item THEN 1 ELSE 0 END,
           e.result, e.result_hash, e.reference, e.run_id || '/' || e.path, e.undo_from
      FROM nexum_tasks t
      JOIN nexum_runs r ON r.run_id = t.run_id
      LEFT JOIN nexum_effects e ON e.tenant = t.tenant AND e.key = t.effect_key AND t.effect_key <> ''
     WHERE t.state = 'CLAIMED' AND t.session = :session
     ORDER BY t.priority, t.created_at, t.run_id, t.path, t.visit, t.item""")  # noqa: S608
_BY_DEAD = Statement(f"""
    SELECT {_HELD}, CASE WHEN e.key IS NULL THEN '' ELSE t.policy END, t.ttl, COALESCE(e.first_sent_at, 0), s.proof,
           t.claimed_at, s.ended_at
      FROM nexum_sessions s
      JOIN nexum_tasks t ON t.session = s.session AND t.state = 'CLAIMED'
      JOIN nexum_runs r ON r.run_id = t.run_id
      LEFT JOIN nexum_effects e ON e.tenant = t.tenant AND e.key = t.effect_key AND t.effect_key <> ''
       AND e.run_id = t.run_id AND e.path = t.path AND e.visit = t.visit AND e.item = t.item
     WHERE s.state IN ('ENDED', 'DEAD')
     ORDER BY t.claimed_at LIMIT :most""")  # noqa: S608
_RELEASE = Statement(f"""
    UPDATE nexum_tasks
       SET state = 'READY', session = '', claimed_at = 0, deliveries = deliveries - 1,
           start_by = CASE WHEN :pause = 0 OR start_by = 0 THEN start_by
                           ELSE CASE WHEN start_by > {{now}} THEN start_by ELSE {{now}} END + :pause END,
           not_before = CASE WHEN :pause > 0 THEN {{now}} + :pause ELSE not_before END,
           waits_for = :waits_for
     WHERE {_CELL} AND state = 'CLAIMED' AND session = :session AND token = :token""")  # noqa: S608
_EFFECT_OF = f"""
    tenant = (SELECT tenant FROM nexum_tasks WHERE {_CELL})
    AND key = (SELECT effect_key FROM nexum_tasks WHERE {_CELL}) AND key <> ''
    AND run_id = :run_id AND path = :path AND visit = :visit AND item = :item"""  # noqa: S608
_UNCLAIM_NEW = Statement(f"""
    DELETE FROM nexum_effects WHERE {_EFFECT_OF} AND token = :token AND state = 'CLAIMED' AND before = ''""")  # noqa: S608
# In doubt before: this attempt exists because a person said that the earlier one did not happen; it is still to be sent.
_UNCLAIM = Statement(f"""
    UPDATE nexum_effects
       SET state = before, claimed_at = 0, attempt = CASE WHEN before = 'IN_DOUBT' THEN attempt - 1 ELSE attempt END
     WHERE {_EFFECT_OF} AND token = :token AND state = 'CLAIMED' AND before <> ''""")  # noqa: S608
_REQUEUE = Statement(f"""
    UPDATE nexum_tasks SET state = 'READY', session = '', claimed_at = 0, told_at = 0
     WHERE {_CELL} AND state = 'CLAIMED' AND token = :token
       AND session IN (SELECT session FROM nexum_sessions WHERE state IN ('ENDED', 'DEAD'))""")  # noqa: S608
_EXPIRE = Statement(f"DELETE FROM nexum_tasks WHERE {_CELL} AND state = 'READY' AND {UNTOUCHED}")  # noqa: S608
_IN_DOUBT = Statement(f"""
    UPDATE nexum_effects SET state = 'IN_DOUBT', attempt = :attempt
     WHERE {_EFFECT_OF} AND token <= :token AND state IN ('CLAIMED', 'UNKNOWN', 'IN_DOUBT')""")  # noqa: S608
_GONE = Statement(f"""
    DELETE FROM nexum_tasks WHERE {_CELL} AND state = 'CLAIMED' AND token = :token""")  # noqa: S608
_HOLDS = Statement(f"""
    SELECT 1 FROM nexum_tasks WHERE {_CELL} AND state = 'CLAIMED' AND token = :token""")  # noqa: S608


def adopt(tx: Transaction, session: str) -> list[Claimed]:
    """The tasks that a session holds, with what the claim of their effects answered or would answer."""
    found = []
    for row in tx.rows(_BY_SESSION, session=session):
        answer = held_answer((*row[12:18], row[22]), row[7])
        if answer is not None:
            other = row[21] if row[14] is not None and not row[17] else ""
            found.append(
                _claimed(row, tx.now(), answer, row[18:] if answer == "reuse" else None)._replace(
                    holder=other, undo_from=row[22] if answer == "undone" else 0
                )
            )
    return found


def held_by_dead(tx: Transaction, limit: int) -> list[Held]:
    """Tasks of ended sessions, the longest held first, with policy, ttl and first sending of their effects."""
    now = tx.now()
    return [_lost(row, now) for row in tx.rows(_BY_DEAD, most=limit)]


def _lost(row: Sequence[Any], now: int) -> Held:
    policy, ttl, sent_at, proof, claimed_at, ended_at = row[12:]
    silent, expired = proof.startswith(SILENCE), proof.startswith(EXPIRED)
    return Held(_claimed(row, now), policy, ttl, sent_at, silent, expired, claimed_at, ended_at)


def release(tx: Transaction, session: str, key: TaskKey, token: int, pause: int = 0, waits_for: str = "") -> bool:
    """Give back a task that left nothing behind, for `pause` us to nobody; its effect is as it was before the claim.

    Time in which nobody may begin it is none that it has to begin in.
    """
    name = {**key._asdict(), "token": token}
    if not tx.run(_RELEASE, **name, session=session, pause=pause, waits_for=waits_for):
        return False
    tx.run(_UNCLAIM_NEW, **name)
    tx.run(_UNCLAIM, **name)
    return True


def requeue(tx: Transaction, key: TaskKey, token: int) -> bool:
    """Give a dead session's task back; its effect stays CLAIMED, and the next claim judges whether it may be sent."""
    return tx.run(_REQUEUE, **key._asdict(), token=token) == 1


def drop_task(tx: Transaction, key: TaskKey, token: int) -> bool:
    """Remove a claimed task that its run does not know."""
    return tx.run(_GONE, **key._asdict(), token=token) == 1


def expire_start(tx: Transaction, key: TaskKey, mail: Mail) -> bool:
    """Take a READY task away and say why, in one commit; False when somebody has claimed it."""
    if not tx.run(_EXPIRE, **key._asdict()):
        return False
    tx.insert(INSERT_MAIL, [mail_row(mail, tx.now())])
    return True


def doubt(tx: Transaction, key: TaskKey, token: int, mail: Mail) -> bool:
    """An effect becomes IN_DOUBT, its task goes, the fact is on its way; False when an outcome was recorded meanwhile."""
    name = {**key._asdict(), "token": token}
    if tx.row(_HOLDS, **name) is None or not tx.run(_IN_DOUBT, **name):
        return False
    tx.run(_GONE, **name)
    tx.insert(INSERT_MAIL, [mail_row(mail, tx.now())])
    return True


def held_answer(row: Sequence[Any], token: int) -> str | None:
    """What the claim of a held task's effect said; None when the task has been recorded already and is not to be run.

    `row` is the task's effect key and input hash, then state, input hash and token of the effect (None without one),
    whether that is of the task's own cell, and since when its run takes it back. A claim without any effect is that of an
    undo that had to ask first.
    """
    effect_key, wanted, state, input_hash, effect_token, mine, undo_from = row
    if not effect_key:
        return ""
    if state is None:
        return "taken"
    if state in ("RECORDED", "APPLIED"):
        if undo_from and not mine:
            return "undone"
        return None if mine and effect_token == token else "reuse" if mine or wanted == input_hash else "conflict"
    if mine and state in ("UNKNOWN", "IN_DOUBT"):
        return None if effect_token == token else "doubt"
    if mine and state == "CLAIMED" and effect_token == token:
        return ""
    return "conflict" if state is not None and wanted != input_hash else None


def _claimed(row: Sequence[Any], now: int, effect: str = "", done: Sequence[Any] | None = None) -> Claimed:
    return Claimed(
        key=TaskKey(*row[:5]),
        kind=row[5],
        queue=row[6],
        token=row[7],
        deliveries=row[8],
        max_run=row[9],
        effect=effect,
        result=bytes(done[0]) if done else b"",
        result_hash=done[1] if done else "",
        reference=done[2] if done else "",
        last_seq=row[10],
        last_hash=bytes(row[11]),
        now=now,
    )
