"""Circuit breakers: which there are, where each stands, and why one does not let attempts pass."""

from __future__ import annotations

from nexum.core.run.breaker import Breaker, forced_now, next_probe, standing_of
from nexum.readouts.document import Document, Instant, View
from nexum.store.breaking import every_breaker
from nexum.store.verbs import Verbs

LABELS = {"open": "Open", "half_open": "Probing", "closed": "Closed"}


class BreakerLine(View):
    """One breaker. `next_probe` is when somebody may pass again, null while it is closed or held open without an end.

    `forced` is open or closed while a person holds it, `by` whom and for which `reason`, until `forced_until` (null: until it
    is taken back). `failures` counts those that are remembered.
    """

    name: str
    tenant: str
    state: str
    label: str
    failures: int
    opened_at: Instant
    next_probe: Instant
    forced: str
    forced_until: Instant
    by: str
    reason: str
    changed_at: Instant


class BreakerList(Document):
    """Every breaker that has ever counted a failure or been held, those that are open first."""

    breakers: tuple[BreakerLine, ...]
    now: Instant


def read_breakers(store: Verbs, *, tenant: str = "") -> BreakerList:
    """All breakers, or those of a tenant when it is named; two queries."""
    now = store.now()
    lines = [line_of(row, now) for row in every_breaker(store) if not tenant or row.tenant == tenant]
    order = {"open": 0, "half_open": 1, "closed": 2}
    kept = tuple(sorted(lines, key=lambda line: (order[line.state], line.name, line.tenant)))
    return BreakerList(form="nexum.breakers/1", breakers=kept, now=now)


def line_of(row: Breaker, now: int) -> BreakerLine:
    """A breaker as a line."""
    state, forced = standing_of(row, now), forced_now(row, now)
    return BreakerLine(
        name=row.name,
        tenant=row.tenant,
        state=state,
        label=LABELS[state],
        failures=len(row.failures),
        opened_at=row.opened_at or (row.changed_at if state == "open" else 0),
        next_probe=next_probe(row, now),
        forced=forced,
        forced_until=row.forced_until if forced else 0,
        by=row.actor if forced else "",
        reason=row.reason if forced else "",
        changed_at=row.changed_at,
    )
