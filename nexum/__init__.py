"""Durable agents for Django shops, on the Celery they already run.

This module only re-exports the public names; `nexum.core` holds the theory of the engine.
"""

from __future__ import annotations

from nexum.errors import (
    BuildError,
    ConflictError,
    Fail,
    InputError,
    NexumError,
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
from nexum.sdk.policies import Dedupes, Retry, Timeouts
from nexum.sdk.prompt import Message, Prompt
from nexum.sdk.workflow import Workflow

__version__ = "0.1.0"

__all__ = [
    "BuildError",
    "CompiledWorkflow",
    "ConflictError",
    "Context",
    "Dedupes",
    "Fail",
    "Handle",
    "InputError",
    "Message",
    "NexumError",
    "NonRetryable",
    "NotSent",
    "Prompt",
    "Retry",
    "RetryAfter",
    "Timeouts",
    "UnavailableError",
    "Workflow",
    "has",
    "in_",
    "not_",
    "size",
    "workflow",
]
