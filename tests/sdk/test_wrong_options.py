"""Whatever an author writes into an option, `build()` answers with findings, never with an error of Python's own."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from findings import errors, only, pointed
from nexum import Dedupes, Prompt, Retry, Timeouts, Workflow, workflow

HERE = Path(__file__)
MINUTES = "a timedelta, for example timedelta(seconds=5)"


class Topic(BaseModel):
    title: str


class Note(BaseModel):
    text: str
    score: int = 0


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def note(input: Topic) -> Note:  # noqa: A002 (the name of the workflow's input)
    return Note(text=input.title)


def asked(input: Topic) -> Prompt[Note]:  # noqa: A002
    return Prompt(input.title)


def _agent(kind: str, options: dict[str, Any]) -> Workflow[Topic]:
    agent = Workflow("Agent", input=Topic)
    needed = {"effect": {"tool": "mail.send"}, "llm": {"model": "m"}}.get(kind, {})
    getattr(agent, kind)(**{**needed, **options})(asked if kind == "llm" else note)
    return agent


@pytest.mark.parametrize(
    ("kind", "option", "value", "message"),
    [
        ("read", "retry", 3, "`retry=` is 3, not a Retry, for example Retry(max_attempts=5)"),
        ("read", "retry", None, "`retry=` is None, not a Retry, for example Retry(max_attempts=5)"),
        ("read", "timeouts", 5, "`timeouts=` is 5, not a Timeouts, for example "),
        ("read", "after", 5, "`after=` is 5, not a node, the name of one, or a list of them"),
        ("read", "after", [5], "`after=` is [5], not a node, the name of one, or a list of them"),
        ("read", "after", note, "`after=` is <function note at "),
        ("read", "after", {"a"}, "`after=` is {'a'}, not a node, "),
        ("read", "priority", "high", "`priority=` is 'high', not a whole number between -9 and 9"),
        ("read", "priority", True, "`priority=` is True, not a whole number"),
        ("read", "when", 5, "`when=` of `note` is the constant 5, not a condition"),
        (
            "read",
            "when",
            Unprintable(),
            "`when=` of `note` is the constant <Unprintable whose repr raises RuntimeError>, ",
        ),
        ("effect", "tool", 5, "`tool=` is 5, not a text"),
        ("effect", "provider", "y", "`provider=` is 'y', not a Dedupes, for example Dedupes(ttl=timedelta(hours=24))"),
        ("effect", "reference", 5, "`reference=` is 5, not a text"),
        ("effect", "key", [], "`key=` of `note` is the constant [], not a condition"),
        ("llm", "model", 5, "`model=` is 5, not a text"),
        ("llm", "model", Unprintable(), "`model=` is <Unprintable whose repr raises RuntimeError>, not a text"),
        ("llm", "fallback", "abc", "`fallback=` is 'abc', not a list of models"),
        ("llm", "fallback", [5], "`fallback=` is [5], not a list of models"),
        ("llm", "repair", "2", "`repair=` is '2', not a whole number between 0 and 20"),
        ("llm", "settings", 5, "`settings=` is 5, not a dict"),
        ("llm", "settings", {"t": math.nan}, "`settings=` cannot be written as JSON: $.t: nan is not JSON"),
        ("llm", "settings", {"stop": {"a"}}, "`settings=` cannot be written as JSON: $.stop: set is not JSON"),
        ("llm", "settings", {1: 2}, "`settings=` cannot be written as JSON: $: key 1 is int, not str"),
        ("llm", "accept", 5, "`accept=` of `asked` is the constant 5, not a condition"),
        ("llm", "accept", lambda: True, "`accept=` of `asked` raised TypeError: "),
    ],
)
def test_an_option_of_a_wrong_type_is_a_finding_at_its_place(kind: str, option: str, value: Any, message: str) -> None:
    found = only(_agent(kind, {option: value}))

    assert (found.code, found.message[: len(message)]) == (found.code, message)
    assert found.code in {"NX-B124", "NX-B115"}
    assert found.file == __file__
    assert found.line > 0


@pytest.mark.parametrize(
    ("option", "policy", "message"),
    [
        ("retry", lambda: Retry(first_wait=5), f"`retry=`: first_wait is 5, not {MINUTES}"),  # type: ignore[arg-type]
        ("retry", lambda: Retry(ceiling=None), f"`retry=`: ceiling is None, not {MINUTES}"),  # type: ignore[arg-type]
        ("retry", lambda: Retry(max_attempts="3"), "`retry=`: max_attempts is '3', not a whole number"),  # type: ignore[arg-type]
        ("retry", lambda: Retry(factor=math.nan), "`retry=`: factor is nan; "),
        ("retry", lambda: Retry(backoff="often"), "`retry=`: backoff is 'often'; "),  # type: ignore[arg-type]
        ("retry", lambda: Retry(retry_on=OSError), "`retry=`: retry_on is <class 'OSError'>, not a tuple of exception"),  # type: ignore[arg-type]
        ("retry", lambda: Retry(never_on="OSError"), "`retry=`: never_on is 'OSError', not a tuple of exception"),  # type: ignore[arg-type]
        ("retry", lambda: Retry(retry_on=(5,)), "`retry=`: retry_on is (5,), not a tuple of exception"),  # type: ignore[arg-type]
        ("timeouts", lambda: Timeouts(start_to_close=5), f"`timeouts=`: start_to_close is 5, not {MINUTES}"),  # type: ignore[arg-type]
        ("timeouts", lambda: Timeouts(heartbeat=0), "`timeouts=`: heartbeat is 0, not a timedelta, for example "),  # type: ignore[arg-type]
        (
            "provider",
            lambda: Dedupes(ttl=3600),
            "`provider=`: ttl is 3600, not a timedelta, for example timedelta(seco",
        ),  # type: ignore[arg-type]
    ],
)
def test_a_policy_of_wrong_parts_is_a_finding_that_says_what_to_write(
    option: str, policy: Callable[[], object], message: str
) -> None:
    found = only(_agent("effect", {option: policy()}))

    assert (found.code, found.message[: len(message)]) == ("NX-B124", message)
    assert (found.file, found.line > 0) == (__file__, True)


def test_a_wrong_option_is_pointed_at() -> None:
    agent = Workflow("Agent", input=Topic)
    agent.read(retry=3)(note)  # type: ignore[arg-type]

    assert pointed(only(agent)) == "3"


def test_all_wrong_options_are_found_at_once() -> None:
    agent = Workflow("Agent", input=Topic)
    late = Timeouts(start_to_close=5, heartbeat=1)  # type: ignore[arg-type]
    agent.effect(tool=5, retry=3, timeouts=late, provider="y")(note)  # type: ignore[arg-type]

    assert [item.code for item in errors(agent)] == ["NX-B124"] * 5


@pytest.mark.parametrize("name", [5, None, [], Unprintable()])
def test_a_workflow_s_name_must_be_a_text(name: Any) -> None:
    agent = Workflow(name, input=Topic)
    agent.read()(note)

    found = only(agent)
    assert found.code == "NX-B111"
    assert found.snippet == "    agent = Workflow(name, input=Topic)"


@pytest.mark.parametrize("name", [5, None, []])
def test_a_node_s_name_must_be_a_text(name: Any) -> None:
    assert [item.code for item in errors(workflow("Agent", input=Topic).read(name, note))] == ["NX-B111"]


def test_a_label_must_be_a_text() -> None:
    agent = Workflow("Agent", input=Topic, label=5)  # type: ignore[arg-type]
    agent.read()(note)

    found = only(agent)
    assert (found.code, found.message) == ("NX-B124", "`label=` is 5, not a text")


class Raising:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> object:
        raise ValueError("not today")


@pytest.mark.parametrize("kind", [5, "Topic", Raising, Unprintable()])
def test_an_input_that_is_no_type_is_a_finding(kind: Any) -> None:
    agent = Workflow("Agent", input=kind)
    agent.read()(note)

    assert "NX-B108" in {item.code for item in errors(agent)}


@pytest.mark.parametrize("handler", [5, None, "note", Topic, [], Unprintable()])
def test_a_handler_that_is_no_function_is_a_finding(handler: Any) -> None:
    agent = Workflow("Agent", input=Topic)
    agent.compute()(handler)

    assert "NX-B107" in {item.code for item in errors(agent)}


def _yielding(input: Topic) -> Note:  # type: ignore[misc]  # noqa: A002
    yield Note(text=input.title)


def _yielding_list(input: Topic) -> Iterator[int]:  # noqa: A002
    yield len(input.title)


async def _yielding_later(input: Topic) -> AsyncIterator[int]:  # noqa: A002
    yield len(input.title)


@pytest.mark.parametrize("handler", [_yielding, _yielding_list, _yielding_later])
def test_a_generator_is_no_handler(handler: Callable[..., Any]) -> None:
    agent = Workflow("Agent", input=Topic)
    agent.compute()(handler)

    found = next(item for item in errors(agent) if item.code == "NX-B132")
    assert (
        found.message
        == f"`{handler.__name__}` yields, so a call of it gives a generator, not what it is annotated with"
    )
    assert pointed(found) == handler.__name__


def test_right_values_of_every_option_build() -> None:
    agent = Workflow("Agent", input=Topic, label="An agent")
    first = agent.read(retry=Retry(first_wait=timedelta(seconds=5), retry_on=("OSError", ValueError)))(note)
    agent.llm(model="a", fallback=["b"], settings={"temperature": 0.5, "stop": ["x"]}, after=[first, "note"])(asked)
    built = agent.build()

    assert [node.id for node in built.graph.nodes] == ["note", "asked"]
