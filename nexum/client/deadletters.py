"""What a person decides about a whole group of dead letters: to try it again, not to see it for a while, or to see it again.

A retry is one message to each run whose node is parked, as `nexum.client.interventions.retry` sends it. Setting a group aside
loses nothing: runs and nodes stay as they are, and the group is found again with its count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nexum.broker.doorbell import Doorbell
from nexum.client.desk import LONGEST
from nexum.client.interventions import By, retry
from nexum.core.canonical import legible
from nexum.core.run.events import Cell
from nexum.errors import InputError, NexumError, Problem, UnavailableError
from nexum.errors.misfits import got
from nexum.store.api import Store
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


class Tried(NamedTuple):
    """One node that was to be tried again: where it stands now, or why it was not (`refused` is "" when it was)."""

    run_id: str
    cell: Cell
    node_status: str
    refused: str = ""


def retry_all(
    store: Store, parked: Sequence[tuple[str, Cell]], by: By, *, doorbell: Doorbell | None = None
) -> list[Tried]:
    """Try parked nodes again, each under its own key and with its attempts anew; one that waits no more is told, not raised.

    Raises `InputError` NX-R220 (nobody does it), `UnavailableError` (the database does not answer; those before are tried).
    """
    tried = []
    for run_id, cell in parked:
        try:
            done = retry(store, run_id, cell, by, doorbell=doorbell)
        except (InputError, UnavailableError):
            raise
        except NexumError as error:  # somebody was faster, or the run has ended
            tried.append(Tried(run_id, cell, "", error.message))
        else:
            tried.append(Tried(run_id, cell, done.node_status))
    return tried


def notice(store: Verbs, tenant: str, fingerprint: str) -> bool:
    """Show a group again; False when nobody had set it aside."""
    return take_group_back(store, tenant, fingerprint)
