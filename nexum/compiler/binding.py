"""Where each parameter of a handler gets its value, said by its name.

In this order: an annotation of an injected type (`Context`, and what its kind of node acts through); the name of a node; the
annotation of the workflow's input model, or the name `input`. Anything else is an error that names what was probably meant.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from nexum.compiler.annotations import (
    UnknownAnnotation,
    Unsupported,
    adapter_of,
    annotations_of,
    is_nullable,
    name_of,
    plain,
    resolve,
    schema_of,
)
from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import did_you_mean, finding, nearest
from nexum.compiler.sources import handler_span, parameter_span
from nexum.core.graph.nodes import INPUT, Schema
from nexum.errors import Diagnostic
from nexum.errors.misfits import got

_BY_NAME = frozenset({inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY})


@dataclass(frozen=True, slots=True)
class Marks:
    """The types of the SDK that mean something in a signature."""

    context: type
    prompt: type
    means: Mapping[str, type]  # by kind of node: what a handler of that kind may ask for, to act through it

    def kind_of_means(self, kind: Any) -> str:
        """The kind of node whose handlers act through this type; "" when it is an ordinary type."""
        return next((node for node, mean in self.means.items() if kind is mean), "")


@dataclass(frozen=True, slots=True)
class Bound:
    """One parameter with its source, type, validator and schema."""

    name: str
    source: str
    kind: Any
    adapter: TypeAdapter[Any]
    schema: Schema

    @property
    def required(self) -> bool:
        """Whether the node needs the source to be there."""
        return not is_nullable(self.kind)


@dataclass(frozen=True, slots=True)
class Signature:
    """A handler's signature, bound: data parameters, injected ones, and the type of the node's output."""

    params: tuple[Bound, ...] = ()
    contexts: tuple[str, ...] = ()
    means: tuple[str, ...] = ()
    output: Any = None
    adapter: TypeAdapter[Any] | None = None
    schema: Schema = field(default_factory=dict)


@dataclass(slots=True)
class Scope:
    """What a parameter may name: the workflow's input type, nodes declared before, and those declared later.

    For the undo of the effect `deed` these are what the effect read and the effect itself; `has_input`: the input too.
    """

    input: Any
    before: Mapping[str, Any]
    later: frozenset[str]
    marks: Marks
    deed: str = ""
    has_input: bool = True

    @property
    def names(self) -> list[str]:
        """All names that have a value."""
        return [*([INPUT] if self.has_input else []), *self.before]


def bind(declared: Declared, scope: Scope, problems: list[Diagnostic]) -> Signature:
    """Bind every parameter of a node's handler; what cannot be bound goes to `problems`."""
    params: list[Bound] = []
    contexts: list[str] = []
    means: list[str] = []
    for parameter in _signature(declared, problems):
        found = _annotation(declared, parameter.name, scope, problems)
        if found is None:
            continue
        (kind,) = found
        if parameter.kind not in _BY_NAME:
            problems.append(
                finding(
                    "NX-B103",
                    f"parameter `{parameter}` of `{declared.id}` cannot be given by name",
                    parameter_span(declared, parameter.name),
                )
            )
        elif kind is scope.marks.context:
            contexts.append(parameter.name)
        elif belongs := scope.marks.kind_of_means(kind):
            means.append(parameter.name)
            if belongs != declared.kind or scope.deed:
                what = "an undo, which is one act," if scope.deed else f"a {declared.kind} node"
                message = f"`{declared.id}` is {what} and takes `{parameter.name}: {name_of(kind)}`"
                problems.append(finding("NX-B151", message, parameter_span(declared, parameter.name)))
        else:
            bound = _bound(declared, parameter.name, kind, scope, problems)
            params.extend([bound] if bound else [])
    output, adapter, schema = _output(declared, scope.marks, problems)
    if inspect.isgeneratorfunction(plain(declared.handler)) or inspect.isasyncgenfunction(plain(declared.handler)):
        message = f"`{declared.id}` yields, so a call of it gives a generator, not what it is annotated with"
        problems.append(finding("NX-B132", message, handler_span(declared)))
    return Signature(tuple(params), tuple(contexts), tuple(means), output, adapter, schema)


def _signature(declared: Declared, problems: list[Diagnostic]) -> Iterable[inspect.Parameter]:
    try:
        if callable(declared.handler):
            return inspect.signature(declared.handler).parameters.values()
        message = f"the handler of `{declared.id}` is {got(declared.handler)}, not a function"
    except (TypeError, ValueError):
        message = f"the handler of `{declared.id}` has no signature to read"
    problems.append(finding("NX-B107", message, handler_span(declared)))
    return ()


