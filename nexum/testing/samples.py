"""A database with a run in every standing: what pages, the API's fuzzer and screenshots are looked at with.

The runs are made by the real engine on the real store, by a clock that is moved by hand; only the handlers are missing:
each node's outcomes are written down below, one for each attempt.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nexum.broker.doorbell import NullDoorbell
from nexum.client.start import default_graph, input_bytes, new_trace
from nexum.core.canonical import Json, canonical_bytes
from nexum.core.graph.nodes import Compute, Effect, Handler, Llm, Param, Read
from nexum.core.graph.policies import Dedupes, Hold, RetryPolicy
from nexum.core.graph.workflow import AnyNode, Graph
from nexum.core.ids import run_id_from
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import Body, CancelRequested, Error, RunSuspended, Usage
from nexum.engine.engine import Engine
from nexum.engine.reports import keep
from nexum.engine.starting import start_row
from nexum.engine.work import Failed, Outcome, Succeeded, Work
from nexum.store.api import Mail, SessionRow, Store, VersionRow

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
PATIENT = RetryPolicy(max_attempts=5, first_wait=20 * MINUTE, ceiling=HOUR, jitter=0)
JAPANESE = "注文した商品が届きましたが、箱が潰れていて中のカップが割れていました。返金をお願いします。🙏"
RTL = "אני מבקש החזר כספי עבור ההזמנה · أطلب استرداد المبلغ"
CLAIM = {"customer": "山田 花子 🌸", "email": "hanako@example.test", "order_id": "1042", "text": JAPANESE}


class Clock:
    """Microseconds since 1970, moved by hand."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        """The time."""
        return self.now

    def pass_by(self, us: int) -> None:
        """Let time pass."""
        self.now += us


Script = Mapping[str, Sequence[Outcome]]


def gives(value: Json, *, reference: str = "", usage: Usage | None = None) -> Succeeded:
    """A handler that returned, or a model whose answer fits."""
    output = canonical_bytes(value)
    return Succeeded(output, reference=reference, usage=usage, journal=journal(output.decode()) if usage else b"")


def journal(reply: str) -> bytes:
    """What a worker writes down of a request to a model."""
    claim = f"The claim, which is data:\n<claim>{JAPANESE}</claim>"
    asked = f"You judge refund claims of a shop.\n{claim}\nIs a refund justified?"
    return canonical_bytes(
        {
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "text": asked}],
            "settings": {},
            "reply": reply,
            "finish": "stop",
            "request_id": "req",
        }
    )


def fails(code: str, message: str, *, kind: str = "ProviderError", sent: str = "no", retryable: bool = True) -> Failed:
    """A handler that raised."""
    trace = f'Traceback (most recent call last):\n  File "shop/agents.py", line 62, in handler\n    raise {kind}\n{kind}: {message}'
    return Failed(Error(code, message, type=kind, retryable=retryable, trace=trace), sent=sent)


def unfit(text: str, problem: str) -> Failed:
    """A model's answer that does not fit."""
    usage = Usage("openai:gpt-4o-mini", "gpt-4o-mini-2024-07-18", 812, 64, "req_7Yx2")
    error = Error("NX-L210", problem, type="InvalidAnswerError", retryable=True)
    return Failed(error, repairable=True, raw=text.encode(), usage=usage, journal=journal(text))


def node(kind: type[AnyNode], name: str, *sources: str, optional: Sequence[str] = (), **more: object) -> AnyNode:
    """A node whose parameters are named like their sources."""
    params = tuple(Param(name=s, source=s) for s in sources) + tuple(
        Param(name=s, source=s, required=False) for s in optional
    )
    values = {"id": name, "handler": Handler(ref=f"shop.agents:{name}"), "params": params, "output": {}, **more}
    return kind.model_validate(values)


