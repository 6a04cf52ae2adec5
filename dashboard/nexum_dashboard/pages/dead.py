"""Dead letters: groups of the same failure, one group with its runs, trying it again and setting it aside."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from nexum.client.deadletters import Ignoring, ignore, notice, retry_all
from nexum.client.interventions import By
from nexum.core.run.events import Cell
from nexum.errors import InputError
from nexum.readouts.dead import ENDED, RETRIED, DeadDetail, read_dead, read_group
from nexum_dashboard.access import CONTROL_RUN, ForbiddenError, Viewer
from nexum_dashboard.pages.respond import MissingError, form, page, show, spelled
from nexum_dashboard.place import connection, store

SPANS = {"": "until somebody takes it back", "3600": "for an hour", "86400": "for a day", "604800": "for a week"}


@page
def dead_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every group, also those that are set aside."""
    return show(request, viewer, "nexum/dead.html", read_dead(store()))


@page
def group_document(request: HttpRequest, viewer: Viewer, fingerprint: str) -> HttpResponse:
    """The page of a group as its view-model."""
    return spelled(_found(viewer, fingerprint))


@form
def group_page(request: HttpRequest, viewer: Viewer, fingerprint: str) -> HttpResponse:
    """One group; POST sets it aside, or shows it again."""
    found = _found(viewer, fingerprint)
    around = {"spans": SPANS, "retried": RETRIED, "ended": ENDED}
    if request.method != "POST":
        return show(request, viewer, "nexum/dead_group.html", found, **around)
    if not viewer.may_control:
        raise ForbiddenError(f"{viewer.name} does not have the permission {CONTROL_RUN}")
    try:
        _decide(request, viewer, found)
        again = _is_there(fingerprint)
    except InputError as error:
        response = show(request, viewer, "nexum/dead_group.html", found, refused=error, **around)
        response.status_code = 422
        return response
    address = reverse("nexum:dead-group", args=[fingerprint]) if again else reverse("nexum:dead")
    return HttpResponseRedirect(address, status=303)


def _decide(request: HttpRequest, viewer: Viewer, found: DeadDetail) -> None:
    """Record what the form says. Raises as `nexum.client.deadletters.ignore`."""
    group = found.group
    if request.POST.get("act") == "retry":
        parked = [(one.run_id, Cell(one.node, one.visit, one.item)) for one in found.members if one.parked]
        here = connection()
        retry_all(here.store, parked, By(viewer.name, request.POST.get("reason", "")), doorbell=here.doorbell)
        return
    if request.POST.get("act") == "notice":
        notice(store(), group.tenant, group.fingerprint)
        return
    seconds = request.POST.get("seconds", "")
    until = store().now() + int(seconds) * 1_000_000 if seconds in SPANS and seconds else 0
    ignore(store(), Ignoring(group.tenant, group.fingerprint, viewer.name, request.POST.get("reason", ""), until))


def _is_there(fingerprint: str) -> bool:
    """Whether the group has members still: what is tried again is no dead letter."""
    return read_group(store(), fingerprint, may_read=False) is not None


def _found(viewer: Viewer, fingerprint: str) -> DeadDetail:
    found = read_group(store(), fingerprint, may_read=viewer.may_read)
    if found is None:
        raise MissingError(f"there is no group of dead letters {fingerprint[:40]!r}", code="NX-R441")
    return found
