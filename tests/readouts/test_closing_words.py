"""What the log of a run says about closing, undoing and people, in a few words."""

from __future__ import annotations

import pytest

from nexum.core.run.codec import cell_of, encode
from nexum.core.run.events import (
    Body,
    CancelRequested,
    Cell,
    Error,
    FailRequested,
    NodeCompleted,
    NodeParked,
    RetryRequested,
    RunCancelled,
    RunFailed,
    RunTerminated,
    SkipRequested,
)
from nexum.core.values import Ref
from nexum.readouts.events import refs_of, summary
from nexum.store.reading import ToldRow

CAR = Cell("car/undo")
DOWN = Error("NX-R200", "the garage is down\nand more")
VALUE = Ref("ab" * 32, 3, -1)


def told(body: Body) -> ToldRow:
    cell = cell_of(body)
    return ToldRow("r", 7, type(body).__name__, *cell, 0, 1, "mika", "", encode(body), 0, b"", b"")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (NodeParked(CAR, DOWN), "parked, waits for a person: NX-R200 the garage is down"),
        (RetryRequested(CAR, "open again"), "retry asked for: open again"),
        (SkipRequested(CAR, "by hand"), "skip asked for: by hand"),
        (SkipRequested(CAR, "by hand", VALUE), "skip with a value asked for: by hand"),
        (FailRequested(CAR, "gone"), "failure asked for: gone"),
        (NodeCompleted(CAR, VALUE, 1, by="person"), "completed by hand"),
        (NodeCompleted(CAR, VALUE, 1, late=True), "completed too late to be read"),
        (CancelRequested("withdrawn"), "cancel requested: withdrawn"),
        (CancelRequested("withdrawn", compensate=False), "cancel requested, nothing is to be undone: withdrawn"),
        (RunCancelled("withdrawn", "all"), "run cancelled: withdrawn; all undone"),
        (RunCancelled("withdrawn"), "run cancelled: withdrawn"),
        (
            RunFailed(DOWN, Cell("charge"), "some", (CAR,)),
            "run failed: NX-R200 the garage is down; undone in part, given up: car/undo",
        ),
        (RunTerminated("mad", (), (CAR, Cell("pay"))), "run terminated: mad; in doubt: car/undo, pay"),
        (RunTerminated("mad"), "run terminated: mad"),
    ],
)
def test_an_event_is_said_in_a_few_words(body: Body, words: str) -> None:
    assert summary(told(body)) == words


def test_the_value_that_a_person_gave_is_shown_with_the_request() -> None:
    (named,) = refs_of(told(SkipRequested(CAR, "by hand", VALUE)))

    assert named[0] == "output"
    assert named[1].hash == VALUE.hash
