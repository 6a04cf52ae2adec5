"""How `step` and `record` are spelt as calls of the SQL functions; arguments in the order of their signatures.

The chain function takes the one shape that a run's steady state consists of; `fits_chain` says whether this step has it.
"""

from __future__ import annotations

from typing import Any

from nexum.store.api import Advance, EffectOutcome, Mail, NewEffect, Record
from nexum.store.rows import clean

NOTHING = EffectOutcome(tenant="", key="", token=0, state="")
NO_EFFECT = NewEffect(key="", scope="", business_key="", input_hash="", tool="", policy="", ttl=0)


def _call(name: str, *casts: str) -> str:
    marks = ", ".join(f"%s{cast}" for cast in casts)
    return f"SELECT * FROM {name}({marks})"  # noqa: S608 (a function of our own)


_TEXTS, _WHOLES, _BYTES = "::text[]", "::bigint[]", "::bytea[]"
_EVENTS = (
    *(_WHOLES, _TEXTS, _TEXTS, *[_WHOLES] * 4, *[_TEXTS] * 4, _WHOLES, _TEXTS, *[_BYTES] * 4),
)  # fmt: skip
_DROPS = (_TEXTS, *[_WHOLES] * 3)
_TASKS = (_TEXTS, *[_WHOLES] * 3, _TEXTS, _TEXTS, *[_WHOLES] * 4, *[_TEXTS] * 6, _WHOLES)
_TIMERS = (_TEXTS, _WHOLES, _TEXTS, _TEXTS)

CHAIN = "SELECT nexum_step_chain_v1(%s)"
_NO_EFFECTS = ',"",0,"",,"","","","","","","","","",0'  # the outcome of an effect and the claim of another
STEP = _call("nexum_step_v1", *[""] * 27, *_EVENTS, *_DROPS, *_TASKS, *_TIMERS, "", "")
RECORD = _call("nexum_record_v1", *[""] * 20)


def fits_chain(record: Record, advance: Advance) -> bool:
    """One fact, one decision that schedules a cell, its task; nothing else; and the fact's event says what the mail says."""
    a, mail, effect = advance, record.mail, record.effect
    if len(a.events) != 2 or len(a.new_tasks) != 1 or a.drop_tasks != (record.task,) or a.closed or a.error_code:
        return False
    if a.set_timers or a.clear_timers or a.applied or a.status != "RUNNING":
        return False
    fact, decision = a.events
    key, task = record.task, a.new_tasks[0].key
    return (
        (fact.path, fact.visit, fact.item, fact.attempt) == key[1:]
        and (decision.path, decision.visit, decision.item) == task[1:4]
        and key.run_id == task.run_id == mail.run_id == a.run_id
        and (fact.seq, decision.seq) == (a.seq + 1, a.seq + 2)
        and fact.prev_hash == a.hash
        and decision.prev_hash == fact.hash
        and fact.tenant == decision.tenant == a.tenant
        and (fact.type, fact.dedupe, fact.actor, fact.trace, fact.at)
        == (mail.type, mail.dedupe, mail.actor, mail.trace, mail.at)
        and (decision.trace, decision.at, decision.engine, decision.schema)
        == (fact.trace, fact.at, fact.engine, fact.schema)
        and (decision.actor, decision.dedupe, decision.payload) == ("engine", "", b"")
        and fact.body == mail.body
        and fact.payload == mail.payload
        and mail.priority == 0
        and (effect is None or effect.tenant == a.tenant)
    )


