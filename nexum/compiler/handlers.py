"""A handler as the compiler found it, and what a worker needs to call it: adapters, injections, colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from nexum.core.canonical import NotCanonicalError, refuse_halves, storable_bytes
from nexum.errors.misfits import got

_REASON = 200  # characters


@dataclass(frozen=True, slots=True)
class BoundHandler:
    """One node's code. `params` validate what comes in by name, `contexts` are the parameters that take a Context.
    `means` are those that take what the handler acts through: the transaction of a transaction node.

    `output` validates what counts as the node's result: the return value, or, for llm nodes, the model's answer.
    """

    id: str
    call: Callable[..., Any]
    params: Mapping[str, TypeAdapter[Any]]
    contexts: tuple[str, ...]
    means: tuple[str, ...]
    output: TypeAdapter[Any]
    is_async: bool

    def arguments(
        self, inputs: Iterable[tuple[str, bytes | None]], context: object, mean: object = None
    ) -> dict[str, Any]:
        """The keyword arguments for one call. Raises `pydantic.ValidationError` when an input does not fit."""
        given = {name: None if data is None else self.params[name].validate_json(data) for name, data in inputs}
        return {**given, **dict.fromkeys(self.contexts, context), **dict.fromkeys(self.means, mean)}

    def spell(self, value: object) -> bytes:
        """A result as canonical JSON.

        Raises `pydantic.ValidationError` when it is not of the annotated type, `pydantic_core.PydanticSerializationError`
        when it was changed into something else afterwards, and `NotCanonicalError` when it has no JSON spelling or holds half
        of a surrogate pair.
        """
        return spell(self.output, value)


def spell(adapter: TypeAdapter[Any], value: object) -> bytes:
    """A value of a type as the canonical JSON of a payload: validated, then written under its JSON names.

    Raises what `BoundHandler.spell` raises.
    """
    checked = adapter.validate_python(value)
    try:
        written = adapter.dump_python(checked, mode="json", by_alias=True, warnings="error")
    except PydanticSerializationError:
        raise
    except UnicodeEncodeError as error:  # in a key; in a text Pydantic does not mind it
        refuse_halves(adapter.dump_python(checked, by_alias=True), "$")
        raise NotCanonicalError("$", f"it cannot be written: {got(error, _REASON)}") from error
    except Exception as error:  # without end, not UTF-8, or a serializer of the author's own
        raise NotCanonicalError("$", f"it cannot be written: {got(error, _REASON)}") from error
    data = storable_bytes(written)
    if b"null" in data:  # Pydantic writes NaN and infinities as null, which would be another value
        _refuse_not_finite(adapter.dump_python(checked), "$")
    return data


def _refuse_not_finite(value: object, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotCanonicalError(path, f"{value} is not JSON")
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_not_finite(item, f"{path}.{name}")
    elif isinstance(value, list | tuple | set | frozenset):
        for place, item in enumerate(value):
            _refuse_not_finite(item, f"{path}[{place}]")
