"""Handlers that are no plain functions."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from nexum import CompiledWorkflow, workflow


def twice(input: int, by: int = 2) -> int:  # noqa: A002 (the name that binds to the run's input)
    return by * input


class Twice:
    """A callable object."""

    def __call__(self, input: int) -> int:  # noqa: A002
        return 2 * input

    def method(self, input: int) -> int:  # noqa: A002
        return 2 * input


class Later:
    """A callable object whose call is a coroutine."""

    async def __call__(self, input: int) -> int:  # noqa: A002
        return 2 * input


def logged(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return handler(*args, **kwargs)

    return inner


@logged
def decorated(input: int) -> int:  # noqa: A002
    return 2 * input


def built(handler: Callable[..., Any]) -> CompiledWorkflow[int]:
    return workflow("Kinds", input=int).compute("twice", handler).build()


def called(flow: CompiledWorkflow[int]) -> object:
    handler = flow.handlers["twice"]
    made = handler.call(**handler.arguments([("input", b"4")], None))
    return asyncio.run(made) if handler.is_async else made


@pytest.mark.parametrize(
    ("handler", "ref"),
    [
        (Twice(), "Twice.__call__"),
        (Twice().method, "Twice.method"),
        (Later(), "Later.__call__"),
        (functools.partial(Twice()), "Twice.__call__"),
    ],
    ids=["object", "method", "coroutine", "partial"],
)
def test_a_callable_is_a_handler_whose_code_cannot_be_told(handler: Callable[..., Any], ref: str) -> None:
    flow = built(handler)

    assert called(flow) == 8
    assert [item.code for item in flow.warnings] == ["NX-B125"]
    assert flow.graph["twice"].handler.ref.endswith(f":{ref}")
    assert flow.graph["twice"].handler.fingerprint == ""


def test_a_decorated_function_keeps_its_signature_and_its_decorator_counts() -> None:
    flow = built(decorated)
    bare = built(decorated.__wrapped__)  # type: ignore[attr-defined]

    assert called(flow) == 8
    assert flow.warnings == ()
    assert flow.graph["twice"].handler.ref == bare.graph["twice"].handler.ref
    assert flow.graph["twice"].handler.fingerprint.startswith("sha256:")
