"""One run: its header, its standing, its nodes as a graph and as a table, its input and result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nexum.core.graph.nodes import Effect
from nexum.core.graph.workflow import AnyNode, Graph
from nexum.core.ids import queue_name
from nexum.core.run.breaker import breaker_of
from nexum.core.run.events import Cell
from nexum.core.run.places import inner_of
from nexum.core.run.plan import plan_of
from nexum.core.run.seen import BreakerSeen, Fleet
from nexum.core.run.state import CellStatus
from nexum.engine.graphs import read_graph
from nexum.errors import InternalError
from nexum.readouts.breakers import line_of
from nexum.readouts.document import Document, Duration, ErrorView, Instant, PayloadView, View
from nexum.readouts.history import CellStory, History, stories_of, tell, total_usage
from nexum.readouts.payload import Bodies
from nexum.readouts.runs import RunLine, run_line
from nexum.readouts.situation import Crew, has_ended, situation
from nexum.store import reading
from nexum.store.breaking import named
from nexum.store.reading import EffectRow, RunRow, TaskRow, ToldRow
from nexum.store.suspicions import suspicions
from nexum.store.verbs import Verbs

STATES = {
    "pending": "Not reached",
    "ready": "Ready",
    "running": "Running",
    "retrying": "Retrying",
    "repairing": "Repairing",
    "in_doubt": "In doubt",
    "parked": "Parked",
    "stopping": "Stopping",
    "completed": "Completed",
    "reused": "Reused",
    "skipped": "Skipped",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


class NodeLine(View):
    """A node of a run. `after` are the nodes that it waits for; `taken` those of them whose way led here."""

    node_id: str
    kind: str
    state: str
    label: str
    attempt: int
    attempts: int
    repairs: int
    scheduled_at: Instant
    ended_at: Instant
    duration: Duration
    worker: str
    model: str
    error: ErrorView | None
    why: str
    when: str
    after: tuple[str, ...]
    taken: tuple[str, ...]


class SuspicionView(View):
    """A late result that differs from what is recorded of an effect: it may have been done twice (NX-E230).

    `recorded` and `came` are references, or the beginnings of hashes; `recorded` is "" where the effect was given up. `actor` has
    looked into it, for a `reason`; "" while nobody has.
    """

    node: str
    key: str
    recorded: str
    came: str
    at: Instant
    actor: str
    reason: str


class RunDetail(Document):
    """A run. `trouble` says what is wrong with its history or version; `pulse` changes whenever the run does."""

    run: RunLine
    actor: str
    trace: str
    nodes: tuple[NodeLine, ...]
    input: PayloadView | None
    result: tuple[PayloadView, ...]
    input_tokens: int
    output_tokens: int
    linked: bool
    trouble: str
    suspected: tuple[SuspicionView, ...]
    behind_default: bool
    pulse: str
    now: Instant


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read about one run."""

    row: RunRow
    told: list[ToldRow]
    history: History
    tasks: list[TaskRow]
    effects: list[EffectRow]
    graph: Graph | None
    trouble: str
    crew: Crew
    behind: bool
    now: int


def read_facts(store: Verbs, run_id: str) -> Facts | None:
    """Read a run: eight queries, however many nodes it has. None when it does not exist."""
    row = reading.find_run(store, run_id)
    if row is None:
        return None
    told = reading.history(store, run_id)
    history = tell(run_id, row.tenant, told)
    graph, trouble = graph_of(store, row.workflow, row.version)
    default = store.default_version(row.workflow)
    now = store.now()
    return Facts(
        row=row,
        told=told,
        history=history,
        tasks=reading.tasks_of(store, [run_id]),
        effects=reading.effects_of(store, [run_id]),
        graph=graph,
        trouble=trouble or history.broken,
        crew=Crew(store.sessions(), now),
        behind=default is not None and default.version != row.version,
        now=now,
    )


def read_run(store: Verbs, run_id: str, *, may_read: bool) -> RunDetail | None:
    """One run as a document; payload texts only with `may_read`."""
    facts = read_facts(store, run_id)
    return None if facts is None else run_detail(store, facts, may_read=may_read)


