"""How long a decision may last: what is beyond a year, or no time at all, is refused before anything is recorded."""

from __future__ import annotations

import pytest

from databases import fresh_sqlite
from nexum.cli.answer import Paper
from nexum.cli.given import seconds_of
from nexum.cli.main import run
from nexum.cli.verb import Choices
from nexum.client.breakers import override
from nexum.client.deadletters import GroupDecision, decide
from nexum.client.spans import A_YEAR
from nexum.errors import InputError
from nexum.store.connect import open_store
from nexum.store.deadletters import group_decisions_of
from nexum.testing.samples import CLAIM, REFUND, Clock, Stage, fails, refund_graph

WHY = ("--reason", "the provider announced maintenance")
TOO_LONG = ("9999999d", "99999999999999d", "9" * 400, "367d", "8785h")
NO_TIME = ("0s", "0", "0.0001ms")
SECOND = 1_000_000  # microseconds


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with one run that failed for good."""
    url, clock = fresh_sqlite(tmp_path_factory.mktemp("spans")), Clock(1_790_000_000_000_000)
    store = open_store(url, clock=clock)
    stage = Stage(store, clock)
    stage.register(refund_graph())
    stage.begin("RefundAgent", CLAIM, name="dead")
    stage.play(refund_graph().queue, {**REFUND, "refund": [fails("NX-R210", "no card", retryable=False)]})
    store.close()
    return url


@pytest.mark.parametrize("given", TOO_LONG + NO_TIME)
def test_a_breaker_is_held_for_a_time_that_has_an_end_and_is_one(
    failed: str, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["breaker", "open", "foo", *WHY, "--for", given, "--database", failed])
    said = capsys.readouterr().err
    run(["breaker", "list", "--database", failed])

    assert (code, "error[NX-F114]" in said) == (64, True)
    assert max(map(len, said.splitlines())) < 300
    assert "foo" not in capsys.readouterr().out


@pytest.mark.parametrize("given", TOO_LONG + NO_TIME)
def test_a_group_is_set_aside_for_a_time_that_has_an_end_and_is_one(
    failed: str, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["dlq", "list", "--database", failed])
    name = capsys.readouterr().out.splitlines()[1].split()[0]
    code = run(["dlq", "ignore", name, *WHY, "--until", given, "--database", failed])
    said = capsys.readouterr().err
    store = open_store(failed)
    kept = group_decisions_of(store)
    store.close()

    assert (code, "error[NX-F114]" in said) == (64, True)
    assert not kept, "what is refused is not recorded"


@pytest.mark.parametrize("rate", ["9" * 5_000 + "/m", "60001", "0", "soon", "-1", "²"])
def test_a_rate_that_is_none_is_refused_with_what_was_given(
    failed: str, rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["dlq", "list", "--database", failed])
    name = capsys.readouterr().out.splitlines()[1].split()[0]
    code = run(["dlq", "retry", name, "--rate", rate, "--database", failed])
    said = capsys.readouterr().err

    assert (code, "error[NX-R444]" in said, rate[:40] in said) == (65, True, True)
    assert max(map(len, said.splitlines())) < 300


@pytest.mark.parametrize("seconds", [A_YEAR + 1, 1e300, float("inf"), float("nan"), -1, 1e-9])
def test_whoever_holds_a_breaker_from_python_is_held_to_a_year_too(failed: str, seconds: float) -> None:
    store = open_store(failed)
    with pytest.raises(InputError) as error:
        override(store, "foo", "open", actor="mika", reason="maintenance", seconds=seconds)
    store.close()

    assert error.value.code == "NX-E441"
    assert [problem.path for problem in error.value.problems] == ["seconds"]


def test_a_year_is_not_too_long(failed: str) -> None:
    store = open_store(failed)
    held = override(store, "held", "close", actor="mika", reason="maintenance", seconds=A_YEAR)
    decide(store, GroupDecision("default", "ab", "ignore", "mika", "known", until=store.now() + A_YEAR * SECOND))
    with pytest.raises(InputError) as error:
        decide(store, GroupDecision("default", "ab", "ignore", "mika", "known", until=10**17))
    store.close()

    assert held.forced_until - held.changed_at == A_YEAR * SECOND
    assert (error.value.code, [problem.path for problem in error.value.problems]) == ("NX-R442", ["until"])
    assert seconds_of("366d") == A_YEAR


@pytest.mark.parametrize("micros", [10**18, 10**30, 2**63 - 1])
def test_an_instant_that_no_calendar_has_is_shown_as_the_last_one(micros: int) -> None:
    for choices in (Choices(), Choices(utc=True)):
        assert Paper(choices).at(micros).startswith("9999-12-")
        assert Paper(choices).at(micros, brief=True).startswith("12-")
    assert Paper(Choices()).at(-micros) == "-"
