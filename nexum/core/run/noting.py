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
            proof = (
                at.proof if at.proof == "acted" else "ended"
            )  # what is known of the act outweighs what is of its sender
            return at._replace(quiet_from=body.quiet_from, proof=proof)
        case ReconcileRequested():
            return at._replace(ask_now=True)
        case DoubtProposed():
            output = placed(body.output, seq)
            made = Proposal(seq, now, body.by, body.outcome, output, body.reference, body.evidence)
            return at._replace(proposed=made)
