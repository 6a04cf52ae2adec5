"""From the store into memory: a run's state by snapshot and events, and payloads by reference."""

from __future__ import annotations

from collections.abc import Sequence

from nexum.core.canonical import sha256_hex
from nexum.core.run.codec import GENESIS
from nexum.core.run.events import RunStarted
from nexum.core.run.fold import fold
from nexum.core.run.snapshot import freeze, thaw
from nexum.core.run.state import State
from nexum.core.values import BLOB, Ref
from nexum.engine.graphs import Graphs
from nexum.engine.memory import SNAPSHOT_EVERY, Known, Memory
from nexum.engine.seal import ENGINE, unseal
from nexum.errors import InternalError
from nexum.store.api import Claimed, EventLink, EventRow, Head, Snapshot, Store


def load(
    store: Store, graphs: Graphs, run_id: str, recent: Sequence[EventLink] = (), *, every: int = SNAPSHOT_EVERY
) -> Known | None:
    """Fold a run from its first event, or from its newest usable snapshot when it is long; None when it does not exist.

    A young run takes one query: its first event says all that the row of the run would. It takes none when `recent`, the
    newest events, are all there are. `every` is how many events lie between two snapshots. Raises `InternalError`: NX-S120
    for a history that does not hold together, NX-R405 or NX-S101 for a version that is missing or damaged.
    """
    rows: Sequence[EventRow | EventLink] = recent
    if not recent or recent[0].seq != 1:
        rows = store.events_after(run_id, 0, every + 1)
    if not rows:
        return None
    if len(rows) <= every:
        first = rows[0]
        started = unseal(first).body
        if not isinstance(started, RunStarted):
            raise InternalError("the first event is not RunStarted", code="NX-S120", where=f"run {run_id}")
        plan = graphs.plan(started.workflow, started.version)
        known = Known(plan, State(run_id, tenant=first.tenant), GENESIS, first.trace, snapshot_every=every)
        extend(known, rows)
        return known
    head = store.head(run_id)
    if head is None:
        return None
    state, digest, snapshot_seq = _from_snapshot(store, head)
    plan = graphs.plan(head.workflow, head.version)
    known = Known(plan, state, digest, head.trace, snapshot_seq, every)
    extend(known, store.events_after(run_id, state.seq))
    return known


def newer(known: Known, recent: Sequence[EventLink]) -> Sequence[EventLink]:
    """Those of the newest events that continue what is known; none when something lies between."""
    for place, event in enumerate(recent):
        if event.prev_hash == known.hash:
            return recent[place:]
    return ()


def extend(known: Known, rows: Sequence[EventRow | EventLink]) -> None:
    """Fold rows that follow what is known. Raises `InternalError` NX-S120 when they do not link to it."""
    known.state, known.hash = link(known.state, known.hash, rows)
    for row in rows:
        if row.payload:
            known.remember(sha256_hex(row.payload), row.payload)


def link(state: State, digest: bytes, rows: Sequence[EventRow | EventLink]) -> tuple[State, bytes]:
    """Fold rows that follow a state with this last hash; needs no graph. Raises as `extend` does."""
    for row in rows:
        if row.prev_hash != digest:
            raise InternalError(
                f"event {row.seq} does not continue the hash chain", code="NX-S120", where=f"run {state.run_id}"
            )
        state = fold(state, unseal(row))
        digest = row.hash
    return state, digest


def current(store: Store, graphs: Graphs, memory: Memory, claimed: Claimed, *, every: int) -> Known:
    """The run exactly where the claim says it stands. Raises what `load` does, and NX-S120 for a run without events."""
    run_id = claimed.key.run_id
    known = memory.get(run_id)
    if known is not None and known.hash != claimed.last_hash:
        try:
            extend(known, newer(known, claimed.recent) or store.events_after(run_id, known.state.seq))
        except InternalError:  # what is remembered is not this history any more
            known = None
    if known is None:
        memory.forget(run_id)
        known = load(store, graphs, run_id, claimed.recent, every=every)
        if known is None:
            raise InternalError("all events are gone", code="NX-S120", where=f"run {run_id}")
        memory.put(known)
    check_reaches(known, claimed.last_seq, claimed.last_hash)
    return known


def check_reaches(known: Known, seq: int, digest: bytes) -> None:
    """Raise `InternalError` NX-S120 when a run's events do not lead to where its row said it stands."""
    state = known.state
    if state.seq < seq or (state.seq == seq and known.hash != digest):
        raise InternalError(
            f"the events end at {state.seq} with another hash than the run has at {seq}",
            code="NX-S120",
            where=f"run {state.run_id}",
        )


def _from_snapshot(store: Store, head: Head) -> tuple[State, bytes, int]:
    snapshot = store.snapshot(head.run_id)
    if snapshot is not None and snapshot.engine == ENGINE and snapshot.seq <= head.seq:
        try:
            return thaw(snapshot.state), snapshot.hash, snapshot.seq
        except (KeyError, TypeError, ValueError):  # written by an engine that thought otherwise: fold everything
            pass
    return State(head.run_id, tenant=head.tenant), GENESIS, 0


def keep_snapshot(store: Store, known: Known) -> None:
    """Save a snapshot when enough has happened since the last one.

    The distance grows with the state, so that writing snapshots stays a constant share of the work of a long run.
    """
    state = known.state
    if state.phase.is_ended or state.seq - known.snapshot_seq < max(known.snapshot_every, len(state.cells)):
        return
    store.save_snapshot(state.run_id, Snapshot(state.seq, known.hash, ENGINE, freeze(state)))
    known.snapshot_seq = state.seq


def read_payload(store: Store, known: Known, ref: Ref) -> bytes:
    """The bytes of a reference, checked against their hash. Raises `InternalError` NX-S121 when they are gone."""
    data = known.payloads.get(ref.hash)
    if data is not None:
        return data
    state = known.state
    found = store.blob(state.tenant, ref.hash) if ref.seq == BLOB else store.payload(state.run_id, ref.seq)
    if found is None or sha256_hex(found) != ref.hash:
        raise InternalError(
            f"the payload {ref.hash[:12]} is missing or damaged", code="NX-S121", where=f"run {state.run_id}"
        )
    known.remember(ref.hash, found)
    return found