def chain_argument(record: Record, advance: Advance, fixed: int) -> str:
    """The one argument of `nexum_step_chain_v1`: a literal of the type `nexum_chain_v1`, in the order of its fields."""
    a, b = advance.events
    task, outcome = advance.new_tasks[0], record.effect
    claim = "t" if advance.claim == 0 else "f"
    said = (
        f"{_text(advance.run_id)},{_text(advance.tenant)},{advance.seq},{_raw(advance.hash)},{_text(record.session)},"
        f"{a.at},{_text(a.actor)},{_text(a.trace)},{_text(a.engine)},{a.schema},"
        f"{_text(a.type)},{_text(a.path)},{a.visit},{a.item},{a.attempt},{_text(a.dedupe)},{_raw(a.body)},"
        f"{_raw(a.payload)},{_raw(a.hash)},"
        f"{_text(b.type)},{_text(b.path)},{b.visit},{b.item},{b.attempt},{_raw(b.body)},{_raw(b.hash)},"
        f"{task.key.attempt},{_text(task.kind)},{_text(task.queue)},{task.priority},{task.not_before},{task.start_by},"
        f"{task.max_run},{claim},{fixed}"
    )
    if outcome is None and task.effect is None:
        return f"({said}{_NO_EFFECTS})"
    outcome, act = outcome or NOTHING, task.effect or NO_EFFECT
    result = "" if outcome.result == a.payload else _raw(outcome.result)  # the payload travels once
    return (
        f"({said},{_text(outcome.key)},{outcome.token},{_text(outcome.state)},{result},{_text(outcome.result_hash)},"
        f"{_text(clean(outcome.reference))},{_raw(outcome.raw)},{_text(act.key)},{_text(act.scope)},"
        f"{_text(act.business_key)},{_text(act.input_hash)},{_text(act.tool)},{_text(act.policy)},{act.ttl})"
    )


def _text(text: str) -> str:
    """A text as a field of a composite literal; an empty one is not NULL."""
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '""')
    return f'"{text}"'


def _raw(data: bytes) -> str:
    """Bytes as a field of a composite literal."""
    return f'"\\\\x{data.hex()}"'


def step_arguments(record: Record, advance: Advance, fixed: int) -> list[Any]:
    """The arguments of `nexum_step_v1`."""
    a = advance
    outcome = record.effect or NOTHING
    acts = [task.effect or NO_EFFECT for task in a.new_tasks]
    return [
        *(a.run_id, a.tenant, a.seq, a.hash, a.new_seq, a.new_hash, a.status, a.error_code, a.closed, record.session),
        *_outcome(outcome),
        *_mail(record.mail),
        *_columns(a.events, *EVENT),
        *_columns([key[1:] for key in a.drop_tasks], 0, 1, 2, 3),
        *_columns([task.key[1:] for task in a.new_tasks], 0, 1, 2, 3),
        *_columns(a.new_tasks, "kind", "queue", "priority", "not_before", "start_by", "max_run"),
        *_columns(acts, "key", "scope", "business_key", "input_hash", "tool", "policy", "ttl"),
        *_columns(a.set_timers, "timer", "due"),
        *(list(a.clear_timers), list(a.applied), a.claim + 1, fixed),
    ]


def record_arguments(record: Record, fixed: int) -> list[Any]:
    """The arguments of `nexum_record_v1`."""
    outcome = record.effect or NOTHING
    return [record.task.run_id, record.session, *_outcome(outcome), *_mail(record.mail), fixed]


EVENT = (
    *(
        "seq",
        "type",
        "path",
        "visit",
        "item",
        "attempt",
        "at",
        "actor",
        "trace",
        "tenant",
        "engine",
        "schema",
        "dedupe",
    ),
    *("body", "payload", "prev_hash", "hash"),
)


def _outcome(e: EffectOutcome) -> tuple[Any, ...]:
    return (e.tenant, e.key, e.token, e.state, e.result, e.result_hash, clean(e.reference), e.raw)


def _mail(m: Mail) -> tuple[Any, ...]:
    return (m.run_id, m.dedupe, m.type, m.body, m.payload, m.priority, m.actor, m.trace, m.at)


def _columns(values: Any, *names: str | int) -> list[list[Any]]:
    if names and isinstance(names[0], int):
        return [[value[name] for value in values] for name in names]
    return [[getattr(value, str(name)) for value in values] for name in names]
