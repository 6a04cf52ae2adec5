"""One node of a run: its attempts, what went in and came out, and what is particular to its kind."""

from __future__ import annotations

from collections.abc import Iterator

from nexum.core.graph.nodes import Effect, Llm
from nexum.core.graph.workflow import AnyNode
from nexum.core.run.places import inner_of
from nexum.core.run.standing import span
from nexum.core.values import Ref
from nexum.readouts.document import Document, Duration, ErrorView, Instant, PayloadView, UsageView, View
from nexum.readouts.history import Attempt, CellStory, stories_of
from nexum.readouts.payload import Bodies
from nexum.readouts.run import Facts, NodeLine, error_view, header, main_story, node_lines, pulse_of, read_facts
from nexum.readouts.runs import RunLine
from nexum.store.reading import EffectRow
from nexum.store.verbs import Verbs

TURN_MAX = 64 << 10  # characters of one turn that are shown


class SaidView(View):
    """One turn of a conversation with a language model; the model's own reply comes last. `cut`: it was too long."""

    role: str
    text: str
    cut: bool


class AttemptView(View):
    """One try. `round` is 0 for the node itself, else the repair round. `answer` is a model's text that did not fit.

    `asking` is 0 but where a provider was asked about an effect in doubt: then it counts those askings.

    `said` is what a model was asked and what it replied; empty for those who may not read payloads.
    """

    number: int
    round: int
    asking: int
    state: str
    scheduled_at: Instant
    not_before: Instant
    ended_at: Instant
    duration: Duration
    worker: str
    model: str
    deliveries: int
    sent: str
    evidence: str
    error: ErrorView | None
    usage: UsageView | None
    answer: PayloadView | None
    said: tuple[SaidView, ...]
    output: PayloadView | None
    seq: int


class EffectView(View):
    """The act on the outside world. `key` is the idempotency key, the same for every attempt."""

    key: str
    business_key: str
    tool: str
    policy: str
    state: str
    reference: str
    first_sent_at: Instant
    recorded_at: Instant


class InputView(View):
    """One parameter of the handler: where its value comes from, and the value."""

    name: str
    source: str
    required: bool
    payload: PayloadView | None


class PolicyView(View):
    """What the author asked for around the node."""

    retry: str
    timeouts: tuple[str, ...]
    handler: str
    models: tuple[str, ...]
    repair: int
    accept: str


class NodeDetail(Document):
    """A node of a run."""

    run: RunLine
    node: NodeLine
    inputs: tuple[InputView, ...]
    output: PayloadView | None
    error: ErrorView | None
    attempts: tuple[AttemptView, ...]
    effect: EffectView | None
    policy: PolicyView | None
    readers: tuple[str, ...]
    pulse: str
    now: Instant


def read_node(store: Verbs, run_id: str, node_id: str, *, may_read: bool) -> NodeDetail | None:
    """One node as a document; None when the run or the node does not exist."""
    facts = read_facts(store, run_id)
    if facts is None:
        return None
    lines = {line.node_id: line for line in node_lines(facts)}
    line = lines.get(node_id)
    if line is None:
        return None
    row = facts.row
    story = main_story(facts.history, node_id)
    node = facts.graph.by_id.get(node_id) if facts.graph is not None else None
    failed = story.error if story is not None else None
    bodies = Bodies(store, row.run_id, row.tenant, may_read=may_read)
    bodies.expect(_refs(facts, node_id))
    return NodeDetail(
        form="nexum.node/1",
        run=header(store, facts),
        node=line,
        inputs=input_views(node, story, bodies),
        output=bodies.maybe("output", story.output if story is not None else None),
        error=error_view(failed, trace=may_read) if failed is not None else line.error,
        attempts=_attempts(facts, node_id, bodies, may_read),
        effect=_effect(facts, node, story),
        policy=_policy(node) if node is not None else None,
        readers=tuple(other.node_id for other in lines.values() if node_id in other.after),
        pulse=pulse_of(store, row.run_id),
        now=facts.now,
    )


def _refs(facts: Facts, node_id: str) -> Iterator[Ref | None]:
    """Every payload that the page of a node shows."""
    for story in stories_of(facts.history, node_id):
        yield from (ref for _, ref in story.inputs)
        yield story.output
        yield from (attempt.raw for attempt in story.attempts)
        yield from (attempt.journal for attempt in story.attempts)


def _said(journal: PayloadView | None) -> tuple[SaidView, ...]:
    """The conversation of one model request."""
    if journal is None or not journal.given or not isinstance(journal.value, dict):
        return ()
    told = journal.value
    turns = [(str(turn["role"]), str(turn["text"])) for turn in told["messages"]]
    turns += [("reply", str(told["reply"]))] if told["reply"] else []
    return tuple(SaidView(role=role, text=text[:TURN_MAX], cut=len(text) > TURN_MAX) for role, text in turns)


