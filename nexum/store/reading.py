"""Reads for pages, the command line and REST: lists with cursors and filters, counts with a cap, sums for metrics.

Nothing here locks or writes. Lists are ordered by `(created_at, run_id)`, newest first, and continue after a position, so
a page costs the same wherever it is. Counts stop at a cap: nobody needs to know that there are 10,001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, not_, or_, select, tuple_, union_all

from nexum.core.run.events import RUN_TERMINAL
from nexum.core.run.seen import TURNS
from nexum.store.holding import held_by_another, held_in_doubt, late_results
from nexum.store.log import unpack
from nexum.store.rows import clean
from nexum.store.tables import blobs, effects, events, runs, sessions, tasks

COUNT_CAP = 10_000
OPEN = ("RUNNING", "CLOSING")
LIVE = ("LIVE", "DRAINING")
RECENT = 100  # events from a run's end in which it is looked for what a doubt or a failed attempt has to say
_RECENTLY = frozenset({"AttemptFailed", "EffectInDoubt", "DoubtProposed"}) | RUN_TERMINAL


class Reader(Protocol):
    """A store that answers queries over `nexum.store.tables`."""

    def select(self, query: Select[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query; bytes come as the driver gives them."""


class RunRow(NamedTuple):
    """A run as its row tells it."""

    run_id: str
    tenant: str
    workflow: str
    version: str
    run_key: str
    subject: str
    status: str
    last_seq: int
    trace: str
    actor: str
    error_code: str
    created_at: int
    updated_at: int
    ended_at: int


class TaskRow(NamedTuple):
    """A task: READY or CLAIMED by a session. The `holder_*` say which other run holds its business key ("": none does)."""

    run_id: str
    path: str
    visit: int
    item: int
    attempt: int
    kind: str
    queue: str
    state: str
    not_before: int
    created_at: int
    session: str
    deliveries: int
    claimed_at: int
    business_key: str = ""
    tool: str = ""
    holder_run: str = ""
    holder_path: str = ""
    holder_state: str = ""
    holder_since: int = 0


class EffectRow(NamedTuple):
    """An act on the outside world, without its payloads. `late` counts results that came too late to be its own."""

    run_id: str
    path: str
    visit: int
    item: int
    key: str
    business_key: str
    state: str
    tool: str
    policy: str
    ttl: int
    attempt: int
    first_sent_at: int
    claimed_at: int
    recorded_at: int
    reference: str
    late: int = 0


class ToldRow(NamedTuple):
    """An event without its payload; `payload` is the size of it in bytes."""

    run_id: str
    seq: int
    type: str
    path: str
    visit: int
    item: int
    attempt: int
    at: int
    actor: str
    trace: str
    body: bytes
    payload: int
    prev_hash: bytes
    hash: bytes


class Position(NamedTuple):
    """A place in a list: what comes next is older."""

    created_at: int
    run_id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One condition on runs. `field` is a name of `FIELDS`; `op` is one of `=`, `<`, `>`."""

    field: str
    value: str
    number: int = 0
    op: str = "="
    negated: bool = False


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs. `live_queues` are those that some live session serves; `now` decides what is due."""

    asked: tuple[Asked, ...] = ()
    live_queues: tuple[str, ...] = ()
    now: int = 0


_RUN = [runs.c[name] for name in RunRow._fields]
_TASK = [tasks.c[name] for name in TaskRow._fields[:15]]
_HOLDER = ("run_id", "path", "state", "claimed_at")
_EFFECT = [*(effects.c[name] for name in EffectRow._fields[:-1]), late_results()]
_TOLD_COLUMNS = [
    func.length(events.c.payload).label("payload") if name == "payload" else events.c[name] for name in ToldRow._fields
]


