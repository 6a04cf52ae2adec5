"""Does every parameter accept what its source gives?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nexum.compiler.annotations import is_nullable, name_of
from nexum.compiler.binding import Signature
from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import finding
from nexum.compiler.sources import parameter_span
from nexum.core.graph.nodes import Schema
from nexum.core.schema import Answer, accepts
from nexum.errors import Diagnostic


def check_accepts(
    declared: Declared, signature: Signature, given: Mapping[str, Schema], kinds: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    """A finding for each parameter that refuses, or may refuse, what its source gives.

    `given` holds the schema of each source, `kinds` its Python type, for the words of the message.
    """
    for param in signature.params:
        verdict = accepts(param.schema, given[param.source])
        if verdict.accepted:
            continue
        taken, source = name_of(param.kind), kinds[param.source]
        at = parameter_span(declared, param.name)
        why = f"at `{verdict.path}`: {verdict.reason}"
        if verdict.answer is Answer.UNDECIDED:
            message = f"cannot decide if `{param.name}` of `{declared.id}` ({taken}) accepts `{param.source}` ({name_of(source)})"
            yield finding("NX-B106", message, at, why=why)
            continue
        fixes = (f"write `{param.name}: {name_of(source)}`, the type that `{param.source}` gives",)
        if is_nullable(source) and not is_nullable(param.kind):
            fixes = (f"write `{param.name}: {taken} | None`: `{param.source}` may give None",)
        message = f"`{param.name}` of `{declared.id}` takes {taken}, but `{param.source}` gives {name_of(source)}"
        yield finding("NX-B104", message, at, why=why, fixes=fixes)