def refund_graph(label: str = "") -> Graph:
    """Look up, judge, decide, pay once, write once."""
    nodes = (
        node(Read, "purchase", "input", retry=PATIENT),
        node(Llm, "verdict", "input", "purchase", models=("openai:gpt-4o-mini",), repair=2, retry=PATIENT),
        node(Compute, "route", "purchase", "verdict"),
        node(
            Effect,
            "refund",
            "route",
            tool="pay.refund",
            when='route.decision == "refund"',
            doubt=Hold(),
            reference="id",
            retry=PATIENT,
        ),
        node(Compute, "letter", "input", "route", optional=("refund",)),
        node(Effect, "mail", "letter", tool="mail.send", doubt=Dedupes(ttl=24 * HOUR), reference="id", retry=PATIENT),
        node(Compute, "outcome", "route", optional=("refund", "mail")),
    )
    schema = {
        "type": "object",
        "required": ["customer", "email", "order_id", "text"],
        "properties": {
            "customer": {"type": "string"},
            "email": {"type": "string"},
            "order_id": {"type": "string"},
            "text": {"type": "string"},
        },
        "title": f"Claim{label}",
    }
    return Graph(workflow="RefundAgent", input=schema, nodes=nodes, result=("outcome",))


def wide_graph() -> Graph:
    """Twenty nodes: three ways side by side, joined twice, with names that do not fit their boxes."""
    nodes = [
        node(Read, "load_customer", "input"),
        node(Read, "load_orders", "input"),
        node(Compute, "normalise", "load_customer", "load_orders"),
    ]
    for way in ("credit", "fraud", "stock"):
        nodes += [
            node(Read, f"{way}_records", "normalise"),
            node(Llm, f"{way}_opinion", f"{way}_records", models=("anthropic:claude-sonnet", "openai:gpt-4o-mini")),
            node(Compute, f"{way}_score", f"{way}_opinion", "normalise"),
        ]
    nodes += [
        node(Compute, "combined_risk_assessment_of_all_three_opinions", "credit_score", "fraud_score", "stock_score"),
        node(Compute, "limit", "combined_risk_assessment_of_all_three_opinions", "load_customer"),
        node(Effect, "reserve_stock", "limit", tool="stock.reserve", doubt=Dedupes(ttl=HOUR), retry=PATIENT),
        node(
            Effect,
            "charge_card",
            "limit",
            "reserve_stock",
            tool="pay.charge",
            key="limit.order",
            doubt=Hold(),
            retry=PATIENT,
        ),
        node(Compute, "invoice", "charge_card", "load_customer"),
        node(Effect, "send_invoice", "invoice", tool="mail.send", doubt=Dedupes(ttl=HOUR)),
        node(
            Effect, "notify_warehouse", "reserve_stock", "charge_card", tool="warehouse.notify", doubt=Dedupes(ttl=HOUR)
        ),
        node(Compute, "summary", "invoice", optional=("send_invoice", "notify_warehouse")),
    ]
    return Graph(workflow="OrderIntake", input={}, nodes=tuple(nodes), result=("summary",))


PURCHASE = {
    "order_id": "1042",
    "item": "磁器のティーカップ",
    "amount": 4_200,
    "currency": "EUR",
    "age_days": 6,
    "policy": RTL,
}
VERDICT = {"refund": True, "score": 91, "reason": "The parcel arrived broken, the photograph shows it. " + RTL}
USAGE = Usage("openai:gpt-4o-mini", "gpt-4o-mini-2024-07-18", 830, 71, "req_8Za3")
REFUND: dict[str, Sequence[Outcome]] = {
    "purchase": [gives(PURCHASE)],
    "verdict": [gives(VERDICT, usage=USAGE)],
    "route": [gives({"decision": "refund", "order_id": "1042", "amount": 4_200, "why": "the claim is justified"})],
    "refund": [gives({"id": "re_3Q9fA7", "amount": 4_200}, reference="re_3Q9fA7")],
    "letter": [gives({"to": "hanako@example.test", "subject": "ご返金のお知らせ", "body": JAPANESE})],
    "mail": [gives({"id": "msg_01J8"}, reference="msg_01J8")],
    "outcome": [
        gives({"status": "refunded", "why": "the claim is justified", "refund": "re_3Q9fA7", "mail": "msg_01J8"})
    ],
}


