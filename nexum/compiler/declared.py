"""What an author declared, before anything was checked: the input of the compiler."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nexum.core.graph.nodes import Reconciliation
from nexum.core.graph.policies import BreakerPolicy, Doubt, Hold, RetryPolicy, TimeoutPolicy


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written; `names` are the local names that annotations there may use."""

    file: str
    line: int
    names: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Asking:
    """The function that asks a provider about an effect in doubt. `terms` lack its handler and its parameters."""

    handler: Callable[..., Any]
    terms: Reconciliation


@dataclass(frozen=True, slots=True)
class Declared:
    """One node as its author declared it. `when`, `key` and `accept` are text, a reference, or (wrongly) anything else."""

    kind: str
    id: str
    handler: Callable[..., Any]
    place: Place
    when: object = None
    after: tuple[str, ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: TimeoutPolicy = field(default_factory=TimeoutPolicy)
    priority: int = 0
    tool: str = ""
    key: object = None
    doubt: Doubt = field(default_factory=Hold)
    reference: str = ""
    reconcile: Asking | None = None
    compensate: Declared | None = None  # the undo, an effect of its own
    pivot: bool = False
    breaker: BreakerPolicy | None = None
    models: tuple[str, ...] = ()
    repair: int = 2
    accept: object = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[tuple[str, str, str], ...] = ()  # (code, option, message), found while options were converted


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole workflow as declared: name, input type, nodes in order of declaration, and what is wrong with its options."""

    workflow: str
    input: Any
    place: Place
    nodes: tuple[Declared, ...]
    problems: tuple[str, ...] = ()


def here(depth: int) -> Place:
    """The place of the caller `depth` frames above; local names are kept only inside a function."""
    frame = sys._getframe(depth + 1)
    code = frame.f_code
    return Place(code.co_filename, frame.f_lineno, {} if code.co_name == "<module>" else dict(frame.f_locals))
