"""The list of runs, and its live twin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from nexum.readouts.filters import QUALIFIERS, STATUSES
from nexum.readouts.runs import RunList, read_runs
from nexum_dashboard.access import Viewer
from nexum_dashboard.pages.respond import page, show
from nexum_dashboard.place import store


@dataclass(frozen=True, slots=True)
class Tab:
    """A ready-made filter."""

    label: str
    query: str


TABS = (
    Tab("All", ""),
    Tab("Running", "status:running"),
    Tab("In doubt", "standing:in_doubt"),
    Tab("No worker", "standing:no_worker"),
    Tab("Needs attention", "standing:needs_attention"),
    Tab("Failed", "status:failed"),
    Tab("Completed", "status:completed"),
)
SUGGESTED = (
    *(f"status:{name}" for name in STATUSES),
    *(f"{name}:" for name in QUALIFIERS if name != "status"),
    "started:<1h",
    "started:<24h",
    "duration:>30s",
    "error:NX-*",
)


@page
def run_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """A page of runs."""
    query, after = request.GET.get("q", ""), request.GET.get("after", "")
    found = read_runs(store(), query, after=after)
    return show(request, viewer, "nexum/runs.html", found, **_around(found, after))


@page
def run_list_live(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The rows again when one of them has changed (204 otherwise); newer runs are announced, not inserted."""
    query, after, top = (request.GET.get(name, "") for name in ("q", "from", "top"))
    found = read_runs(store(), query, after=after, until=top)
    around = _around(found, after)
    if around["pulse"] == request.GET.get("after", ""):
        return HttpResponse(status=204)
    return show(request, viewer, "nexum/_runs_live.html", found, **around)


def _around(found: RunList, after: str) -> dict[str, object]:
    asked = {"q": found.query, "from": after, "top": found.top if found.runs else ""}
    beginning = f"?{urlencode({'q': found.query})}" if found.query else "."
    return {
        "tabs": TABS,
        "suggested": SUGGESTED,
        "pulse": _pulse(found),
        "live": f"{reverse('nexum:runs-live')}?{urlencode({k: v for k, v in asked.items() if v})}",
        "beginning": beginning,
        "next_page": f"?{urlencode({'q': found.query, 'after': found.next})}" if found.next else "",
        "is_first": not after,
    }


def _pulse(found: RunList) -> str:
    """A text that changes whenever a row would look different; how long something has lasted is the browser's to count."""
    rows = [(run.run_id, run.last_seq, run.status, run.standing.code, run.node, run.attempt) for run in found.runs]
    return hashlib.sha256(repr((rows, found.newer, found.total)).encode()).hexdigest()[:16]
