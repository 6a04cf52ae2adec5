"""Effects in doubt: the list, and one of them with everything that is known about it and every way out.

What a person decides by is the evidence: who claimed the effect, when the request may have left, what was heard of it, who
decided. It is put together from the run's events, the effect's row, the sessions and the reports that came too late.
"""

from __future__ import annotations

from typing import Any

from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import Dedupes
from nexum.core.ids import queue_name
from nexum.core.run.events import Cell
from nexum.core.run.places import call_name
from nexum.core.run.plan import plan_of
from nexum.core.run.standing import span
from nexum.core.run.state import CellStatus
from nexum.readouts.document import Document, Instant, PayloadView, View
from nexum.readouts.evidence import DECIDED, MomentView, evidence
from nexum.readouts.node import InputView, input_views
from nexum.readouts.payload import Bodies
from nexum.readouts.run import STATES, Facts, graph_of, header, read_facts, state_of
from nexum.readouts.runs import RunLine
from nexum.store.doubts import DoubtRow, doubts, effect_of, half_decided
from nexum.store.suspicions import SuspicionRow, suspicions
from nexum.store.verbs import Verbs

MOST = 500  # effects of one list
UNKNOWN = "Nexum does not know whether this happened. Sending again with a new key could do it twice."


class DoubtLine(View):
    """An effect in a list. `path` is that of its cell; `policy` is what the author declared about doubt: dedupes, hold or asks.

    `proposed` is who has decided and waits for a second person.
    """

    key: str
    tenant: str
    run_id: str
    workflow: str
    version: str
    run_key: str
    subject: str
    path: str
    visit: int
    item: int
    attempt: int
    tool: str
    policy: str
    business_key: str
    state: str
    reference: str
    first_sent_at: Instant
    claimed_at: Instant
    proposed: str = ""

    @property
    def short_id(self) -> str:
        """The end of the run's id."""
        return self.run_id[-8:]

    @property
    def node_id(self) -> str:
        """The node of the graph."""
        return self.path.partition("/")[0]

    @property
    def call(self) -> str:
        """The name of the call that it is, inside its node; "" for a node's own effect."""
        return call_name(Cell(self.path))

    @property
    def place(self) -> str:
        """The node, with the element and the pass where there is more than one."""
        item = f"[{self.item}]" if self.item >= 0 else ""
        return f"{self.path}{item}" + (f" (visit {self.visit})" if self.visit > 1 else "")


class SuspicionView(View):
    """An effect that may have been done twice: a late result under `reference` that differs from what is `recorded`.

    `actor` has looked into it, for a `reason`, at `acknowledged_at`; null there while nobody has.
    """

    tenant: str
    key: str
    run_id: str
    session: str
    reference: str
    result_hash: str
    at: Instant
    path: str
    tool: str
    business_key: str
    state: str
    recorded: str
    recorded_hash: str
    workflow: str
    version: str
    status: str
    number: int
    visit: int
    item: int
    actor: str
    reason: str
    acknowledged_at: Instant


class DoubtList(Document):
    """Effects in doubt, the one that was claimed first at the top. With `more_than` there are more than are listed.

    `suspected` are those that may have been done twice, `alarms` of which nobody has acknowledged; with `more_suspected` there
    are more of them.
    """

    effects: tuple[DoubtLine, ...]
    more_than: bool
    suspected: tuple[SuspicionView, ...]
    alarms: int
    more_suspected: bool
    now: Instant

    @property
    def acknowledged(self) -> int:
        """How many of what may have been done twice somebody has looked into."""
        return len(self.suspected) - self.alarms


class AskingView(View):
    """Whether the provider can be asked by the author's own handler, and if not, why.

    `number` is the asking that is under way, from the instant `at` on; 0 when none is.
    """

    declared: bool
    possible: bool
    why: str
    handler: str
    number: int
    at: Instant


class ProposalView(View):
    """What `by` has decided in event `seq`, and a second person is to decide as well; `response` when it happened."""

    seq: int
    at: Instant
    by: str
    outcome: str
    words: str
    reference: str
    reason: str
    response: PayloadView | None