def _attempts(facts: Facts, node_id: str, bodies: Bodies, may_read: bool) -> tuple[AttemptView, ...]:
    found = []
    for story in stories_of(facts.history, node_id):
        if inner_of(story.cell) == "io":
            continue  # a call is part of an attempt
        for attempt in story.attempts:
            found.append(_attempt(facts, story, attempt, bodies, may_read))
    return tuple(sorted(found, key=lambda view: (view.scheduled_at, view.round, view.number)))


def _attempt(facts: Facts, story: CellStory, attempt: Attempt, bodies: Bodies, may_read: bool) -> AttemptView:
    task = next((t for t in facts.tasks if (t.path, t.visit, t.item, t.attempt) == (*story.cell, attempt.number)), None)
    claimed = task is not None and task.state == "CLAIMED"
    inner, number = inner_of(story.cell), story.cell.path.rpartition(".")[2]
    state = attempt.outcome or ("running" if claimed else "ready" if task is not None else "ended")
    if task is not None and not claimed and task.not_before > facts.now:
        state = "retrying"
    begun = max(attempt.scheduled_at, attempt.not_before)
    until = attempt.ended_at or (facts.now if task is not None else begun)
    raw, output = attempt.raw, story.output if attempt.outcome in ("completed", "reused") else None
    return AttemptView(
        number=attempt.number,
        round=int(number) if inner == "repair" else 0,
        asking=int(number) if inner == "reconcile" else 0,
        state=state,
        scheduled_at=attempt.scheduled_at,
        not_before=attempt.not_before,
        ended_at=attempt.ended_at,
        duration=max(0, until - begun),
        worker=facts.crew.worker(task.session if claimed and task is not None else attempt.worker),
        model=attempt.model,
        deliveries=task.deliveries if task is not None else 0,
        sent=attempt.sent if story.kind == "effect" else "",
        evidence=attempt.evidence,
        error=error_view(attempt.error, trace=may_read) if attempt.error is not None else None,
        usage=UsageView(
            model=attempt.usage.model,
            served=attempt.usage.served,
            input_tokens=attempt.usage.input_tokens,
            output_tokens=attempt.usage.output_tokens,
            request_id=attempt.usage.request_id,
        )
        if attempt.usage is not None
        else None,
        answer=bodies.maybe("answer", raw),
        said=_said(bodies.maybe("journal", attempt.journal)),
        output=bodies.maybe("output", output),
        seq=attempt.seq,
    )


def input_views(node: AnyNode | None, story: CellStory | None, bodies: Bodies) -> tuple[InputView, ...]:
    """Each parameter of a node's handler with its value for one visit."""
    given = dict(story.inputs) if story is not None else {}
    params = {param.name: param for param in node.params} if node is not None else {}
    found = []
    for name in dict.fromkeys((*params, *given)):
        ref, param = given.get(name), params.get(name)
        found.append(
            InputView(
                name=name,
                source=param.source if param is not None else "",
                required=param.required if param is not None else True,
                payload=bodies.maybe(name, ref),
            )
        )
    return tuple(found)


def _effect(facts: Facts, node: AnyNode | None, story: CellStory | None) -> EffectView | None:
    if story is None or not story.key:
        return None
    row = next((effect for effect in facts.effects if effect.key == story.key), None)
    return EffectView(
        key=story.key,
        business_key=story.business,
        tool=row.tool if row is not None else (node.tool if isinstance(node, Effect) else ""),
        policy=_doubt(row, node),
        state=row.state if row is not None else "",
        reference=story.reference or (row.reference if row is not None else ""),
        first_sent_at=row.first_sent_at if row is not None else 0,
        recorded_at=row.recorded_at if row is not None else 0,
    )


def _doubt(row: EffectRow | None, node: AnyNode | None) -> str:
    """What the author declared about doubt, as the list of doubts says it: dedupes, hold or asks."""
    declared = node.doubt.policy if isinstance(node, Effect) else ""
    policy = row.policy if row is not None else declared
    return "asks" if policy == "hold" and isinstance(node, Effect) and node.reconcile is not None else policy


def _policy(node: AnyNode) -> PolicyView:
    retry = node.retry
    waits = f"{retry.backoff}, first wait {span(retry.first_wait)}, at most {span(retry.ceiling)}"
    limits = {
        "to start": node.timeouts.schedule_to_start,
        "each attempt": node.timeouts.start_to_close,
        "all attempts": node.timeouts.schedule_to_close,
        "between heartbeats": node.timeouts.heartbeat,
    }
    asks = node if isinstance(node, Llm) else None
    return PolicyView(
        retry="one attempt" if retry.max_attempts == 1 else f"{retry.max_attempts} attempts, {waits}",
        timeouts=tuple(f"{name} {span(limit)}" for name, limit in limits.items() if limit),
        handler=node.handler.ref,
        models=asks.models if asks else (),
        repair=asks.repair if asks else 0,
        accept=asks.accept if asks else "",
    )
