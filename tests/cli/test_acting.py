"""`nexum retry`, `skip`, `fail`, `cancel`, `terminate`: what people do to a run from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from engine_driver import Driver
from graphs import compute, graph, params, undone_by
from nexum.core.graph.nodes import Effect, Handler
from nexum.core.graph.policies import RetryPolicy
from nexum.core.run.events import Error
from nexum.core.run.state import Phase
from nexum.engine.work import Failed
from nexum.store.connect import open_store
from shopfloor import Answer, Shop, environment

DOWN = Failed(Error("NX-R200", "the bank is down", retryable=True))
PARK = RetryPolicy(max_attempts=1, exhausted="park")
RECEIPT = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
WHY = ("--reason", "the bank is away")


def effect(name: str, *sources: str, **more: Any) -> Effect:
    options = {"output": {}, "tool": name, "retry": PARK, **more}
    return Effect(id=name, handler=Handler(ref=f"m:{name}"), params=params(sources), **options)


BOOK = effect("book", "input", compensate=undone_by("book", retry=RetryPolicy(max_attempts=1)))
TRIP = graph(BOOK, effect("pay", "book", output=RECEIPT), compute("mail", "pay"))


class Till:
    """A run whose payment is parked, and the command line on its database."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.driver = Driver(open_store(shop.url))
        self.driver.handlers |= {"book": lambda work: "booked", "book/undo": lambda work: "undone"}
        self.driver.handlers |= {"pay": lambda work: DOWN, "mail": lambda work: "sent"}
        self.run = self.driver.start(TRIP, run_key="order/7").run_id
        self.driver.play(TRIP)

    def nexum(self, *words: str) -> Answer:
        return self.shop.nexum(*(word.format(run=self.run) for word in words), "--database", self.shop.url)

    @property
    def phase(self) -> Phase:
        return self.driver.state(self.run).phase


@pytest.fixture
def till(shop: Shop) -> Iterator[Till]:
    made = Till(shop)
    yield made
    made.driver.store.close()


def test_why_names_the_commands_for_a_parked_node(till: Till) -> None:
    told = till.nexum("why", "{run}").out

    assert "`pay` is parked (NX-R200): the bank is down." in told
    for command in ("retry {0}/pay", "skip {0}/pay --value @FILE --reason TEXT", "fail {0}/pay --reason TEXT"):
        assert f"nexum {command.format(till.run)}" in told
    assert till.nexum("list", "standing:needs_attention", "--ids").out == f"{till.run}\n"


def test_a_parked_node_is_retried(till: Till) -> None:
    till.driver.handlers["pay"] = lambda work: {"id": "r1"}

    done = till.nexum("retry", "{run}/pay", "--actor", "mika", "--json")
    till.driver.play(TRIP)

    assert (done.code, done.json["action"], done.json["after"]) == (0, "retry", "SCHEDULED")
    assert till.driver.events(till.run)[done.json["event_seq"] - 1].actor == "mika"
    assert till.phase is Phase.COMPLETED


def test_a_value_is_put_in_place_of_an_output_and_a_wrong_one_is_refused_field_by_field(till: Till) -> None:
    (till.shop.folder / "wrong.json").write_text('{"id": 7}')
    (till.shop.folder / "right.json").write_text('{"id": "cash"}')

    refused = till.nexum("skip", "{run}/pay", *WHY, "--value", "@wrong.json", "--json")
    done = till.nexum("skip", "key:order/7/pay", *WHY, "--value", "@right.json")
    till.driver.play(TRIP)

    (finding,) = refused.json["diagnostics"]
    assert (refused.code, finding["code"], finding["problems"][0]["path"]) == (65, "NX-R221", "$.id")
    assert done.code == 0
    assert done.out.startswith("pay: skip, event ")
    assert till.phase is Phase.COMPLETED


def test_a_node_that_is_let_fail_makes_the_run_undo_what_it_did_and_a_parked_undo_is_given_up(till: Till) -> None:
    till.driver.handlers["book/undo"] = lambda work: DOWN

    failed = till.nexum("fail", "{run}/pay", *WHY)
    closing = till.nexum("why", "{run}").out
    till.driver.play(TRIP)
    parked = till.nexum("why", "{run}").out
    given_up = till.nexum("fail", "{run}/book/undo", "--reason", "let it be", "--json")
    ended = till.nexum("why", "{run}").out

    assert "the node is FAILED; the run is CLOSING" in failed.out
    assert "Closing (NX-R213): the bank is away." in closing
    assert "`book` could not be undone (NX-R200): the bank is down. It stays done until somebody decides" in parked
    assert f"nexum retry {till.run}/book/undo" in parked
    assert (given_up.json["node"], given_up.json["run_status"]) == ("book/undo", "FAILED")
    assert "What it had done is not undone. Given up: `book`." in ended


