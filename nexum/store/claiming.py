"""Who may do what now: claims of tasks and, with them, of effects, in plain statements.

A task is claimed by compare-and-set from READY. The effect it carries is claimed in the same transaction: `judge` says
from what stands in the database whether it may be sent, must wait, is done already, or is in doubt. PostgreSQL has the same
protocol in `nexum_claim_v1`, and runs these statements where functions may not be created. There every row that is judged
is locked first and read as the lock found it: a result may be recorded at any moment, and must not be overwritten. SQLite
has one writer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from nexum.crash import crash
from nexum.store.api import Claimed, TaskKey
from nexum.store.statement import Statement, Transaction

WAIT = 1_000_000  # us until a task that waits for another run's effect is looked at again

_TASK = (
    "t.run_id, t.path, t.visit, t.item, t.attempt, t.tenant, t.kind, t.queue, t.token, t.deliveries, t.max_run,"
    " t.effect_key, t.effect_scope, t.business_key, t.input_hash, t.tool, t.policy, t.ttl, r.last_seq, r.last_hash"
)
_CELL = "run_id = :run_id AND path = :path AND visit = :visit AND item = :item AND attempt = :attempt"
_ORDER = "ORDER BY t.priority, t.created_at, t.run_id, t.path, t.visit, t.item"
# Queue by queue, as the index stands. The columns are those of the locked rows: a snapshot's token may be an old one.
_READY = Statement(
    f"""
    WITH c AS MATERIALIZED (
        SELECT k.* FROM unnest(CAST(:queues AS text[])) AS q (name) CROSS JOIN LATERAL (
            SELECT x.* FROM nexum_tasks x WHERE x.queue = q.name AND x.state = 'READY' AND x.not_before <= {{now}}
             ORDER BY x.priority, x.created_at LIMIT :most FOR UPDATE SKIP LOCKED) k
         ORDER BY k.priority, k.created_at LIMIT :most)
    SELECT {_TASK} FROM c t JOIN nexum_runs r ON r.run_id = t.run_id {_ORDER}""",  # noqa: S608
    sqlite=f"""
    SELECT {_TASK} FROM nexum_tasks t JOIN nexum_runs r ON r.run_id = t.run_id
     WHERE t.state = 'READY' AND t.queue IN (SELECT value FROM json_each(:queues)) AND t.not_before <= {{now}}
     {_ORDER} LIMIT :most""",  # noqa: S608
)
_THIS_ONE = f"""
    SELECT {_TASK} FROM nexum_tasks t JOIN nexum_runs r ON r.run_id = t.run_id
     WHERE t.state = 'READY' AND t.not_before <= {{now}} AND t.run_id = :run_id AND t.path = :path
       AND t.visit = :visit AND t.item = :item AND t.attempt = :attempt"""  # noqa: S608
_THIS = Statement(f"{_THIS_ONE} FOR UPDATE OF t", sqlite=_THIS_ONE)
_HOLD = Statement(f"""
    UPDATE nexum_tasks
       SET state = 'CLAIMED', session = :session, token = :token, deliveries = deliveries + 1, claimed_at = {{now}}
     WHERE {_CELL} AND state = 'READY'""")  # noqa: S608
_PUT_BACK = Statement(f"""
    UPDATE nexum_tasks
       SET state = 'READY', session = '', deliveries = deliveries - 1, claimed_at = 0, not_before = :not_before
     WHERE {_CELL}""")  # noqa: S608
# Left behind: its run has ended, and nobody alive is at work on it.
LEFT = """
    NOT EXISTS (SELECT 1 FROM nexum_runs r WHERE r.run_id = e.run_id AND r.status IN ('RUNNING', 'CLOSING'))
    AND NOT EXISTS (SELECT 1 FROM nexum_sessions s
                     WHERE e.state = 'CLAIMED' AND s.session = e.session AND s.state IN ('LIVE', 'DRAINING'))"""
_EFFECT = """
    SELECT key, run_id, path, visit, item, attempt, token, state, input_hash, first_sent_at, result, result_hash, reference,
           undo_from
      FROM nexum_effects WHERE tenant = :tenant AND"""
_KEY = f"{_EFFECT} key = :key"
_BUSINESS = f"{_EFFECT} scope = :scope AND business_key = :business_key AND business_key > ''"
_BY_KEY = Statement(f"{_KEY} FOR UPDATE", sqlite=_KEY)
_BY_BUSINESS = Statement(f"{_BUSINESS} FOR UPDATE", sqlite=_BUSINESS)
_CLAIM_NEW = Statement("""
    INSERT INTO nexum_effects (tenant, key, scope, business_key, run_id, path, visit, item, attempt, token, session, state,
        before, input_hash, tool, policy, ttl, first_sent_at, claimed_at, recorded_at, result, result_hash, reference, raw)
    VALUES (:tenant, :key, :scope, :business_key, :run_id, :path, :visit, :item, :attempt, :token, :session, 'CLAIMED',
        '', :input_hash, :tool, :policy, :ttl, {now}, {now}, 0, :empty, '', '', :empty)
    ON CONFLICT DO NOTHING""")
# What was certainly not sent is as if nobody had begun it: its time counts from now.
FIRST_SENT = "CASE WHEN state = 'FAILED' THEN {now} ELSE first_sent_at END"
_CLAIM_AGAIN = Statement(f"""
    UPDATE nexum_effects
       SET key = :key, state = 'CLAIMED', before = state, run_id = :run_id, path = :path, visit = :visit, item = :item,
           attempt = :attempt, token = :token, session = :session, input_hash = :input_hash, tool = :tool,
           policy = :policy, ttl = :ttl, first_sent_at = {FIRST_SENT}, claimed_at = {{now}}, recorded_at = 0
     WHERE tenant = :tenant AND key = :existing""")  # noqa: S608
_LEFT = Statement(f"SELECT 1 FROM nexum_effects e WHERE e.tenant = :tenant AND e.key = :existing AND {LEFT}")  # noqa: S608
_INHERIT = Statement("""
    UPDATE nexum_effects
       SET key = :key, state = 'IN_DOUBT', before = state, run_id = :run_id, path = :path, visit = :visit, item = :item,
           attempt = :attempt, token = :token, session = :session, tool = :tool, policy = :policy, ttl = :ttl
     WHERE tenant = :tenant AND key = :existing""")
_DOUBT = Statement("""
    UPDATE nexum_effects SET state = 'IN_DOUBT', attempt = :attempt WHERE tenant = :tenant AND key = :existing""")

_TAKE = Statement("""
    UPDATE nexum_effects SET taken_by = :taker WHERE tenant = :tenant AND key = :existing""")
_TAKER = Statement("""
    SELECT taken_by FROM nexum_effects
     WHERE run_id = :run_id AND path = :deed AND visit = :visit AND item = :item AND tenant = :tenant AND taken_by > ''""")
_UNDO = "/undo"


class Ready(NamedTuple):
    """A task about to be claimed, with where its run stands."""

    run_id: str
    path: str
    visit: int
    item: int
    attempt: int
    tenant: str
    kind: str
    queue: str
    token: int
    deliveries: int
    max_run: int
    effect_key: str
    effect_scope: str
    business_key: str
    input_hash: str
    tool: str
    policy: str
    ttl: int
    last_seq: int
    last_hash: bytes

    @property
    def key(self) -> TaskKey:
        """The task's name."""
        return TaskKey(*self[:5])


