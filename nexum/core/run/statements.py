"""What people state about effects, beside what ends a doubt: these events decide nothing by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from nexum.core.run.cell import Cell
from nexum.core.values import Ref


@dataclass(frozen=True, slots=True)
class DoubtProposed:
    """Fact: `by` states what became of an effect in doubt, and another person is to state the same before it counts.

    `outcome`, `output`, `reference`, `evidence` and `link` as in `DoubtResolved`. A later statement takes the place of this one.
    """

    cell: Cell
    outcome: str
    by: str
    output: Ref | None = None
    reference: str = ""
    evidence: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class DuplicateAcknowledged:
    """Fact: somebody has looked into an effect that may have been done twice, because `came` came too; nothing follows."""

    cell: Cell
    reason: str
    came: str = ""
