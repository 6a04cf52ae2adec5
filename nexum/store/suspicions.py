"""Effects that may have been done twice: late results that differ from what stands, read for whoever looks into them.

Every result that came too late is a row of evidence and stays one; which of them are suspicious follows from comparing it
with the effect. The same reference is the same act, whatever else the answers say.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, not_, or_, select

from nexum.store.reading import Reader
from nexum.store.rows import clean
from nexum.store.tables import effect_evidence, effects, runs


class SuspicionRow(NamedTuple):
    """A late result of an effect, what is recorded of it, and the run that the late result came for.

    `state` is the effect's; `recorded` and `recorded_hash` are "" when it was given up. Times are microseconds.
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
    *(runs.c[name] for name in SuspicionRow._fields[13:]),
)


def suspicions(
    store: Reader, *, workflow: str = "", tenant: str = "", run_id: str = "", limit: int = 1_000
) -> list[SuspicionRow]:
    """Late results that differ from what is recorded, the newest first; only those of a workflow, tenant or run if named."""
    given = {runs.c.workflow: workflow, runs.c.tenant: tenant, runs.c.run_id: run_id}
    narrow = [column == clean(value) for column, value in given.items() if value]
    chosen = (
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(_differs(), *narrow)
        .order_by(_LATE.at.desc(), _LATE.id.desc())
        .limit(limit)
    )
    return [SuspicionRow(*row) for row in store.select(chosen)]


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
