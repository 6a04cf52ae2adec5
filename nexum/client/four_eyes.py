"""Decisions that need two people: the first one's waits in the run as an event, and counts when somebody else decides the same.

Whoever decides otherwise takes the place of the first, so that two people who disagree can still agree on either. Who is who
follows from the names under which they act: users of the dashboard, tokens, and on the command line whatever is given there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from nexum.core.graph.nodes import Effect
from nexum.core.run.events import DoubtProposed, DoubtResolved
from nexum.core.run.state import CellState, Proposal
from nexum.errors import ConflictError

ALL = "*"


def needs_two(node: Effect, four_eyes: Collection[str]) -> bool:
    """Whether a decision about this effect needs two people; `four_eyes` are tools, or `*` for every one."""
    return ALL in four_eyes or node.tool in four_eyes


def waiting_for(at: CellState, outcome: str, confirms: int, where: str) -> Proposal | None:
    """What waits for a second person with this outcome; None when nothing does.

    Raises `ConflictError` NX-E412 when something else waits than `confirms` (0: nobody asks).
    """
    made = at.proposed
    if confirms and (made is None or made.seq != confirms):
        raise changed(at, where)
    return made if made is not None and made.outcome == outcome else None


def second_of(
    decision: DoubtResolved, waiting: Proposal | None, actor: str, where: str
) -> DoubtResolved | DoubtProposed:
    """What the decision is: the second of two when it is the same as what waits, else the first.

    Raises `ConflictError` NX-E411 when `actor` has decided the same before.
    """
    if waiting is None or not _same(decision, waiting):
        shared = {name: getattr(decision, name) for name in ("outcome", "output", "reference", "evidence", "link")}
        return DoubtProposed(decision.cell, by=actor, **shared)
    if waiting.by == actor:
        told = f"{actor} has decided so at event {waiting.seq}; somebody else must decide the same"
        raise ConflictError(told, code="NX-E411", where=where)
    return replace(decision, output=waiting.output, confirms=waiting.seq)


def changed(at: CellState, where: str) -> ConflictError:
    """What was to be confirmed is not what waits now."""
    made = at.proposed
    now = f"{made.by} has decided {made.outcome} at event {made.seq}" if made is not None else "nothing waits any more"
    return ConflictError(f"what was to be confirmed has changed: {now}", code="NX-E412", where=where)


def _same(decision: DoubtResolved, waiting: Proposal) -> bool:
    ours, theirs = decision.output, waiting.output
    outputs = (ours.hash if ours is not None else "", theirs.hash if theirs is not None else "")
    return outputs[0] == outputs[1] and (decision.outcome, decision.reference) == (waiting.outcome, waiting.reference)
