"""What somebody says who has looked into an effect that may have been done twice: that it needs no alarm any more.

Nothing follows from it. The suspicion stays in the run's history with the acknowledgement beside it, by whom and why; another
late result of the same effect is another suspicion.
"""

from __future__ import annotations

from nexum.broker.doorbell import Doorbell
from nexum.client.desk import Desk, check_texts
from nexum.client.interventions import By
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import Cell, DuplicateAcknowledged
from nexum.errors import ConflictError
from nexum.store.api import Mail, Store
from nexum.store.suspicions import SuspicionRow, acknowledgement_of, suspicions
from nexum.store.verbs import Verbs


def acknowledge(store: Store, key: str, by: By, *, doorbell: Doorbell | None = None) -> list[SuspicionRow]:
    """Acknowledge every suspicion about the effect of this key; gives those that were not acknowledged before.

    One whose run somebody else holds just now is acknowledged a moment later. Raises `InputError` NX-E401 (nobody, or no
    reason), `ConflictError` NX-E232 (nothing is suspected of this effect, or all of it is acknowledged).
    """
    wanted = {"actor": "who has looked into it", "reason": "what you found, in a sentence"}
    check_texts("decision", "NX-E401", by, wanted)
    assert isinstance(store, Verbs), "a process that keeps everything in memory has no list of suspicions"
    found = suspicions(store, key=key)
    fresh = [row for row in found if not row.acknowledged_at]
    if not fresh:
        raise ConflictError(_nothing(key, found), code="NX-E232")
    for row in fresh:
        desk = Desk(store, row.run_id, doorbell)
        came = row.reference or row.result_hash
        body = DuplicateAcknowledged(Cell(row.path, row.visit, row.item), by.reason.strip(), came)
        kind, trace = type(body).__name__, desk.fold().trace
        store.post(
            Mail(row.run_id, acknowledgement_of(row.number), kind, encode_mail(body), actor=by.actor, trace=trace)
        )
        desk.fold()
    return fresh


def _nothing(key: str, found: list[SuspicionRow]) -> str:
    if not found:
        return f"nothing tells that the effect {key} was done twice"
    return f"{found[0].actor} has acknowledged it already: {found[0].reason}"
