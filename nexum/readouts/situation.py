"""Rows become situations, and situations standings: the same for one run and for a page of fifty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nexum.core.canonical import from_bytes
from nexum.core.ids import queue_name
from nexum.core.run.seen import DoubtSeen, Fleet, ParkedSeen, Situation, TaskSeen, Trouble
from nexum.core.run.state import Phase
from nexum.store.api import SessionRow
from nexum.store.reading import EffectRow, RunRow, TaskRow, ToldRow


class Crew:
    """The live processes, asked by session and by queue. `now` is the store's clock."""

    def __init__(self, sessions: Sequence[SessionRow], now: int) -> None:
        self._by_name = {row.session: row for row in sessions}
        self._serving: dict[str, int] = defaultdict(int)
        self._now = now
        for row in sessions:
            if self.silence(row.session) == 0:
                for queue in row.queues:
                    self._serving[queue] += 1

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that some live process serves."""
        return tuple(sorted(self._serving))

    def serving(self, queue: str) -> int:
        """How many live processes serve a queue."""
        return self._serving.get(queue, 0)

    def worker(self, session: str) -> str:
        """A session as people read it: host and pid, or the beginning of its name when it is gone."""
        row = self._by_name.get(session)
        return f"{row.host}:{row.pid}" if row is not None else session[:24]

    def silence(self, session: str) -> int:
        """For how long (us) a session has been silent beyond its lease; 0 while it is alive."""
        row = self._by_name.get(session)
        if row is None:
            return 1
        return max(0, self._now - row.beat_at - row.lease)


def situation(
    run: RunRow,
    tasks: Iterable[TaskRow],
    effects: Iterable[EffectRow],
    told: Iterable[ToldRow],
    crew: Crew,
    *,
    attempts: Mapping[str, int] | None = None,
    fleet: Fleet | None = None,
    asks: frozenset[str] = frozenset(),
) -> Situation:
    """What is known about one run. `attempts` are the most attempts by node, where the graph has been read.

    `asks` are the effects whose provider can be asked.
    """
    failed: dict[str, Trouble] = {}
    doubted: dict[str, int] = {}
    said: dict[str, str] = {}
    proposed: dict[str, tuple[str, str]] = {}
    parked: dict[str, ParkedSeen] = {}
    suspended_at, trouble, reason = 0, None, ""
    undone: str = ""
    given_up: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    for row in told:
        body = _body(row)
        match row.type:
            case "AttemptFailed":
                failed[row.path] = _trouble(body.get("error"), row.path)
            case "EffectInDoubt":
                doubted[row.path] = row.at
                said.pop(row.path, None)
                proposed.pop(row.path, None)
            case "DoubtProposed":
                proposed[row.path] = (str(body.get("by", "")), str(body.get("outcome", "")))
            case "NodeCompleted" | "NodeFailed" if "/reconcile." in row.path:
                said[row.path.rpartition("/")[0]] = _answer(row.type, body)
            case "NodeParked":
                parked[row.path] = ParkedSeen(row.path, row.at, _trouble(body.get("error")))
            case "RetryRequested" | "SkipRequested" | "FailRequested":
                parked.pop(row.path, None)
            case "RunSuspended":
                suspended_at, trouble = row.at, _trouble(body.get("error"))
            case "RunResumed":
                suspended_at, trouble = 0, None
            case "RunClosing" | "RunFailed":
                trouble = _trouble(body.get("error"), *body.get("cell", [""])[:1]) if "error" in body else trouble
            case "CancelRequested" | "RunCancelled" | "RunTerminated":
                reason = str(body.get("reason", ""))
        if row.type == "RunClosing":
            parked.clear()  # what was parked on the way forward is dropped
        if row.type in ("RunFailed", "RunCancelled"):
            undone = str(body.get("undone", ""))
            given_up, left = (tuple(str(cell[0]) for cell in body.get(name, ())) for name in ("given_up", "left"))
    tasks = tuple(tasks)
    again = {(task.path, task.visit, task.item) for task in tasks}  # to be sent again, and in doubt no more
    most, phase = attempts or {}, phase_of(run.status)
    return Situation(
        run_id=run.run_id,
        workflow=run.workflow,
        version=run.version,
        phase=phase,
        started_at=run.created_at,
        ended_at=run.ended_at,
        suspended_at=suspended_at,
        broken="" if phase.is_ended else run.error_code,
        tasks=tuple(_task(row, crew, most, failed.get(row.path)) for row in tasks),
        doubts=tuple(
            replace(
                _doubt(row, doubted.get(row.path, row.claimed_at), tasks, crew, said.get(row.path, ""), asks),
                proposed=proposed.get(row.path, ("", ""))[0],
                outcome=proposed.get(row.path, ("", ""))[1],
            )
            for row in effects
            if row.state == "IN_DOUBT" and (row.path, row.visit, row.item) not in again
        ),
        parked=tuple(parked.values()),
        undone=undone,
        given_up=given_up,
        left=left,
        trouble=trouble,
        reason=reason,
        fleet=fleet or Fleet(live=crew.serving(queue_name(run.workflow, run.version))),
    )


def phase_of(status: str) -> Phase:
    """The phase that a run's row names; one that this engine does not know counts as running."""
    try:
        return Phase(status)
    except ValueError:
        return Phase.RUNNING