def list_runs(
    store: Reader, query: RunQuery, *, limit: int, after: Position | None = None, until: Position | None = None
) -> list[RunRow]:
    """Runs that fit, newest first; those older than `after`, and none newer than `until`."""
    chosen = select(*_RUN).where(_fits(query)).order_by(runs.c.created_at.desc(), runs.c.run_id.desc()).limit(limit)
    place = tuple_(runs.c.created_at, runs.c.run_id)
    if after is not None:
        chosen = chosen.where(place < tuple_(*map(literal, after)))
    if until is not None:
        chosen = chosen.where(place <= tuple_(*map(literal, until)))
    return [RunRow(*row) for row in store.select(chosen)]


def count_runs(store: Reader, query: RunQuery, *, newer_than: Position | None = None, cap: int = COUNT_CAP) -> int:
    """How many runs fit; never more than `cap` + 1, which means "more than `cap`"."""
    inner = select(literal(1).label("one")).select_from(runs).where(_fits(query)).limit(cap + 1)
    if newer_than is not None:
        inner = inner.where(tuple_(runs.c.created_at, runs.c.run_id) > tuple_(*map(literal, newer_than)))
    return int(store.select(select(func.count()).select_from(inner.subquery()))[0][0])


def find_run(store: Reader, run_id: str) -> RunRow | None:
    """One run."""
    found = store.select(select(*_RUN).where(runs.c.run_id == clean(run_id)))
    return RunRow(*found[0]) if found else None


def runs_like(store: Reader, prefix: str, tenant: str = "", *, limit: int = 5) -> list[RunRow]:
    """Runs whose id begins or ends like this, newest first: what somebody may have meant; of a tenant when it is named."""
    text = clean(prefix)
    like = or_(runs.c.run_id.startswith(text, autoescape=True), runs.c.run_id.endswith(text, autoescape=True))
    chosen = select(*_RUN).where(like).order_by(runs.c.created_at.desc()).limit(limit)
    if tenant:
        chosen = chosen.where(runs.c.tenant == clean(tenant))
    return [RunRow(*row) for row in store.select(chosen)]


def tasks_of(store: Reader, run_ids: Sequence[str]) -> list[TaskRow]:
    """The tasks of these runs, oldest first."""
    if not run_ids:
        return []
    chosen = (
        select(*_TASK, *(effects.c[name] for name in _HOLDER))
        .outerjoin(effects, held_by_another())
        .where(tasks.c.run_id.in_(run_ids))
        .order_by(tasks.c.created_at, tasks.c.path)
    )
    return [TaskRow(*row) if row[15] is not None else TaskRow(*row[:15]) for row in store.select(chosen)]


def effects_of(store: Reader, run_ids: Sequence[str], states: Sequence[str] = ()) -> list[EffectRow]:
    """The effects of these runs; only those in these states when any are named."""
    if not run_ids:
        return []
    chosen = select(*_EFFECT).where(effects.c.run_id.in_(run_ids)).order_by(effects.c.claimed_at)
    if states:
        chosen = chosen.where(effects.c.state.in_(states))
    return [EffectRow(*row) for row in store.select(chosen)]


def last_told(store: Reader, run_ids: Sequence[str]) -> list[ToldRow]:
    """Of each run the events that explain its standing: all at which it stopped or went on, and of the others recent ones."""
    if not run_ids:
        return []
    recent = (
        select(*_TOLD_COLUMNS)
        .join(runs, runs.c.run_id == events.c.run_id)
        .where(events.c.run_id.in_(run_ids), events.c.seq > runs.c.last_seq - RECENT)
        .where(events.c.type.in_(sorted(_RECENTLY)))
    )
    turns = select(*_TOLD_COLUMNS).where(events.c.run_id.in_(run_ids), events.c.type.in_(sorted(TURNS)))
    found = union_all(recent, turns).subquery()
    return [_told(row) for row in store.select(select(found).order_by(found.c.run_id, found.c.seq))]


