"""The options of a node that contradict each other or say too little."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from nexum.compiler.annotations import plain
from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import did_you_mean, finding
from nexum.compiler.sources import handler_span, line_span, option_span
from nexum.core.graph.nodes import Schema
from nexum.core.graph.policies import SECOND, Dedupes, TimeoutPolicy
from nexum.core.run.accept import LINGERS, SAFE_SHARE
from nexum.core.schema import field_at, fields
from nexum.errors import Diagnostic
from nexum.errors.misfits import got

_PRIORITIES = range(-9, 10)
_REPAIRS = range(21)
_TOOL_MAX = 200  # characters; it stands in indexes beside tenant and business key
_DEFAULTS = TimeoutPolicy()


def check_options(node: Declared) -> Iterator[Diagnostic]:
    """Findings about colour, tool, models, priority, repair rounds and time limits of one node."""
    for code, option, message in node.problems:
        yield finding(code, message, option_span(node, option))
    if node.kind == "transaction" and inspect.iscoroutinefunction(plain(node.handler)):
        message = f"transaction `{node.id}` is an `async def`"
        yield finding("NX-B150", message, handler_span(node))
    if node.kind == "effect" and not node.tool:
        yield finding("NX-B117", f"effect `{node.id}` names no tool", line_span(node.place))
    if len(node.tool) > _TOOL_MAX or not node.tool.isprintable():
        message = f"`tool=` of `{node.id}` is {got(node.tool)}, not printable text of at most {_TOOL_MAX} characters"
        yield finding("NX-B124", message, option_span(node, "tool"))
    if node.kind == "llm" and not (node.models and all(node.models)):
        yield finding("NX-B119", f"llm node `{node.id}` names no model", line_span(node.place))
    if node.priority not in _PRIORITIES:
        message = f"`priority={node.priority}` of `{node.id}` is not between -9 and 9"
        yield finding("NX-B124", message, option_span(node, "priority"))
    if node.repair not in _REPAIRS:
        message = f"`repair={node.repair}` of `{node.id}` is not between 0 and 20"
        yield finding("NX-B124", message, option_span(node, "repair"))
    for message in _contradictions(node):
        yield finding("NX-B123", message, option_span(node, "timeouts"))
    if node.kind == "effect" and isinstance(node.doubt, Dedupes):
        yield from _check_key_lifetime(node, node.doubt.ttl)


def check_calls(node: Declared, acts: bool) -> Iterator[Diagnostic]:
    """Findings when an effect that acts through journaled calls declares what only a single act can keep."""
    if not acts or node.kind != "effect":
        return
    if node.reconcile is not None:
        message = f"effect `{node.id}` acts through IO, so that doubt is about a call, and has `reconcile=`"
        yield finding("NX-B152", message, option_span(node, "reconcile"))
    if node.compensate is not None and node.key is not None:
        message = f"effect `{node.id}` acts through IO, so that its calls may be another run's, and has `compensate=`"
        yield finding("NX-B152", message, option_span(node, "compensate"))


def check_reference(node: Declared, output: Schema) -> Iterator[Diagnostic]:
    """A finding when `reference=` of an effect is no path in its output."""
    path = node.reference.split(".") if node.reference else []
    if not output or not path or field_at(output, path) is not None:
        return
    hint = did_you_mean(path[-1], fields(field_at(output, path[:-1]) or {}))
    message = f"`reference=` of `{node.id}` is `{node.reference}`, which is no field of its output{hint}"
    yield finding("NX-B105", message, option_span(node, "reference"))


def _check_key_lifetime(node: Declared, ttl: int) -> Iterator[Diagnostic]:
    """A finding when an attempt that begins just in time may still send when the provider has forgotten the key."""
    limit, left = node.timeouts.start_to_close, ttl - round(ttl * SAFE_SHARE)
    if limit and limit + LINGERS <= left:
        return
    acts = (
        f"for {_shown(limit + LINGERS)} (start_to_close, and {_shown(LINGERS)} until it is ended)"
        if limit
        else "for ever"
    )
    most = (
        f"start_to_close may be {_shown(left - LINGERS)} at most"
        if left > LINGERS
        else "no start_to_close is short enough"
    )
    message = (
        f"`{node.id}`: its provider knows a key for {_shown(ttl)} (ttl), of which {_shown(left)} are left to the last attempt, "
        f"and an attempt may send {acts}; with this ttl {most}"
    )
    yield finding("NX-B133", message, option_span(node, "provider"))


def _contradictions(node: Declared) -> Iterator[str]:
    limits = node.timeouts
    whole = limits.schedule_to_close
    for name in ("schedule_to_start", "start_to_close", "heartbeat"):
        part = getattr(limits, name)
        if whole and part > whole and part != getattr(_DEFAULTS, name):  # a default yields to what the author set
            yield f"`{node.id}`: {name} ({_shown(part)}) is longer than schedule_to_close ({_shown(whole)})"
    if limits.start_to_close and limits.heartbeat > limits.start_to_close:
        yield (
            f"`{node.id}`: heartbeat ({_shown(limits.heartbeat)}) is longer than start_to_close "
            f"({_shown(limits.start_to_close)}), so it can never be missed"
        )


def _shown(micros: int) -> str:
    return f"{micros / SECOND:g} s"
