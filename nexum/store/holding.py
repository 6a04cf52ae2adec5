"""What holds a run up, for queries: an effect in doubt, a business key that another run has; and what came too late."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select

from nexum.store.tables import effect_evidence, effects, tasks


def held_by_another() -> ColumnElement[bool]:
    """A READY task waits for a business key: an effect of another run has it, and what becomes of that is not known yet.

    Where calls are journaled, it is one of those that the other run is making; the task was given back with its key.
    """
    whole = and_(
        effects.c.business_key > "",
        effects.c.scope == tasks.c.effect_scope,
        effects.c.business_key == tasks.c.business_key,
    )
    call = and_(tasks.c.waits_for > "", effects.c.key == tasks.c.waits_for)
    return and_(
        tasks.c.state == "READY",
        effects.c.tenant == tasks.c.tenant,
        or_(whole, call),
        effects.c.run_id != tasks.c.run_id,
        effects.c.state.in_(("CLAIMED", "UNKNOWN", "IN_DOUBT")),
    )


def held_in_doubt() -> ColumnElement[bool]:
    """An effect is in doubt: by its state, and no attempt that somebody allowed is on its way, for that has a task."""
    cell = (effects.c.run_id, effects.c.path, effects.c.visit, effects.c.item)
    again = exists().where(*(column == tasks.c[column.name] for column in cell)).correlate(effects)
    return and_(effects.c.state == "IN_DOUBT", not_(again))


def late_results() -> ColumnElement[int]:
    """How many results came too late to be an effect's own."""
    its = effect_evidence.c
    mine = and_(its.tenant == effects.c.tenant, its.key == effects.c.key, its.state == "APPLIED")
    return select(func.count()).select_from(effect_evidence).where(mine).correlate(effects).scalar_subquery()
