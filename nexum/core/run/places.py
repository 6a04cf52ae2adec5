"""What stands inside a node, told by its path: `book/io.charge` is a call of `book`, `book/undo` its undoing. And its timer."""

from __future__ import annotations

from nexum.core.run.events import Cell

IO = "io."


def call_of(parent: Cell, name: str) -> Cell:
    """The cell of a call that a node journals under a name."""
    return parent._replace(path=f"{parent.path}/{IO}{name}")


def call_name(cell: Cell) -> str:
    """The name under which a call was journaled; "" for what is no call."""
    _, slash, last = cell.path.rpartition("/")
    return last.removeprefix(IO) if slash and last.startswith(IO) else ""


def parent_of(cell: Cell) -> Cell | None:
    """The cell that an inner activation (`verdict/repair.1`, `refund/undo`) belongs to."""
    path, slash, _ = cell.path.rpartition("/")
    return cell._replace(path=path) if slash else None


def inner_of(cell: Cell) -> str:
    """What an inner activation does for its parent: repair, reconcile, undo; "" for a cell of the graph itself."""
    _, slash, last = cell.path.rpartition("/")
    return last.partition(".")[0] if slash else ""


def timer_of(cell: Cell) -> str:
    """The id of the schedule_to_close timer of a cell."""
    return f"close|{cell.path}|{cell.visit}|{cell.item}"


def cell_of_timer(timer: str) -> Cell:
    """The cell of a schedule_to_close timer."""
    _, path, visit, item = timer.split("|")
    return Cell(path, int(visit), int(item))