def history(
    store: Reader, run_id: str, *, after: int = 0, limit: int = 100_000, types: Sequence[str] = (), path: str = ""
) -> list[ToldRow]:
    """A run's events in order, without payloads; a node's own and its repair rounds' when `path` is given."""
    chosen = select(*_TOLD_COLUMNS).where(events.c.run_id == clean(run_id), events.c.seq > after)
    if types:
        chosen = chosen.where(events.c.type.in_(types))
    if path:
        text = clean(path)
        chosen = chosen.where(
            or_(events.c.path == text, events.c.path.startswith(f"{text}/", autoescape=True)),
        )
    return [_told(row) for row in store.select(chosen.order_by(events.c.seq).limit(limit))]


def pulse(store: Reader, run_id: str) -> tuple[int, ...] | None:
    """Numbers that change whenever a page about this run would: one query. None: no such run."""
    alive = select(func.count()).select_from(sessions).where(sessions.c.state.in_(LIVE)).scalar_subquery()
    held = select(
        func.coalesce(func.sum(tasks.c.token), 0), func.coalesce(func.max(tasks.c.claimed_at), 0), func.count()
    )
    mine = held.select_from(tasks).where(tasks.c.run_id == clean(run_id)).subquery()
    found = store.select(select(runs.c.last_seq, alive, mine).where(runs.c.run_id == clean(run_id)))
    return tuple(int(value) for value in found[0]) if found else None


def ahead(store: Reader, queue: str, before: int, now: int) -> int:
    """READY tasks of a queue that are due and older than `before`; never more than the cap."""
    inner = (
        select(literal(1).label("one"))
        .where(tasks.c.queue == queue, tasks.c.state == "READY", tasks.c.created_at < before, tasks.c.not_before <= now)
        .limit(COUNT_CAP)
    )
    return int(store.select(select(func.count()).select_from(inner.subquery()))[0][0])


def last_left(store: Reader, queue: str) -> int:
    """When the last process that served this queue ended (0: none ever did)."""
    serves = (sessions.c.queues + "\n").contains(f"{queue}\n", autoescape=True)
    chosen = select(func.coalesce(func.max(sessions.c.ended_at), 0)).where(serves, sessions.c.state.not_in(LIVE))
    return int(store.select(chosen)[0][0])


def inline_payloads(store: Reader, run_id: str, seqs: Sequence[int]) -> dict[int, bytes]:
    """The payloads that these events of a run carry."""
    if not seqs:
        return {}
    chosen = select(events.c.seq, events.c.payload).where(events.c.run_id == clean(run_id), events.c.seq.in_(seqs))
    return {int(seq): bytes(payload) for seq, payload in store.select(chosen)}


def blobs_of(store: Reader, tenant: str, hashes: Sequence[str]) -> dict[str, bytes]:
    """Several blobs by hash, in one query. Raises `InternalError` NX-S101 for one that is damaged."""
    if not hashes:
        return {}
    wanted = [bytes.fromhex(name) for name in hashes]
    chosen = select(blobs.c.hash, blobs.c.codec, blobs.c.data).where(
        blobs.c.tenant == clean(tenant), blobs.c.hash.in_(wanted)
    )
    rows = [(bytes(name).hex(), str(codec), bytes(data)) for name, codec, data in store.select(chosen)]
    return {name: unpack(tenant, name, codec, data) for name, codec, data in rows}


def _told(row: Sequence[Any]) -> ToldRow:
    read = ToldRow(*row)
    return read._replace(body=bytes(read.body), prev_hash=bytes(read.prev_hash), hash=bytes(read.hash))


def _fits(query: RunQuery) -> ColumnElement[bool]:
    conditions = []
    for asked in query.asked:
        found = FIELDS[asked.field](asked, query)
        conditions.append(not_(found) if asked.negated else found)
    return and_(literal(1) == 1, *conditions)


def _text(column: ColumnElement[str]) -> Any:
    def fits(asked: Asked, query: RunQuery) -> ColumnElement[bool]:
        value = clean(asked.value)
        return column.startswith(value[:-1], autoescape=True) if value.endswith("*") else column == value

    return fits


