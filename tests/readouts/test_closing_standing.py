"""What people read about a run that closes, undoes what it did, or waits for one of them."""

from __future__ import annotations

from typing import Any

import pytest

from nexum.core.run.seen import DoubtSeen, Fleet, ParkedSeen, Situation, TaskSeen, Trouble
from nexum.core.run.standing import MINUTE, SECOND, Standing, explain
from nexum.core.run.state import Phase

NOW = 100 * MINUTE
DOWN = Trouble("NX-R200", "the bank is down", "pay")
CAUSE = Trouble("NX-R210", "the card was refused", "charge")


def told(**more: Any) -> Standing:
    given = {"phase": Phase.CLOSING, "started_at": NOW - MINUTE, "fleet": Fleet(live=1), **more}
    return explain(Situation("r1", "Trip", "sha256:aa", **given), NOW)


def parked(path: str, ago: int = MINUTE) -> ParkedSeen:
    return ParkedSeen(path, NOW - ago, DOWN)


def undoing(*names: str) -> tuple[TaskSeen, ...]:
    return tuple(TaskSeen(f"{name}/undo", 1, NOW, worker="here:1") for name in names)


def test_a_parked_node_says_who_can_do_what() -> None:
    found = told(phase=Phase.RUNNING, parked=(parked("pay"),))

    assert (found.code, found.docs, found.since) == ("needs_attention", "NX-R200", NOW - MINUTE)
    assert (
        found.sentence
        == "`pay` is parked (NX-R200): the bank is down. It waits until somebody decides, for 60 s by now."
    )
    assert found.who
    assert [command.split()[1] for command in found.commands] == ["retry", "skip", "fail"]
    assert all("r1/pay" in command for command in found.commands)


def test_the_longest_parked_is_named_and_the_others_are_counted() -> None:
    found = told(phase=Phase.RUNNING, parked=(parked("a"), parked("b", 2 * MINUTE), parked("c")))

    assert found.sentence.startswith("`b` is parked")
    assert found.sentence.endswith("2 more wait like it.")


def test_a_run_that_is_at_work_beside_a_parked_node_is_running() -> None:
    task = TaskSeen("mail", 1, NOW - SECOND, worker="here:1")

    assert told(phase=Phase.RUNNING, parked=(parked("pay"),), tasks=(task,)).code == "running"


def test_a_doubt_stands_before_what_is_parked() -> None:
    assert told(parked=(parked("car/undo"),), doubts=(DoubtSeen("hotel/undo", NOW),)).code == "in_doubt"


def test_a_parked_undo_says_that_the_deed_stays_done() -> None:
    found = told(parked=(parked("car/undo"),), trouble=CAUSE)

    assert found.code == "needs_attention"
    assert found.sentence.startswith("`car` could not be undone (NX-R200): the bank is down. It stays done until")
    assert "nexum fail r1/car/undo --reason TEXT" in found.commands


def test_a_closing_run_names_what_it_undoes_and_what_waits_for_a_person() -> None:
    found = told(tasks=undoing("flight", "hotel"), parked=(parked("car/undo"),), trouble=CAUSE)

    assert found.code == "closing"
    assert found.sentence == (
        "Closing (NX-R210): the card was refused. Undoing `flight`, `hotel`. `car/undo` waits for a person."
    )


def test_a_closing_run_that_waits_for_an_effect_to_stop_undoes_nothing_yet() -> None:
    task = TaskSeen("charge", 1, NOW, worker="here:1")

    assert told(tasks=(task,), reason="withdrawn").sentence == "Closing: withdrawn. Waits for `charge` to stop."


@pytest.mark.parametrize(
    ("undone", "words"),
    [
        ("", ""),
        ("all", " All that it had done is undone."),
        ("some", " What it had done is undone in part. Given up: `car`."),
        ("none", " What it had done is not undone. Given up: `car`."),
    ],
)
@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELLED])
def test_a_run_that_has_ended_says_what_became_of_its_deeds(phase: Phase, undone: str, words: str) -> None:
    given_up = ("car/undo",) if "Given up" in words else ()
    found = told(phase=phase, ended_at=NOW, undone=undone, given_up=given_up, trouble=CAUSE, reason="withdrawn")

    first = "`charge` failed after 60 s (NX-R210): the card was refused."
    if phase is Phase.CANCELLED:
        first = "Cancelled after 60 s: withdrawn."
    assert found.sentence == first + words


def test_a_run_that_has_ended_names_some_of_the_calls_that_stand() -> None:
    left = tuple(f"book/io.{n}" for n in "abcde")
    found = told(phase=Phase.CANCELLED, ended_at=NOW, undone="some", left=left, reason="withdrawn")

    said = "Made and left as it is: `book/io.a`, `book/io.b`, `book/io.c` and 2 more."
    assert found.sentence == f"Cancelled after 60 s: withdrawn. What it had done is undone in part. {said}"