class Standing(NamedTuple):
    """An effect as it stands in the database."""

    key: str
    run_id: str
    path: str
    visit: int
    item: int
    attempt: int
    token: int
    state: str
    input_hash: str
    first_sent_at: int
    result: bytes
    result_hash: str
    reference: str
    undo_from: int = 0

    def is_of(self, task: Ready) -> bool:
        """Whether the effect belongs to the task's own cell."""
        return self[1:5] == task[:4]


def judge(effect: Standing, task: Ready, now: int) -> str:
    """What a claim of this effect by this task means: "" (send it), reuse, undone, conflict, wait or doubt."""
    same = effect.input_hash == task.input_hash
    if effect.state in ("RECORDED", "APPLIED"):
        if effect.is_of(task):
            return "reuse"
        return "undone" if effect.undo_from else "reuse" if same else "conflict"
    if effect.state == "FAILED":
        return ""  # it did not happen, so whoever comes may try
    if not effect.is_of(task):
        return "wait" if same else "conflict"
    if effect.state == "IN_DOUBT":
        # A later attempt exists only because evidence said that the earlier one did not happen.
        return "" if effect.attempt < task.attempt else "doubt"
    young = 5 * (now - effect.first_sent_at) < 4 * task.ttl
    return "" if task.policy == "dedupes" and same and young else "doubt"


def claim(tx: Transaction, session: str, queues: Sequence[str], limit: int) -> list[Claimed]:
    """Take READY tasks; see `api.Store.claim`."""
    asked = json.dumps(list(queues)) if tx.dialect == "sqlite" else list(queues)
    ready = [Ready(*row) for row in tx.rows(_READY, queues=asked, most=limit)]
    now = tx.now() if ready else 0
    # In the order of effect keys: two slices that meet the same business keys wait for each other instead of deadlocking.
    taken = {task.key: _take(tx, task, session, now) for task in sorted(ready, key=lambda task: task.effect_key)}
    if ready:
        crash("claim.after_update")
    return [taken[task.key] for task in ready]


