"""Where somebody outside stands who has something to say about a run: its mail is folded before and after."""

from __future__ import annotations

from collections.abc import Mapping

from nexum.broker.doorbell import Doorbell
from nexum.core.canonical import legible
from nexum.core.run.events import Cell
from nexum.engine.draining import drain
from nexum.engine.graphs import Graphs
from nexum.engine.loading import load
from nexum.engine.memory import Known
from nexum.errors import ConflictError, InputError, NexumError, Problem
from nexum.errors.misfits import got
from nexum.store.api import Store

LONGEST = 2_000  # characters of a reason, a reference, an actor


class Desk:
    """Folds one run's mail, and rings for what became ready."""

    def __init__(self, store: Store, run_id: str, doorbell: Doorbell | None) -> None:
        self._store, self._run_id, self._doorbell = store, run_id, doorbell
        self._graphs = Graphs(store)

    def fold(self) -> Known:
        """The run with its mail, or as it stands while somebody else folds it. Raises `NexumError` NX-R404."""
        done = drain(self._store, self._graphs, self._run_id, known=None, wait=True, clock=self._store.now)
        if self._doorbell is not None:
            for queue, key in done.ready:
                self._doorbell.ring(queue, key)
        known = done.known or load(self._store, self._graphs, self._run_id)
        if known is None:
            raise NexumError(f"there is no run {self._run_id}", code="NX-R404")
        return known


def check_unmoved(known: Known, last_seq: int) -> None:
    """Raise `ConflictError` NX-R409 when the run has gone on since event `last_seq` (0: nobody asks)."""
    if last_seq and known.state.seq != last_seq:
        told = f"the run has gone on: it is at event {known.state.seq}, and was looked at when it was at {last_seq}"
        raise ConflictError(told, code="NX-R409", where=f"run {known.state.run_id}")


def unfit_text(name: str, text: str, wanted: str) -> Problem | None:
    """What is wrong with a text that goes into a run's history; with `wanted`, it must say something."""
    if wanted and not text.strip():
        return Problem(name, "nothing", wanted)
    if len(text) > LONGEST:
        return Problem(name, f"{len(text):,} characters", f"at most {LONGEST:,} characters")
    if "\x00" in text or legible(text) != text:
        return Problem(name, got(text), "text without NUL and without halves of surrogate pairs")
    return None


def check_texts(what: str, code: str, said: object, wanted: Mapping[str, str], *more: Problem) -> None:
    """Refuse what somebody says without what it must say: `wanted` names fields of it, and what stands there ("": anything).

    Raises `InputError` of this code with every field that is unfit, and `more` that is wrong with it.
    """
    unfit = (unfit_text(name, getattr(said, name), told) for name, told in wanted.items())
    found = (*(problem for problem in unfit if problem is not None), *more)
    if found:
        listed = "; ".join(map(str, found))
        raise InputError(f"the {what} is not complete: {listed}", code=code, problems=found)


def place_of(cell: Cell) -> str:
    """A cell as people read it: `refund`, `search[3]`, `verdict (visit 2)`."""
    item = f"[{cell.item}]" if cell.item >= 0 else ""
    return f"{cell.path}{item}" + (f" (visit {cell.visit})" if cell.visit > 1 else "")
