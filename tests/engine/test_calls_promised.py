"""What the provider of a call promises counts for that call, whole, and not what the node's provider does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from calldesk import ACTS, NOW, SENT, Desk, Order, Receipt, mail
from nexum.core.canonical import from_bytes
from nexum.core.run.state import CellStatus, Phase
from nexum.errors import Answered
from nexum.sdk.io import IO
from nexum.sdk.policies import Dedupes
from nexum.sdk.workflow import Workflow
from nexum.store.api import Store
from nexum_workers.attempt import Attempts
from nexum_workers.models.door import Door
from store_tables import rows_of

HOUR = timedelta(hours=1)
PLAIN = Dedupes(ttl=HOUR)
REFUSES = Dedupes(ttl=HOUR, not_executed=(503,))
STORES = Dedupes(ttl=HOUR, stored_errors=True)
CALL = "book/io.send"


def built(provider: Dedupes | None) -> Workflow:
    flow = Workflow("Promised", input=Order)

    @flow.effect(tool="bank", provider=provider, retry=NOW)
    def book(order: Order, io: IO) -> Receipt:
        return ACTS["book"](order, io)

    return flow


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    SENT.clear()
    ACTS.clear()
    yield Desk(store)
    ACTS.clear()


def answering(*statuses: int) -> Callable[..., Receipt]:
    """A provider that answers with these statuses, and then well."""
    left = list(statuses)

    def send(order: str, *, idempotency_key: str) -> Receipt:
        SENT.append((f"send {order}", idempotency_key))
        if left:
            raise Answered(left.pop(0))
        return Receipt(id="re")

    return send


def begun(desk: Desk, of_node: Dedupes | None, of_call: Dedupes | None, *statuses: int) -> tuple[str, object, str]:
    """One attempt of a node and a call with these promises; its run, what it is of, and the state of its call."""
    send = answering(*statuses)
    ACTS.update(book=lambda order, io: io.call(send, order.number, provider=of_call))
    workflow = built(of_node).build()
    desk.attempts = Attempts([workflow], door=Door(), max_payload=10_000)
    run = desk.start(workflow)
    work = desk.begin(workflow)
    outcome = desk.execute(work)
    (row,) = rows_of(desk.driver.store, "nexum_effects")
    desk.driver.engine.finish(work, outcome, keep=False)
    return run, workflow, row["state"]


def test_a_status_that_proves_nothing_for_the_call_is_no_proof_because_the_node_s_provider_says_so(desk: Desk) -> None:
    _, _, state = begun(desk, REFUSES, PLAIN, 503)
    assert state == "UNKNOWN"


def test_a_status_with_which_the_call_s_provider_refuses_is_proof_and_worth_another_attempt(desk: Desk) -> None:
    run, workflow, state = begun(desk, None, REFUSES, 503)
    assert state == "FAILED"
    desk.play(workflow)
    assert desk.driver.state(run).phase is Phase.COMPLETED
    assert len({key for _, key in SENT}) == 1


@pytest.mark.parametrize(("of_node", "of_call"), [(STORES, None), (PLAIN, STORES), (None, STORES)])
def test_an_answer_that_the_provider_stores_is_not_asked_for_again(
    desk: Desk, of_node: Dedupes | None, of_call: Dedupes | None
) -> None:
    run, workflow, state = begun(desk, of_node, of_call, 500, 500)
    desk.play(workflow)

    assert (state, len(SENT)) == ("IN_DOUBT", 1)
    assert (desk.status(run, "book"), desk.status(run, CALL)) == (CellStatus.IN_DOUBT, CellStatus.IN_DOUBT)
    (told,) = [e for e in desk.events(run) if e.type == "EffectInDoubt" and e.path == CALL]
    assert "stores" in from_bytes(told.body)["evidence"]
    desk.resolve(run, CALL, "happened", response={"id": "re_9"})
    desk.play(workflow)
    assert desk.driver.output(run, "book") == b'{"amount":0,"id":"re_9"}'


def test_an_answer_that_only_the_node_s_provider_would_store_is_asked_for_again(desk: Desk) -> None:
    run, workflow, state = begun(desk, STORES, PLAIN, 500)
    desk.play(workflow)

    assert (state, len(SENT)) == ("UNKNOWN", 2)
    assert desk.driver.state(run).phase is Phase.COMPLETED


def test_a_handler_that_goes_on_over_a_stored_error_is_in_doubt_all_the_same(desk: Desk) -> None:
    send = answering(500)

    def careless(order: Order, io: IO) -> Receipt:
        try:
            return io.call(send, order.number, provider=STORES)
        except Answered:
            io.call(mail, order.number)
            return Receipt(id="made up")

    ACTS.update(book=careless)
    run = desk.start()
    desk.play()

    assert (desk.status(run, "book"), desk.status(run, CALL)) == (CellStatus.IN_DOUBT, CellStatus.IN_DOUBT)
