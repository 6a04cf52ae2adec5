"""Where a group of dead letters stands: what was decided about it, and what has failed since."""

from __future__ import annotations

import pytest

from nexum.readouts.deciding import BARS, Place, occurrences, state_of
from nexum.store.deadletters import DecisionRow
from nexum_dashboard.graph.spark import HEIGHT, draw_spark

REGISTERED = {"v1": 10, "v2": 20, "v3": 30}
NOW = 1_000


def decided(what: str, at: int, *, value: str = "", until: int = 0) -> DecisionRow:
    return DecisionRow("default", "f", what, value, until, "mika", "because", at)


@pytest.mark.parametrize(
    ("decisions", "failures", "state"),
    [
        ((), ((50, "v1"),), "open"),
        ((decided("acknowledge", 60),), ((50, "v1"),), "acknowledged"),
        ((decided("acknowledge", 60),), ((70, "v1"), (50, "v1")), "open"),
        ((decided("ignore", 60),), ((70, "v1"),), "ignored"),
        ((decided("ignore", 60, until=NOW + 1),), ((70, "v1"),), "ignored"),
        ((decided("ignore", 60, until=NOW),), ((70, "v1"),), "open"),
        ((decided("ignore", 60), decided("notice", 80)), ((70, "v1"),), "open"),
        ((decided("fixed", 60, value="v2"),), ((50, "v2"),), "fixed"),
        ((decided("fixed", 60, value="v2"),), ((70, "v1"), (50, "v2")), "fixed"),
        ((decided("fixed", 60, value="v2"),), ((70, "v2"),), "regressed"),
        ((decided("fixed", 60, value="v2"),), ((70, "v3"), (50, "v1")), "regressed"),
        ((decided("fixed", 60, value="v2"), decided("fixed", 80, value="v3")), ((70, "v3"),), "fixed"),
        ((decided("acknowledge", 60), decided("assign", 80, value="ken")), ((50, "v1"),), "acknowledged"),
    ],
)
def test_a_group_stands_where_decisions_and_later_failures_put_it(
    decisions: tuple[DecisionRow, ...], failures: tuple[tuple[int, str], ...], state: str
) -> None:
    assert state_of(decisions, [Place(*each) for each in failures], REGISTERED, NOW).state == state


def test_the_last_assignment_counts_and_may_be_nobodys() -> None:
    first, second = decided("assign", 1, value="ken"), decided("assign", 2)
    places = [Place(5, "v1")]

    assert state_of([first], places, REGISTERED, NOW).assigned == "ken"
    assert state_of([first, second], places, REGISTERED, NOW).assigned == ""


def test_a_group_that_was_acknowledged_and_failed_again_says_so() -> None:
    found = state_of([decided("acknowledge", 60)], [Place(70, "v1")], REGISTERED, NOW)

    assert (found.state, found.reopened, found.by) == ("open", True, "")


def test_every_failure_is_in_one_of_the_bars() -> None:
    counts = occurrences([Place(at, "v1") for at in (0, 0, 500, NOW - 1, NOW)], NOW)

    assert (len(counts), sum(counts), counts[0], counts[-1]) == (BARS, 5, 2, 2)
    assert sum(occurrences([Place(NOW + 5, "v1")], NOW)) == 1


def test_bars_are_drawn_as_attributes_and_told_in_words() -> None:
    drawn = draw_spark((0, 4, 2), "6 in an <hour>")

    assert 'aria-label="6 in an &lt;hour&gt;"' in drawn
    assert drawn.count("<rect") == 3
    assert f'y="0" width="5" height="{HEIGHT}"' in drawn
    assert "style" not in drawn