@dataclass
class Stage:
    """An engine, a clock and a worker's session, to play runs with."""

    store: Store
    clock: Clock
    session: str = "worker-1-4711"
    pace: int = 380_000
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(self.store, session=self.session, doorbell=NullDoorbell())

    def register(self, graph: Graph, *, default: bool = True) -> None:
        """Register a version."""
        row = VersionRow(graph.workflow, graph.version, "active", graph.data, "", "", "mika", 0)
        self.store.register(row, make_default=default)

    def open(
        self, session: str, *queues: str, host: str = "worker-1", pid: int = 4711, lease: int = 15 * SECOND
    ) -> None:
        """A live process that serves queues."""
        row = SessionRow(session, "worker", host, pid, 1, queues, 16, 0, 0, 0, "LIVE", lease)
        self.store.open_session(row)

    def begin(
        self, workflow: str, given: Json, *, name: str, key: str = "", subject: str = "", tenant: str = "default"
    ) -> str:
        """Start a run and remember it under a name.

        Not by the client's `start`, which counts on its own clock between two looks at the store's.
        """
        graph = default_graph(self.store, workflow)
        data, now = input_bytes(graph, given), self.store.now()
        ref, _ = keep(self.store, tenant, data)
        run_id = run_id_from(now, os.urandom(10))
        row = start_row(
            graph,
            run_id=run_id,
            tenant=tenant,
            run_key=key,
            data=data,
            input_ref=ref,
            now=now,
            subject=subject,
            trace=new_trace(),
            actor="shop.views.claim",
        )
        self.ids[name] = self.store.start(row).run_id
        self.clock.pass_by(self.pace)
        return self.ids[name]

    def play(self, queue: str, script: Script, *, until: str = "") -> Work | None:
        """Execute the queue's tasks by a script; stops, with the work in hand, where `until` names the node."""
        made: dict[str, int] = {}
        while claimed := self.store.claim(self.session, (queue,), 1):
            work = self.engine.begin(claimed[0])
            while work is not None:
                if work.node.id == until:
                    return work
                work = self.step(work, script, made)
        return None

    def step(self, work: Work, script: Script, made: dict[str, int]) -> Work | None:
        """One attempt."""
        name = work.node.id
        outcomes = script.get(name) or [gives({"node": name, "ok": True})]
        place = made.get(name, 0)
        made[name] = place + 1
        self.clock.pass_by(self.pace * (4 if isinstance(work.node, Llm) else 1))
        return self.engine.finish(work, outcomes[min(place, len(outcomes) - 1)])

    def tell(self, run_id: str, message: Body, dedupe: str) -> None:
        """A fact from outside, folded at once."""
        self.store.post(Mail(run_id, dedupe, type(message).__name__, encode_mail(message), actor="mika"))
        self.engine.drain(run_id)


def fill(store: Store, clock: Clock, *, more: int = 0) -> Stage:
    """Make a run in every standing, and `more` completed ones; gives the stage, whose `ids` name the runs."""
    stage = Stage(store, clock)
    refund, wide, old = refund_graph(), wide_graph(), refund_graph(" of last year")
    for graph, is_default in ((old, True), (refund, True), (wide, True)):
        stage.register(graph, default=is_default)
    stage.open(stage.session, refund.queue, wide.queue, lease=10**15)  # alive for as long as anybody looks
    for number in range(more):
        stage.begin("RefundAgent", CLAIM, name=f"more-{number}", key=f"order-{number:04}")
        stage.play(refund.queue, REFUND)
        clock.pass_by(20 * SECOND)
    for make in (_ended, _broken, _waiting):
        make(stage, refund, wide)
    return stage


