"""A model without a model: it answers by rules. Deterministic, so that tests and demonstrations need no account."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from nexum_workers.models.protocol import Message, ModelAnswer, ModelRequest, SlowModelError


@dataclass(frozen=True, slots=True)
class Rule:
    """When `match` occurs in the conversation, answer with `answers[n]`, n being the round of repair; the last one stays.

    The round stands in the request and is never remembered here: a process that is killed and started again gives the
    same answers. `delay` is in seconds.
    """

    match: str
    answers: tuple[str, ...]
    delay: float = 0.0

    def answer(self, repair_round: int) -> str:
        """The answer of a round; 0 is the first."""
        return self.answers[min(repair_round, len(self.answers) - 1)]


@dataclass(frozen=True, slots=True)
class Script:
    """Rules in order; the first that matches answers. `default` answers everything else."""

    rules: tuple[Rule, ...] = ()
    default: Rule = Rule("", ("{}",))

    def rule(self, messages: tuple[Message, ...]) -> Rule:
        """The first rule whose text occurs in what the user or the system said."""
        said = "\n".join(message.text for message in messages if message.role != "assistant")
        return next((rule for rule in self.rules if rule.match in said), self.default)


class ScriptedModel:
    """Answers from a `Script`; counts tokens as words, so that usage has figures."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """Answer by the first rule that matches. Raises `SlowModelError` when its delay exceeds the timeout."""
        rule = self.script.rule(request.messages)
        if rule.delay > request.timeout:
            await asyncio.sleep(request.timeout)
            raise SlowModelError(f"the scripted answer takes {rule.delay} s, the limit is {request.timeout} s")
        await asyncio.sleep(rule.delay)
        text = rule.answer(request.round)
        asked = sum(len(message.text.split()) for message in request.messages)
        return ModelAnswer(text, "scripted", asked, len(text.split()), request.request_id)

    async def aclose(self) -> None:
        """Nothing to let go of."""
