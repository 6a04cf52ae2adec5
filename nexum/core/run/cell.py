"""Where something happens in a run: a visit of a node, or the run itself."""

from __future__ import annotations

from typing import NamedTuple


class Cell(NamedTuple):
    """One visit of one node; `item` is -1 for the visit itself."""

    path: str
    visit: int = 1
    item: int = -1


NEVER = 1 << 62  # an instant that does not come
RUN = Cell("", 0, -1)  # where events about the run itself stand
