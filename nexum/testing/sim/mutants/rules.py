"""What is no race: the rules of undoing, of transactions and of breakers, taken out one at a time."""

from __future__ import annotations

from typing import Any

import nexum.core.run.attempts
import nexum.core.run.closing
import nexum.core.run.undoing
import nexum.engine.breaking
import nexum.engine.completing
from nexum.store.memory.draining import HeldRun
from nexum.testing.sim.mutants.swapping import Mutant, Swap, gives

_undoing = nexum.core.run.undoing


def _posted(original: Any) -> Any:
    def fold_one(store: Any, held: Any, known: Any, message: Any, mail: Any, clock: Any) -> Any:
        store.post(mail)
        return ()

    return fold_one


RULES = (
    Mutant("U1", "undoing against the order of the graph", [Swap(_undoing, "_above", gives(frozenset()))]),
    Mutant("U1", "waiting for what goes forward", [Swap(nexum.core.run.closing, "serves_undo", gives(True))]),
    Mutant("U1", "points of no return", [Swap(_undoing, "_pivots", gives(()))]),
    Mutant("U2", "parking an undo that has failed", [Swap(nexum.core.run.attempts, "is_undo", gives(False))]),
    Mutant("T1", "completing inside the transaction", [Swap(nexum.engine.completing, "fold_one", _posted)]),
    Mutant("T1", "asking who holds the task", [Swap(HeldRun, "holds", gives(True))]),
    Mutant("B1", "asking the breaker", [Swap(nexum.engine.breaking.Breakers, "pause", gives(0))]),
)
