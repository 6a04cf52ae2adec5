"""What an llm handler returns: the text or messages to send. The type argument says what the answer must fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Out = TypeVar("Out", covariant=True)

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation with a language model."""

    role: Role
    content: str


class Prompt(Generic[Out]):
    """A request to a language model whose answer must be an `Out`.

    Takes one text, sent as a user's message, or a sequence of messages. Raises `TypeError` for anything else and
    `ValueError` when there is nothing to send.
    """

    __slots__ = ("messages",)

    messages: tuple[Message, ...]

    def __init__(self, content: str | Sequence[Message]) -> None:
        messages = (Message("user", content),) if isinstance(content, str) else tuple(content)
        wrong = next((item for item in messages if not isinstance(item, Message)), None)
        if wrong is not None:
            raise TypeError(f"a prompt is a text or a list of Message, not {type(wrong).__name__}: {wrong!r}")
        if not messages or not any(message.content for message in messages):
            raise ValueError("the prompt is empty: there is nothing to send")
        self.messages = messages

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prompt) and self.messages == other.messages

    def __hash__(self) -> int:
        return hash(self.messages)

    def __repr__(self) -> str:
        return f"Prompt({list(self.messages)!r})"
