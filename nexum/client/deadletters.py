"""What a person decides about a whole group of dead letters: not to see it for a while, or to see it again.

Nothing is lost by it: runs and nodes stay as they are, and the group is found again with its count. What is done about one
parked node (retry, skip, fail) is a message to its run, and stands elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from nexum.client.desk import LONGEST
from nexum.core.canonical import legible
from nexum.errors import InputError, Problem
from nexum.errors.misfits import got
from nexum.store.deadletters import AsideRow, set_group_aside, take_group_back
from nexum.store.verbs import Verbs


@dataclass(frozen=True, slots=True)
class Ignoring:
    """Somebody does not want to see a group until an instant in microseconds since 1970 (0: until it is taken back)."""

    tenant: str
    fingerprint: str
    actor: str
    reason: str
    until: int = 0


def ignore(store: Verbs, decision: Ignoring) -> None:
    """Set a group aside. Raises `InputError` NX-R442 without actor or reason, or for an instant that has passed."""
    found = []
    for name, wanted in (("actor", "who decides"), ("reason", "why, in a sentence")):
        text: str = getattr(decision, name)
        if not text.strip() or len(text) > LONGEST or "\x00" in text or legible(text) != text:
            found.append(Problem(name, got(text) if text.strip() else "nothing", wanted))
    if decision.until and decision.until <= store.now():
        found.append(Problem("until", got(decision.until), "an instant that has not passed"))
    if found:
        listed = "; ".join(map(str, found))
        raise InputError(f"the decision is not complete: {listed}", code="NX-R442", problems=tuple(found))
    kept = AsideRow(decision.tenant, decision.fingerprint, decision.until, decision.actor, decision.reason.strip(), 0)
    set_group_aside(store, kept)


def notice(store: Verbs, tenant: str, fingerprint: str) -> bool:
    """Show a group again; False when nobody had set it aside."""
    return take_group_back(store, tenant, fingerprint)
