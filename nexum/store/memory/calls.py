"""Calls that a handler journals, in memory; `judge_call` is the databases' own."""

from __future__ import annotations

from operator import attrgetter

from nexum.store.api import CallAnswer, CallClaim, Mail, OpenCall, Record, TaskKey
from nexum.store.calls import answered, judge_call
from nexum.store.claiming import Standing
from nexum.store.memory import steps
from nexum.store.memory.claiming import is_left
from nexum.store.memory.rows import Effect
from nexum.store.memory.transaction import Transaction
from nexum.store.rows import clean

_standing = attrgetter(*Standing._fields)
_open = attrgetter(*OpenCall._fields)
_MADE = frozenset({"RECORDED", "APPLIED"})
_UNKNOWN = frozenset({"CLAIMED", "UNKNOWN", "IN_DOUBT"})


def claim_call(tx: Transaction, call: CallClaim) -> CallAnswer:
    """Claim a call if the caller still holds its task."""
    if not _holds(tx, call):
        return CallAnswer("lost")
    effects = tx.tables.effects
    if tx.keep(effects, _row(tx, call, "CLAIMED")):
        return CallAnswer("", token=1)
    effect = effects.get(call.tenant, call.key)
    assert effect is not None
    found = Standing(*_standing(effect))
    mine = (call.session, "CLAIMED", call.input_hash, *call.parent._replace(path=call.path))
    if call.again and (effect.session, effect.state, effect.input_hash, *found[1:6]) == mine:
        return CallAnswer(
            "", token=tx.update(tx.tables.effects, effect, token=effect.token + 1, claimed_at=tx.now).token
        )
    answer = judge_call(found, call, tx.now)
    if answer == "wait" and is_left(tx, effect):
        place = call.parent._replace(path=call.path)._asdict()
        terms = {"session": call.session, "tool": clean(call.tool), "policy": call.policy, "ttl": call.ttl}
        tx.update(effects, effect, **place, **terms, state="UNKNOWN", before=effect.state, token=effect.token + 1)
        answer = "doubt"
    if answer != "":
        return answered(found, answer)
    again = _row(tx, call, "CLAIMED")._replace(
        token=effect.token + 1,
        before=effect.state,
        input_hash=effect.input_hash,
        scope=effect.scope,
        business_key=effect.business_key,
        first_sent_at=tx.now if effect.state == "FAILED" else effect.first_sent_at,
        result=effect.result,
        result_hash=effect.result_hash,
        reference=effect.reference,
        raw=effect.raw,
    )
    tx.update(effects, effect, **again._asdict())
    return CallAnswer("", token=again.token)


def find_call(tx: Transaction, call: CallClaim) -> CallAnswer:
    """What is known of a call, without claiming it."""
    if not _holds(tx, call):
        return CallAnswer("lost")
    effect = tx.tables.effects.get(call.tenant, call.key)
    if effect is None:
        return CallAnswer("")
    found = Standing(*_standing(effect))
    return answered(found, judge_call(found, call, tx.now))


def keep_call(tx: Transaction, call: CallClaim, result: bytes, result_hash: str, mail: Mail) -> CallAnswer:
    """Keep the result of a call that changes nothing, and the fact, in one commit."""
    kept = _row(tx, call, "RECORDED")._replace(recorded_at=tx.now, result=result, result_hash=result_hash)
    if _holds(tx, call) and tx.keep(tx.tables.effects, kept):
        steps.put(tx, mail)
        return CallAnswer("", token=1)
    return find_call(tx, call)


def end_call(tx: Transaction, record: Record) -> bool:
    """Say that a claimed call was not made, or may have been."""
    outcome = record.effect
    assert outcome is not None
    effect = tx.tables.effects.get(outcome.tenant, outcome.key)
    left = effect is not None and effect.token == outcome.token and effect.before in _UNKNOWN
    return steps.settle_outcome(tx, record, outcome, "UNKNOWN" if left else outcome.state)


def open_calls(tx: Transaction, parent: TaskKey) -> list[OpenCall]:
    """The calls of a node that have no known outcome, by path."""
    return [OpenCall(*_open(effect)) for effect in _below(tx, parent) if effect.state in _UNKNOWN]


def made_calls(tx: Transaction, parent: TaskKey) -> list[str]:
    """The places of a node's calls that have a result; not of those that change nothing."""
    return [effect.path for effect in _below(tx, parent) if effect.state in _MADE and effect.policy != "read"]


def doubt_call(tx: Transaction, call: OpenCall, attempt: int, mail: Mail) -> bool:
    """A call becomes IN_DOUBT, and the fact goes to the inbox."""
    effect = tx.tables.effects.get(call.tenant, call.key)
    if effect is None or effect.token != call.token or effect.state not in _UNKNOWN:
        return False
    tx.update(tx.tables.effects, effect, state="IN_DOUBT", attempt=attempt)
    steps.post(tx, mail)
    return True


def _holds(tx: Transaction, call: CallClaim) -> bool:
    task = tx.tables.tasks.rows.get(call.parent)
    return task is not None and (task.state, task.session, task.token) == ("CLAIMED", call.session, call.token)


def _below(tx: Transaction, parent: TaskKey) -> list[Effect]:
    found = [
        effect
        for effect in tx.tables.effects.rows.values()
        if (effect.run_id, effect.visit, effect.item) == (parent.run_id, parent.visit, parent.item)
        and effect.path.startswith(f"{parent.path}/io.")
    ]
    return sorted(found, key=lambda effect: effect.path)


def _row(tx: Transaction, call: CallClaim, state: str) -> Effect:
    parent = call.parent
    name = (call.tenant, call.key, "", "", parent.run_id, call.path, parent.visit, parent.item, parent.attempt)
    terms = (call.input_hash, clean(call.tool), call.policy, call.ttl)
    return Effect(*name, 1, call.session, state, "", *terms, tx.now, tx.now, 0, b"", "", "", b"")
