"""The function that asks a provider about an effect in doubt: it must fit the effect it asks about.

It is bound like a handler, from the sources of the effect, and gives what the effect gives or None: what was found, or
that nothing was. An effect that may itself give None would leave no word for "not found".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from nexum.compiler.annotations import is_nullable, members, name_of
from nexum.compiler.binding import Bound, Scope, Signature, bind
from nexum.compiler.checked import Checked
from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import finding
from nexum.compiler.fingerprint import why_not
from nexum.compiler.sources import handler_span, parameter_span
from nexum.compiler.subsume import check_accepts
from nexum.core.graph.nodes import INPUT, Schema
from nexum.errors import Diagnostic


def check_reconcile(
    declared: Declared,
    signature: Signature,
    scope: Scope,
    schemas: Mapping[str, Schema],
    problems: list[Diagnostic],
) -> Checked | None:
    """The function behind `reconcile=` of an effect with this signature, bound; None when there is none.

    `scope` and `schemas` are those with which the effect itself was bound. What is wrong goes to `problems`.
    """
    how = declared.reconcile
    if how is None:
        return None
    asking = Declared("reconcile", f"{declared.id}/reconcile", how.handler, declared.place)
    found: list[Diagnostic] = []
    bound = bind(asking, scope, found)
    own = tuple(param for param in bound.params if param.source in {each.source for each in signature.params})
    found.extend(_foreign(declared, signature, asking, param) for param in bound.params if param not in own)
    bound = replace(bound, params=own)
    found.extend(check_accepts(asking, bound, schemas, {INPUT: scope.input, **scope.before}))
    found.extend(_absences(declared, signature, asking, bound))
    if bound.adapter is not None and signature.adapter is not None:
        found.extend(_answers(declared, signature, asking, bound))
    if reason := why_not(how.handler):
        message = f"the code of `{asking.id}` cannot be fingerprinted: {reason}"
        found.append(finding("NX-B125", message, handler_span(asking)))
    problems.extend(found)
    return Checked(asking, bound)


def _foreign(declared: Declared, signature: Signature, asking: Declared, param: Bound) -> Diagnostic:
    taken = ", ".join(f"`{each.name}`" for each in signature.params) or "nothing but a Context"
    message = f"`reconcile=` of `{declared.id}` takes `{param.name}`, which `{declared.id}` does not take"
    fixes = (f"use what the effect takes: {taken}", f"give `{declared.id}` the parameter `{param.name}` too")
    return finding("NX-B140", message, parameter_span(asking, param.name), fixes=fixes)


def _absences(declared: Declared, signature: Signature, asking: Declared, bound: Signature) -> Iterator[Diagnostic]:
    """A source that the effect can do without may be missing when its provider is asked."""
    without = {param.source for param in signature.params if not param.required}
    for param in bound.params:
        if param.required and param.source in without:
            kind = name_of(param.kind)
            message = (
                f"`{param.name}` of `{asking.id}` may be missing: `{declared.id}` runs without `{param.source}` too"
            )
            fixes = (f"write `{param.name}: {kind} | None`",)
            yield finding("NX-B104", message, parameter_span(asking, param.name), fixes=fixes)


def _answers(declared: Declared, signature: Signature, asking: Declared, bound: Signature) -> Iterator[Diagnostic]:
    """Findings about what the function gives, against what the effect gives."""
    given, wanted = bound.output, signature.output
    at, effect = handler_span(asking), name_of(wanted)
    if _takes_none(signature):
        message = f"`{declared.id}` returns {effect}, so None from `reconcile=` could mean found or not found"
        yield finding("NX-B142", message, handler_span(declared))
        return
    fix = (f"write `-> {effect} | None`",)
    if not is_nullable(given):
        message = f"`reconcile=` of `{declared.id}` returns {name_of(given)}, which leaves no way to say that nothing is there"
        yield finding("NX-B141", message, at, fixes=fix)
        return
    foreign = [kind for kind in members(given) if kind is not type(None) and not _is_one_of(kind, members(wanted))]
    if foreign or given is type(None):
        message = f"`reconcile=` of `{declared.id}` returns {name_of(given)}, but `{declared.id}` returns {effect}"
        yield finding("NX-B141", message, at, fixes=fix)


def _takes_none(signature: Signature) -> bool:
    assert signature.adapter is not None
    try:
        signature.adapter.validate_python(None)
    except ValidationError:
        return False
    return True


def _is_one_of(kind: Any, wanted: tuple[Any, ...]) -> bool:
    """Whether a value of the type is one of the wanted types': the same type, or a class below it."""
    classes = tuple(each for each in wanted if isinstance(each, type))
    return kind in wanted or (isinstance(kind, type) and bool(classes) and issubclass(kind, classes))
