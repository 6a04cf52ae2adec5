"""Durable agents for Django shops, on the Celery they already run.

This module only re-exports the public names; `nexum.core` holds the theory of the engine. Each name is imported when it
is first used, so that a process which only needs one room (a scheduler, a command) loads neither SDK nor compiler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nexum.version import __version__

if TYPE_CHECKING:
    from nexum.errors import (
        Answered,
        BuildError,
        CannotTell,
        ConflictError,
        Fail,
        InputError,
        NexumError,
        NonDeterministicEffect,
        NonRetryable,
        NotSent,
        RetryAfter,
        UnavailableError,
    )
    from nexum.sdk.compiled import CompiledWorkflow
    from nexum.sdk.conditions import has, in_, not_, size
    from nexum.sdk.context import Context
    from nexum.sdk.fluent import workflow
    from nexum.sdk.handles import Handle
    from nexum.sdk.io import IO
    from nexum.sdk.policies import Breaker, Dedupes, Reconcile, Retry, Timeouts, Undo
    from nexum.sdk.prompt import Message, Prompt
    from nexum.sdk.tx import Tx
    from nexum.sdk.workflow import Workflow

__all__ = [
    "IO",
    "Answered",
    "Breaker",
    "BuildError",
    "CannotTell",
    "CompiledWorkflow",
    "ConflictError",
    "Context",
    "Dedupes",
    "Fail",
    "Handle",
    "InputError",
    "Message",
    "NexumError",
    "NonDeterministicEffect",
    "NonRetryable",
    "NotSent",
    "Prompt",
    "Reconcile",
    "Retry",
    "RetryAfter",
    "Timeouts",
    "Tx",
    "UnavailableError",
    "Undo",
    "Workflow",
    "__version__",
    "has",
    "in_",
    "not_",
    "size",
    "workflow",
]

_ROOMS = {
    "nexum.errors": "Answered BuildError CannotTell ConflictError Fail InputError NexumError NonDeterministicEffect NonRetryable "
    "NotSent RetryAfter UnavailableError",
    "nexum.sdk.compiled": "CompiledWorkflow",
    "nexum.sdk.conditions": "has in_ not_ size",
    "nexum.sdk.context": "Context",
    "nexum.sdk.fluent": "workflow",
    "nexum.sdk.handles": "Handle",
    "nexum.sdk.io": "IO",
    "nexum.sdk.policies": "Breaker Dedupes Reconcile Retry Timeouts Undo",
    "nexum.sdk.prompt": "Message Prompt",
    "nexum.sdk.tx": "Tx",
    "nexum.sdk.workflow": "Workflow",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'nexum' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_ROOM_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