def grouped(rows: Iterable[Any]) -> Mapping[str, list[Any]]:
    """Rows by their run."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.run_id].append(row)
    return found


def has_ended(status: str) -> bool:
    """Whether a run's row says that nothing more will happen."""
    return phase_of(status).is_ended


def _doubt(
    row: EffectRow, since: int, tasks: Sequence[TaskRow], crew: Crew, said: str, asks: frozenset[str]
) -> DoubtSeen:
    """An effect in doubt, with what its askings do."""
    inner = f"{row.path}/reconcile."
    asking = next((t for t in tasks if t.path.startswith(inner) and (t.visit, t.item) == (row.visit, row.item)), None)
    claimed = asking is not None and asking.state == "CLAIMED"
    return DoubtSeen(
        path=row.path,
        since=since,
        tool=row.tool,
        asks_at=max(asking.not_before, asking.created_at) if asking is not None else 0,
        asker=crew.worker(asking.session) if asking is not None and claimed else "",
        said=said,
        can_ask=row.path in asks or bool(said),
    )


def _answer(kind: str, body: Mapping[str, Any]) -> str:
    """What came of an asking, as a sentence."""
    if kind == "NodeFailed":
        error = _trouble(body.get("error"))
        return f"Asking its provider failed ({error.code})."
    answers = {"not_found": "Its provider has not seen it.", "cannot_tell": "Its provider was asked and cannot tell."}
    return answers.get(str(body.get("answer")), "")


def _task(row: TaskRow, crew: Crew, attempts: Mapping[str, int], trouble: Trouble | None) -> TaskSeen:
    claimed = row.state == "CLAIMED"
    silent = crew.silence(row.session) if claimed else 0
    return TaskSeen(
        path=row.path,
        attempt=row.attempt,
        since=row.claimed_at if claimed else row.created_at,
        attempts=attempts.get(row.path.partition("/")[0], 0),
        not_before=row.not_before,
        worker=crew.worker(row.session) if claimed else "",
        silent=silent,
        trouble=trouble,
        key=_key_of(row) if row.holder_run else "",
        holder=f"{row.holder_run}/{row.holder_path}" if row.holder_run else "",
        held_since=row.holder_since,
        doubted=row.holder_state == "IN_DOUBT",
    )


def _key_of(row: TaskRow) -> str:
    """The key that a task waits for; that of a call is its path there, for no business key names it alone."""
    return f"{row.tool}:{row.business_key}" if row.business_key else row.holder_path


def _body(row: ToldRow) -> Mapping[str, Any]:
    """What an event says; nothing when it is damaged, which the page of the run tells by itself."""
    try:
        found = from_bytes(row.body)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _trouble(error: Mapping[str, Any] | None, path: str = "") -> Trouble:
    error = error or {}
    return Trouble(str(error.get("code", "")), str(error.get("message", "")), path)
