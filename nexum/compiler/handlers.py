"""A handler as the compiler found it, and what a worker needs to call it: adapters, injections, colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from nexum.core.canonical import canonical_bytes


@dataclass(frozen=True, slots=True)
class BoundHandler:
    """One node's code. `params` validate what comes in by name, `contexts` are the parameters that take a Context.

    `output` validates what counts as the node's result: the return value, or, for llm nodes, the model's answer.
    """

    id: str
    call: Callable[..., Any]
    params: Mapping[str, TypeAdapter[Any]]
    contexts: tuple[str, ...]
    output: TypeAdapter[Any]
    is_async: bool

    def arguments(self, inputs: Iterable[tuple[str, bytes | None]], context: object) -> dict[str, Any]:
        """The keyword arguments for one call. Raises `pydantic.ValidationError` when an input does not fit."""
        given = {name: None if data is None else self.params[name].validate_json(data) for name, data in inputs}
        return {**given, **dict.fromkeys(self.contexts, context)}

    def spell(self, value: object) -> bytes:
        """A result as canonical JSON.

        Raises `pydantic.ValidationError` when it is not of the annotated type, `pydantic_core.PydanticSerializationError`
        when it was changed into something else afterwards, and `NotCanonicalError` when it has no JSON spelling.
        """
        return spell(self.output, value)


def spell(adapter: TypeAdapter[Any], value: object) -> bytes:
    """A value of a type as canonical JSON: validated, then written under its JSON names."""
    checked = adapter.validate_python(value)
    return canonical_bytes(adapter.dump_python(checked, mode="json", by_alias=True, warnings="error"))