def claim_one(tx: Transaction, session: str, key: TaskKey) -> Claimed | None:
    """Take one task; see `api.Store.claim_one`."""
    found = tx.row(_THIS, **key._asdict())
    if found is None:
        return None
    taken = _take(tx, Ready(*found), session, tx.now())
    crash("claim.after_update")
    return taken


def _take(tx: Transaction, task: Ready, session: str, now: int) -> Claimed:
    token, answer, effect, taker = task.token + 1, "", None, _taker(tx, task)
    if taker:
        answer = "taken"
    elif task.effect_key:
        token, answer, effect = _take_effect(tx, task, session, token, now)
    tx.run(_HOLD, **task.key._asdict(), session=session, token=token)
    if answer == "wait":
        tx.run(_PUT_BACK, **task.key._asdict(), not_before=now + WAIT)
    done = effect if answer == "reuse" else None
    answer, holder = "doubt" if answer == "left" else answer, holder_of(effect, task)
    return Claimed(
        key=task.key,
        kind=task.kind,
        queue=task.queue,
        token=token,
        deliveries=task.deliveries + (answer != "wait"),
        max_run=task.max_run,
        effect=answer,
        result=bytes(done.result) if done else b"",
        result_hash=done.result_hash if done else "",
        reference=done.reference if done else "",
        last_seq=task.last_seq,
        last_hash=bytes(task.last_hash),
        now=now,
        holder=taker or holder,
        undo_from=effect.undo_from if effect is not None and answer == "undone" else 0,
    )


def undoes_first(task: Ready) -> bool:
    """Whether this is the first attempt to undo an act; any later one is so by somebody's word, or found nobody."""
    return task.attempt == 1 and task.path.endswith(_UNDO)


def _taker(tx: Transaction, task: Ready) -> str:
    """RUN/NODE of another run that has taken the result of the act that this task would undo; "" for any other task."""
    if not undoes_first(task):
        return ""
    deed = task.path.removesuffix(_UNDO)
    found = tx.row(_TAKER, run_id=task.run_id, deed=deed, visit=task.visit, item=task.item, tenant=task.tenant)
    return str(found[0]) if found is not None else ""


def holder_of(effect: Standing | None, task: Ready) -> str:
    """RUN/NODE of the other run that an effect belongs to; "" when it is the task's own."""
    return "" if effect is None or effect.is_of(task) else f"{effect.run_id}/{effect.path}"


def _take_effect(tx: Transaction, task: Ready, session: str, token: int, now: int) -> tuple[int, str, Standing | None]:
    name = {"tenant": task.tenant, "key": task.effect_key}
    kind = {"scope": task.effect_scope, "business_key": task.business_key}
    act: dict[str, Any] = {
        **task.key._asdict(),
        "tenant": task.tenant,
        "session": session,
        "input_hash": task.input_hash,
        "tool": task.tool,
        "policy": task.policy,
        "ttl": task.ttl,
    }
    if tx.run(_CLAIM_NEW, **act, **kind, key=task.effect_key, token=token, empty=b""):
        return token, "", None
    found = tx.row(_BY_KEY, **name) or tx.row(_BY_BUSINESS, tenant=task.tenant, **kind)
    if found is None:
        return token, "wait", None  # it was given back between the two statements; the next claim finds it free
    effect = Standing(*found)
    answer = judge(effect, task, now)
    if answer == "wait" and tx.row(_LEFT, tenant=task.tenant, existing=effect.key) is not None:
        answer = "left"
    token = max(token, effect.token + 1)  # an older attempt's token must never fit this claim
    if answer == "":
        tx.run(_CLAIM_AGAIN, **act, key=task.effect_key, existing=effect.key, token=token)
    elif answer == "left":  # whoever still reports for the other run is fenced off; so the task's token is a later one
        tx.run(_INHERIT, **act, key=task.effect_key, existing=effect.key, token=token)
        token += 1
    elif answer == "reuse" and effect.run_id != task.run_id:
        tx.run(_TAKE, tenant=task.tenant, existing=effect.key, taker=f"{task.run_id}/{task.path}")
    elif answer == "doubt":
        tx.run(_DOUBT, tenant=task.tenant, existing=effect.key, attempt=task.attempt)
    return token, answer, effect
