"""What a build finds, for tests of the compiler."""

from __future__ import annotations

from typing import Any

import pytest

from nexum import BuildError, Workflow
from nexum.errors import Diagnostic


def errors(flow: Workflow[Any]) -> list[Diagnostic]:
    """All findings of a workflow that cannot be built."""
    with pytest.raises(BuildError) as caught:
        flow.build()
    assert caught.value.code == "NX-B100"
    return list(caught.value.diagnostics)


def only(flow: Workflow[Any]) -> Diagnostic:
    """The one finding of a workflow that cannot be built."""
    (found,) = errors(flow)
    return found


def pointed(item: Diagnostic) -> str:
    """The stretch of source that a finding points at."""
    return item.snippet[item.column - 1 : item.end_column - 1]
