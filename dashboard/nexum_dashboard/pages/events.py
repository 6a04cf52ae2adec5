"""One event, whole; and payloads as downloads."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from nexum.core.values import Ref
from nexum.readouts.events import EventDetail, read_event, refs_of
from nexum.readouts.payload import payload_bytes
from nexum.store import reading
from nexum_dashboard.access import VIEW_PAYLOAD, ForbiddenError, Viewer
from nexum_dashboard.pages.respond import MissingError, page, show
from nexum_dashboard.pages.run import missing
from nexum_dashboard.place import store


@page
def event_page(request: HttpRequest, viewer: Viewer, run_id: str, seq: int) -> HttpResponse:
    """An event."""
    found = _found(viewer, run_id, seq)
    template = "nexum/_event_body.html" if request.headers.get("HX-Request") else "nexum/event.html"
    return show(request, viewer, template, found)


@page
def payload(request: HttpRequest, viewer: Viewer, run_id: str, seq: int, digest: str) -> HttpResponse:
    """The bytes of a payload that event `seq` carries or names, as a download."""
    if not viewer.may_read:
        raise ForbiddenError(f"{viewer.name} does not have the permission {VIEW_PAYLOAD}")
    run = reading.find_run(store(), run_id)
    if run is None:
        raise missing(run_id)
    ref = named(run_id, seq, digest) if seq <= run.last_seq else None
    if ref is None:
        raise MissingError(f"event {seq} of run {run_id} does not name a payload {digest[:12]}")
    data = payload_bytes(store(), run_id, run.tenant, ref)
    return HttpResponse(
        data,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{run_id[-8:]}-{seq}-{digest[:8]}.json"'},
    )


def named(run_id: str, seq: int, digest: str) -> Ref | None:
    """The reference with this hash that an event names; only what a run names can be read through it."""
    rows = reading.history(store(), run_id, after=seq - 1, limit=1)
    refs = refs_of(rows[0]) if rows and rows[0].seq == seq else []
    return next((ref for _, ref in refs if ref.hash == digest), None)


def _found(viewer: Viewer, run_id: str, seq: int) -> EventDetail:
    run = reading.find_run(store(), run_id)
    if run is None:
        raise missing(run_id)
    found = None
    if seq <= run.last_seq:  # an address may have more digits than a column
        found = read_event(store(), run_id, run.tenant, seq, last_seq=run.last_seq, may_read=viewer.may_read)
    if found is None:
        raise MissingError(f"run {run_id} has no event {seq}; its last one is {run.last_seq}")
    return found
