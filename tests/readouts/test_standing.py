"""Why a run is not moving: the table, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nexum.core.run.seen import BreakerSeen, DoubtSeen, Fleet, Situation, TaskSeen, Trouble
from nexum.core.run.standing import DAY, HOUR, MINUTE, SECOND, STANDINGS, explain, span
from nexum.core.run.state import Phase
from nexum.errors import entry

NOW = 10 * DAY
WAITS = TaskSeen("verdict", 1, NOW - 40 * SECOND, attempts=5)
WORKS = replace(WAITS, worker="web-1:42", since=NOW - 3 * SECOND)
AGAIN = replace(WAITS, attempt=3, not_before=NOW + 38 * SECOND, trouble=Trouble("NX-L201", "rate limited"))
RUN = Situation("01a1", "RefundAgent", "sha256:8f9a1c02aaaa", Phase.RUNNING, NOW - HOUR, fleet=Fleet(4, 0, 118))
BREAKER = BreakerSeen("verdict", "openai:gpt", NOW - 2 * MINUTE, NOW + 12 * SECOND)
DOUBT = DoubtSeen("refund", NOW - 2 * MINUTE, "pay.refund")


@pytest.mark.parametrize(
    ("seen", "code", "sentence"),
    [
        (replace(RUN, tasks=(WORKS,)), "running", "`verdict` is running on web-1:42 (attempt 1 of 5) for 3.0 s."),
        (
            replace(RUN, tasks=(WAITS,)),
            "queued",
            "`verdict` has been ready for 40 s. 118 tasks ahead; 4 workers alive.",
        ),
        (
            replace(RUN, tasks=(WAITS,), fleet=Fleet(0, NOW - 14 * MINUTE)),
            "no_worker",
            "`verdict` waits, but no live worker runs version 8f9a1c02 of RefundAgent. The last one left 14 min ago.",
        ),
        (
            replace(RUN, tasks=(replace(AGAIN, key="pay:o-1", holder="01a2/refund", held_since=NOW - 2 * MINUTE),)),
            "waiting",
            "`verdict` waits for key pay:o-1, held by run 01a2 (refund, for 2 min). It goes on by itself when that run knows.",
        ),
        (replace(RUN, tasks=(AGAIN,)), "retrying", "`verdict` failed 2 of 5 times (NX-L201). Next try in 38 s."),
        (replace(RUN, tasks=(replace(AGAIN, attempt=1),)), "retrying", "`verdict` waits. It is tried in 38 s."),
        (
            replace(RUN, tasks=(AGAIN,), breakers=(BREAKER,)),
            "retrying",
            "`verdict` waits: breaker `openai:gpt` has been open for 2 min. Next probe in 12 s; nothing is lost.",
        ),
        (
            replace(RUN, tasks=(AGAIN,), breakers=(replace(BREAKER, next_probe=0, by="mika", reason="maintenance"),)),
            "retrying",
            "`verdict` waits: breaker `openai:gpt` has been open for 2 min, held by mika: maintenance. Nothing is lost.",
        ),
        (
            replace(RUN, tasks=(AGAIN,), breakers=(replace(BREAKER, path="refund"),)),
            "retrying",
            "`verdict` failed 2 of 5 times (NX-L201). Next try in 38 s.",
        ),
        (
            replace(RUN, doubts=(DOUBT,), tasks=(WORKS,)),
            "in_doubt",
            (
                "`refund` (pay.refund) was sent 2 min ago and its outcome is not known. It is held, not repeated, until somebody "
                "finds out."
            ),
        ),
        (
            replace(
                RUN, suspended_at=NOW - MINUTE, trouble=Trouble("NX-S121", "the payload 8f9a is missing or damaged")
            ),
            "needs_attention",
            (
                "Suspended: the run cannot go on (NX-S121): the payload 8f9a is missing or damaged. Its events are kept; "
                "nothing is executed meanwhile."
            ),
        ),
        (
            replace(RUN, broken="NX-S120", suspended_at=1, tasks=(AGAIN,)),
            "needs_attention",
            (
                "Stopped: nothing can be appended to its history (NX-S120), not even a suspension. Nothing is executed; "
                "it is looked at again every 10 min and goes on once the history is repaired."
            ),
        ),
        (
            replace(RUN, suspended_at=NOW - MINUTE, trouble=Trouble("NX-R406", "KeyError: 'x'"), doubts=(DOUBT,)),
            "needs_attention",
            "Suspended: the engine could not decide what follows (NX-R406): KeyError: 'x'. Nothing recorded is lost.",
        ),
        (
            replace(RUN, phase=Phase.CLOSING, tasks=(WORKS,), reason="enough"),
            "closing",
            "Closing: enough. Waits for `verdict` to stop.",
        ),
        (replace(RUN, phase=Phase.COMPLETED, ended_at=NOW - HOUR + 41 * SECOND), "completed", "Completed in 41 s."),
        (
            replace(RUN, phase=Phase.FAILED, ended_at=NOW, trouble=Trouble("NX-R200", "boom.\nmore", "refund")),
            "failed",
            "`refund` failed after 1 h (NX-R200): boom.",
        ),
        (
            replace(RUN, phase=Phase.CANCELLED, ended_at=NOW, reason="enough"),
            "cancelled",
            "Cancelled after 1 h: enough.",
        ),
        (replace(RUN, phase=Phase.TERMINATED, ended_at=NOW), "terminated", "Terminated after 1 h."),
    ],
)
def test_the_sentence_says_why(seen: Situation, code: str, sentence: str) -> None:
    found = explain(seen, NOW)

    assert (found.code, found.sentence) == (code, sentence)
    assert found.label == STANDINGS[code]


def test_every_standing_can_be_reached_by_a_row_above() -> None:
    table = test_the_sentence_says_why.pytestmark[0].args[1]

    assert {code for _, code, _ in table} == set(STANDINGS)


def test_what_only_a_person_can_mend_stands_above_everything_under_way() -> None:
    everything = replace(RUN, suspended_at=1, doubts=(DOUBT,), phase=Phase.CLOSING, tasks=(WORKS, WAITS, AGAIN))

    order = []
    for gone in (
        {},
        {"suspended_at": 0},
        {"doubts": ()},
        {"phase": Phase.RUNNING},
        {"tasks": (WAITS, AGAIN)},
        {"tasks": (AGAIN,)},
    ):
        everything = replace(everything, **gone)
        order.append(explain(everything, NOW).code)

    assert order == ["needs_attention", "in_doubt", "closing", "running", "queued", "retrying"]


def test_a_worker_that_is_silent_is_not_said_to_run() -> None:
    found = explain(replace(RUN, tasks=(replace(WORKS, silent=20 * SECOND),)), NOW)

    assert found.sentence.startswith("`verdict` was running on web-1:42, which has been silent for 20 s.")
    assert found.docs == "NX-W210"


def test_no_worker_names_the_command_and_the_code() -> None:
    found = explain(replace(RUN, tasks=(WAITS,), fleet=Fleet()), NOW)

    assert found.commands == ("nexum worker --workflow RefundAgent",)
    assert found.docs == "NX-W203"
    assert entry("NX-W203").title == "no worker for a version with live runs"


def test_a_long_message_is_cut_and_does_not_end_in_a_full_stop() -> None:
    failed = replace(RUN, phase=Phase.FAILED, ended_at=NOW, trouble=Trouble("NX-R200", "x" * 500, "refund"))
    found = explain(failed, NOW)

    assert len(found.sentence) < 250
    assert found.sentence.endswith(" …")


@pytest.mark.parametrize(
    ("us", "said"),
    [
        (0, "0 ms"),
        (-5, "0 ms"),
        (999_999, "999 ms"),
        (1_500_000, "1.5 s"),
        (41 * SECOND, "41 s"),
        (5 * MINUTE, "5 min"),
        (2 * HOUR + 14 * MINUTE, "2 h 14 min"),
        (3 * DAY, "3 d"),
        (3 * DAY + 5 * HOUR, "3 d 5 h"),
    ],
)
def test_durations_are_spelt_as_people_say_them(us: int, said: str) -> None:
    assert span(us) == said


@pytest.mark.parametrize(
    ("doubt", "who", "sentence"),
    [
        (
            replace(DOUBT, asks_at=NOW + 14 * MINUTE),
            "",
            "Its provider is asked in 14 min; nothing is repeated before that.",
        ),
        (replace(DOUBT, asks_at=NOW - SECOND), "", "Its provider is about to be asked."),
        (replace(DOUBT, asks_at=NOW, asker="web-1:42"), "", "Its provider is being asked by web-1:42."),
        (
            replace(DOUBT, asks_at=NOW + MINUTE, said="Its provider has not seen it."),
            "",
            "Its provider has not seen it. Its provider is asked in 60 s; nothing is repeated before that.",
        ),
        (
            replace(DOUBT, said="Its provider was asked and cannot tell.", can_ask=True),
            "a person who can look at the provider",
            "Its provider was asked and cannot tell. It is held, not repeated, until somebody finds out.",
        ),
    ],
)
def test_an_effect_in_doubt_says_what_its_asking_does(doubt: DoubtSeen, who: str, sentence: str) -> None:
    found = explain(replace(RUN, doubts=(doubt,)), NOW)

    assert (found.code, found.who) == ("in_doubt", who)
    assert found.sentence.endswith(f"its outcome is not known. {sentence}")
    assert any(line.startswith("nexum in-doubt reconcile") for line in found.commands) == doubt.can_ask


def test_a_provider_that_nobody_can_ask_for_want_of_a_worker_is_said() -> None:
    seen = replace(RUN, doubts=(replace(DOUBT, asks_at=NOW + MINUTE),), fleet=Fleet(0, 0))

    found = explain(seen, NOW)

    assert "to be asked, but no live worker runs version 8f9a1c02 of RefundAgent." in found.sentence
    assert found.who