class DoubtDetail(Document):
    """One effect. `held`: a decision is waited for. `formula` is what the key is made of, `output` what a response must fit.

    `next_nodes` are the nodes that go on once the effect has completed. `proposed` waits for a second person.
    """

    effect: DoubtLine
    run: RunLine
    held: bool
    state: str
    label: str
    policy: str
    formula: str
    inputs: tuple[InputView, ...]
    output: dict[str, Any]
    next_nodes: tuple[str, ...]
    asking: AskingView
    proposed: ProposalView | None
    evidence: tuple[MomentView, ...]
    suspected: tuple[SuspicionView, ...]
    now: Instant

    @property
    def alarms(self) -> tuple[SuspicionView, ...]:
        """What may have been done twice, and nobody has looked into."""
        return tuple(view for view in self.suspected if not view.acknowledged_at)


def read_doubts(store: Verbs, *, workflow: str = "", tenant: str = "", limit: int = MOST) -> DoubtList:
    """The effects in doubt of open runs; only those of a workflow or a tenant when it is named."""
    found = doubts(store, workflow=workflow, tenant=tenant, limit=limit + 1)
    twice = suspicions(store, workflow=workflow, tenant=tenant, limit=2 * limit)
    suspected = _suspected(twice)[:limit]
    asked, halves = _asked(store, found), half_decided(store, [row.run_id for row in found])
    return DoubtList(
        form="nexum.effects-in-doubt/1",
        effects=tuple(
            line_of(row, asks=(row.workflow, row.version, row.path) in asked).model_copy(
                update={"proposed": halves.get((row.run_id, row.path, row.visit, row.item), "")}
            )
            for row in found[:limit]
        ),
        more_than=len(found) > limit,
        suspected=suspected,
        alarms=sum(not view.acknowledged_at for view in suspected),
        more_suspected=len(twice) > limit,
        now=store.now(),
    )


def _suspected(rows: list[SuspicionRow]) -> tuple[SuspicionView, ...]:
    """What nobody has looked into comes first."""
    return tuple(SuspicionView(**row._asdict()) for row in sorted(rows, key=lambda row: bool(row.acknowledged_at)))


def _asked(store: Verbs, rows: list[DoubtRow]) -> set[tuple[str, str, str]]:
    """Of which held effects the provider can be asked: workflow, version and node; one query for each version."""
    found = set()
    for workflow, version in sorted({(row.workflow, row.version) for row in rows if row.policy == "hold"}):
        graph, _ = graph_of(store, workflow, version)
        nodes = graph.nodes if graph is not None else ()
        found |= {(workflow, version, n.id) for n in nodes if isinstance(n, Effect) and n.reconcile is not None}
    return found


def line_of(row: DoubtRow, *, asks: bool = False) -> DoubtLine:
    """An effect's row as a line; with `asks` its provider can be asked."""
    values = {name: value for name, value in row._asdict().items() if name != "status"}
    return DoubtLine(**{**values, "policy": "asks"} if asks else values)


def read_doubt(store: Verbs, key: str, *, may_read: bool) -> DoubtDetail | None:
    """One effect by its whole key, in doubt or no longer; None when no effect has it. Bodies only with `may_read`."""
    found = effect_of(store, key)
    facts = read_facts(store, found[0].run_id) if found is not None else None
    if found is None or facts is None:
        return None
    row, claimer = found
    cell = Cell(row.path, row.visit, row.item)
    story = facts.history.cells.get(cell)
    node = _effect_at(facts, row.path)
    bodies = Bodies(store, row.run_id, row.tenant, may_read=may_read)
    bodies.expect(ref for _, ref in story.inputs) if story is not None else None
    held = _is_held(facts, cell)
    state = "in_doubt" if held else _state_of(facts, cell)
    return DoubtDetail(
        form="nexum.effect-in-doubt/1",
        effect=line_of(row, asks=node is not None and node.reconcile is not None),
        run=header(store, facts),
        held=held,
        state=state,
        label=STATES[state],
        policy=_policy(node),
        formula=_formula(row, node),
        inputs=input_views(node, story, bodies),
        output=node.output if node is not None else {},
        next_nodes=_next_nodes(facts, row.path),
        asking=_asking(facts, node, cell),
        proposed=_proposed(facts, cell, bodies) if held else None,
        evidence=evidence(store, facts, row, claimer, bodies),
        suspected=_suspected(suspicions(store, key=row.key)) if _came_late(facts, row) else (),
        now=facts.now,
    )


