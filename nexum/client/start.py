"""Start a run: checked, pinned to a version, and inserted in one transaction, the caller's own when there is one."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from difflib import get_close_matches
from weakref import WeakKeyDictionary

from nexum.broker.doorbell import Doorbell
from nexum.client.limits import check
from nexum.core.canonical import NotCanonicalError, sha256_hex, storable_bytes
from nexum.core.graph.workflow import Graph
from nexum.core.ids import run_id_from
from nexum.core.schema.validate import problems
from nexum.core.values import HERE, INLINE_MAX, Ref
from nexum.crash import crash
from nexum.engine.clock import StoreClock
from nexum.engine.graphs import read_graph
from nexum.engine.starting import start_row
from nexum.errors import ConflictError, InputError, NexumError, Problem, entry
from nexum.errors.misfits import got
from nexum.store.api import Started, Store, VersionRow

MAX_PAYLOAD = 64 << 20
CLOCK_SECONDS = 5.0  # for which a look at the store's clock is good

_LISTED = 10  # workflows that an error names

_clocks: WeakKeyDictionary[Store, StoreClock] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a caller wants started. `input` is a JSON value; `run_key` names one run; `trace` is a W3C traceparent.

    Key, subject and tenant have at most 200 characters, `priority` is -9 to 9; `start` checks, see `nexum.client.limits`.
    """

    workflow: str
    input: object
    run_key: str = ""
    subject: str = ""
    tenant: str = "default"
    trace: str = ""
    actor: str = ""
    priority: int = 0


def start(
    store: Store,
    request: StartRequest,
    *,
    doorbell: Doorbell | None = None,
    inline_max: int = INLINE_MAX,
    max_payload: int = MAX_PAYLOAD,
) -> Started:
    """Start a run on the workflow's default version, or find the run that its key names.

    Raises `NexumError` NX-D201 (no version), `InputError` NX-R101/R102/R103 (the input, or a field of the request, does
    not fit) and NX-S107 (a text that cannot be stored), `ConflictError` NX-R409 (the key exists with another input),
    `UnavailableError` (the database does not answer).
    """
    check(request)
    graph = default_graph(store, request.workflow)
    data = input_bytes(graph, request.input, max_payload=max_payload)
    digest = sha256_hex(data)
    ref = Ref(digest, len(data), HERE)
    if len(data) > inline_max:
        ref = Ref(store.put_blob(request.tenant, data), len(data))
    now = _now(store)
    row = start_row(
        graph,
        run_id=run_id_from(now, os.urandom(10)),
        tenant=request.tenant,
        run_key=request.run_key,
        data=data,
        input_ref=ref,
        now=now,
        subject=request.subject,
        trace=request.trace or new_trace(),
        actor=request.actor,
        priority=request.priority,
    )
    crash("api.start.before_tx", run_key=request.run_key)
    started = store.start(row)
    if started.existing and started.input_hash != digest:
        raise ConflictError(f"run key {request.run_key!r} was used with another input", where=f"run {started.run_id}")
    crash("api.start.after_commit", run=started.run_id, run_key=request.run_key)
    if doorbell is not None and not started.existing:
        for task in row.advance.new_tasks:
            doorbell.ring(task.queue, task.key)
    crash("api.start.after_publish", run=started.run_id, run_key=request.run_key)
    return started


def _now(store: Store) -> int:
    """The store's time; asked for once in a while, and counted on by the monotonic clock in between."""
    clock = _clocks.get(store)
    if clock is None or clock.age > CLOCK_SECONDS:
        clock = _clocks[store] = StoreClock()
        clock.set(store.now())
    return clock.now()


def default_graph(store: Store, workflow: str) -> Graph:
    """The graph that a new run gets. Raises `NexumError` NX-D201 with the nearest name."""
    row = store.default_version(workflow)
    if row is None:
        raise _unknown_workflow(store, workflow)
    return read_graph(row.graph, row.version)


def input_bytes(graph: Graph, value: object, *, max_payload: int = MAX_PAYLOAD) -> bytes:
    """Check an input against a version's schema and spell it canonically; `max_payload` is in bytes.

    Raises `InputError`: NX-R102 for a value without JSON spelling, NX-R103 for one that is too large, NX-R101 for one
    that does not fit.
    """
    try:
        data = storable_bytes(value)
    except NotCanonicalError as error:
        raise InputError(
            f"the input of {graph.workflow} cannot be stored: {error}",
            code="NX-R102",
            problems=(Problem(error.path, error.why, "a JSON value"),),
        ) from error
    if len(data) > max_payload:
        raise InputError(
            f"the input of {graph.workflow} has {len(data):,} bytes; at most {max_payload:,} are allowed",
            code="NX-R103",
        )
    found = problems(graph.input, value)
    if found:
        listed = "; ".join(map(str, found[:5]))
        raise InputError(
            f"the input does not fit {graph.workflow}: {listed}",
            problems=found,
        )
    return data


def subject_name(subject: object) -> str:
    """What a run is about, as text: `app.Model:pk` for a Django model instance, a string as it is.

    Raises `InputError` NX-R101 for an instance that has not been saved, and for anything else.
    """
    if isinstance(subject, str):
        return subject
    meta, key = getattr(subject, "_meta", None), getattr(subject, "pk", None)
    if meta is None or key is None:
        what = "has not been saved" if meta is not None else "is no model instance"
        raise InputError(f"subject {subject!r} {what}", fixes=("pass a saved model instance, or `app.Model:pk`",))
    return f"{meta.label}:{key}"


def new_trace() -> str:
    """A W3C traceparent of a trace that begins here."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def _unknown_workflow(store: Store, workflow: str) -> NexumError:
    known = sorted({row.workflow for row in _defaults(store)})
    near = get_close_matches(workflow, known, n=1)
    listed = ", ".join(known[:_LISTED]) + (f" and {len(known) - _LISTED} more" if len(known) > _LISTED else "")
    hint = f"; registered are {listed}" if known else "; nothing is registered in this database yet"
    fixes = (f"did you mean `{near[0]}`?", *entry("NX-D201").mend) if near else ()
    return NexumError(f"no version of workflow {got(workflow)} is registered{hint}", code="NX-D201", fixes=fixes)


def _defaults(store: Store) -> list[VersionRow]:
    return [row for row in store.versions() if row.state == "default"]
