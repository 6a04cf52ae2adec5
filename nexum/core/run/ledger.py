"""What the run has done to the world, and where it is taken back.

The undo of a deed is a cell of its own, `refund/undo`, with the deed's visit and item. The ledger is written by `fold`
for every effect, whether or not the graph can undo it: a version that a run moves to may bring the way back.
"""

from __future__ import annotations

from nexum.core.run.events import Cell
from nexum.core.run.state import CellState, Deed, Phase, State
from nexum.core.values import Ref

UNDO = "/undo"


def undo_of(cell: Cell) -> Cell:
    """The cell that undoes what this one did."""
    return cell._replace(path=cell.path + UNDO)


def is_undo(cell: Cell) -> bool:
    """Whether the cell undoes another one."""
    return cell.path.endswith(UNDO)


def serves_undo(cell: Cell) -> bool:
    """Whether the cell is an undo, or a part of one."""
    return f"{UNDO}/" in f"{cell.path}/"


def enter(state: State, cell: Cell, at: CellState, output: Ref | None, by: str, source: str = "") -> State:
    """The state after the effect at `cell`, which stood as `at`, has completed: a new deed, or an old one undone.

    What another run (`source`) did under a business key is not this run's to undo, and what a person put in place of a
    result is no deed at all.
    """
    if is_undo(cell):
        key = state.cells[cell._replace(path=cell.path.removesuffix(UNDO))].key
        return state._replace(ledger=state.ledger.set(key, state.ledger[key]._replace(undone=True)))
    if by == "person" or source or at.key in state.ledger:
        return state
    deed = Deed(cell, at.inputs, output, late=state.phase is Phase.CLOSING)
    return state._replace(ledger=state.ledger.set(at.key, deed))
