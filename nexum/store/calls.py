"""Calls that a handler journals: rows among the effects, whose claim also asks whether the handler may still act.

The claim and the question are one statement, so that a worker which has lost its task cannot begin a call; whoever has the
task meanwhile finds what was begun, and judges it as any claim is judged. The same statements on both databases.
"""

from __future__ import annotations

from collections.abc import Sequence

from nexum.store.api import CallAnswer, CallClaim, Mail, OpenCall, Record, TaskKey
from nexum.store.claiming import FIRST_SENT, LEFT, Standing
from nexum.store.rows import INSERT_MAIL, clean, mail_row
from nexum.store.statement import Statement, Transaction
from nexum.store.steps import post, settle_outcome

_PARENT = """
    EXISTS (SELECT 1 FROM nexum_tasks
             WHERE run_id = :run_id AND path = :parent AND visit = :visit AND item = :item AND attempt = :attempt
               AND state = 'CLAIMED' AND session = :session AND token = :parent_token)"""
_NEW = f"""
    INSERT INTO nexum_effects (tenant, key, scope, business_key, run_id, path, visit, item, attempt, token, session, state,
        before, input_hash, tool, policy, ttl, first_sent_at, claimed_at, recorded_at, result, result_hash, reference, raw)
    SELECT :tenant, :key, '', '', :run_id, :path, :visit, :item, :attempt, 1, :session, :state,
        '', :input_hash, :tool, :policy, CAST(:ttl AS bigint), {{now}}, {{now}}, CAST(:recorded AS bigint),
        :result, :result_hash, '', :empty
     WHERE {_PARENT}
    ON CONFLICT DO NOTHING"""
_CLAIM = Statement(_NEW)
_AGAIN = Statement(f"""
    UPDATE nexum_effects
       SET state = 'CLAIMED', before = state, run_id = :run_id, path = :path, visit = :visit, item = :item,
           attempt = :attempt, token = :next, session = :session, tool = :tool, policy = :policy, ttl = :ttl,
           first_sent_at = {FIRST_SENT}, claimed_at = {{now}}, recorded_at = 0
     WHERE tenant = :tenant AND key = :key AND token = :found AND {_PARENT}""")  # noqa: S608
# Another run ended without knowing whether it was made; from now on it is for this run to find out.
_ORPHANED = Statement(f"SELECT 1 FROM nexum_effects e WHERE e.tenant = :tenant AND e.key = :key AND {LEFT}")  # noqa: S608
_INHERIT = Statement(f"""
    UPDATE nexum_effects
       SET state = 'UNKNOWN', before = state, run_id = :run_id, path = :path, visit = :visit, item = :item,
           attempt = :attempt, token = :next, session = :session, tool = :tool, policy = :policy, ttl = :ttl
     WHERE tenant = :tenant AND key = :key AND token = :found AND {_PARENT}""")  # noqa: S608
_MINE = Statement(f"""
    UPDATE nexum_effects SET token = token + 1, claimed_at = {{now}}
     WHERE tenant = :tenant AND key = :key AND state = 'CLAIMED' AND session = :session AND input_hash = :input_hash
       AND run_id = :run_id AND path = :path AND visit = :visit AND item = :item AND attempt = :attempt AND {_PARENT}""")  # noqa: S608
_HOLDS = Statement(f"SELECT 1 WHERE {_PARENT}")
_STANDING = """
    SELECT key, run_id, path, visit, item, attempt, token, state, input_hash, first_sent_at, result, result_hash, reference
      FROM nexum_effects WHERE tenant = :tenant AND key = :key"""
_FIND = Statement(f"{_STANDING} FOR UPDATE", sqlite=_STANDING)
_LEFT = Statement("""
    SELECT 1 FROM nexum_effects
     WHERE tenant = :tenant AND key = :key AND token = :token AND before IN ('CLAIMED', 'UNKNOWN', 'IN_DOUBT')""")
_BELOW = "run_id = :run_id AND visit = :visit AND item = :item AND substr(path, 1, :size) = :beginning"
_OPEN = Statement(f"""
    SELECT tenant, key, path, token, state, policy, ttl, first_sent_at FROM nexum_effects
     WHERE {_BELOW}
       AND state IN ('CLAIMED', 'UNKNOWN', 'IN_DOUBT')
     ORDER BY path""")  # noqa: S608
_MADE = Statement(f"""
    SELECT path FROM nexum_effects
     WHERE {_BELOW}
       AND state IN ('RECORDED', 'APPLIED') AND policy <> 'read'
     ORDER BY path""")  # noqa: S608
_DOUBT = Statement("""
    UPDATE nexum_effects SET state = 'IN_DOUBT', attempt = :attempt
     WHERE tenant = :tenant AND key = :key AND token = :token AND state IN ('CLAIMED', 'UNKNOWN', 'IN_DOUBT')""")


