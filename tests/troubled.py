"""Runs that wait for a person, in every way that the pages know: doubts of each policy, calls, parked nodes, second acts."""

from __future__ import annotations

from typing import Any

from calldesk import ACTS, Desk, Order, Receipt, charge
from nexum.client.deadletters import GroupDecision, decide
from nexum.client.doubts import Decision, resolve
from nexum.client.interventions import By
from nexum.client.suspicions import acknowledge
from nexum.core.graph.nodes import Effect, Handler, Param, Reconciliation
from nexum.core.graph.policies import Dedupes, Hold, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell
from nexum.engine.work import Succeeded
from nexum.readouts.dead import read_dead
from nexum.sdk.io import IO
from nexum.store.doubts import effects_at
from nexum.store.statement import Insert
from nexum.store.tables import effect_evidence
from nexum.store.verbs import Verbs
from nexum.testing.samples import HOUR, MINUTE, Stage, fails, node

LOST = fails("NX-E201", "connection reset while the answer was awaited", kind="ReadTimeout", sent="unknown")
REFUSED = fails("NX-R200", "connection refused by payouts.example.test:443")
ONCE = RetryPolicy(max_attempts=1)
PARKS = RetryPolicy(max_attempts=1, exhausted="park")
RECEIPT = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
UNSURE = Succeeded(b'"the list of refunds is incomplete before 02:00"', answer="cannot_tell")
ABSENT = Succeeded(b"null", answer="not_found")


def paying(workflow: str, **options: Any) -> Graph:
    """One effect, `pay`, with these options."""
    given = {"tool": "pay.refund", "doubt": Hold(), "retry": ONCE, "output": RECEIPT, "reference": "id", **options}
    return Graph(workflow=workflow, input={}, nodes=(node(Effect, "pay", "input", **given),), result=("pay",))


def asking(workflow: str) -> Graph:
    """One effect whose provider can be asked."""
    find = Handler(ref="shop.agents:find_refund")
    asks = Reconciliation(handler=find, params=(Param(name="input", source="input"),), settle=MINUTE, gap=MINUTE)
    return paying(workflow, reconcile=asks)


def parking(workflow: str, label: str = "") -> Graph:
    """One effect that waits for a person after its last attempt."""
    return paying(workflow, tool="bank.payout", retry=PARKS, output={**RECEIPT, "title": f"Payout{label}"})


def doubt(stage: Stage, graph: Graph, name: str, *answers: Succeeded) -> str:
    """A run in doubt; its provider is asked once for each answer."""
    stage.register(graph)
    stage.open(f"worker-of-{graph.workflow}", graph.queue, lease=10**15)
    run_id = stage.begin(graph.workflow, {"order": name}, name=name, key=name)
    stage.play(graph.queue, {"pay": [LOST]})
    for answer in answers:
        stage.clock.pass_by(2 * MINUTE)
        stage.play(graph.queue, {"pay/reconcile": [answer]})
    return run_id


def park(stage: Stage, graph: Graph, name: str, tenant: str = "default") -> str:
    """A run whose only node is parked."""
    stage.register(graph)
    stage.open(f"worker-of-{graph.workflow}", graph.queue, lease=10**15)
    run_id = stage.begin(graph.workflow, {"order": name}, name=name, key=name, tenant=tenant)
    stage.play(graph.queue, {"pay": [REFUSED]})
    return run_id


def act_twice(store: Verbs, run_id: str, path: str, reference: str = "re_second", at: int = 5) -> str:
    """A late result that differs from what is recorded of an effect; gives the effect's key."""
    (effect,) = effects_at(store, run_id, path)
    late = (effect.tenant, effect.key, 1, run_id, "worker-0-1", "APPLIED", b"{}", "0" * 64, reference, b"", at)
    with store.database.once() as tx:
        tx.insert(Insert(effect_evidence, keep=True, without=("id",)), [late])
    return effect.key


def calls_in_doubt(store: Verbs) -> str:
    """A run whose handler made two calls, of which the second one was never answered."""

    def unanswered(order: str) -> Receipt:
        raise TimeoutError("no answer")

    def handler(order: Order, io: IO) -> Receipt:
        io.call(charge, order.number, 7)
        return io.call(unanswered, order.number, name="late")

    ACTS.update(book=handler)
    desk = Desk(store)
    run_id = desk.start()
    desk.play()
    return run_id


def _regressed(stage: Stage) -> None:
    """A group that was fixed in a version, and failed in it; somebody looks into it."""
    assert isinstance(stage.store, Verbs)
    old, new = parking("Settlement"), parking("Settlement", " of spring")
    park(stage, old, "settlement-0")
    (group,) = read_dead(stage.store, workflow="Settlement").groups
    stage.register(new)
    fixed = GroupDecision("default", group.fingerprint, "fixed", "mika", "the account was closed", new.version)
    decide(stage.store, fixed)
    decide(stage.store, GroupDecision("default", group.fingerprint, "assign", "mika", value="ken"))
    stage.clock.pass_by(MINUTE)
    park(stage, new, "settlement-1")


def trouble(stage: Stage) -> None:
    """All of it on one stage, whose `ids` name the runs."""
    assert isinstance(stage.store, Verbs)
    doubt(stage, paying("DedupedRefund", doubt=Dedupes(ttl=HOUR)), "doubt_dedupes")
    doubt(stage, asking("AskedRefund"), "doubt_asked", UNSURE, ABSENT)
    for version, count in (("", 3), (" of spring", 2)):
        for number in range(count):
            park(stage, parking("Payout", version), f"payout{version[-6:].strip()}-{number}")
            stage.clock.pass_by(MINUTE)
    _regressed(stage)
    half = doubt(stage, paying("PaidByTwo", tool="pay.twice"), "doubt_half")
    said = Decision(half, Cell("pay"), "happened", "mika", "seen in the console", "re_77", {"id": "re_77"})
    resolve(stage.store, said, four_eyes=("pay.twice",))
    act_twice(stage.store, stage.ids["completed"], "refund", at=stage.clock.now)
    seen = act_twice(stage.store, stage.ids["repaired"], "refund", "re_other", at=stage.clock.now)
    acknowledge(stage.store, seen, By("mika", "one of the two was a test of the provider"))
