"""What a person decides about a whole group of dead letters: to try it again, to skip it, who looks into it, when to see it.

A retry is one message to each run whose node is parked, as `nexum.client.interventions.retry` sends it. A decision about
a group loses nothing: runs and nodes stay as they are, and the group is found again with its count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nexum.broker.doorbell import Doorbell
from nexum.client.desk import check_texts, unfit_text
from nexum.client.interventions import NOTHING, By, check_skip, retry, skip
from nexum.client.spans import check_rate, unfit_instant
from nexum.client.start import MAX_PAYLOAD
from nexum.core.ids import short
from nexum.core.run.events import Cell
from nexum.core.run.state import CellStatus
from nexum.core.values import INLINE_MAX
from nexum.errors import InputError, NexumError, Problem, UnavailableError
from nexum.errors.misfits import got
from nexum.store.api import Store
from nexum.store.deadletters import DecisionRow, add_group_decision, registrations
from nexum.store.verbs import Verbs

SHOWN = 10  # versions that a message names
A_MINUTE = 60_000_000  # microseconds
LONGEST_NAME = 200  # characters of a user's name, or a version's
PARKED = str(CellStatus.PARKED)
DECISIONS = ("ignore", "notice", "acknowledge", "assign", "fixed")
_EXPLAINED = ("ignore", "acknowledge", "fixed")


@dataclass(frozen=True, slots=True)
class GroupDecision:
    """What somebody decides about a group: `what` is one of `DECISIONS`.

    `ignore` until an instant in microseconds since 1970 (0: until it is taken back by `notice`), `acknowledge` it until it
    fails again, `assign` it to the user `value` ("" for nobody), or say that it is `fixed` in the version `value`.
    """

    tenant: str
    fingerprint: str
    what: str
    actor: str
    reason: str = ""
    value: str = ""
    until: int = 0


def decide(store: Verbs, decision: GroupDecision) -> None:
    """Keep a decision about a group; earlier ones stay, as a record of who decided what.

    Raises `InputError` NX-R442 for what is no decision: nobody, no reason where one is wanted, an instant that has passed or
    is more than a year away.
    """
    wanted = {"actor": "who decides", "reason": "why, in a sentence" if decision.what in _EXPLAINED else ""}
    found = []
    if decision.what not in DECISIONS:
        found.append(Problem("what", got(decision.what), f"one of {', '.join(DECISIONS)}"))
    if (late := unfit_instant(decision.until, store.now())) is not None:
        found.append(late)
    if len(decision.value) > LONGEST_NAME or unfit_text("value", decision.value, "") is not None:
        found.append(Problem("value", got(decision.value), f"a name of at most {LONGEST_NAME} characters"))
    check_texts("decision", "NX-R442", decision, wanted, *found)
    add_group_decision(
        store,
        DecisionRow(
            decision.tenant,
            decision.fingerprint,
            decision.what,
            decision.value.strip(),
            decision.until,
            decision.actor,
            decision.reason.strip(),
        ),
    )


def version_named(store: Verbs, workflow: str, beginning: str) -> str:
    """The one version of a workflow that begins so. Raises `InputError` NX-R442 for none, and for several."""
    begins = beginning.strip().removeprefix("sha256:")
    names = [name for held, name in registrations(store) if held == workflow]
    found = [name for name in names if begins and name.removeprefix("sha256:").startswith(begins)]
    if len(found) != 1:
        wrong = Problem("version", got(beginning), f"the beginning of exactly one version of {workflow}")
        known = ", ".join(short(name) for name in names[:SHOWN])
        fixes = (f"name a version of {workflow}: {known}" if known else f"deploy {workflow}: it has no version yet",)
        raise InputError(f"the decision is not complete: {wrong}", code="NX-R442", problems=(wrong,), fixes=fixes)
    return found[0]


class Tried(NamedTuple):
    """One node that was to be tried again or skipped: where it stands now, or why it was not (`refused` is "" when it was).

    A retry begins at `not_before`, in microseconds since 1970; 0: at once.
    """

    run_id: str
    cell: Cell
    node_status: str
    refused: str = ""
    not_before: int = 0


def starts_of(count: int, rate: int | None, now: int) -> list[int]:
    """When so many retries begin: all at once (0), or at most `rate` within any minute from `now` on.

    Raises `InputError` NX-R444 for a rate that `nexum.client.spans.check_rate` refuses.
    """
    if rate is None:
        return [0] * count
    check_rate(rate)
    return [now + place * A_MINUTE // rate if place else 0 for place in range(count)]


def retry_all(
    store: Store,
    parked: Sequence[tuple[str, Cell]],
    by: By,
    *,
    rate: int | None = None,
    preview: bool = False,
    doorbell: Doorbell | None = None,
) -> list[Tried]:
    """Try parked nodes again, each under its own key and with its attempts anew; one that waits no more is told, not raised.

    With a `rate` so many begin within a minute, so that what was down is not buried by its recovery. A `preview` only says
    when each would begin. Raises `InputError` NX-R220 (nobody does it), NX-R444 (no rate), `UnavailableError`
    (the database does not answer; those before are tried).
    """
    starts = dict(zip(parked, starts_of(len(parked), rate, store.now()), strict=True))
    if preview:
        return [Tried(*place, PARKED, not_before=start) for place, start in starts.items()]

    def again(run_id: str, cell: Cell) -> Tried:
        start = starts[run_id, cell]
        status = retry(store, run_id, cell, by, not_before=start, doorbell=doorbell).node_status
        return Tried(run_id, cell, status, not_before=start)

    return [_unless_late(again, *place) for place in parked]


def skip_all(
    store: Store,
    parked: Sequence[tuple[str, Cell]],
    by: By,
    *,
    value: object = NOTHING,
    preview: bool = False,
    doorbell: Doorbell | None = None,
    inline_max: int = INLINE_MAX,
    max_payload: int = MAX_PAYLOAD,
) -> tuple[list[Tried], tuple[str, ...]]:
    """Put the same value in place of what each node would have returned, or skip them; gives also who reads it.

    The value is checked against every one of them before the first is skipped, and a `preview` ends there. One that waits no
    more is told, not raised. Raises `InputError` NX-R220 (nobody does it, or no reason) and NX-R221 (the value does not fit
    one of them; none is skipped), `UnavailableError`.
    """
    readers: dict[str, None] = {}

    def check(run_id: str, cell: Cell) -> Tried:
        found = check_skip(store, run_id, cell, by, value=value, max_payload=max_payload)
        readers.update(dict.fromkeys(found))
        return Tried(run_id, cell, PARKED)

    def leave_out(run_id: str, cell: Cell) -> Tried:
        limits = {"inline_max": inline_max, "max_payload": max_payload}
        return Tried(run_id, cell, skip(store, run_id, cell, by, value=value, doorbell=doorbell, **limits).node_status)

    done = [_unless_late(check, *place) for place in parked]
    if not preview:
        done = [one if one.refused else _unless_late(leave_out, one.run_id, one.cell) for one in done]
    return done, tuple(readers)


def _unless_late(act: Callable[[str, Cell], Tried], run_id: str, cell: Cell) -> Tried:
    """What the act made of one node, or why it did nothing: somebody was faster, or the run has ended."""
    try:
        return act(run_id, cell)
    except (InputError, UnavailableError):
        raise
    except NexumError as error:
        return Tried(run_id, cell, "", error.message)
