"""Ending a run at once: what it would leave behind, and a form that wants the run's own id typed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from nexum.client.interventions import By, check_typed, terminate
from nexum.errors import ConflictError, InputError
from nexum.readouts.ending import EndingDetail, read_ending
from nexum_dashboard.access import TERMINATE_RUN, ForbiddenError, Viewer
from nexum_dashboard.pages.respond import form, show
from nexum_dashboard.pages.run import missing
from nexum_dashboard.place import connection, store

DIGITS = 18  # of an event's number; what is longer is cut, and names no event that there is


@form
def terminate_page(request: HttpRequest, viewer: Viewer, run_id: str) -> HttpResponse:
    """What terminating would leave behind; POST does it."""
    found = _found(run_id)
    if request.method != "POST":
        return show(request, viewer, "nexum/terminate.html", found)
    if not viewer.may_terminate:
        raise ForbiddenError(f"{viewer.name} does not have the permission {TERMINATE_RUN}")
    given = request.POST
    seen = given.get("last_seq", "")[:DIGITS]
    by = By(viewer.name, given.get("reason", ""), int(seen) if seen.isascii() and seen.isdigit() else 0)
    try:
        check_typed(run_id, given.get("typed", ""))
        terminate(connection().store, run_id, by, doorbell=connection().doorbell)
    except (InputError, ConflictError) as error:
        response = show(request, viewer, "nexum/terminate.html", _found(run_id), refused=error, given=given)
        response.status_code = 422 if isinstance(error, InputError) else 409
        return response
    return HttpResponseRedirect(reverse("nexum:run", args=[run_id]), status=303)


def _found(run_id: str) -> EndingDetail:
    found = read_ending(store(), run_id)
    if found is None:
        raise missing(run_id)
    return found
