"""The circuit breaker as a function: when attempts pass, and what their outcomes make of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nexum.core.graph.nodes import Compute, Effect, Handler, Llm, Read
from nexum.core.graph.policies import BreakerPolicy
from nexum.core.run.breaker import (
    CLOSED,
    FORCED_PAUSE,
    HALF_OPEN,
    OPEN,
    Breaker,
    ask,
    breaker_of,
    force,
    next_probe,
    standing_of,
    tell,
)

SECOND = 1_000_000
POLICY = BreakerPolicy(failures=3, within=60 * SECOND, open_for=30 * SECOND, probes=1)
FRESH = Breaker("default", "stripe.refund")


def after_failures(*at: int) -> Breaker:
    breaker = FRESH
    for now in at:
        breaker = tell(breaker, POLICY, now * SECOND, well=False)
    return breaker


def test_enough_failures_within_the_window_open_it() -> None:
    assert after_failures(1, 2).state == CLOSED
    assert after_failures(1, 2, 3).state == OPEN
    assert after_failures(1, 30, 62).state == CLOSED


def test_open_it_lets_nobody_through_until_a_probe_is_due() -> None:
    opened = after_failures(1, 2, 3)

    assert ask(opened, POLICY, 13 * SECOND) == (opened, (False, 20 * SECOND, False))
    half, verdict = ask(opened, POLICY, 33 * SECOND)
    assert (half.state, verdict) == (HALF_OPEN, (True, 0, True))
    assert ask(half, POLICY, 33 * SECOND)[1] == (False, 30 * SECOND, False)


def test_a_probe_that_does_well_closes_it_and_one_that_fails_opens_it_as_long_again() -> None:
    half, _ = ask(after_failures(1, 2, 3), POLICY, 33 * SECOND)

    assert tell(half, POLICY, 34 * SECOND, well=True)._replace(open_for=0) == FRESH
    again = tell(half, POLICY, 34 * SECOND, well=False)
    assert (again.state, again.probe_at, again.opened_at) == (OPEN, 64 * SECOND, 3 * SECOND)


def test_a_probe_that_never_answers_bars_nothing() -> None:
    half, _ = ask(after_failures(1, 2, 3), POLICY, 33 * SECOND)

    assert ask(half, POLICY, 63 * SECOND)[1] == (True, 0, True)


def test_what_was_sent_before_it_opened_changes_nothing() -> None:
    opened = after_failures(1, 2, 3)

    assert tell(opened, POLICY, 4 * SECOND, well=False) is opened
    assert tell(opened, POLICY, 4 * SECOND, well=True) is opened


def test_what_a_person_forces_goes_first_until_its_time_has_passed() -> None:
    held = force(FRESH, OPEN, until=10 * SECOND, actor="mika", reason="maintenance")
    let = force(after_failures(1, 2, 3), CLOSED, until=0, actor="mika", reason="they say it is up")

    assert ask(held, POLICY, 4 * SECOND)[1] == (False, 6 * SECOND, False)
    assert ask(held, POLICY, 10 * SECOND)[1].passes
    assert (standing_of(held, 4 * SECOND), standing_of(held, 11 * SECOND)) == (OPEN, CLOSED)
    assert ask(force(FRESH, OPEN, until=0, actor="m", reason="r"), POLICY, 1)[1].wait == FORCED_PAUSE
    assert ask(let, POLICY, 4 * SECOND) == (let, (True, 0, False))
    assert tell(let, POLICY, 4 * SECOND, well=False) is let
    anew = force(let, "", until=0, actor="mika", reason="done")
    assert (anew.state, anew.forced, anew.failures) == (CLOSED, "", ())


def test_it_says_when_the_next_probe_is_due() -> None:
    assert next_probe(after_failures(1, 2, 3), 4 * SECOND) == 33 * SECOND
    assert next_probe(FRESH, 4) == 0
    assert next_probe(force(FRESH, OPEN, until=99, actor="m", reason="r"), 4) == 99


def test_its_name_is_that_of_what_the_node_touches() -> None:
    handler = Handler(ref="m:f")
    named = BreakerPolicy(name="stripe")
    nodes = (
        Effect(id="pay", handler=handler, output={}, tool="stripe.refund", breaker=POLICY),
        Effect(id="pay", handler=handler, output={}, tool="stripe.refund", breaker=named),
        Llm(id="say", handler=handler, output={}, models=("openai:a", "b"), breaker=POLICY),
        Read(id="look", handler=handler, output={}, breaker=POLICY),
    )

    found = [breaker_of("W", node) for node in nodes]
    assert [pair[0] for pair in found if pair] == ["stripe.refund", "stripe", "openai:a", "W.look"]
    assert breaker_of("W", Compute(id="c", handler=handler, output={})) is None


POLICIES = st.builds(
    BreakerPolicy,
    failures=st.integers(1, 6),
    within=st.just(10**12),
    open_for=st.integers(1, 50),
    probes=st.integers(1, 3),
)


@given(POLICIES, st.lists(st.integers(0, 20), max_size=120))
def test_a_dead_tool_is_sent_no_more_than_failures_and_the_probes_of_each_pause(
    policy: BreakerPolicy, waits: list[int]
) -> None:
    breaker, now, sent = FRESH, 1, 0
    for wait in waits:
        now += wait
        breaker, verdict = ask(breaker, policy, now)
        if verdict.passes:
            sent += 1
            breaker = tell(breaker, policy, now, well=False)

    pauses = (now - 1) // policy.open_for
    assert sent <= policy.failures + pauses * policy.probes


@given(POLICIES, st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=80))
def test_whoever_is_refused_may_ask_when_he_is_told_to_and_time_alone_brings_a_probe(
    policy: BreakerPolicy, acts: list[tuple[int, bool]]
) -> None:
    breaker, now = FRESH, 1
    for wait, well in acts:
        now += wait
        breaker, verdict = ask(breaker, policy, now)
        if verdict.passes:
            breaker = tell(breaker, policy, now, well=well)
        else:
            assert 0 < verdict.wait <= policy.open_for
            assert ask(breaker, policy, now + verdict.wait)[1].passes


@given(POLICIES, st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.booleans()), max_size=80))
def test_closed_means_less_than_enough_failures_and_open_means_a_probe_to_come(
    policy: BreakerPolicy, acts: list[tuple[int, bool, bool]]
) -> None:
    breaker, now = FRESH, 1
    for wait, answers, well in acts:
        now += wait
        breaker, verdict = ask(breaker, policy, now)
        if verdict.passes and answers:
            breaker = tell(breaker, policy, now, well=well)
        if breaker.state == CLOSED:
            assert len(breaker.failures) < policy.failures
        else:
            assert breaker.opened_at <= now < breaker.probe_at
            assert breaker.probing <= policy.probes
