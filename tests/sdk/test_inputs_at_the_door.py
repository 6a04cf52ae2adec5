"""Inputs that were made unchecked, or that JSON cannot spell: always an InputError with a code and a place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from nexum import InputError, Workflow
from nexum.core.canonical import MAX_DIGITS


class In(BaseModel):
    n: int
    f: float = 0.0
    rest: Any = None


class Unread(BaseModel):
    """Whose repr raises."""

    n: int = 0

    def __repr__(self) -> str:
        raise ValueError("no repr")


flow = Workflow("Door", input=In)


@flow.compute()
def only(given: In) -> int:
    return given.n


door = flow.build()


def deep(levels: int) -> Any:
    """Lists in lists."""
    made: list[Any] = []
    for _ in range(levels):
        made = [made]
    return made


def endless() -> Any:
    """A list that holds itself."""
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        (In.model_construct(n="x"), "NX-R101", "$.n"),
        (In.model_construct(n=float("inf")), "NX-R101", "$.n"),
        ({"n": "many"}, "NX-R101", "$.n"),
        ({"n": 10**MAX_DIGITS, "f": "high"}, "NX-R101", "$.f"),
        ({}, "NX-R101", "$.n"),
        (Unread(), "NX-R101", "$"),
        (In(n=1, f=float("inf")), "NX-R102", "$.f"),
        (In(n=1, rest=[float("nan")]), "NX-R102", "$.rest[0]"),
        (In(n=10**MAX_DIGITS), "NX-R102", "$.n"),
        (In(n=1, rest={"text": "\ud800"}), "NX-R102", "$.rest.text"),
        (In(n=1, rest={"\ud800": 1}), "NX-R102", r"$.rest.\ud800"),
        (In(n=1, rest=deep(210)), "NX-R102", "$.rest" + "[0]" * 199),
        (In(n=1, rest=deep(100_000)), "NX-R102", "$"),
        (In(n=1, rest=endless()), "NX-R102", "$"),
        (In(n=1, rest=object()), "NX-R102", "$"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_an_input_that_does_not_fit_or_cannot_be_stored_has_a_code_and_a_place(
    value: Any, code: str, path: str
) -> None:
    with pytest.raises(InputError) as caught:
        door.input_json(value)

    assert (caught.value.code, caught.value.problems[0].path[: len(path)]) == (code, path)
    assert "errors.pydantic.dev" not in str(caught.value)
    assert "validation error" not in str(caught.value)
    assert len(str(caught.value)) < 2_000
    str(caught.value).encode()
