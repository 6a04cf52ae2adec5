"""Dead letters: groups of the same failure, one group with its runs, and what can be done about it.

Trying again and skipping are shown first, when asked: what would be sent, under which keys, and when.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from nexum.client.deadletters import (
    GroupDecision,
    check_all,
    decide,
    retry_all,
    skip_all,
    starts_of,
    version_named,
)
from nexum.client.interventions import NOTHING, By
from nexum.client.json_text import parse_json
from nexum.client.spans import rate_of
from nexum.errors import InputError, Problem
from nexum.readouts.dead import ENDED, RETRIED, DeadDetail, DeadLetter, plan_retry, read_dead, read_group
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
    """One group; POST does something about it, or shows what it would do."""
    found = _found(viewer, fingerprint)
    around = {"spans": SPANS, "retried": RETRIED, "ended": ENDED}
    if request.method != "POST":
        return show(request, viewer, "nexum/dead_group.html", found, **around)
    if not viewer.may_control:
        raise ForbiddenError(f"{viewer.name} does not have the permission {CONTROL_RUN}")
    around |= {"given": request.POST, "ticked": request.POST.getlist("member")}
    try:
        preview = _decide(request, viewer, found)
        again = preview is None and _is_there(fingerprint)
    except InputError as error:
        response = show(request, viewer, "nexum/dead_group.html", found, refused=error, **around)
        response.status_code = 422
        return response
    if preview is not None:
        around["ticked"] = [
            one.ticked for one in _chosen(found, request.POST.getlist("member"))
        ]  # these, and no later ones
        return show(request, viewer, "nexum/dead_group.html", found, preview=preview, **around)
    address = reverse("nexum:dead-group", args=[fingerprint]) if again else reverse("nexum:dead")
    return HttpResponseRedirect(address, status=303)


def _decide(request: HttpRequest, viewer: Viewer, found: DeadDetail) -> dict[str, Any] | None:
    """Record what the form says, or give what it would do.

    Raises as `nexum.client.deadletters`, and `InputError` NX-F112 for a value that is no JSON, NX-R444 for a rate.
    """
    act, given, group, here = request.POST.get("act", ""), request.POST, found.group, connection()
    members = _chosen(found, given.getlist("member"))
    parked = [(one.run_id, one.cell) for one in members]
    by = By(viewer.name, given.get("why" if "skip" in act else "reason", ""))
    if act in ("retry", "preview"):
        rate = rate_of(given.get("rate", ""))
        if act == "preview":
            starts = starts_of(len(parked), rate, here.store.now())
            return {"what": "retry", "nodes": plan_retry(store(), members, starts)}
        if not by.reason.strip():
            wanted = Problem("reason", "nothing", "why, in a sentence")
            raise InputError(f"the request is not complete: {wanted}", code="NX-R220", problems=(wanted,))
        retry_all(here.store, parked, by, rate=rate, doorbell=here.doorbell)
        return None
    if act in ("skip", "preview-skip"):
        text = given.get("value", "")
        value = parse_json(text, "the value") if text.strip() else NOTHING
        largest = here.settings.max_payload
        if act == "preview-skip":
            looking = By(viewer.name, by.reason.strip() or "a preview")
            readers, refused = check_all(here.store, parked, looking, value=value, max_payload=largest)
            plan = plan_retry(store(), members, [0] * len(members))
            return {"what": "skip", "nodes": plan, "readers": readers, "refused": tuple(refused.values())}
        limits = {"inline_max": here.settings.inline_max, "max_payload": largest}
        skip_all(here.store, parked, by, value=value, doorbell=here.doorbell, **limits)
        return None
    value, until = "", 0
    if act == "ignore":
        seconds = given.get("seconds", "")
        until = store().now() + int(seconds) * 1_000_000 if seconds in SPANS and seconds else 0
    elif act == "fixed":
        value = version_named(store(), group.workflow, given.get("version", ""))
    elif act == "assign":
        value = given.get("to", "")
    decide(store(), GroupDecision(group.tenant, group.fingerprint, act, viewer.name, by.reason, value, until))
    return None


def _chosen(found: DeadDetail, ticked: list[str]) -> list[DeadLetter]:
    """The parked members that are ticked; all that are listed when none is."""
    return [one for one in found.members if one.parked and (not ticked or one.ticked in ticked)]


def _is_there(fingerprint: str) -> bool:
    """Whether the group has members still: what is tried again is no dead letter."""
    return read_group(store(), fingerprint, may_read=False) is not None


def _found(viewer: Viewer, fingerprint: str) -> DeadDetail:
    found = read_group(store(), fingerprint, may_read=viewer.may_read)
    if found is None:
        raise MissingError(f"there is no group of dead letters {fingerprint[:40]!r}", code="NX-R441")
    return found
