"""Random graphs and random histories for property tests: one generator, used by every law."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from nexum.core.canonical import canonical_bytes, sha256_hex
from nexum.core.graph.nodes import Compensation, Compute, Effect, Handler, Llm, Param, Read, Reconciliation
from nexum.core.graph.policies import Dedupes, Hold, RetryPolicy, TimeoutPolicy
from nexum.core.graph.workflow import AnyNode, Graph
from nexum.core.run.advance import advance, settle
from nexum.core.run.events import (
    NEVER,
    AttemptFailed,
    AttemptStopped,
    Body,
    CancelRequested,
    Cell,
    DoubtProposed,
    DoubtResolved,
    EffectInDoubt,
    Error,
    FailRequested,
    NodeCompleted,
    ReconcileRequested,
    RetryRequested,
    RunStarted,
    SkipRequested,
    TimerFired,
)
from nexum.core.run.fold import Event, fold
from nexum.core.run.plan import Plan, plan_of
from nexum.core.run.state import CellStatus, State
from nexum.core.values import HERE, Ref

START = 1_000_000
INPUT = {"n": 5}


def graph(*nodes: AnyNode, result: tuple[str, ...] = ()) -> Graph:
    """A graph whose input is any JSON; the result defaults to the last node."""
    return Graph(workflow="W", input={}, nodes=nodes, result=result or (nodes[-1].id,))


def compute(name: str, *sources: str, optional: tuple[str, ...] = (), **more: object) -> Compute:
    """A compute node that reads `sources` (required) and `optional` ones."""
    return Compute(id=name, handler=Handler(ref=f"m:{name}"), output={}, params=params(sources, optional), **more)  # type: ignore[arg-type]


def params(required: tuple[str, ...], optional: tuple[str, ...] = ()) -> tuple[Param, ...]:
    """Parameters named like their sources."""
    return tuple(Param(name=s, source=s) for s in required) + tuple(
        Param(name=s, source=s, required=False) for s in optional
    )


def undone_by(name: str, *sources: str, **more: object) -> Compensation:
    """How the effect `name` is undone: by its output and what it was made from."""
    handler = Handler(ref=f"m:{name}_undo")
    return Compensation(handler=handler, output={}, tool=f"undo.{name}", params=params((name, *sources)), **more)  # type: ignore[arg-type]


def random_graph(rng: random.Random, size: int | None = None) -> Graph:
    """Two to eight nodes of every kind, with joins, conditions, nullable parameters, orders, time limits and undos."""
    names = [f"n{i}" for i in range(size or rng.randint(2, 8))]
    nodes: list[AnyNode] = []
    for place, name in enumerate(names):
        before = names[:place]
        chosen = rng.sample(before, min(len(before), rng.choice([0, 1, 1, 2])))
        required = tuple(s for s in chosen if rng.random() < 0.7)
        shared = {
            "id": name,
            "handler": Handler(ref=f"m:{name}"),
            "output": {},
            "params": params(required, tuple(s for s in chosen if s not in required)),
            "when": f"{rng.choice(before)} >= {rng.randint(0, 9)}" if before and rng.random() < 0.35 else "",
            "after": tuple(rng.sample(before, 1)) if before and rng.random() < 0.2 else (),
            "retry": RetryPolicy(max_attempts=rng.randint(1, 3), exhausted=rng.choice(["fail", "fail", "park"])),
            "timeouts": TimeoutPolicy(schedule_to_close=rng.choice([0, 0, 60_000_000])),
        }
        kind = rng.choice(["compute", "read", "effect", "effect", "llm"])
        if kind == "effect":
            doubt = rng.choice([Hold(), Dedupes(ttl=3_600_000_000)])
            key = f"{rng.choice(before)} + 1" if before and rng.random() < 0.3 else ""
            asked = Reconciliation(
                handler=Handler(ref=f"m:find_{name}"), params=shared["params"], retry=shared["retry"]
            )
            reconcile = asked if rng.random() < 0.4 else None
            undo = (
                undone_by(
                    name,
                    *required,
                    retry=RetryPolicy(max_attempts=rng.randint(1, 2)),
                    reconcile=asked.model_copy(update={"params": params((name,))}) if rng.random() < 0.3 else None,
                )
                if rng.random() < 0.6
                else None
            )
            pivot = undo is None and rng.random() < 0.3
            nodes.append(
                Effect(
                    tool=f"t.{name}", key=key, doubt=doubt, reconcile=reconcile, compensate=undo, pivot=pivot, **shared
                )
            )
        elif kind == "llm":
            nodes.append(Llm(models=("a", "b")[: rng.randint(1, 2)], repair=rng.randint(0, 2), **shared))
        else:
            nodes.append((Compute if kind == "compute" else Read)(**shared))
    leaves = tuple(n.id for n in nodes if not any(n.id in plan_of(graph(*nodes)).steps[o.id].deps for o in nodes))
    return graph(*nodes, result=leaves)


@dataclass
class World:
    """A run under random but reproducible messages; `outputs` are a function of the node, so orders can be compared."""

    plan: Plan
    rng: random.Random
    fails: float = 0.25
    state: State = field(init=False)
    events: list[Event] = field(default_factory=list)
    facts: list[tuple[Body, int]] = field(default_factory=list)
    values: dict[str, object] = field(default_factory=dict)
    now: int = START

    def __post_init__(self) -> None:
        first = Event(1, self.now, RunStarted("W", self.plan.graph.version, self.keep(INPUT), "k"))
        grown = settle(self.plan, fold(State("run-1"), first), (first,), self.values)
        self.state, self.events = grown.state, list(grown.events)

    def keep(self, value: object) -> Ref:
        """A reference to a value that conditions may read."""
        data = canonical_bytes(value)
        self.values[sha256_hex(data)] = value
        return Ref(sha256_hex(data), len(data), HERE)

    def send(self, message: Body) -> None:
        """One message at the present instant."""
        grown = advance(self.plan, self.state, message, self.now, self.values)
        self.facts.append((message, self.now))
        self.state = grown.state
        self.events.extend(grown.events)

    def possible(self) -> list[Cell]:
        """Cells whose attempt could report now."""
        reporting = (CellStatus.SCHEDULED, CellStatus.STOPPING, CellStatus.IN_DOUBT, CellStatus.PARKED)
        return sorted(c for c in self.state.open if self.state.cells[c].status in reporting)

    def output_of(self, cell: Cell) -> int:
        """What a node returns, whenever it runs."""
        return sum(cell.path.partition("/")[0].encode()) * 7 % 10

    def turn(self) -> bool:
        """One random message; False when the run is at its end."""
        cells = self.possible()
        if not cells:
            return False
        self.now += self.rng.randint(1, 30_000_000)
        askings = [cell for cell in cells if "/reconcile." in cell.path]
        cell = self.rng.choice(askings if askings and self.rng.random() < 0.8 else cells)
        if "/reconcile." in cell.path:  # nobody asks before its time
            self.now = max(self.now, self.state.cells[cell].not_before)
        self.send(self.message(cell))
        return True

    def message(self, cell: Cell) -> Body:
        """What a worker, a timer or a person could say about this cell now."""
        at = self.state.cells[cell]
        timers = [t for t, due in sorted(self.state.timers.items()) if due <= self.now]
        if timers and self.fails and self.rng.random() < 0.5:  # time limits race with results by intent
            return TimerFired(self.rng.choice(timers))
        if at.status is CellStatus.PARKED or (self.fails and self.rng.random() < 0.05):
            return self.request(cell)
        if "/reconcile." in cell.path and self.rng.random() >= self.fails:
            return self.answer(cell, at.attempt)
        if at.status is CellStatus.IN_DOUBT and self.rng.random() < 0.2:
            return ReconcileRequested(cell, "now, please")
        if at.status is CellStatus.IN_DOUBT and at.proposed is not None and self.rng.random() < 0.7:
            made = at.proposed
            return DoubtResolved(cell, made.outcome, made.output, made.reference, confirms=made.seq)
        if at.status is CellStatus.IN_DOUBT:
            outcome = self.rng.choice(["happened", "did_not_happen", "abandon"])
            output = self.keep(self.output_of(cell)) if outcome == "happened" else None
            if self.rng.random() < 0.3:
                return DoubtProposed(cell, outcome, "mika", output)
            return DoubtResolved(cell, outcome, output)
        if at.status is CellStatus.STOPPING and self.rng.random() < 0.5:
            return AttemptStopped(cell, at.attempt, claimed=False)
        if self.rng.random() >= self.fails:
            return NodeCompleted(cell, self.keep(self.output_of(cell)), at.attempt)
        if at.kind == "effect" and self.rng.random() < 0.3:
            quiet = self.rng.choice([NEVER, self.now, self.now + 600_000_000])
            return EffectInDoubt(cell, at.attempt, "reset", quiet_from=quiet)
        error = Error("NX-R200", "boom", retryable=self.rng.random() < 0.7)
        repairable = at.kind == "llm" and self.rng.random() < 0.6
        sent = self.rng.choice(["no", "unknown"]) if at.kind == "effect" else "no"
        raw = self.keep("raw") if repairable else None
        return AttemptFailed(cell, at.attempt, error, sent=sent, repairable=repairable, raw=raw)

    def answer(self, cell: Cell, attempt: int) -> Body:
        """What a provider could answer about an effect."""
        answer = self.rng.choice(["found", "not_found", "not_found", "cannot_tell"])
        output = self.keep(self.output_of(cell)) if answer == "found" else self.keep(answer)
        return NodeCompleted(cell, output, attempt, answer=answer)

    def request(self, cell: Cell) -> Body:
        """What a person could want of this cell, fitting or not."""
        match self.rng.randrange(4):
            case 0:
                return RetryRequested(cell, "again")
            case 1:
                return SkipRequested(cell, "without it")
            case 2:
                return SkipRequested(cell, "with this", self.keep(self.output_of(cell)))
            case _:
                return FailRequested(cell, "give it up")

    def play(self, turns: int = 400, cancel_at: int = -1, compensate: bool = True) -> World:
        """Random messages until the end."""
        for turn in range(turns):
            if turn == cancel_at:
                self.send(CancelRequested("enough", compensate))
            if not self.turn():
                break
        return self


def world(seed: int, *, fails: float = 0.25, size: int | None = None) -> World:
    """A random graph with a run on it, both from one seed."""
    rng = random.Random(seed)
    return World(plan_of(random_graph(rng, size)), rng, fails)
