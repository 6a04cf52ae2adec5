"""What is asked of a language model, what it answers, and the ways in which it fails to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from nexum.errors import HandlerError


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation; `role` is system, user or assistant."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request. `model` is the provider's own name of it; `timeout` is in seconds and bounds the whole answer.

    `schema` is the JSON Schema that the answer must fit. `settings` (temperature, max_tokens, ...) go to the provider as
    they are. `request_id` is the same for the same activation, so that the provider's log can be matched with ours.
    `round` counts the repair rounds of this answer so far.
    """

    model: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    schema_name: str
    timeout: float
    request_id: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    round: int = 0


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What came back. `text` is literal; `finish` is the provider's word (`stop`, `length`, `refusal`, ...)."""

    text: str
    served: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    request_id: str = ""
    finish: str = "stop"


class Model(Protocol):
    """A door to one provider."""

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. Raises `ModelError` and nothing else; never retries by itself."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class ModelError(HandlerError):
    """The model gave no answer. `raw` is what was received instead."""

    def __init__(self, message: str, *, where: str = "", raw: bytes = b"") -> None:
        super().__init__(message, where=where)
        self.raw = raw


class LaterError(ModelError):
    """Another time the provider may answer. `retry_after` is in seconds; 0 when it did not say."""

    def __init__(self, message: str, *, retry_after: float = 0.0, where: str = "", raw: bytes = b"") -> None:
        super().__init__(message, where=where, raw=raw)
        self.retry_after = retry_after


class RateLimitedError(LaterError):
    """429."""

    default_code = "NX-L201"


class ProviderDownError(LaterError):
    """The connection failed or broke, or the provider answered 5xx."""

    default_code = "NX-L202"


class RefusedError(ModelError):
    """4xx: the same request would be refused again."""

    default_code = "NX-L203"


class SlowModelError(ModelError):
    """The whole answer did not arrive in time."""

    default_code = "NX-L204"


class BadReplyError(ModelError):
    """A reply that is no chat completion."""

    default_code = "NX-L205"


class TooLongError(ModelError):
    """A reply longer than the limit; reading stopped there, `raw` is what was read."""

    default_code = "NX-L212"
