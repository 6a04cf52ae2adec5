"""Effects that may have been done twice: late results that differ from what stands, read for whoever looks into them.

Every result that came too late is a row of evidence and stays one; which of them are suspicious follows from comparing it
with the effect. The same reference is the same act, whatever else the answers say.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, Text, and_, case, cast, func, literal, not_, or_, select

from nexum.core.run.codec import decode
from nexum.core.run.events import Cell, DuplicateAcknowledged
from nexum.store.reading import Reader
from nexum.store.rows import clean
from nexum.store.tables import effect_evidence, effects, events, late_arrivals, runs

ACKNOWLEDGED = "acknowledged|"


class SuspicionRow(NamedTuple):
    """A late result of an effect, what is recorded of it, and the run that the late result came for.

    `state` is the effect's; `recorded` and `recorded_hash` are "" when it was given up. Times are microseconds. `number` is the
    evidence's own; `actor` acknowledged it at `acknowledged_at` for a `reason` ("" and 0: nobody has).
    """

    tenant: str
    key: str
    run_id: str
    session: str
    reference: str
    result_hash: str
    at: int
    path: str
    tool: str
    business_key: str
    state: str
    recorded: str
    recorded_hash: str
    workflow: str
    version: str
    status: str
    number: int = 0
    visit: int = 1
    item: int = -1
    actor: str = ""
    reason: str = ""
    acknowledged_at: int = 0


class SuspicionSum(NamedTuple):
    """How many late results of an effect differ from what is recorded."""

    workflow: str
    version: str
    path: str
    times: int


_LATE, _ITS = effect_evidence.c, effects.c
_STANDS = _ITS.state.in_(("RECORDED", "APPLIED"))
_COLUMNS = (
    *(_LATE[name] for name in SuspicionRow._fields[:7]),
    *(_ITS[name] for name in SuspicionRow._fields[7:11]),
    case((_STANDS, _ITS.reference), else_="").label("recorded"),
    case((_STANDS, _ITS.result_hash), else_="").label("recorded_hash"),
    *(runs.c[name] for name in SuspicionRow._fields[13:16]),
    _LATE.id,
    _ITS.visit,
    _ITS.item,
)


def suspicions(
    store: Reader, *, workflow: str = "", tenant: str = "", run_id: str = "", key: str = "", limit: int = 1_000
) -> list[SuspicionRow]:
    """Late results that differ from what is recorded, the newest first; only those of a workflow, tenant, run or key.

    Those that somebody has acknowledged are among them, and say so.
    """
    given = {runs.c.workflow: workflow, runs.c.tenant: tenant, runs.c.run_id: run_id, _LATE.key: key}
    narrow = [column == clean(value) for column, value in given.items() if value]
    chosen = (
        select(*_COLUMNS, *(table.c[name] for table in (events, late_arrivals) for name in ("actor", "at", "body")))
        .select_from(
            _JOINED.join(events, _acknowledges(events), isouter=True).join(
                late_arrivals, _acknowledges(late_arrivals), isouter=True
            )
        )
        .where(_differs(), *narrow)
        .order_by(_LATE.at.desc(), _LATE.id.desc())
        .limit(limit)
    )
    return [_told(row) for row in store.select(chosen)]


def acknowledgement_of(number: int) -> str:
    """The dedupe key under which this piece of evidence is acknowledged, once."""
    return f"{ACKNOWLEDGED}{number}"


def _told(row: tuple[Any, ...]) -> SuspicionRow:
    """A row, with who has acknowledged it: an event, or what came after the end of the run."""
    found, (actor, at, body, late_actor, late_at, late_body) = SuspicionRow(*row[:-6]), row[-6:]
    if actor is None and late_actor is None:
        return found
    who, when, said = (actor, at, body) if actor is not None else (late_actor, late_at, late_body)
    told = decode("DuplicateAcknowledged", Cell(found.path), bytes(said))
    assert isinstance(told, DuplicateAcknowledged)
    return found._replace(actor=who, acknowledged_at=int(when), reason=told.reason)


def _acknowledges(table: Table) -> ColumnElement[bool]:
    its, name = table.c, literal(ACKNOWLEDGED) + cast(_LATE.id, Text)
    here = and_(its.run_id == _LATE.run_id, its.dedupe > "", its.dedupe == name)
    return and_(here, its.type == "DuplicateAcknowledged")


def suspicion_sums(store: Reader) -> list[SuspicionSum]:
    """Their number by node."""
    chosen = (
        select(runs.c.workflow, runs.c.version, _ITS.path, func.count())
        .select_from(_JOINED)
        .where(_differs())
        .group_by(runs.c.workflow, runs.c.version, _ITS.path)
        .order_by(runs.c.workflow, runs.c.version, _ITS.path)
    )
    return [SuspicionSum(w, v, p, int(n)) for w, v, p, n in store.select(chosen)]


_JOINED = effect_evidence.join(effects, and_(_ITS.tenant == _LATE.tenant, _ITS.key == _LATE.key)).join(
    runs, runs.c.run_id == _LATE.run_id
)


def _differs() -> ColumnElement[bool]:
    """It happened, and what stands is something else; while nothing stands, the run still decides which of them counts."""
    both = and_(_LATE.reference > "", _ITS.reference > "")
    same = or_(
        and_(both, _LATE.reference == _ITS.reference),
        and_(not_(both), _LATE.result_hash == _ITS.result_hash),
    )
    given_up = and_(_ITS.state.in_(("UNKNOWN", "FAILED")), runs.c.status.not_in(("RUNNING", "CLOSING")))
    return and_(_LATE.state == "APPLIED", or_(and_(_STANDS, not_(same)), given_up))
