"""Effects in doubt: the list, one of them, and what a person may find out about it.

Nothing here makes a new key. A decision is checked and recorded by `nexum.client.doubts`; what comes too late is answered
with 409 and what happened instead.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from nexum.client.asking import ask_provider
from nexum.client.doubts import NOTHING, Decision, resolve
from nexum.client.interventions import By
from nexum.client.json_text import parse_json
from nexum.client.suspicions import acknowledge
from nexum.core.run.events import Cell
from nexum.errors import ConflictError, InputError, NexumError, UnavailableError
from nexum.readouts.doubt import UNKNOWN, DoubtDetail, DoubtList, read_doubt, read_doubts
from nexum_dashboard.access import RESOLVE_EFFECT, ForbiddenError, Viewer
from nexum_dashboard.pages.respond import MissingError, form, page, show, spelled
from nexum_dashboard.place import connection, store

GIVEN = ("reason", "reference", "response", "link")


@page
def doubt_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What waits for somebody to find out."""
    found, around = _listed()
    return show(request, viewer, "nexum/doubts.html", found, **around)


@page
def doubt_list_live(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The rows again when one has come or gone."""
    found, around = _listed()
    if around["pulse"] == request.GET.get("after", ""):
        return HttpResponse(status=204)
    return show(request, viewer, "nexum/_doubts_live.html", found, **around)


@page
def doubt_document(request: HttpRequest, viewer: Viewer, key: str) -> HttpResponse:
    """The page as its view-model."""
    return spelled(_found(viewer, key))


@form
def doubt_page(request: HttpRequest, viewer: Viewer, key: str) -> HttpResponse:
    """One effect; POST records a decision about it."""
    found = _found(viewer, key)
    if request.method != "POST":
        return show(request, viewer, "nexum/doubt.html", found, unknown=UNKNOWN)
    if not viewer.may_resolve:
        raise ForbiddenError(f"{viewer.name} does not have the permission {RESOLVE_EFFECT}")
    try:
        _decide(request, viewer, found)
    except (InputError, ConflictError, UnavailableError) as error:
        if isinstance(error, UnavailableError) and error.code != "NX-W203":  # the database, which the page needs too
            raise
        return _again(request, viewer, key, error)
    return HttpResponseRedirect(reverse("nexum:doubt", args=[key]), status=303)


def _listed() -> tuple[DoubtList, dict[str, Any]]:
    found = read_doubts(store())
    seen = [(line.key, line.attempt) for line in found.effects]
    pulse = hashlib.sha256(repr((seen, found.more_than, len(found.suspected), found.alarms)).encode()).hexdigest()[:16]
    return found, {"pulse": pulse, "live": reverse("nexum:doubts-live")}


def _found(viewer: Viewer, key: str) -> DoubtDetail:
    found = read_doubt(store(), key, may_read=viewer.may_read)
    if found is None:
        raise MissingError(f"there is no effect {key[:80]!r}", code="NX-E404")
    return found


def _decide(request: HttpRequest, viewer: Viewer, found: DoubtDetail) -> None:
    """Record what the form says, or have the provider asked.

    Raises as `nexum.client.doubts.resolve` and `nexum.client.asking.ask_provider`, and `InputError` NX-F112 for what is no
    JSON.
    """
    asked, here, effect = request.POST, connection(), found.effect
    cell = Cell(effect.path, effect.visit, effect.item)
    if asked.get("outcome") == "acknowledge":
        acknowledge(here.store, effect.key, By(viewer.name, asked.get("reason", "")), doorbell=here.doorbell)
        return
    if asked.get("outcome") == "ask":
        why = "asked from the page"
        ask_provider(here.store, effect.run_id, cell, actor=viewer.name, reason=why, doorbell=here.doorbell)
        return
    happened = asked.get("outcome") == "happened"
    text = asked.get("response", "")
    response = parse_json(text, "the response") if happened and text.strip() else NOTHING
    seen = asked.get("attempt", "")
    if found.held and seen != str(effect.attempt):
        told = f"attempt {effect.attempt} is in doubt now; the page that was sent showed attempt {seen[:12] or 'none'}"
        raise ConflictError(told, code="NX-E409")
    decision = Decision(
        effect.run_id,
        cell,
        asked.get("outcome", ""),
        actor=viewer.name,
        reason=asked.get("reason", ""),
        reference=asked.get("reference", "").strip() if happened else "",
        response=response,
        link=asked.get("link", "").strip(),
        confirms=_number(asked.get("confirms", "")),
    )
    settings = here.settings
    resolve(
        here.store,
        decision,
        four_eyes=settings.four_eyes,
        doorbell=here.doorbell,
        inline_max=settings.inline_max,
        max_payload=settings.max_payload,
    )


def _number(text: str) -> int:
    """The event that a form names; 0 for none, and for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _again(request: HttpRequest, viewer: Viewer, key: str, error: NexumError) -> HttpResponse:
    """The page with what was wrong, and with what had been typed."""
    given = {name: request.POST.get(name, "") for name in GIVEN}
    around = {"unknown": UNKNOWN, "refused": error, "chosen": request.POST.get("outcome", ""), "given": given}
    response = show(request, viewer, "nexum/doubt.html", _found(viewer, key), **around)
    response.status_code = 422 if isinstance(error, InputError) else 409
    return response