def judge_call(found: Standing, call: CallClaim, now: int) -> str:
    """What it means for a call that it stands in the database already."""
    same = found.input_hash == call.input_hash
    if not same:
        return "conflict"
    if found.state in ("RECORDED", "APPLIED"):
        return "reuse"
    if found.state == "FAILED":
        return ""  # it did not happen, so whoever comes may try
    if found[1:5] != (call.parent.run_id, call.path, call.parent.visit, call.parent.item):
        return "wait"
    young = 5 * (now - found.first_sent_at) < 4 * call.ttl
    return "" if found.state != "IN_DOUBT" and call.policy == "dedupes" and young else "doubt"


def claim_call(tx: Transaction, call: CallClaim) -> CallAnswer:
    """Claim a call; see `api.Store.claim_call`."""
    if tx.run(_CLAIM, **_values(call), state="CLAIMED", recorded=0, result=b"", result_hash="", empty=b""):
        return CallAnswer("", token=1)
    found = tx.row(_FIND, tenant=call.tenant, key=call.key)
    if found is None or tx.row(_HOLDS, **_values(call)) is None:
        return CallAnswer("lost")
    effect = Standing(*found)
    if call.again and tx.run(_MINE, **_values(call)):
        return CallAnswer("", token=effect.token + 1)
    answer = judge_call(effect, call, tx.now())
    if answer == "wait" and tx.row(_ORPHANED, tenant=call.tenant, key=call.key) is not None:
        tx.run(_INHERIT, **_values(call), found=effect.token, next=effect.token + 1)
        answer = "doubt"
    if answer == "":
        again = tx.run(_AGAIN, **_values(call), found=effect.token, next=effect.token + 1)
        return CallAnswer("", token=effect.token + 1) if again else CallAnswer("lost")
    return answered(effect, answer)


def keep_call(tx: Transaction, call: CallClaim, result: bytes, result_hash: str, mail: Mail) -> CallAnswer:
    """Keep the result of a call that changes nothing; see `api.Store.keep_call`."""
    now = tx.now()
    kept = {"state": "RECORDED", "recorded": now, "result": result, "result_hash": result_hash, "empty": b""}
    if tx.run(_CLAIM, **_values(call), **kept):
        tx.insert(INSERT_MAIL, [mail_row(mail, now)])
        return CallAnswer("", token=1)
    return find_call(tx, call)


def find_call(tx: Transaction, call: CallClaim) -> CallAnswer:
    """What is known of a call, without claiming it; see `api.Store.find_call`."""
    if tx.row(_HOLDS, **_values(call)) is None:
        return CallAnswer("lost")
    found = tx.row(_FIND, tenant=call.tenant, key=call.key)
    return CallAnswer("") if found is None else answered(Standing(*found), judge_call(Standing(*found), call, tx.now()))


def end_call(tx: Transaction, record: Record) -> bool:
    """Say that a call was not made, or may have been; see `api.Store.end_call`."""
    effect = record.effect
    assert effect is not None
    left = tx.row(_LEFT, tenant=effect.tenant, key=effect.key, token=effect.token) is not None
    return settle_outcome(tx, record, effect, "UNKNOWN" if left else effect.state, tx.now())


def open_calls(tx: Transaction, parent: TaskKey) -> Sequence[OpenCall]:
    """The calls of a node that have no known outcome, by path."""
    return [OpenCall(*row) for row in tx.rows(_OPEN, **_below(parent))]


def made_calls(tx: Transaction, parent: TaskKey) -> Sequence[str]:
    """The places of a node's calls that have a result; see `api.Store.made_calls`."""
    return [path for (path,) in tx.rows(_MADE, **_below(parent))]


def doubt_call(tx: Transaction, call: OpenCall, attempt: int, mail: Mail) -> bool:
    """A call becomes IN_DOUBT; see `api.Store.doubt_call`."""
    if not tx.run(_DOUBT, tenant=call.tenant, key=call.key, token=call.token, attempt=attempt):
        return False
    post(tx, mail)
    return True


def answered(found: Standing, answer: str) -> CallAnswer:
    """The answer about a call that stands in the database."""
    if answer != "reuse":
        return CallAnswer(answer, found.token)
    return CallAnswer("reuse", found.token, bytes(found.result), found.result_hash, found.reference)


def _below(parent: TaskKey) -> dict[str, object]:
    beginning = f"{parent.path}/io."
    where = {"run_id": parent.run_id, "visit": parent.visit, "item": parent.item}
    return {**where, "size": len(beginning), "beginning": beginning}


def _values(call: CallClaim) -> dict[str, object]:
    parent = call.parent
    return {
        "run_id": parent.run_id,
        "parent": parent.path,
        "visit": parent.visit,
        "item": parent.item,
        "attempt": parent.attempt,
        "session": call.session,
        "parent_token": call.token,
        "tenant": call.tenant,
        "key": call.key,
        "path": call.path,
        "input_hash": call.input_hash,
        "tool": clean(call.tool),
        "policy": call.policy,
        "ttl": call.ttl,
    }
