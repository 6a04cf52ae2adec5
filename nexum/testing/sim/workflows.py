"""Small workflows of every shape, drawn from a seed: chains, fans, joins, conditions, effects of every policy."""

from __future__ import annotations

import random
from typing import Any

from nexum.core.graph.nodes import Compensation, Compute, Effect, Handler, Llm, Param, Read, Reconciliation, Transaction
from nexum.core.graph.policies import Dedupes, Hold, RetryPolicy, TimeoutPolicy
from nexum.core.graph.workflow import AnyNode, Graph
from nexum.testing.sim.breakers import POLICY
from nexum.testing.sim.calls import script
from nexum.testing.sim.machine import SECOND
from nexum.testing.sim.provider import LAG, LONGEST, PATIENCE, Profile

KEPT = 3_600 * SECOND  # for which a tool that dedupes keeps keys; far longer than anything but a night waits
TOOLS = {
    "pay": Profile(dedupes=True, ttl=KEPT),
    "mail": Profile(dedupes=False),
    "book": Profile(dedupes=True, ttl=KEPT),
}
SETTLE = LONGEST + PATIENCE
INPUTS = tuple({"order": order, "n": n} for order in (1, 2) for n in (1, 2))


def workflow(rng: random.Random, name: str) -> Graph:
    """One to six nodes."""
    nodes: list[AnyNode] = []
    for place in range(rng.choice([1, 2, 2, 3, 3, 4, 5, 6])):
        nodes.append(_node(rng, f"n{place}", [node.id for node in nodes]))
    read = {param.source for node in nodes for param in node.params}
    leaves = tuple(node.id for node in nodes if node.id not in read)
    return Graph(workflow=name, input={}, nodes=tuple(nodes), result=leaves)


def _node(rng: random.Random, name: str, before: list[str]) -> AnyNode:
    chosen = rng.sample(before, min(len(before), rng.choice([0, 1, 1, 1, 2])))
    params = [Param(name=source, source=source, required=rng.random() < 0.75) for source in chosen]
    if not params or rng.random() < 0.3:
        params.append(Param(name="given", source="input"))
    shared: dict[str, Any] = {
        "id": name,
        "handler": Handler(ref=f"sim:{name}"),
        "output": {},
        "params": tuple(params),
        "when": f"{rng.choice(before)} >= {rng.randint(0, 60)}" if before and rng.random() < 0.2 else "",
        "after": (rng.choice(before),) if before and rng.random() < 0.15 else (),
        "retry": RetryPolicy(
            max_attempts=rng.randint(1, 4),
            first_wait=rng.choice([SECOND // 10, SECOND, 5 * SECOND]),
            ceiling=10 * SECOND,
            exhausted="park" if rng.random() < 0.15 else "fail",
        ),
        "timeouts": TimeoutPolicy(
            start_to_close=rng.choice([10, 30, 60]) * SECOND,
            schedule_to_close=rng.choice([0, 0, 0, SECOND // 10, SECOND, 3 * SECOND, 30 * SECOND]),
            schedule_to_start=rng.choice([0, 0, 0, 10 * SECOND]),
        ),
        "priority": rng.choice([0, 0, 0, -3, 3]),
    }
    breaker = POLICY if rng.random() < 0.3 else None
    kind = rng.choice(["compute", "read", "transaction", "llm", "effect", "effect", "effect", "effect"])
    if kind == "effect":
        return _effect(rng, shared).model_copy(update={"breaker": breaker})
    if kind == "llm":
        models = ("large", "small")[: rng.randint(1, 2)]
        return Llm(models=models, repair=rng.randint(0, 2), breaker=breaker, **shared)
    if kind == "transaction":
        return Transaction(**shared)
    return Compute(**shared) if kind == "compute" else Read(breaker=breaker, **shared)


def _effect(rng: random.Random, shared: dict[str, Any]) -> Effect:
    tool = rng.choice(["pay", "mail", "book"])
    promises = TOOLS[tool]
    key = "input.order" if rng.random() < 0.25 else ""
    if key:  # an act that several runs may ask for: its input is the run's own, so that two runs can mean the same
        shared["params"] = (Param(name="given", source="input"),)
        shared["after"] = ()
        shared["when"] = ""
    doubt = Dedupes(ttl=promises.ttl) if promises.dedupes and rng.random() < 0.75 else Hold()
    if rng.random() < 0.4:
        return _calling(rng, tool, key, shared)
    asking, undo = _asking(rng, shared), _undo(rng, shared)
    pivot = undo is None and rng.random() < 0.3
    return Effect(tool=tool, key=key, doubt=doubt, reconcile=asking, compensate=undo, pivot=pivot, **shared)


def _calling(rng: random.Random, tool: str, key: str, shared: dict[str, Any]) -> Effect:
    """An effect that makes journaled calls; doubt is about a call, so that there is nobody to ask about the node."""
    shared["handler"] = Handler(ref=f"sim:{shared['id']}:{script(rng, TOOLS)}")
    return Effect(tool=tool, key=key, io=True, compensate=None if key else _undo(rng, shared), **shared)


def _asking(rng: random.Random, shared: dict[str, Any]) -> Reconciliation | None:
    """Half of the effects can be asked about: after the settle time, which is longer than any request travels."""
    if rng.random() < 0.5:
        return None
    handler = Handler(ref=f"sim:{shared['id']}.ask")
    gap = rng.choice([LAG, 2 * LAG])
    return Reconciliation(handler=handler, params=shared["params"], settle=SETTLE, gap=gap, retry=shared["retry"])


def _undo(rng: random.Random, shared: dict[str, Any]) -> Compensation | None:
    """Some effects can be undone, by another act of a tool that dedupes or does not."""
    if rng.random() < 0.6:
        return None
    tool = rng.choice(["pay", "mail"])
    doubt = Dedupes(ttl=TOOLS[tool].ttl) if TOOLS[tool].dedupes else Hold()
    params = (Param(name="deed", source=shared["id"]),)
    handler = Handler(ref=f"sim:{shared['id']}.undo")
    asking = _asking(rng, {**shared, "id": f"{shared['id']}.undo", "params": params})
    asked = {"reconcile": asking, "retry": shared["retry"]}
    return Compensation(handler=handler, params=params, output={}, tool=tool, doubt=doubt, **asked)