def test_an_undo_in_doubt_is_listed_shown_and_resolved_like_every_effect(till: Till) -> None:
    lost = Failed(Error("NX-E201", "the connection was reset", retryable=True), sent="unknown")
    till.driver.handlers["book/undo"] = lambda work: lost
    till.nexum("cancel", "{run}", *WHY)
    till.driver.play(TRIP)

    (listed,) = till.nexum("in-doubt", "list", "--json").json["effects"]
    shown = till.nexum("in-doubt", "show", "{run}/book/undo")
    done = till.nexum("in-doubt", "resolve", "{run}/book/undo", "--as", "happened", "--response", "1", *WHY)

    assert listed["path"] == "book/undo"
    assert (shown.code, listed["key"] in shown.out) == (0, True)
    assert done.code == 0, done.err
    assert till.phase is Phase.CANCELLED


def test_a_cancelled_run_says_what_it_undoes(till: Till) -> None:
    done = till.nexum("cancel", "{run}", *WHY, "--actor", "mika")
    said = till.nexum("why", "{run}").out
    till.driver.play(TRIP)

    assert done.out.startswith("cancel, event ")
    assert "the run is CLOSING" in done.out
    assert "`book/undo` waits, but no live worker" in said
    assert till.phase is Phase.CANCELLED
    assert "All that it had done is undone." in till.nexum("why", "{run}").out


def test_a_cancellation_may_leave_what_was_done(till: Till) -> None:
    done = till.nexum("cancel", "{run}", *WHY, "--no-compensate", "--json")

    assert (done.json["action"], done.json["run_status"]) == ("cancel", "CANCELLED")
    assert "book/undo" not in [call.node.id for call in till.driver.calls]


def test_a_terminated_run_names_what_was_under_way(till: Till) -> None:
    till.nexum("retry", "{run}/pay")
    till.driver.claim(TRIP)

    done = till.nexum("terminate", "{run}", *WHY)

    assert "the run is TERMINATED" in done.out
    assert "  pay: under way when the run ended\n" in done.out
    assert till.phase is Phase.TERMINATED


@pytest.mark.parametrize(("typed", "code", "phase"), [("y", 65, Phase.RUNNING), ("{short}", 0, Phase.TERMINATED)])
def test_on_a_terminal_terminating_wants_the_runs_short_id_typed(
    till: Till, typed: str, code: int, phase: Phase
) -> None:
    ours, theirs = os.openpty()
    os.write(ours, f"{typed.format(short=till.run[-8:])}\n".encode())
    command = [sys.executable, "-m", "nexum", "terminate", till.run, *WHY, "--database", till.shop.url]
    done = subprocess.run(
        command, cwd=till.shop.folder, env=environment(), stdin=theirs, capture_output=True, text=True, check=False
    )
    os.close(ours)
    os.close(theirs)

    assert "Type the run's short id" in done.stderr
    assert (done.returncode, till.phase) == (code, phase)
    assert ("NX-R223" in done.stderr) == (code == 65)


@pytest.mark.parametrize("words", [("terminate",), ("cancel", "--no-compensate")], ids=["terminate", "cancel"])
def test_in_a_script_no_run_is_ended_for_good_that_is_not_named_in_full(till: Till, words: tuple[str, ...]) -> None:
    refused = till.nexum(*words, "@last", *WHY)
    assert (refused.code, till.phase) == (65, Phase.RUNNING)
    assert "NX-R223" in refused.err

    done = till.nexum(*words, "@last", *WHY, "--confirm", till.run[-8:])
    assert (done.code, till.phase is Phase.RUNNING) == (0, False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("cancel", "{run}"), 64, "--reason"),
        (("terminate", "{run}", "--reason", " "), 65, "NX-R220"),
        (("skip", "{run}/pay"), 64, "--reason"),
        (("skip", "{run}/pay", *WHY, "--value", "{{"), 65, "NX-F112"),
        (("retry", "{run}"), 66, "NX-R222"),
        (("retry", "{run}/pya"), 66, "did you mean `pay`?"),
        (("retry", "{run}/mail"), 66, "the run has not reached mail"),
        (("retry", "{run}/book"), 6, "the cell is COMPLETED"),
        (("skip", "nothing-like-it/pay", *WHY), 66, "NX-R404"),
        (("cancel", "nothing-like-it", *WHY), 66, "NX-R404"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(till: Till, words: tuple[str, ...], code: int, said: str) -> None:
    before = len(till.driver.events(till.run))

    answer = till.nexum(*words)

    assert answer.code == code
    assert said in answer.err
    assert len(till.driver.events(till.run)) == before
