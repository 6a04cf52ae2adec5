"""Language models behind one door.

A model is asked once and answers once: `Model.ask(request) -> ModelAnswer`, or a `ModelError` that says what kind of
failure it was. Nothing here retries, repairs, falls back or validates: those are decisions, they belong to the engine and
are recorded there one by one, so that no paid answer is ever hidden inside a client. Two models are built in: one HTTP
client for every provider that speaks the OpenAI chat protocol, and a scripted model that answers by rules, for tests and
demonstrations. `Door` turns a name such as `openai:gpt-4o` into one of them.

Connections are made lazily, in the process and on the event loop that use them: a client made before a fork would be
shared by parent and children.
"""

from __future__ import annotations

from nexum_workers.models.door import Door
from nexum_workers.models.protocol import (
    BadReplyError,
    Message,
    Model,
    ModelAnswer,
    ModelError,
    ModelRequest,
    ProviderDownError,
    RateLimitedError,
    RefusedError,
    SlowModelError,
    TooLongError,
)
from nexum_workers.models.scripted import Rule, Script, ScriptedModel

__all__ = [
    "BadReplyError",
    "Door",
    "Message",
    "Model",
    "ModelAnswer",
    "ModelError",
    "ModelRequest",
    "ProviderDownError",
    "RateLimitedError",
    "RefusedError",
    "Rule",
    "Script",
    "ScriptedModel",
    "SlowModelError",
    "TooLongError",
]
