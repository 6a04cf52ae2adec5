"""What is installed: workflows, their versions, how many runs are on each and who serves them."""

from __future__ import annotations

from nexum.core.ids import queue_name, short
from nexum.readouts.document import Document, Instant, View
from nexum.readouts.situation import Crew
from nexum.store import sums
from nexum.store.verbs import Verbs


class VersionLine(View):
    """One version. `state` is default, active or retired; `workers` serve its queue."""

    workflow: str
    version: str
    short: str
    state: str
    queue: str
    label: str
    note: str
    actor: str
    registered_at: Instant
    active: int
    failed: int
    waiting: int
    workers: int


class VersionList(Document):
    """All versions, newest first."""

    versions: tuple[VersionLine, ...]
    now: Instant


def read_versions(store: Verbs) -> VersionList:
    """All versions with what runs on them: five queries."""
    now = store.now()
    crew = Crew(store.sessions(), now)
    by_version = {(row.workflow, row.version): row for row in sums.run_sums(store)}
    depths = {(row.workflow, row.version): row.depth for row in sums.depth_sums(store, now)}
    lines = []
    for row in store.versions():
        place = (row.workflow, row.version)
        queue = queue_name(*place)
        counted = by_version.get(place)
        lines.append(
            VersionLine(
                workflow=row.workflow,
                version=row.version,
                short=short(row.version),
                state=row.state,
                queue=queue,
                label=row.label,
                note=row.note,
                actor=row.actor,
                registered_at=row.registered_at,
                active=counted.active if counted else 0,
                failed=counted.failed if counted else 0,
                waiting=depths.get(place, 0),
                workers=crew.serving(queue),
            )
        )
    return VersionList(form="nexum.versions/1", versions=tuple(lines), now=now)
