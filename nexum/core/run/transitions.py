"""What may happen to a cell and to a run: two tables. An absent key is an illegal move, and a bug of ours.

A cell is born by `NodeScheduled` or `NodeSkipped`. SCHEDULED means that an attempt is ready or under way: the core
knows no claims. An attempt that ends badly leaves ATTEMPT_FAILED, from which `decide` moves it in the same advance, by
`RetryScheduled` or `NodeFailed`; only a language model's cell may stand there longer, while a repair round (a cell of
its own, `verdict/repair.1`) is open. A cell that was asked to stop is STOPPING until its attempt has reported. IN_DOUBT is
left by evidence alone: a timeout never turns an effect into FAILED while its outcome is unknown. PARKED is left by a
person alone, or with the run. Terminal cells never move.
"""

from __future__ import annotations

from nexum.core.run.state import CellStatus, Phase

C = CellStatus
P = Phase

PENDING = None  # a cell that has no event yet

CELL: dict[C | None, dict[str, C]] = {
    PENDING: {
        "NodeScheduled": C.SCHEDULED,
        "NodeSkipped": C.SKIPPED,
        "NodeFailed": C.FAILED,  # its condition ended in a real error
        "NodeParked": C.PARKED,  # an undo whose input was not recorded
    },
    C.SCHEDULED: {
        "AttemptFailed": C.ATTEMPT_FAILED,
        "EffectInDoubt": C.IN_DOUBT,
        "NodeStopping": C.STOPPING,
        "RetryScheduled": C.SCHEDULED,  # a person does not want to wait
        "NodeCompleted": C.COMPLETED,
        "NodeSkipped": C.SKIPPED,
        "NodeFailed": C.FAILED,
        "NodeCancelled": C.CANCELLED,
    },
    C.ATTEMPT_FAILED: {
        "RetryScheduled": C.SCHEDULED,
        "EffectInDoubt": C.IN_DOUBT,  # a call that was made again
        "NodeParked": C.PARKED,
        "NodeCompleted": C.COMPLETED,
        "NodeSkipped": C.SKIPPED,
        "NodeFailed": C.FAILED,
        "NodeCancelled": C.CANCELLED,
    },
    C.PARKED: {
        "RetryScheduled": C.SCHEDULED,
        "NodeCompleted": C.COMPLETED,
        "NodeSkipped": C.SKIPPED,
        "NodeFailed": C.FAILED,
        "NodeCancelled": C.CANCELLED,
    },
    C.STOPPING: {
        "AttemptFailed": C.STOPPED,
        "AttemptStopped": C.STOPPED,
        "EffectInDoubt": C.IN_DOUBT,
        "NodeCompleted": C.COMPLETED,
    },
    C.STOPPED: {"NodeFailed": C.FAILED, "NodeParked": C.PARKED, "NodeCancelled": C.CANCELLED},
    C.IN_DOUBT: {
        "DoubtResolved": C.ATTEMPT_FAILED,
        "EffectInDoubt": C.IN_DOUBT,  # its own attempt, believed dead, has said that it acted
        "NodeStopping": C.IN_DOUBT,
        "NodeCompleted": C.COMPLETED,
        "RetryScheduled": C.SCHEDULED,  # these three: the doubt was about the node's calls, and none is left
        "NodeFailed": C.FAILED,
        "NodeCancelled": C.CANCELLED,
    },
}

RUN: dict[P, dict[str, P]] = {
    P.NEW: {"RunStarted": P.RUNNING},
    P.RUNNING: {
        "RunClosing": P.CLOSING,
        "RunCompleted": P.COMPLETED,
        "RunTerminated": P.TERMINATED,
    },
    P.CLOSING: {
        "RunFailed": P.FAILED,
        "RunCancelled": P.CANCELLED,
        "RunTerminated": P.TERMINATED,
    },
}


class IllegalEventError(Exception):
    """An event met a state that has no row for it: a bug, never bad input."""

    def __init__(self, event: str, met: object) -> None:
        super().__init__(f"{event} is illegal in state {met or 'PENDING'}")
        self.event = event
        self.met = met


def next_cell(status: C | None, event: str) -> C:
    """The status after the event. Raises `IllegalEventError`."""
    try:
        return CELL[status][event]
    except KeyError:
        raise IllegalEventError(event, status) from None


def next_phase(phase: P, event: str) -> P:
    """The phase after the event. Raises `IllegalEventError`."""
    try:
        return RUN[phase][event]
    except KeyError:
        raise IllegalEventError(event, phase) from None