def _ended(stage: Stage, refund: Graph, wide: Graph) -> None:
    stage.begin("RefundAgent", CLAIM, name="completed", key="order-1042", subject="shop.Order:1042")
    stage.play(refund.queue, REFUND)
    stage.begin(
        "RefundAgent",
        CLAIM | {"text": "x" * 30_000},
        name="declined",
        key="注文-2071-返金申請-" + "長い名前" * 12,
        subject="shop.Order:2071",
    )
    declined: Sequence[Outcome] = [
        gives({"decision": "decline", "order_id": "2071", "amount": 0, "why": "the return window is over"})
    ]
    told: Sequence[Outcome] = [gives({"status": "declined", "why": "the return window is over", "mail": "msg_01J8"})]
    stage.play(refund.queue, {**REFUND, "route": declined, "outcome": told})
    repaired: Sequence[Outcome] = [
        unfit(
            '{"refund": "yes", "score": "high", "reason": "' + JAPANESE + '"}',
            "$.refund: Input should be a valid boolean, got 'yes'; $.score: Input should be a valid integer, got 'high'",
        ),
        unfit(
            'Sure! Here is my verdict:\n```json\n{"refund": true, "score": 140',
            "cut off at the token limit; the answer is not complete JSON",
        ),
        gives(VERDICT, usage=USAGE),
    ]
    stage.begin("RefundAgent", CLAIM, name="repaired", key="order-1043")
    stage.play(refund.queue, {**REFUND, "verdict": repaired})
    stage.begin("RefundAgent", CLAIM, name="failed", key="order-1044")
    broken = "card issuer declined: do_not_honor — " + "0123456789abcdef" * 12
    stage.play(refund.queue, {**REFUND, "refund": [fails("NX-R210", broken, kind="NonRetryable", retryable=False)]})
    cancelled = stage.begin("RefundAgent", CLAIM, name="cancelled", key="order-1045")
    stage.tell(cancelled, CancelRequested("the customer took the claim back"), "cancel|1")
    stage.begin("OrderIntake", {"order": "A-77"}, name="wide", key="A-77")
    stage.play(wide.queue, {"limit": [gives({"order": "A-77"})]})


def _broken(stage: Stage, refund: Graph, wide: Graph) -> None:
    stage.clock.pass_by(3 * MINUTE)
    lost = fails("NX-E201", "connection reset while the answer was awaited", kind="ReadTimeout", sent="unknown")
    stage.begin("RefundAgent", CLAIM, name="in_doubt", key="order-1046", subject="shop.Order:1046")
    stage.play(refund.queue, {**REFUND, "refund": [lost]})
    suspended = stage.begin("RefundAgent", CLAIM, name="needs_attention", key="order-1047")
    stage.tell(suspended, RunSuspended(Error("NX-R406", "KeyError: 'purchase'", type="KeyError")), "suspend|1")
    stage.store.register(_last_year(stage), make_default=True)
    stage.begin("RefundAgent", CLAIM, name="no_worker", key="order-1048")
    stage.register(refund)
    limited = fails("NX-L201", "rate limited: 10,000 tokens per minute", kind="ModelError")
    stage.begin("RefundAgent", CLAIM, name="retrying", key="order-1049")
    stage.play(refund.queue, {**REFUND, "verdict": [limited]})


def _last_year(stage: Stage) -> VersionRow:
    graph = refund_graph(" of last year")
    return VersionRow(graph.workflow, graph.version, "active", graph.data, "", "", "mika", 0)


def _waiting(stage: Stage, refund: Graph, wide: Graph) -> None:
    stage.begin("OrderIntake", {"order": "A-78"}, name="wide_running", key="A-78")
    stage.play(wide.queue, {"limit": [gives({"order": "A-78"})]}, until="charge_card")
    stage.begin("RefundAgent", CLAIM, name="running", key="order-1050")
    stage.play(refund.queue, REFUND, until="verdict")
    stage.begin("RefundAgent", CLAIM, name="queued", key="")
