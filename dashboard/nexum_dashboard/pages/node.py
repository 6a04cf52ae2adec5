"""One node of a run, and its live twin."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from nexum.readouts.node import NodeDetail, read_node
from nexum.readouts.run import pulse_of
from nexum.store import reading
from nexum_dashboard.access import Viewer
from nexum_dashboard.pages.respond import MissingError, page, show
from nexum_dashboard.pages.run import STOP, missing
from nexum_dashboard.place import store


@page
def node_page(request: HttpRequest, viewer: Viewer, run_id: str, node_id: str) -> HttpResponse:
    """A node."""
    found = _found(viewer, run_id, node_id)
    return show(request, viewer, "nexum/node.html", found, **_around(found))


@page
def node_live(request: HttpRequest, viewer: Viewer, run_id: str, node_id: str) -> HttpResponse:
    """The changing part of the page."""
    if request.GET.get("after", "") == pulse_of(store(), run_id) != "":
        return HttpResponse(status=204)
    found = _found(viewer, run_id, node_id)
    response = show(request, viewer, "nexum/_node_live.html", found, **_around(found))
    if found.run.ended_at:
        response.status_code = STOP
    return response


def _found(viewer: Viewer, run_id: str, node_id: str) -> NodeDetail:
    found = read_node(store(), run_id, node_id, may_read=viewer.may_read)
    if found is not None:
        return found
    if reading.find_run(store(), run_id) is None:
        raise missing(run_id)
    raise MissingError(f"run {run_id} has no node {node_id[:80]!r}")


def _around(found: NodeDetail) -> dict[str, object]:
    return {
        "run": found.run,
        "node": found.node,
        "pulse": found.pulse,
        "live": reverse("nexum:node-live", args=[found.run.run_id, found.node.node_id]),
    }