def run_detail(store: Verbs, facts: Facts, *, may_read: bool) -> RunDetail:
    """Put the document together."""
    row, history = facts.row, facts.history
    given = history.input
    spent = total_usage(history.cells.values())
    bodies = Bodies(store, row.run_id, row.tenant, may_read=may_read)
    bodies.expect((given, *(ref for _, ref in history.result)))
    return RunDetail(
        form="nexum.run/1",
        run=header(store, facts),
        actor=row.actor,
        trace=row.trace,
        nodes=node_lines(facts),
        input=bodies.maybe("input", given),
        result=tuple(bodies.view(name, ref) for name, ref in history.result if ref is not None),
        input_tokens=spent[0],
        output_tokens=spent[1],
        linked=history.linked,
        trouble=facts.trouble,
        suspected=suspected(store, row.run_id) if any(effect.late for effect in facts.effects) else (),
        behind_default=facts.behind,
        pulse=pulse_of(store, row.run_id),
        now=facts.now,
    )


def suspected(store: Verbs, run_id: str) -> tuple[SuspicionView, ...]:
    """The effects of a run that may have been done twice."""
    return tuple(
        SuspicionView(
            node=row.path,
            key=row.key,
            recorded=row.recorded or row.recorded_hash[:12],
            came=row.reference or row.result_hash[:12],
            at=row.at,
            actor=row.actor,
            reason=row.reason,
        )
        for row in suspicions(store, run_id=run_id)
    )


def pulse_of(store: Verbs, run_id: str) -> str:
    """A text that changes whenever the page of this run would; '' when there is no such run."""
    return ".".join(map(str, reading.pulse(store, run_id) or ()))


def header(store: Verbs, facts: Facts) -> RunLine:
    """The run as a line, with the full standing: attempts out of how many, tasks ahead, when the last worker left."""
    row = facts.row
    attempts = {node.id: node.retry.max_attempts for node in facts.graph.nodes} if facts.graph else {}
    nodes = facts.graph.nodes if facts.graph else ()
    asks = frozenset(node.id for node in nodes if isinstance(node, Effect) and node.reconcile is not None)
    fleet = _fleet(store, facts)
    seen = situation(row, facts.tasks, facts.effects, facts.told, facts.crew, attempts=attempts, fleet=fleet, asks=asks)
    return run_line(row, facts.tasks, replace(seen, breakers=_breakers(store, facts)), facts.now)


def _breakers(store: Verbs, facts: Facts) -> tuple[BreakerSeen, ...]:
    """The breakers that hold back what waits; asked only where a node that waits declares one."""
    if facts.graph is None:
        return ()
    waits = [task.path for task in facts.tasks if task.state == "READY" and task.not_before > facts.now]
    declared = {path: breaker_of(facts.row.workflow, node) for path in waits if (node := facts.graph.by_id.get(path))}
    names = {path: found[0] for path, found in declared.items() if found is not None}
    rows = {row.name: row for row in named(store, facts.row.tenant, sorted(set(names.values())))}
    lines = {name: line_of(row, facts.now) for name, row in rows.items()}
    return tuple(
        BreakerSeen(path, name, line.opened_at, line.next_probe, line.by, line.reason)
        for path, name in names.items()
        if (line := lines.get(name)) is not None and line.state != "closed"
    )


def node_lines(facts: Facts) -> tuple[NodeLine, ...]:
    """Every node of the graph, in graph order; without the graph those that the events name."""
    if facts.graph is None:
        names = dict.fromkeys(cell.path.partition("/")[0] for cell in facts.history.cells)
        return tuple(_line(facts, name, None, (), ()) for name in names)
    steps = plan_of(facts.graph).steps
    states = {node.id: state_of(facts, node.id) for node in facts.graph.nodes}
    lines = []
    for node in facts.graph.nodes:
        deps = steps[node.id].deps
        reached = states[node.id] not in ("pending", "skipped")
        taken = tuple(dep for dep in deps if reached and states[dep] in ("completed", "reused"))
        lines.append(_line(facts, node.id, node, deps, taken))
    return tuple(lines)


