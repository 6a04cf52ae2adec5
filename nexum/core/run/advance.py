"""One message in, all that follows out: accept, fold, then decide to the fixed point.

`begin` and `advance` are the only ways in which a run grows. They are pure: payloads that conditions must read are named by
`wanted` beforehand, because a shell that can read them calls `Advancing.step` again once it has them.
"""

from __future__ import annotations

from dataclasses import dataclass

from nexum.core.run.accept import accept
from nexum.core.run.decide import decide, wanted
from nexum.core.run.events import Body
from nexum.core.run.fold import Event, fold
from nexum.core.run.plan import Plan
from nexum.core.run.ready import Values
from nexum.core.run.state import State
from nexum.core.values import Ref

MAX_GROUPS = 100_000  # decide is total; this bound turns a bug of ours into an error instead of a hang


@dataclass(frozen=True, slots=True)
class Grown:
    """What one message led to: the new state and its events, the first of which is the fact."""

    state: State
    events: tuple[Event, ...]


class NeedsValuesError(Exception):
    """Conditions must read payloads that were not given; `refs` names them."""

    def __init__(self, refs: tuple[Ref, ...]) -> None:
        super().__init__(f"{len(refs)} payloads are needed")
        self.refs = refs


def advance(plan: Plan, state: State, message: Body, now: int, values: Values) -> Grown:
    """Accept a message, fold the fact, and decide until nothing follows.

    Raises `NeedsValuesError` when a condition reads a payload that `values` lacks; call again with it added.
    """
    at = max(now, state.now)  # recorded times never run backwards, whatever a clock says
    fact = Event(state.seq + 1, at, accept(plan, state, message, at))
    return settle(plan, fold(state, fact), (fact,), values)


def settle(plan: Plan, state: State, events: tuple[Event, ...], values: Values) -> Grown:
    """Decide until nothing follows. `events` are put before the decisions.

    Raises `NeedsValuesError` for payloads that decisions read and `values` lacks, and `RuntimeError` when decisions do not
    come to an end, which would be a bug of ours.
    """
    grown = list(events)
    for _ in range(MAX_GROUPS):
        missing = tuple(ref for ref in wanted(plan, state) if ref.hash not in values)
        if missing:
            raise NeedsValuesError(missing)
        group = decide(plan, state, values)
        if not group:
            return Grown(state, tuple(grown))
        for body in group:
            event = Event(state.seq + 1, state.now, body)
            state = fold(state, event)
            grown.append(event)
    raise RuntimeError(f"decide did not come to rest after {MAX_GROUPS} groups")
