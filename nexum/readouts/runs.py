"""The list of runs: filtered, paged by cursor, each with its standing."""

from __future__ import annotations

import base64
import binascii

from nexum.core.ids import short
from nexum.core.run.seen import Situation
from nexum.core.run.standing import explain
from nexum.errors import InputError
from nexum.readouts.document import Document, Duration, Instant, StandingView, View, standing_view
from nexum.readouts.filters import Filter, read_filter
from nexum.readouts.situation import Crew, grouped, has_ended, situation
from nexum.store import reading
from nexum.store.reading import COUNT_CAP, Position, RunQuery, RunRow, TaskRow
from nexum.store.verbs import Verbs

PAGE = 50
MOST = 200


class RunLine(View):
    """A run in a list. `node` is where it stands and `attempt` which try that is; `duration` grows until it has ended."""

    run_id: str
    tenant: str
    workflow: str
    version: str
    run_key: str
    subject: str
    status: str
    standing: StandingView
    node: str
    attempt: int
    error_code: str
    last_seq: int
    started_at: Instant
    ended_at: Instant
    duration: Duration

    @property
    def version_short(self) -> str:
        """The version as people see it."""
        return short(self.version)

    @property
    def short_id(self) -> str:
        """The end of the id: ids begin with the time, so neighbours in a list begin alike."""
        return self.run_id[-8:]


class MisreadView(View):
    """A part of the query that was not understood."""

    text: str
    message: str
    nearest: str = ""


class RunList(Document):
    """A page of runs. `total` is capped: with `more_than` it means "more than this many"."""

    query: str
    problems: tuple[MisreadView, ...] = ()
    total: int = 0
    more_than: bool = False
    runs: tuple[RunLine, ...] = ()
    next: str = ""
    newer: int = 0
    top: str = ""
    now: Instant = 0


def read_runs(store: Verbs, text: str = "", *, after: str = "", until: str = "", limit: int = PAGE) -> RunList:
    """A page of the runs that a query names, at most eight queries whatever its size.

    `after` is the `next` of the page before. `until` is the `top` of a page that somebody looks at: nothing newer is listed,
    and `newer` counts it. Raises `InputError` NX-P400 for a cursor that is none.
    """
    asked = read_filter(text)
    if asked.problems:
        return _refused(asked)
    now = store.now()
    crew = Crew(store.sessions(), now)
    query = RunQuery(asked.asked, crew.queues, now)
    first, ceiling = place_of(after), place_of(until)
    rows = reading.list_runs(store, query, limit=limit + 1, after=first, until=ceiling)
    page, more = rows[:limit], len(rows) > limit
    total = reading.count_runs(store, query)
    newer = reading.count_runs(store, query, newer_than=ceiling, cap=MOST) if ceiling else 0
    lines = run_lines(store, page, crew, now)
    return RunList(
        form="nexum.runs/1",
        query=asked.text,
        total=min(total, COUNT_CAP),
        more_than=total > COUNT_CAP,
        runs=tuple(lines),
        next=cursor_of(page[-1]) if more else "",
        newer=newer,
        top=cursor_of(page[0]) if page else "",
        now=now,
    )


def run_lines(store: Verbs, page: list[RunRow], crew: Crew, now: int) -> list[RunLine]:
    """Runs with their standings: three queries for all of them."""
    going = [row.run_id for row in page if not has_ended(row.status)]
    tasks = grouped(reading.tasks_of(store, going))
    doubts = grouped(reading.effects_of(store, going, ("IN_DOUBT",)))
    told = grouped(reading.last_told(store, [row.run_id for row in page if row.status != "COMPLETED"]))
    lines = []
    for row in page:
        mine = tasks.get(row.run_id, [])
        seen = situation(row, mine, doubts.get(row.run_id, ()), told.get(row.run_id, ()), crew)
        lines.append(run_line(row, mine, seen, now))
    return lines


def run_line(row: RunRow, tasks: list[TaskRow], seen: Situation, now: int) -> RunLine:
    """One run as a line: it stands where it is in doubt, else where somebody works, else where it waits or failed."""
    at = next((task for task in tasks if task.state == "CLAIMED"), tasks[0] if tasks else None)
    places = (*(doubt.path for doubt in seen.doubts), at.path if at else "", seen.trouble.path if seen.trouble else "")
    return RunLine(
        run_id=row.run_id,
        tenant=row.tenant,
        workflow=row.workflow,
        version=row.version,
        run_key=row.run_key,
        subject=row.subject,
        status=row.status,
        standing=standing_view(explain(seen, now)),
        node=next(filter(None, places), ""),
        attempt=at.attempt if at and not seen.doubts else 0,
        error_code=row.error_code,
        last_seq=row.last_seq,
        started_at=row.created_at,
        ended_at=row.ended_at,
        duration=(row.ended_at or now) - row.created_at,
    )


def cursor_of(row: RunRow) -> str:
    """The place of a run in the list, as an opaque text."""
    return base64.urlsafe_b64encode(f"{row.created_at}|{row.run_id}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> Position | None:
    """The place that a cursor names; None for ''. Raises `InputError` NX-P400."""
    if not cursor:
        return None
    try:
        created_at, bar, run_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
        place = Position(int(created_at), run_id)
    except (ValueError, binascii.Error) as error:
        raise InputError(f"{cursor[:40]!r} is not a cursor of this list", code="NX-P400") from error
    if not bar or not 0 <= place.created_at < 1 << 63:
        raise InputError(f"{cursor[:40]!r} is not a cursor of this list", code="NX-P400")
    return place


def _refused(asked: Filter) -> RunList:
    problems = tuple(MisreadView(text=p.text, message=p.message, nearest=p.nearest) for p in asked.problems)
    return RunList(form="nexum.runs/1", query=asked.text, problems=problems)
