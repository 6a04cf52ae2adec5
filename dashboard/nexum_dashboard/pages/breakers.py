"""Circuit breakers: where each stands, and forms to hold one open or closed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from nexum.client.breakers import override
from nexum.errors import InputError, Problem
from nexum.errors.misfits import got
from nexum.readouts.breakers import read_breakers
from nexum_dashboard.access import CONTROL_RUN, ForbiddenError, Viewer
from nexum_dashboard.pages.respond import form, page, show, spelled
from nexum_dashboard.place import chosen, store

SPANS = {"": "until somebody lets go", "900": "for a quarter of an hour", "3600": "for an hour", "86400": "for a day"}


@page
def breaker_document(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The page as its view-model."""
    return spelled(read_breakers(store()))


@form
def breaker_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every breaker; POST holds one, or lets it go."""
    if request.method != "POST":
        return show(request, viewer, "nexum/breakers.html", read_breakers(store()), spans=SPANS)
    if not viewer.may_control:
        raise ForbiddenError(f"{viewer.name} does not have the permission {CONTROL_RUN}")
    given = request.POST
    seconds = given.get("seconds", "")
    try:
        override(
            store(),
            given.get("name", ""),
            given.get("act", ""),
            actor=viewer.name,
            reason=given.get("reason", ""),
            seconds=int(seconds) if seconds in SPANS and seconds else 0,
            tenant=_tenant(given.get("tenant", "")),
        )
    except InputError as error:
        response = show(request, viewer, "nexum/breakers.html", read_breakers(store()), spans=SPANS, refused=error)
        response.status_code = 422
        return response
    return HttpResponseRedirect(reverse("nexum:breakers"), status=303)


def _tenant(given: str) -> str:
    """Whose breaker is meant: that of the settings when the form names none.

    Raises `InputError` NX-E441 for a tenant of which no breaker is listed: a form makes nothing up.
    """
    usual = chosen().tenant
    if not given or given == usual or given in {line.tenant for line in read_breakers(store()).breakers}:
        return given or usual
    wanted = Problem("tenant", got(given), f"{usual}, or a tenant of which a breaker is listed")
    raise InputError(f"the decision is not complete: {wanted}", code="NX-E441", problems=(wanted,))