def state_of(facts: Facts, node_id: str) -> str:
    """One of `STATES`, for the current visit of a node."""
    state = facts.history.state
    story = main_story(facts.history, node_id)
    if story is None:
        return "pending"
    cell = state.cells.get(story.cell) if state is not None else None
    status = cell.status if cell is not None else None
    if status is None or status.is_terminal:
        return _terminal(story, status)
    if status is CellStatus.IN_DOUBT:
        return "in_doubt"
    if status is CellStatus.PARKED:
        return "parked"
    if status in (CellStatus.STOPPING, CellStatus.STOPPED):
        return "stopping"
    if status is CellStatus.ATTEMPT_FAILED:
        return "repairing"
    task = next((task for task in facts.tasks if task.path == node_id), None)
    if task is None or task.state == "CLAIMED":
        return "running" if task is not None else "ready"
    return "retrying" if task.not_before > facts.now and task.attempt > 1 else "ready"


def main_story(history: History, node_id: str) -> CellStory | None:
    """The latest visit of a node itself, not of its repair rounds."""
    mine = [story for cell, story in history.cells.items() if cell.path == node_id]
    return max(mine, key=lambda story: story.cell.visit) if mine else None


def _terminal(story: CellStory, status: CellStatus | None) -> str:
    if status is CellStatus.COMPLETED or (status is None and story.output is not None):
        return "reused" if story.by == "reuse" else "completed"
    return str(status).lower() if status is not None else ("failed" if story.error else "pending")


def _line(facts: Facts, node_id: str, node: AnyNode | None, deps: tuple[str, ...], taken: tuple[str, ...]) -> NodeLine:
    story = main_story(facts.history, node_id) or CellStory(Cell(node_id))
    latest = story.latest
    state = state_of(facts, node_id)
    error = story.error or (latest.error if latest is not None and state not in ("completed", "reused") else None)
    task = next((task for task in facts.tasks if task.path.partition("/")[0] == node_id and task.session), None)
    rounds = [other for other in stories_of(facts.history, node_id) if inner_of(other.cell) == "repair"]
    begun = story.scheduled_at
    return NodeLine(
        node_id=node_id,
        kind=story.kind or (node.kind if node is not None else ""),
        state=state,
        label=STATES[state],
        attempt=latest.number if latest else 0,
        attempts=node.retry.max_attempts if node is not None else 0,
        repairs=len(rounds),
        scheduled_at=begun,
        ended_at=story.ended_at,
        duration=(story.ended_at or (facts.now if not has_ended(facts.row.status) else begun)) - begun if begun else -1,
        worker=facts.crew.worker(task.session) if task is not None else "",
        model=latest.model if latest else "",
        error=error_view(error) if error is not None else None,
        why=story.why,
        when=node.when if node is not None else "",
        after=deps,
        taken=taken,
    )


def error_view(error: object, *, trace: bool = False) -> ErrorView:
    """An error as a readout; with its traceback when asked."""
    return ErrorView(
        code=getattr(error, "code", ""),
        message=getattr(error, "message", ""),
        type=getattr(error, "type", ""),
        retryable=getattr(error, "retryable", False),
        trace=getattr(error, "trace", "") if trace else "",
    )


def graph_of(store: Verbs, workflow: str, version: str) -> tuple[Graph | None, str]:
    """The graph of a version, or None and why it cannot be shown."""
    found = store.version(workflow, version)
    if found is None:
        return None, f"NX-R405: version {version} is not in the registry. The events below are complete."
    try:
        return read_graph(found.graph, version), ""
    except InternalError as error:
        return None, f"{error.code}: {error.message}. The events below are complete."


def _fleet(store: Verbs, facts: Facts) -> Fleet:
    if not facts.tasks:
        return Fleet()
    queue = queue_name(facts.row.workflow, facts.row.version)
    live = facts.crew.serving(queue)
    if not live:
        return Fleet(last_left=reading.last_left(store, queue))
    oldest = min(task.created_at for task in facts.tasks)
    waiting = all(task.state == "READY" for task in facts.tasks)
    return Fleet(live=live, ahead=reading.ahead(store, queue, oldest, facts.now) if waiting else 0)
