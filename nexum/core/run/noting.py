"""What is noted about an effect in doubt without ending its doubt."""

from __future__ import annotations

from nexum.core.run.events import DoubtProposed, ReconcileRequested, SenderEnded
from nexum.core.run.state import CellState, Proposal
from nexum.core.values import placed

Note = DoubtProposed | ReconcileRequested | SenderEnded


def noted(at: CellState, body: Note, seq: int, now: int) -> CellState:
    """The cell with what event `seq` says about it, recorded at `now`."""
    match body:
        case SenderEnded():
            known = at.proof == "acted"  # which outweighs what is known of its sender
            return at._replace(quiet_from=body.quiet_from, proof=at.proof if known else "ended")
        case ReconcileRequested():
            return at._replace(ask_now=True)
        case DoubtProposed():
            output = placed(body.output, seq)
            made = Proposal(seq, now, body.by, body.outcome, output, body.reference, body.evidence)
            return at._replace(proposed=made)
