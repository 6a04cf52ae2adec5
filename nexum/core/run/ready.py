"""Which nodes may go on: joins, skips, and the resolution of inputs and keys.

A node waits until all its deps are settled; then the types speak. A required parameter whose source was skipped skips
the node too (dead-path elimination), a nullable one receives None. `after=` orders and does not condition. A condition is
three-valued and only *true* is taken; false and unknown both skip, and the reason tells them apart. A condition that ends
in a real error fails the node, and so does a business key that cannot be one: nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nexum.core.canonical import canonical_bytes, sha256_hex
from nexum.core.expr.outcome import ABSENT, UNKNOWN, EvalError
from nexum.core.graph.nodes import INPUT, Effect, Llm
from nexum.core.ids import business_effect_key, effect_key
from nexum.core.run.events import Body, Cell, Error, NodeFailed, NodeScheduled, NodeSkipped
from nexum.core.run.keys import UnusableKeyError, key_text
from nexum.core.run.plan import RUN_ROOT, Plan, Step
from nexum.core.run.state import CellStatus, Phase, State
from nexum.core.values import Ref

Values = Mapping[str, object]  # decoded payloads by content hash

_SETTLED = frozenset({CellStatus.COMPLETED, CellStatus.SKIPPED})


def current(state: State, node_id: str) -> Cell:
    """The current visit of a node."""
    return Cell(node_id)


def candidates(plan: Plan, state: State) -> Iterator[Step]:
    """Pending nodes whose deps are all settled, among those that the last changes can have let go on."""
    if not state.cells:
        yield from (plan.steps[name] for name in plan.sources)
        return
    changed = [cell.path for cell in state.fresh if state.cells[cell].status in _SETTLED and cell.path in plan.readers]
    if len(changed) == 1:
        names: tuple[str, ...] = plan.readers[changed[0]]
    else:
        order = plan.graph.order
        names = tuple(sorted({name for path in changed for name in plan.readers[path]}, key=order.__getitem__))
    for name in names:
        step = plan.steps[name]
        if current(state, name) not in state.cells and all(_is_settled(state, dep) for dep in step.deps):
            yield step


def wanted(plan: Plan, state: State) -> tuple[Ref, ...]:
    """The payloads that `decide` will have to look into."""
    if not plan.looks or state.suspended or state.phase is not Phase.RUNNING:
        return ()
    found: dict[str, Ref] = {}
    for step in candidates(plan, state):
        for root in step.roots:
            ref = _output(state, root)
            if ref is not None:
                found[ref.hash] = ref
    return tuple(found.values())


def enter(plan: Plan, state: State, values: Values) -> list[Body]:
    """One event for each node that is ready: skipped, scheduled, or failed by its own condition."""
    roots: dict[str, object] = {}
    return [_enter(plan, state, step, values, roots) for step in candidates(plan, state)]


def _enter(plan: Plan, state: State, step: Step, values: Values, roots: dict[str, object]) -> Body:
    node = step.node
    cell = current(state, node.id)
    inputs: list[tuple[str, Ref | None]] = []
    for param in node.params:
        ref = _output(state, param.source)
        if ref is None and param.required:
            return NodeSkipped(cell, f"no {param.source}")
        inputs.append((param.name, ref))
    try:
        business = ""
        if step.roots:
            for root in step.roots:
                if root not in roots:
                    roots[root] = _value(state, root, values)
            if step.when is not None:
                taken = step.when(roots)
                if taken is not True:
                    return NodeSkipped(cell, _why_not(taken, step, roots))
            if step.key is not None:
                key = step.key(roots)
                if key is None or key is UNKNOWN:
                    return NodeSkipped(cell, "no business key")
                business = key_text(key)
        elif step.when is not None and step.when(roots) is not True:
            return NodeSkipped(cell, "condition false")
    except EvalError as error:
        return NodeFailed(cell, Error("NX-R301", f"the condition of {node.id} ended in an error: {error}"))
    except UnusableKeyError as error:
        return NodeFailed(cell, Error("NX-E206", f"the business key of {node.id}: {error}; nothing was sent"))
    effect = ""
    if isinstance(node, Effect):
        effect = (
            business_effect_key(state.tenant, node.tool, business)
            if business
            else effect_key(state.tenant, state.run_id, cell.path, cell.visit, cell.item)
        )
    limit = node.timeouts.schedule_to_close
    return NodeScheduled(
        cell=cell,
        kind=node.kind,
        inputs=tuple(inputs),
        input_hash=input_hash(tuple(inputs)),
        key=effect,
        business=business,
        close_by=state.now + limit if limit else 0,
        not_before=0,
        model=node.models[0] if isinstance(node, Llm) else "",
    )


def input_hash(inputs: tuple[tuple[str, Ref | None], ...]) -> str:
    """The hash over all inputs of a cell: the same bytes in, the same hash."""
    return sha256_hex(canonical_bytes([[name, None if ref is None else ref.hash] for name, ref in inputs]))


def _why_not(taken: object, step: Step, roots: Mapping[str, object]) -> str:
    if taken is not UNKNOWN:
        return "condition false"
    absent = [root for root in step.roots if roots[root] is ABSENT]
    return f"condition unknown: {absent[0]} was skipped" if absent else "condition unknown"


def _is_settled(state: State, node_id: str) -> bool:
    found = state.cells.get(current(state, node_id))
    return found is not None and found.status in _SETTLED


def _output(state: State, source: str) -> Ref | None:
    """The payload of a source, None when it is absent."""
    if source == INPUT:
        return state.input
    found = state.cells.get(current(state, source))
    return found.output if found is not None else None


def _value(state: State, root: str, values: Values) -> object:
    if root == RUN_ROOT:
        return {"id": state.run_id, "key": state.run_key, "tenant": state.tenant}
    ref = _output(state, root)
    return ABSENT if ref is None else values[ref.hash]
