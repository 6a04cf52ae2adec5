"""One activation of a language model node, asked of a real server that misbehaves."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from nexum.core.canonical import Json, canonical_bytes, from_bytes
from nexum.core.graph.nodes import Compute, Handler, Llm
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell, Error
from nexum.crash import arm
from nexum.engine.work import Failed, Outcome, Repair, Succeeded, Work
from nexum.sdk.prompt import Message, Prompt
from nexum.store.api import TaskKey
from nexum.testing.fakes import Fake, running
from nexum_workers.llm import execute_llm
from nexum_workers.models import Door

KEY = "sk-secret"


class Verdict(BaseModel):
    refund: bool
    score: int = Field(ge=0, le=100)
    reason: str


SAID: Prompt[Verdict] = Prompt([Message("system", "Be fair."), Message("user", "Refund order 1042?")])


def validated(value: Json) -> bytes:
    return canonical_bytes(Verdict.model_validate(value).model_dump(mode="json"))


def work(model: str = "openai:judge", *, max_run: int = 5_000_000, repair: Repair | None = None) -> Work:
    node = Llm(
        id="verdict",
        handler=Handler(ref="a:b"),
        output=Verdict.model_json_schema(),
        models=("openai:judge",),
        settings={"temperature": 0, "model": "never this one"},
    )
    graph = Graph(workflow="A", input={}, nodes=(node,), result=("verdict",))
    task = TaskKey("run-1", "verdict", 1, -1, 1)
    cell = Cell("verdict")
    return Work(task, 1, 1, graph, node, cell, 1, (), "", "", model, max_run, 0, 0, "default", "", "", repair)


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with running("fakellm") as process:
        yield process


def execute(
    fake: Fake,
    given: Work | None = None,
    accept: Callable[[Json], bool] | None = None,
    said: Prompt[Verdict] = SAID,
    **options: Any,
) -> Outcome:
    async def once() -> Outcome:
        door = Door({"base_url": f"{fake.url}/v1", "api_key": KEY, **options})
        try:
            return await execute_llm(given or work(), said, door=door, validate=validated, accept=accept)
        finally:
            await door.aclose()

    return asyncio.run(once())


def play(fake: Fake, mode: str, given: Work | None = None, **fields: Any) -> Outcome:
    fake.post("/plays", [{"mode": mode, **fields}])
    return execute(fake, given)


def failed(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


@pytest.mark.parametrize("mode", ["valid", "fenced", "nul", "trickle"])
def test_a_usable_answer_succeeds_and_keeps_its_literal_text_and_usage(fake: Fake, mode: str) -> None:
    outcome = play(fake, mode, seconds=0.001)

    assert isinstance(outcome, Succeeded)
    assert from_bytes(outcome.output)["score"] == 91
    assert b"91" in outcome.raw
    assert outcome.usage is not None
    assert outcome.usage.served == "judge-2026-01-01"
    assert outcome.usage.input_tokens == 5
    assert outcome.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("mode", "code", "said"),
    [
        ("wrong-types", "NX-L210", "$.score"),
        ("out-of-range", "NX-L210", "850"),
        ("missing-field", "NX-L210", "$.reason"),
        ("lone-surrogate", "NX-L212", r"holds \ud83d"),
        ("raw-surrogate", "NX-L212", r"holds \ud83d"),
        ("prose", "NX-L211", "not JSON"),
        ("two-values", "NX-L211", "2 different"),
        ("twice", "NX-L211", "'refund' stands twice"),
        ("empty", "NX-L211", "empty"),
        ("nan", "NX-L212", "NaN"),
        ("infinity", "NX-L212", "1e999"),
        ("deep", "NX-L212", "200"),
        ("deeper-than-read", "NX-L212", "200"),
        ("long-integer", "NX-L212", "5,000 digits"),
        ("truncated", "NX-L214", "token limit"),
    ],
)
def test_an_invalid_answer_may_be_repaired_and_its_text_is_kept(fake: Fake, mode: str, code: str, said: str) -> None:
    outcome = failed(play(fake, mode))

    assert (outcome.error.code, outcome.repairable) == (code, True)
    assert said in outcome.error.message
    assert outcome.raw.decode() or mode == "empty"
    assert outcome.usage is not None
    assert outcome.usage.input_tokens == 5
    canonical_bytes({"message": outcome.error.message})


@pytest.mark.parametrize("mode", ["lone-surrogate", "raw-surrogate"])
def test_the_journal_of_a_request_can_be_read_whatever_was_asked_and_answered(fake: Fake, mode: str) -> None:
    fake.post("/plays", [{"mode": mode}])
    asked: Prompt[Verdict] = Prompt([Message("user", "Refund \ud83d?")])
    outcome = failed(execute(fake, said=asked))
    journal = from_bytes(outcome.journal)

    assert journal["messages"] == [{"role": "user", "text": r"Refund \ud83d?"}]
    assert r"\ud83d" in journal["reply"]
    outcome.journal.decode()
    json.dumps(journal, ensure_ascii=False).encode()


def test_an_answer_of_ten_megabytes_is_read_up_to_the_limit(fake: Fake) -> None:
    outcome = failed(play(fake, "huge"))

    assert (outcome.error.code, outcome.repairable) == ("NX-L212", True)
    assert 4 * 1024 * 1024 < len(outcome.raw) < 5 * 1024 * 1024


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("503", "NX-L202"),
        ("500", "NX-L202"),
        ("reset", "NX-L202"),
        ("not-http-json", "NX-L205"),
        ("no-choices", "NX-L205"),
        ("null-content", "NX-L205"),
        ("deep-envelope", "NX-L205"),
        ("compressed", "NX-L205"),
    ],
)
def test_a_provider_that_fails_may_be_asked_again(fake: Fake, mode: str, code: str) -> None:
    outcome = failed(play(fake, mode))
    assert (outcome.error.code, outcome.error.retryable, outcome.repairable) == (code, True, False)


def test_what_arrived_before_a_reset_is_kept(fake: Fake) -> None:
    assert failed(play(fake, "reset")).raw.startswith(b'{"id": "chatcmpl')


@pytest.mark.parametrize(("mode", "code"), [("400", "NX-L203"), ("401", "NX-L203"), ("refusal", "NX-L216")])
def test_a_refusal_is_final_for_this_model(fake: Fake, mode: str, code: str) -> None:
    outcome = failed(play(fake, mode))
    assert (outcome.error.code, outcome.error.retryable, outcome.repairable) == (code, False, False)
    assert outcome.raw


def test_a_filtered_answer_is_a_refusal(fake: Fake) -> None:
    assert failed(play(fake, "filtered")).error.code == "NX-L216"


def test_a_rate_limit_says_how_long_to_wait(fake: Fake) -> None:
    outcome = failed(play(fake, "429", retry_after="7"))
    assert (outcome.error.code, outcome.error.retryable, outcome.retry_after) == ("NX-L201", True, 7_000_000)


@pytest.mark.parametrize(("mode", "seconds"), [("hang", 30.0), ("trickle", 0.1)])
def test_a_provider_that_hangs_or_trickles_is_given_up_in_time(fake: Fake, mode: str, seconds: float) -> None:
    outcome = failed(play(fake, mode, work(max_run=300_000), seconds=seconds))
    assert (outcome.error.code, outcome.error.retryable) == ("NX-L204", True)
    assert "0.3 s" in outcome.error.message


def test_the_settings_time_limit_holds_below_the_nodes(fake: Fake) -> None:
    fake.post("/plays", [{"mode": "hang"}])
    assert failed(execute(fake, timeout=0.2)).error.code == "NX-L204"


def test_nobody_listening_is_a_failure_that_may_be_retried() -> None:
    with running("fakellm") as gone:
        pass
    outcome = failed(execute(gone))
    assert (outcome.error.code, outcome.error.retryable) == ("NX-L202", True)


def test_an_unknown_provider_fails_without_a_retry(fake: Fake) -> None:
    outcome = failed(execute(fake, work("nobody:gpt")))
    assert (outcome.error.code, outcome.error.retryable) == ("NX-L230", False)


def test_an_answer_that_is_not_accepted_may_be_repaired(fake: Fake) -> None:
    fake.post("/plays", [{"mode": "valid"}])
    outcome = failed(execute(fake, accept=lambda verdict: bool(verdict["score"] >= 95)))
    assert (outcome.error.code, outcome.repairable) == ("NX-L213", True)
    assert isinstance(execute(fake, accept=lambda verdict: bool(verdict["score"] >= 90)), Succeeded)


def test_an_error_in_our_own_checking_still_reports_the_answer(fake: Fake) -> None:
    def broken(verdict: Json) -> bool:
        raise ZeroDivisionError("oops")

    fake.post("/plays", [{"mode": "valid"}])
    outcome = failed(execute(fake, accept=broken))
    assert (outcome.error.code, outcome.error.type) == ("NX-R200", "ZeroDivisionError")
    assert "ZeroDivisionError" in outcome.error.trace
    assert outcome.raw
    assert outcome.usage is not None


def test_the_request_asks_for_the_schema_and_carries_the_key_and_its_own_id(fake: Fake) -> None:
    play(fake, "valid")
    asked = fake.get("/requests")[-1]

    assert asked["authorised"]
    assert asked["request_id"] == "run-1/verdict/1.-1.1"
    body = asked["body"]
    assert (body["model"], body["temperature"]) == ("judge", 0)
    assert body["response_format"]["json_schema"]["name"] == "verdict"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_a_provider_without_schemas_is_told_in_the_prompt(fake: Fake) -> None:
    fake.post("/plays", [{"mode": "valid"}])
    execute(fake, forcing="object")
    body = fake.get("/requests")[-1]["body"]
    assert body["response_format"] == {"type": "json_object"}
    assert '"score"' in body["messages"][0]["content"]
    execute(fake, forcing="prompt")
    assert "response_format" not in fake.get("/requests")[-1]["body"]


def test_a_repair_round_shows_the_answer_and_what_is_wrong_with_it(fake: Fake) -> None:
    repair = Repair(2, b'{"score": "high"}', Error("NX-L210", "$.score: a number is wanted"))
    play(fake, "valid", work(repair=repair))
    asked = fake.get("/requests")[-1]

    assert asked["request_id"] == "run-1/verdict/1.-1.1/repair.2"
    shown, wanted = asked["body"]["messages"][-2:]
    assert (shown["role"], shown["content"]) == ("assistant", '{"score": "high"}')
    assert wanted["role"] == "user"
    assert "$.score: a number is wanted" in wanted["content"]


def test_only_the_beginning_of_a_long_invalid_answer_is_shown_again(fake: Fake) -> None:
    repair = Repair(1, b"x" * 4_000_000, Error("NX-L212", "too long"))
    play(fake, "valid", work(repair=repair))
    shown = fake.get("/requests")[-1]["body"]["messages"][-2]["content"]
    assert len(shown) < 9_000
    assert "4,000,000 characters in all" in shown


def test_the_key_never_reaches_logs_or_outcomes(fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.post("/plays", [{"mode": "401", "text": f"Incorrect API key provided: {KEY}"}])
    outcome = failed(execute(fake))
    assert KEY not in repr(outcome)
    assert KEY not in caplog.text


def test_one_door_serves_one_event_loop_after_another(fake: Fake) -> None:
    fake.post("/plays", [{"mode": "valid"}])
    door = Door({"base_url": f"{fake.url}/v1"})

    async def once() -> Outcome:
        try:
            return await execute_llm(work(), SAID, door=door, validate=validated)
        finally:
            await door.resolve("openai:judge").model.aclose()

    assert isinstance(asyncio.run(once()), Succeeded)
    assert isinstance(asyncio.run(once()), Succeeded)


def test_without_a_key_no_authorisation_is_sent(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    fake.post("/plays", [{"mode": "valid"}])
    assert isinstance(execute(fake, api_key=""), Succeeded)
    assert not fake.get("/requests")[-1]["authorised"]


def test_a_process_that_dies_while_the_model_answers_has_recorded_nothing(fake: Fake) -> None:
    """The crash point stands between the answer and whoever would hear of it."""
    fake.post("/plays", [{"mode": "valid"}])
    child = os.fork()
    if child == 0:
        arm("model.while_answering:node=verdict")
        execute(fake)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_a_node_of_another_kind_is_a_bug_that_is_reported(fake: Fake) -> None:
    other = work()._replace(node=Compute(id="c", handler=Handler(ref="a:b"), output={}))
    assert failed(execute(fake, other)).error.code == "NX-X100"
