"""What people state about effects, beside what ends a doubt: these events decide nothing by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from nexum.core.run.cell import Cell


@dataclass(frozen=True, slots=True)
class DuplicateAcknowledged:
    """Fact: somebody has looked into an effect that may have been done twice, because `came` came too; nothing follows."""

    cell: Cell
    reason: str
    came: str = ""