def _annotation(declared: Declared, name: str, scope: Scope, problems: list[Diagnostic]) -> tuple[Any] | None:
    """The type of a parameter in a tuple of one; None when it has none or it cannot be resolved."""
    at = parameter_span(declared, name)
    if name not in annotations_of(declared.handler):
        hint = name_of(scope.before[name]) if name in scope.before else name_of(scope.input) if name == INPUT else "..."
        fix = f"write `{name}: {hint}`"
        problems.append(
            finding("NX-B107", f"parameter `{name}` of `{declared.id}` has no annotation", at, fixes=(fix,))
        )
        return None
    try:
        return (resolve(declared.handler, name, declared.place.names),)
    except UnknownAnnotation as error:
        message = f"the annotation of `{name}` in `{declared.id}` cannot be resolved: {error}"
        problems.append(finding("NX-B109", message, at))
        return None


def _bound(declared: Declared, name: str, kind: Any, scope: Scope, problems: list[Diagnostic]) -> Bound | None:
    source = _source(name, kind, scope)
    at = parameter_span(declared, name)
    if not source:
        problems.append(_unbound(declared, name, scope))
        return None
    try:
        adapter = adapter_of(kind)
        return Bound(name, source, kind, adapter, schema_of(adapter, "validation"))
    except Unsupported as error:
        message = f"parameter `{name}` of `{declared.id}` has type {name_of(kind)}, which has no JSON Schema"
        problems.append(finding("NX-B108", message, at, why=f"{error}"))
        return None


def _source(name: str, kind: Any, scope: Scope) -> str:
    if name in scope.before:
        return name
    if not scope.has_input:
        return ""
    return INPUT if name == INPUT or (kind is scope.input and name not in scope.later) else ""


def _unbound(declared: Declared, name: str, scope: Scope) -> Diagnostic:
    at = parameter_span(declared, name)
    if scope.deed:
        near = nearest(name, scope.names)
        fixes = (
            *((f"rename the parameter to `{near}`",) if near else ()),
            f"take what `{scope.deed}` read or gave: {', '.join(scope.names)}",
        )
        message = f"parameter `{name}` of `{declared.id}` is nothing that `{scope.deed}` read or gave"
        return finding("NX-B161", message, at, fixes=fixes)
    if name == declared.id:
        return finding("NX-B102", f"`{name}` takes its own output as a parameter", at)
    if name in scope.later:
        return finding("NX-B102", f"parameter `{name}` of `{declared.id}` names a node that is declared later", at)
    near = nearest(name, scope.names)
    fixes = (
        *((f"rename the parameter to `{near}`",) if near else ()),
        f"use a name that has a value here: {', '.join(scope.names)}",
        f"annotate it with the input model {name_of(scope.input)}, or with Context",
    )
    message = f"parameter `{name}` of `{declared.id}` names no node{did_you_mean(name, scope.names)}"
    return finding("NX-B101", message, at, fixes=fixes)


def _output(
    declared: Declared, marks: Marks, problems: list[Diagnostic]
) -> tuple[Any, TypeAdapter[Any] | None, Schema]:
    at = handler_span(declared)
    try:
        kind = output_of(declared.handler, declared.kind, declared.place.names, marks)
        adapter = adapter_of(kind)
        return kind, adapter, schema_of(adapter, "serialization", prose=declared.kind == "llm")
    except KeyError:
        problems.append(
            finding("NX-B107", f"`{declared.id}` has no return annotation", at, fixes=_return_fix(declared))
        )
    except UnknownAnnotation as error:
        message = f"the return annotation of `{declared.id}` cannot be resolved: {error}"
        problems.append(finding("NX-B109", message, at))
    except NoPromptError as error:
        message = f"llm node `{declared.id}` returns {error}, not `Prompt[...]`"
        problems.append(finding("NX-B120", message, at))
    except Unsupported as error:
        message = f"`{declared.id}` returns a type that has no JSON Schema"
        problems.append(finding("NX-B108", message, at, why=f"{error}"))
    return Any, None, {}


def _return_fix(declared: Declared) -> tuple[str, ...]:
    if declared.kind == "llm":
        return ("write `-> Prompt[Verdict]` with the model that the answer must fit",)
    if declared.kind == "reconcile":
        return ("write `-> Receipt | None`: what the effect returns, or None when nothing was found",)
    return ("write `-> Receipt`, or `-> None` if there is nothing to give",)


class NoPromptError(Exception):
    """An llm handler whose return annotation is no `Prompt[T]`."""


def output_of(handler: Callable[..., Any], kind: str, names: Mapping[str, Any], marks: Marks) -> Any:
    """The type of a node's output.

    Raises `KeyError` without annotation, `UnknownAnnotation`, and `NoPromptError` for an llm handler without a prompt.
    """
    returned = resolve(handler, "return", names)
    if kind != "llm":
        return returned
    arguments: tuple[Any, ...] = getattr(returned, "__args__", ())
    if getattr(returned, "__origin__", None) is not marks.prompt or len(arguments) != 1:
        raise NoPromptError(f"`{name_of(returned)}`")
    return arguments[0]
