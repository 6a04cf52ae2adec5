"""Breakers around attempts: asked before a handler is called, told how it ended. Nodes that declare none cost nothing.

A refusal is no event: the task goes back READY, with no attempt and no delivery lost, and waits until the next probe is due,
or for half a minute if that is sooner: a person may let go of the breaker meanwhile.
Success while a breaker is closed is not told either: only failures are counted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from nexum.core.run import breaker
from nexum.core.run.breaker import FORCED_PAUSE, Breaker, breaker_of
from nexum.engine.work import Committed, Failed, Outcome, Succeeded, Work
from nexum.errors import NexumError
from nexum.store.api import Store, TaskKey

log = logging.getLogger("nexum.engine")

TRIES = 20  # changes that others may make between our reading and our writing


class Breakers:
    """The breakers of one engine; their rows are shared by all processes through the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._probes: set[tuple[TaskKey, int]] = set()

    def pause(self, work: Work) -> int:
        """0 when the attempt may be made, else the microseconds until somebody may ask again."""
        found = breaker_of(work.graph.workflow, work.node)
        if found is None:
            return 0
        name, policy = found
        for _ in range(TRIES):
            kept, now = self._store.breaker(work.tenant, name)
            after, verdict = breaker.ask(kept, policy, now)
            if after is kept or self._store.keep_breaker(after._replace(changed_at=now)):
                if verdict.probe:
                    self._probes.add((work.task, work.token))
                return 0 if verdict.passes else min(max(verdict.wait, 1), FORCED_PAUSE)
        return min(policy.open_for, FORCED_PAUSE)  # so many want to probe that somebody surely does

    def forget(self, work: Work) -> None:
        """The attempt was not made: a probe that it may have been decides nothing, and the next one is due in its time."""
        self._probes.discard((work.task, work.token))

    def tell(self, work: Work, outcome: Outcome) -> None:
        """Count how an attempt ended. Never raises: what the outcome means for its run does not hang on it."""
        found = breaker_of(work.graph.workflow, work.node)
        if found is None:
            return
        probed = (work.task, work.token) in self._probes
        self._probes.discard((work.task, work.token))
        well = isinstance(outcome, Succeeded | Committed)
        if well and not probed:
            return
        if not well and not counts(outcome):
            if not probed:
                return
            well = True  # it answered, if only to refuse: whoever answers is not down
        name, policy = found

        def told(kept: Breaker, now: int) -> Breaker:
            return breaker.tell(kept, policy, now, well=well)

        try:
            change(self._store, work.tenant, name, told)
        except NexumError as error:
            log.warning("breaker %s was not told of %s: %s", name, work.node.id, error)


def counts(outcome: Outcome) -> bool:
    """Whether an outcome speaks against the tool: a failure that may pass, or silence. An answer that does not fit does not."""
    if not isinstance(outcome, Failed) or outcome.repairable:
        return False
    return outcome.error.retryable or outcome.sent == "unknown"


def change(store: Store, tenant: str, name: str, act: Callable[[Breaker, int], Breaker]) -> Breaker:
    """Change a breaker by what is made of it and of the store's clock, against whoever else changes it; gives what stands."""
    for _ in range(TRIES):
        kept, now = store.breaker(tenant, name)
        after = act(kept, now)
        if after is kept:
            return kept
        if store.keep_breaker(after._replace(changed_at=now)):
            return after._replace(changed_at=now, revision=kept.revision + 1)
    log.warning("breaker %s changes too often to be changed", name)
    return store.breaker(tenant, name)[0]
