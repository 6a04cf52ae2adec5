"""What holds a run up, as conditions of queries: an effect in doubt, a business key that another run has."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, not_

from nexum.store.tables import effects, tasks


def held_by_another() -> ColumnElement[bool]:
    """A READY task waits for a business key: an effect of another run has it, and what becomes of that is not known yet."""
    return and_(
        tasks.c.state == "READY",
        effects.c.business_key > "",
        effects.c.tenant == tasks.c.tenant,
        effects.c.scope == tasks.c.effect_scope,
        effects.c.business_key == tasks.c.business_key,
        effects.c.run_id != tasks.c.run_id,
        effects.c.state.in_(("CLAIMED", "UNKNOWN", "IN_DOUBT")),
    )


def held_in_doubt() -> ColumnElement[bool]:
    """An effect is in doubt: by its state, and no attempt that somebody allowed is on its way, for that has a task."""
    cell = (effects.c.run_id, effects.c.path, effects.c.visit, effects.c.item)
    again = exists().where(*(column == tasks.c[column.name] for column in cell)).correlate(effects)
    return and_(effects.c.state == "IN_DOUBT", not_(again))
