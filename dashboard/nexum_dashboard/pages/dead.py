"""Dead letters: groups of the same failure, one group with its runs, and what can be done about it.

Trying again and skipping are shown first, when asked: what would be sent, under which keys, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from nexum.client.deadletters import GroupDecision, Tried, decide, retry_all, skip_all, version_named
from nexum.client.interventions import NOTHING, By
from nexum.client.json_text import parse_json
from nexum.client.spans import rate_of
from nexum.errors import InputError, Problem
from nexum.readouts.dead import ENDED, MEMBERS, RETRIED, DeadDetail, plan_retry, read_dead, read_group
from nexum.readouts.letters import DeadLetter, Members, find_members
from nexum_dashboard.access import CONTROL_RUN, REWIND_RUN, ForbiddenError, Viewer
from nexum_dashboard.pages.respond import form, page, show, spelled
from nexum_dashboard.place import connection, store

SPANS = {"": "until somebody takes it back", "3600": "for an hour", "86400": "for a day", "604800": "for a week"}


class Outcome(NamedTuple):
    """What became of the nodes that a form was about: `done` of `waiting` were retried or skipped, others were `refused`."""

    what: str
    done: int
    refused: int
    waiting: int

    @property
    def left(self) -> int:
        """Those that were not touched."""
        return max(0, self.waiting - self.done - self.refused)


class Shown(NamedTuple):
    """What a form would do, or has done to `tried`; both empty for a decision about the group."""

    preview: dict[str, Any] | None = None
    what: str = ""
    tried: Sequence[Tried] = ()


@page
def dead_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every group, also those that are set aside."""
    return show(request, viewer, "nexum/dead.html", read_dead(store()), outcome=_outcome(request))


@page
def group_document(request: HttpRequest, viewer: Viewer, fingerprint: str) -> HttpResponse:
    """The page of a group as its view-model."""
    return spelled(read_group(store(), _members(request, fingerprint), may_read=viewer.may_read))


@form
def group_page(request: HttpRequest, viewer: Viewer, fingerprint: str) -> HttpResponse:
    """One group; POST does something about it, or shows what it would do."""
    members = _members(request, fingerprint)
    found = read_group(store(), members, may_read=viewer.may_read)
    around: dict[str, Any] = {"spans": SPANS, "retried": RETRIED, "ended": ENDED, "most": MEMBERS}
    if request.method != "POST":
        return show(request, viewer, "nexum/dead_group.html", found, outcome=_outcome(request), **around)
    if not viewer.may_control:
        raise ForbiddenError(f"{viewer.name} does not have the permission {CONTROL_RUN}")
    if "skip" in request.POST.get("act", "") and not viewer.may_rewind:
        raise ForbiddenError(f"{viewer.name} does not have the permission {REWIND_RUN}")
    ticked = request.POST.getlist("member")
    around |= {"given": request.POST, "ticked": ticked}
    meant = [one for one in members.parked if not ticked or one.ticked in ticked]
    try:
        shown = _decide(request, viewer, found, meant[:MEMBERS])
    except InputError as error:
        response = show(request, viewer, "nexum/dead_group.html", found, refused=error, **around)
        response.status_code = 422
        return response
    if shown.preview is not None:
        around["ticked"] = [one.ticked for one in meant[:MEMBERS]]  # these, and no later ones
        preview = {**shown.preview, "left": len(meant[MEMBERS:])}
        return show(request, viewer, "nexum/dead_group.html", found, preview=preview, **around)
    stays = found.group.count > len(shown.tried)  # what is tried again is no dead letter
    told: dict[str, object] = {"tenant": members.tenant} if stays else {}
    if shown.tried:
        refused = sum(bool(one.refused) for one in shown.tried)
        told |= Outcome(shown.what, len(shown.tried) - refused, refused, len(meant))._asdict()
    address = reverse("nexum:dead-group", args=[fingerprint]) if stays else reverse("nexum:dead")
    return HttpResponseRedirect(f"{address}?{urlencode(told)}", status=303)


def _decide(request: HttpRequest, viewer: Viewer, found: DeadDetail, members: Sequence[DeadLetter]) -> Shown:
    """Record what the form says, or give what it would do.

    Raises as `nexum.client.deadletters`, and `InputError` NX-F112 for a value that is no JSON, NX-R444 for a rate.
    """
    act, given, group, here = request.POST.get("act", ""), request.POST, found.group, connection()
    parked = [(one.run_id, one.cell) for one in members]
    by = By(viewer.name, given.get("why" if "skip" in act else "reason", ""))
    looking = act.startswith("preview")
    if act in ("retry", "preview"):
        if not (looking or by.reason.strip()):
            wanted = Problem("reason", "nothing", "why, in a sentence")
            raise InputError(f"the request is not complete: {wanted}", code="NX-R220", problems=(wanted,))
        rate = rate_of(given.get("rate", ""))
        tried = retry_all(here.store, parked, by, rate=rate, preview=looking, doorbell=here.doorbell)
        if not looking:
            return Shown(what="retry", tried=tried)
        return Shown({"what": "retry", "nodes": plan_retry(store(), members, [one.not_before for one in tried])})
    if act in ("skip", "preview-skip"):
        text = given.get("value", "")
        tried, readers = skip_all(
            here.store,
            parked,
            By(viewer.name, by.reason.strip() or "a preview") if looking else by,
            value=parse_json(text, "the value") if text.strip() else NOTHING,
            preview=looking,
            doorbell=here.doorbell,
            inline_max=here.settings.inline_max,
            max_payload=here.settings.max_payload,
        )
        if not looking:
            return Shown(what="skip", tried=tried)
        plan = plan_retry(store(), members, [0] * len(members))
        refused = tuple(one.refused for one in tried if one.refused)
        return Shown({"what": "skip", "nodes": plan, "readers": readers, "refused": refused})
    value, until = "", 0
    if act == "ignore":
        seconds = given.get("seconds", "")
        until = store().now() + int(seconds) * 1_000_000 if seconds in SPANS and seconds else 0
    elif act == "fixed":
        value = version_named(store(), group.workflow, given.get("version", ""))
    elif act == "assign":
        value = given.get("to", "")
    decide(store(), GroupDecision(group.tenant, group.fingerprint, act, viewer.name, by.reason, value, until))
    return Shown()


def _members(request: HttpRequest, fingerprint: str) -> Members:
    """The group of the address, and of the tenant there. Raises `NexumError` NX-R441, and NX-F111 without a tenant."""
    return find_members(store(), fingerprint, tenant=request.GET.get("tenant", ""))


def _outcome(request: HttpRequest) -> Outcome | None:
    """What the form before this page has done, as the address tells; None when it tells nothing."""
    what = request.GET.get("what", "")
    counts = [request.GET.get(name, "") for name in Outcome._fields[1:]]
    if what not in ("retry", "skip") or not all(text.isascii() and text.isdigit() and len(text) < 8 for text in counts):
        return None
    return Outcome(what, *map(int, counts))