def _status(asked: Asked, query: RunQuery) -> ColumnElement[bool]:
    return runs.c.status == asked.value.upper()


def _version(asked: Asked, query: RunQuery) -> ColumnElement[bool]:
    return runs.c.version.startswith(f"sha256:{clean(asked.value).removeprefix('sha256:')}", autoescape=True)


def _time(column: ColumnElement[int]) -> Any:
    def fits(asked: Asked, query: RunQuery) -> ColumnElement[bool]:
        # `started:>2h` reads "more than two hours ago": an older time is a smaller number.
        then = query.now - asked.number
        return and_(column > 0, column < then if asked.op == ">" else column > then)

    return fits


def _duration(asked: Asked, query: RunQuery) -> ColumnElement[bool]:
    took = func.coalesce(func.nullif(runs.c.ended_at, 0), query.now) - runs.c.created_at
    return took > asked.number if asked.op == ">" else took < asked.number


def _node(asked: Asked, query: RunQuery) -> ColumnElement[bool]:
    path = clean(asked.value)
    return exists().where(
        tasks.c.run_id == runs.c.run_id, or_(tasks.c.path == path, tasks.c.path.startswith(f"{path}/", autoescape=True))
    )


def _word(asked: Asked, query: RunQuery) -> ColumnElement[bool]:
    word = clean(asked.value)
    return or_(
        runs.c.run_id.startswith(word.lower(), autoescape=True),
        runs.c.run_key.startswith(word, autoescape=True),
        runs.c.subject.startswith(word, autoescape=True),
        runs.c.workflow == word,
    )


def _standing(asked: Asked, query: RunQuery) -> ColumnElement[bool]:
    """The same order of severity as `nexum.core.run.standing`, in SQL."""
    name = asked.value.lower()
    sound = runs.c.error_code == ""  # an open run that shows an error cannot be continued
    is_open = and_(runs.c.status.in_(OPEN), sound)
    mine = tasks.c.run_id == runs.c.run_id
    any_task = exists().where(mine)
    claimed = exists().where(mine, tasks.c.state == "CLAIMED")
    waits = exists().where(mine, held_by_another())
    free = not_(exists().where(held_by_another()).correlate(tasks))
    due = exists().where(mine, tasks.c.state == "READY", tasks.c.not_before <= query.now, free)
    served = exists().where(mine, tasks.c.queue.in_(query.live_queues)) if query.live_queues else false()
    doubt = exists().where(effects.c.run_id == runs.c.run_id, held_in_doubt())
    # A run that is open and has neither task nor doubt nor timer is suspended: nothing else could move it.
    stuck = and_(runs.c.status.in_(OPEN), or_(not_(sound), and_(not_(any_task), not_(doubt))))
    moving = and_(runs.c.status == "RUNNING", sound, not_(doubt), any_task)
    found = {
        "in_doubt": and_(is_open, doubt),
        "needs_attention": stuck,
        "closing": and_(runs.c.status == "CLOSING", sound, not_(doubt), any_task, served),
        "running": and_(moving, claimed),
        "no_worker": and_(is_open, not_(doubt), any_task, not_(claimed), not_(served)),
        "queued": and_(moving, not_(claimed), served, due),
        "waiting": and_(moving, not_(claimed), served, not_(due), waits),
        "retrying": and_(moving, not_(claimed), served, not_(due), not_(waits)),
    }
    return found.get(name, runs.c.status == name.upper())


FIELDS = {
    "status": _status,
    "standing": _standing,
    "workflow": _text(runs.c.workflow),
    "version": _version,
    "node": _node,
    "error": _text(runs.c.error_code),
    "key": _text(runs.c.run_key),
    "subject": _text(runs.c.subject),
    "tenant": _text(runs.c.tenant),
    "run": _text(runs.c.run_id),
    "started": _time(runs.c.created_at),
    "finished": _time(runs.c.ended_at),
    "duration": _duration,
    "word": _word,
}
