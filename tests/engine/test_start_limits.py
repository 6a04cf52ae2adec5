"""What a start must hold to, on both databases, whoever asks."""

from __future__ import annotations

from typing import Any

import pytest

from engine_driver import Driver
from graphs import compute, graph
from nexum.client.start import StartRequest, start
from nexum.errors import InputError

CHAIN = graph(compute("a", "input"), compute("b", "a"))
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
def variant() -> dict[str, object]:
    """One is enough here: nothing below depends on how results travel."""
    return {}


@pytest.mark.parametrize(
    ("field", "wrong", "got", "wanted"),
    [
        ("run_key", "k" * 9_000, "9,000 characters, 'kkk", "at most 200 characters"),
        ("run_key", 7, "7", "a text"),
        ("subject", "a.B:" + "9" * 200, "204 characters, 'a.B:9", "at most 200 characters"),
        ("subject", "foo", "'foo'", "`app.Model:pk`, such as `shop.Order:1042`"),
        ("tenant", "t" * 201, "201 characters", "at most 200 characters"),
        ("tenant", "", "nothing", "a name"),
        ("workflow", None, "None", "a text"),
        ("priority", "x", "'x'", "a whole number from -9 to 9"),
        ("priority", 10, "10", "a whole number from -9 to 9"),
        ("priority", 0.5, "0.5", "a whole number from -9 to 9"),
        ("priority", True, "True", "a whole number from -9 to 9"),
        ("trace", "x" * 55, "'xxx", "a W3C traceparent"),
        ("trace", f"00-{'0' * 32}-{'b' * 16}-01", "'00-0", "a W3C traceparent"),
        ("actor", b"me", "b'me'", "a text"),
    ],
)
def test_a_start_outside_the_limits_names_the_field_what_was_got_and_what_was_wanted(
    driver: Driver, field: str, wrong: Any, got: str, wanted: str
) -> None:
    driver.start(CHAIN)

    with pytest.raises(InputError) as caught:
        start(driver.store, StartRequest(**{"workflow": "W", "input": 1, field: wrong}))

    (problem,) = caught.value.problems
    assert (caught.value.code, problem.path) == ("NX-R101", field)
    assert problem.got.startswith(got)
    assert problem.wanted.startswith(wanted)
    assert f"{field}: got " in caught.value.message


@pytest.mark.parametrize("half", ["a\x00b", "\ud800"])
def test_a_key_that_no_column_can_hold_is_refused_by_name_on_either_database(driver: Driver, half: str) -> None:
    driver.start(CHAIN)

    with pytest.raises(InputError) as caught:
        start(driver.store, StartRequest("W", 1, run_key=half))

    assert caught.value.code == "NX-S107"
    assert caught.value.message.startswith(f"run_key {half!r} cannot be stored: it holds ")


def test_a_start_at_the_limits_is_accepted(driver: Driver) -> None:
    driver.start(CHAIN)
    for priority in (-9, 9):
        key = f"{priority:+}" + "k" * 198
        request = StartRequest("W", 1, run_key=key, subject="shop.Order:" + "9" * 189, priority=priority, trace=TRACE)
        started = start(driver.store, request)
        head = driver.store.head(started.run_id)
        assert head is not None
        assert head.trace == TRACE