def _came_late(facts: Facts, row: DoubtRow) -> bool:
    """Whether any result came too late for this effect: most pages need no further query."""
    return any(effect.late for effect in facts.effects if effect.key == row.key)


def _effect_at(facts: Facts, path: str) -> Effect | None:
    node = plan_of(facts.graph).node_at(path) if facts.graph is not None else None
    return node if isinstance(node, Effect) else None


def _is_held(facts: Facts, cell: Cell) -> bool:
    state = facts.history.state
    at = state.cells.get(cell) if state is not None else None
    return at is not None and at.status is CellStatus.IN_DOUBT and state is not None and not state.phase.is_ended


def _proposed(facts: Facts, cell: Cell, bodies: Bodies) -> ProposalView | None:
    """What waits for a second person."""
    at = facts.history.state.cells.get(cell) if facts.history.state is not None else None
    made = at.proposed if at is not None else None
    if made is None:
        return None
    return ProposalView(
        seq=made.seq,
        at=made.at,
        by=made.by,
        outcome=made.outcome,
        words=DECIDED.get(made.outcome, made.outcome),
        reference=made.reference,
        reason=made.reason,
        response=bodies.maybe("response", made.output),
    )


def _state_of(facts: Facts, cell: Cell) -> str:
    """How an effect that is in doubt no longer stands: a call inside a node by itself, a node as its own page says."""
    at = facts.history.state.cells.get(cell) if facts.history.state is not None else None
    if at is not None and at.status.is_terminal and "/" in cell.path:
        return str(at.status).lower()
    return state_of(facts, cell.path.partition("/")[0])


def _policy(node: Effect | None) -> str:
    if node is None:
        return "not known: the version is not in the registry"
    if isinstance(node.doubt, Dedupes):
        return f"sent again under the same key within {span(node.doubt.ttl)} of the first time, then held for a person"
    if node.reconcile is not None:
        return "the provider is asked, then held for a person"
    return "held for a person"


def _formula(row: DoubtRow, node: Effect | None) -> str:
    if node is not None and node.key:
        return f"{node.key} = {row.business_key}"
    item = f", item {row.item}" if row.item >= 0 else ""
    return f"derived from run, node {row.path}, visit {row.visit}{item}; no attempt is part of it"


def _next_nodes(facts: Facts, path: str) -> tuple[str, ...]:
    if facts.graph is None:
        return ()
    return tuple(name for name, step in plan_of(facts.graph).steps.items() if path in step.deps)


def _asking(facts: Facts, node: Effect | None, cell: Cell) -> AskingView:
    if node is None or node.reconcile is None:
        why = "This effect declares no reconcile handler, so only a person can look at the provider."
        return AskingView(declared=False, possible=False, why=why, handler="", number=0, at=0)
    served = facts.crew.serving(queue_name(facts.row.workflow, facts.row.version))
    why = "" if served else f"No live worker serves this version: nexum worker --workflow {facts.row.workflow}"
    inner = f"{cell.path}/reconcile."
    task = next(
        (t for t in facts.tasks if t.path.startswith(inner) and (t.visit, t.item) == (cell.visit, cell.item)), None
    )
    return AskingView(
        declared=True,
        possible=bool(served),
        why=why,
        handler=node.reconcile.handler.ref,
        number=int(task.path.removeprefix(inner)) if task is not None else 0,
        at=max(task.not_before, task.created_at) if task is not None else 0,
    )
