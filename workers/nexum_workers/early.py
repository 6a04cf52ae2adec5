"""What an attempt makes durable before it has ended: the calls of an effect, the completion of a transaction node."""

from __future__ import annotations

from nexum.engine.calls import Journal
from nexum.engine.engine import Engine
from nexum.engine.work import Committed, Succeeded, TakenBack, Work
from nexum.store.api import Store
from nexum_workers.limits import Limits


class Early:
    """One attempt's way to the engine. `limits` are those of a `def` handler; `inline_max` is in bytes."""

    def __init__(self, engine: Engine, work: Work, *, inline_max: int, limits: Limits | None = None) -> None:
        self._engine = engine
        self._work = work
        self._inline_max = inline_max
        self._limits = limits

    def complete(self, store: Store, outcome: Succeeded) -> Committed | TakenBack:
        """Make the completion of a transaction node part of the transaction that it wrote in, and that `store` is bound to."""
        if self._limits is not None:
            self._limits.record()  # only now, when the watchdog can no longer say otherwise, may the writes become durable
        return self._engine.complete(store, self._work, outcome)

    def journal(self) -> Journal:
        """Where calls are journaled."""
        engine = self._engine
        return Journal(
            engine.store, self._work, session=engine.session, actor=engine.session, inline_max=self._inline_max
        )
