"""What the run has done to the world, and where it is taken back.

The undo of a deed is a cell of its own, `refund/undo`, with the deed's visit and item. The ledger is written by `fold`
for every effect, whether or not the graph can undo it: a version that a run moves to may bring the way back.

A call that a handler journals (`book/io.charge`) is a deed, too. It is its effect's to undo: whole, when the effect has
completed, and then the ledger holds both; in part, when the effect ended otherwise after some of its calls.
"""

from __future__ import annotations

from nexum.core.ids import call_key
from nexum.core.run.events import Cell
from nexum.core.run.places import call_name, parent_of
from nexum.core.run.state import CellState, Deed, Phase, State
from nexum.core.values import Ref

UNDO = "/undo"


def undo_of(cell: Cell) -> Cell:
    """The cell that undoes what this one did."""
    return cell._replace(path=cell.path + UNDO)


def deed_of(undo: Cell) -> Cell:
    """The cell that this one undoes."""
    return undo._replace(path=undo.path.removesuffix(UNDO))


def is_undo(cell: Cell) -> bool:
    """Whether the cell undoes another one."""
    return cell.path.endswith(UNDO)


def serves_undo(cell: Cell) -> bool:
    """Whether the cell is an undo, or a part of one."""
    return f"{UNDO}/" in f"{cell.path}/"


def enter(state: State, cell: Cell, at: CellState, output: Ref | None, by: str, source: str = "") -> State:
    """The state after the effect at `cell`, which stood as `at`, has completed: a new deed, or an old one undone.

    What another run (`source`) did under a business key is not this run's to undo; what a person put in place of a result
    is no deed at all, nor is what a handler only asked for.
    """
    if is_undo(cell):
        return _undone(state, deed_of(cell))
    if by in ("person", "read") or source or at.key in state.ledger:
        return state
    deed = Deed(cell, at.inputs, output, late=state.phase is Phase.CLOSING)
    return state._replace(ledger=state.ledger.set(at.key, deed))


def calls_of(state: State, cell: Cell) -> list[Deed]:
    """What the effect at `cell` has done by calls that it journaled, in the order of their names."""
    found = [deed for deed in state.ledger.values() if call_name(deed.cell) and parent_of(deed.cell) == cell]
    return sorted(found, key=lambda deed: deed.cell)


def in_part(state: State) -> list[Deed]:
    """What effects have done that ended, and not with a result of their own, after some of their calls; without an output."""
    found: dict[Cell, list[Deed]] = {}
    for deed in state.ledger.values():
        parent = parent_of(deed.cell) if call_name(deed.cell) else None
        if parent is not None and state.cells[parent].key not in state.ledger:
            found.setdefault(parent, []).append(deed)
    ended = {cell: calls for cell, calls in found.items() if state.cells[cell].status.is_terminal}
    return [
        Deed(cell, calls[0].inputs, None, undone=all(call.undone for call in calls))
        for cell, calls in sorted(ended.items())
    ]


def _undone(state: State, cell: Cell) -> State:
    """The state in which the deed at `cell` is taken back, or all of its calls where it was done in part."""
    key, ledger = state.cells[cell].key, state.ledger
    keys = [key] if key in ledger else [call_key(key, call_name(deed.cell)) for deed in calls_of(state, cell)]
    for each in keys:
        ledger = ledger.set(each, ledger[each]._replace(undone=True))
    return state._replace(ledger=ledger)
