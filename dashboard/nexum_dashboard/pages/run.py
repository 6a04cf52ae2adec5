"""One run: graph, events, input and result; and its live twin."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from nexum.readouts.events import read_events
from nexum.readouts.run import RunDetail, pulse_of, read_run
from nexum.store import reading
from nexum_dashboard.access import Viewer
from nexum_dashboard.graph.svg import draw
from nexum_dashboard.pages.respond import MissingError, page, show, spelled, wants_json
from nexum_dashboard.place import store

TABS = {"graph": "Graph", "events": "Events", "io": "Input and result"}
BOTH_WAYS = 60  # nodes up to which the picture is drawn in both directions
DRAWN = 300  # nodes up to which there is a picture at all
REFRESH = 30_000_000  # us after which a run that waits is rendered again, so that "for 40 s" stays true
ALIKE = (32, 18, 8)  # how much of an id is compared when it names no run
STOP = 286  # the status that ends polling


@page
def run_page(request: HttpRequest, viewer: Viewer, run_id: str) -> HttpResponse:
    """A run."""
    found = _found(viewer, run_id)
    if wants_json(request):
        return spelled(found)
    return show(request, viewer, "nexum/run.html", found, **_around(request, found))


@page
def run_live(request: HttpRequest, viewer: Viewer, run_id: str) -> HttpResponse:
    """The changing part of the page: 204 when nothing has happened, 286 with the last of it."""
    asked = request.GET.get("after", "")
    numbers = pulse_of(store(), run_id)
    if numbers and asked.rpartition("~")[0] == numbers and asked.rpartition("~")[2] == _bucket(store().now()):
        return HttpResponse(status=204)
    found = _found(viewer, run_id)
    response = show(request, viewer, "nexum/_run_live.html", found, **_around(request, found))
    if found.run.ended_at:
        response.status_code = STOP
    return response


@page
def by_prefix(request: HttpRequest, viewer: Viewer, prefix: str) -> HttpResponse:
    """The run that the beginning or the end of an id names. Raises `MissingError` NX-R404 for none, and for several."""
    near = reading.runs_like(store(), prefix)
    if len(near) == 1:
        return HttpResponseRedirect(reverse("nexum:run", args=[near[0].run_id]))
    raise MissingError(f"{prefix[:80]!r} names {'several runs' if near else 'no run'}", tuple(near))


def missing(run_id: str) -> MissingError:
    """The error for an id that is no run's, with those that resemble it."""
    shown = run_id[:80]
    near: list[reading.RunRow] = []
    for length in ALIKE:
        if not near and len(run_id) >= length:
            near = reading.runs_like(store(), run_id[:length])
    return MissingError(f"there is no run {shown!r}", tuple(near))


def tab_of(request: HttpRequest) -> str:
    """The tab that the address names."""
    asked = request.GET.get("tab", "graph")
    return asked if asked in TABS else "graph"


def number(text: str) -> int:
    """A whole number from an address; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _found(viewer: Viewer, run_id: str) -> RunDetail:
    found = read_run(store(), run_id, may_read=viewer.may_read)
    if found is None:
        raise missing(run_id)
    return found


def _around(request: HttpRequest, found: RunDetail) -> dict[str, Any]:
    tab, run = tab_of(request), found.run
    around: dict[str, Any] = {
        "run": run,
        "tab": tab,
        "tabs": TABS,
        "pulse": f"{found.pulse}~{_bucket(found.now)}",
        "live": f"{reverse('nexum:run-live', args=[run.run_id])}?tab={tab}",
    }
    if tab == "events":
        node, after = request.GET.get("node", ""), number(request.GET.get("after_seq", ""))
        around["events"] = read_events(store(), run.run_id, last_seq=run.last_seq, node=node, after=after)
        around["node"], around["after_seq"] = node, after
        around["live"] += f"&node={node}&after_seq={after}" if node or after else ""
    elif tab == "graph" and len(found.nodes) <= DRAWN:
        drawings = draw(found.nodes)
        around["drawings"] = drawings if len(found.nodes) <= BOTH_WAYS else drawings[-1:]
    return around


def _bucket(now: int) -> str:
    return str(now // REFRESH)
