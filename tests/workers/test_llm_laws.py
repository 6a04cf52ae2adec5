"""Whatever a model says, the activation ends in an outcome that can be stored and that carries its literal text."""

from __future__ import annotations

import asyncio
import json

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from nexum.core.canonical import Json, canonical_bytes, from_bytes
from nexum.core.graph.nodes import Handler, Llm
from nexum.core.graph.workflow import Graph
from nexum.core.run.events import Cell
from nexum.engine.work import Failed, Outcome, Succeeded, Work
from nexum.sdk.prompt import Prompt
from nexum.store.api import TaskKey
from nexum_workers.llm import execute_llm
from nexum_workers.models import Door, ModelAnswer, ModelRequest
from nexum_workers.models.door import Asked


class Verdict(BaseModel):
    refund: bool
    score: int = Field(ge=0, le=100)
    reason: str


class Saying:
    """A model, and the door to it, that says one thing."""

    def __init__(self, text: str, finish: str) -> None:
        self.answer = ModelAnswer(text, "saying-1", 3, 5, "id-1", finish)

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        return self.answer

    async def aclose(self) -> None: ...


class SayingDoor(Door):
    def __init__(self, text: str, finish: str) -> None:
        super().__init__()
        self.model = Saying(text, finish)

    def resolve(self, name: str) -> Asked:
        return Asked(self.model, name, 5.0)


NODE = Llm(id="verdict", handler=Handler(ref="a:b"), output=Verdict.model_json_schema(), models=("saying:x",))
GRAPH = Graph(workflow="A", input={}, nodes=(NODE,), result=("verdict",))
TASK = TaskKey("run-1", "verdict", 1, -1, 1)
WORK = Work(TASK, 1, 1, GRAPH, NODE, Cell("verdict"), 1, (), "", "", "saying:x", 0, 0, 0, "default", "", "", None)
VERDICT = TypeAdapter(Verdict)


def validated(value: Json) -> bytes:
    return canonical_bytes(VERDICT.validate_json(canonical_bytes(value)).model_dump(mode="json"))


def outcome_of(text: str, finish: str = "stop") -> Outcome:
    door = SayingDoor(text, finish)
    return asyncio.run(execute_llm(WORK, Prompt("?"), door=door, validate=validated))


GOOD = json.dumps({"refund": True, "score": 91, "reason": "damaged \u0000 割れ 🫖"}, ensure_ascii=False)
FINISHES = st.sampled_from(["stop", "length", "content_filter", "refusal", "tool_calls", ""])
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=200)  # lone surrogates included
BITS = st.sampled_from(
    [GOOD, "```", "```json\n", "\n", "{", "}", "[", '"', "NaN", "1e999", "\ud83d", "\\ud83d", "\x00", ":", ","]
)


@given(ANYTHING | st.lists(BITS, max_size=12).map("".join), FINISHES)
@example("[" * 100_000, "stop")
@example('{"a":' * 100_000, "length")
@example("9" * 10_000, "stop")
@example(GOOD.replace("91", "9" * 401), "stop")
def test_every_answer_becomes_an_outcome_with_its_text_and_usage(text: str, finish: str) -> None:
    outcome = outcome_of(text, finish)

    assert outcome.raw == text.encode("utf-8", "backslashreplace")
    assert outcome.usage is not None
    assert (outcome.usage.served, outcome.usage.output_tokens) == ("saying-1", 5)
    if isinstance(outcome, Succeeded):
        Verdict.model_validate(from_bytes(outcome.output))
    else:
        assert outcome.error.code.startswith("NX-L2"), outcome.error
        canonical_bytes({"message": outcome.error.message})


@given(st.integers(0, len(GOOD) - 1))
def test_an_answer_cut_off_anywhere_is_never_taken_for_a_whole_one(at: int) -> None:
    outcome = outcome_of(GOOD[:at])
    assert isinstance(outcome, Failed)
    assert outcome.repairable


@given(st.sampled_from(["", "Sure:\n", "```json\n"]), st.booleans(), st.integers(0, 100), ANYTHING)
def test_an_answer_that_fits_is_taken_as_it_is(before: str, refund: bool, score: int, reason: str) -> None:
    value = {"refund": refund, "score": score, "reason": reason.encode("utf-8", "replace").decode()}
    text = json.dumps(value)
    if before:
        text = f"{before.removesuffix('```json' + chr(10))}```json\n{text}\n```"
    outcome = outcome_of(text)
    assert isinstance(outcome, Succeeded)
    assert from_bytes(outcome.output) == value
