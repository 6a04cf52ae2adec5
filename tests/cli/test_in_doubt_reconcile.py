"""`nexum in-doubt reconcile`: have the provider asked, and read what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest

from doubtful import ABSENT, FOUND, UNSURE, asked, in_doubt, provider, serve
from engine_driver import Driver
from nexum.core.run.state import Phase
from nexum.engine.work import Succeeded
from nexum.store.connect import open_store
from shopfloor import Answer, Shop
from waiting import until

LATER = asked(settle=900_000_000)


class Desk:
    """A database with one run in doubt whose provider can be asked, and the command line on it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.driver = Driver(open_store(shop.url))
        self.run = in_doubt(self.driver, LATER)

    def nexum(self, *words: str) -> Answer:
        return self.shop.nexum(*words, "--database", self.shop.url)

    def reconcile(self, *words: str) -> Answer:
        return self.nexum("in-doubt", "reconcile", self.run, "--reason", "a customer calls", *words)

    def answered(self, answer: Succeeded, *words: str) -> Answer:
        """The command, with a worker beside it that asks."""
        serve(self.driver, LATER)
        provider(self.driver, answer)
        worker = Thread(target=lambda: until(self._asked, 30))
        worker.start()
        found = self.reconcile("--wait", "30", *words)
        worker.join(30)
        return found

    def _asked(self) -> bool:
        self.driver.play(LATER)
        return any(call.node.id == "pay/reconcile" for call in self.driver.calls)


@pytest.fixture
def desk(shop: Shop) -> Iterator[Desk]:
    made = Desk(shop)
    yield made
    made.driver.store.close()


def test_what_is_found_is_said_and_completes_the_node(desk: Desk) -> None:
    found = desk.answered(FOUND)

    assert found.code == 0
    assert found.out.startswith("pay: found; the node completes with it; the node is COMPLETED")
    assert desk.driver.state(desk.run).phase is Phase.COMPLETED


def test_that_nothing_is_found_too_early_is_said_not_to_count(desk: Desk) -> None:
    found = desk.answered(ABSENT)

    assert found.code == 0
    assert "pay: not found; the node is IN_DOUBT" in found.out
    assert "does not count yet: the request may still travel for 14 min. It is asked again then." in found.out


def test_the_answer_as_json_says_why_the_provider_cannot_tell(desk: Desk) -> None:
    found = desk.answered(UNSURE, "--json").json

    assert (found["action"], found["node"], found["asking"], found["counts"]) == ("reconcile", "pay", 2, False)
    assert found["answer"] == {
        "answer": "cannot_tell",
        "said": "the list is incomplete",
        "node_status": "IN_DOUBT",
        "run_status": "RUNNING",
    }


def test_without_a_worker_the_command_that_starts_one_is_named(desk: Desk) -> None:
    refused = desk.reconcile()

    assert refused.code == 69
    assert "NX-W203" in refused.err
    assert "nexum worker --workflow W --version " in refused.err


def test_why_says_when_the_provider_is_asked_and_show_counts_the_askings(desk: Desk) -> None:
    serve(desk.driver, LATER)

    why = desk.nexum("why", desk.run)
    asking = desk.reconcile("--wait", "0")
    shown = desk.nexum("in-doubt", "show", desk.run)

    assert "Its provider is asked in 14 min; nothing is repeated before that." in why.out
    assert "pay: the provider is being asked; no answer yet" in asking.out
    assert "policy asks" in shown.out, "as the list says"
    assert "Next:  nexum in-doubt reconcile nx1-" in shown.out
    assert "# the provider is asked; what it finds completes the node\n" in shown.out
    assert "1 asking 1" in shown.out
    assert "1 asking 2" in shown.out
