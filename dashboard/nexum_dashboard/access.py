"""Who may see what. Staff with permissions in a shop; everybody where there is no login because the settings say so.

`nexum.view_run` opens lists and pages, `nexum.view_payload` the bodies: inputs, outputs, prompts, tracebacks.
`nexum.resolve_effect` decides about effects in doubt, `nexum.control_run` about runs: dead letters, breakers; skipping a node
needs `nexum.rewind_run`, and ending a run for good `nexum.terminate_run`. Who is signed in and not staff gets 404, so that the
pages do not tell that they exist. `NEXUM_NO_LOGIN = True` in Django's settings opens everything to everybody: it is for
`nexum dev`, on a machine of one's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url

from nexum.errors import ConflictError

VIEW_RUN = "nexum.view_run"
VIEW_PAYLOAD = "nexum.view_payload"
RESOLVE_EFFECT = "nexum.resolve_effect"
CONTROL_RUN = "nexum.control_run"
REWIND_RUN = "nexum.rewind_run"
TERMINATE_RUN = "nexum.terminate_run"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at a page."""

    name: str
    may_view: bool
    may_read: bool
    may_resolve: bool = False
    may_control: bool = False
    may_rewind: bool = False
    may_terminate: bool = False


class ForbiddenError(ConflictError):
    """The viewer is known and may not do this."""

    default_code = "NX-P403"


def is_open() -> bool:
    """Whether there is no login here."""
    return bool(getattr(settings, "NEXUM_NO_LOGIN", False))


def viewer_of(request: HttpRequest) -> Viewer | HttpResponse:
    """Who looks, or the way to the login page (401 for a fragment, which must not be replaced by a login form).

    Raises `Http404` for somebody who is signed in and not staff, `ForbiddenError` NX-P403 for staff without `view_run`.
    """
    if is_open():
        return Viewer("local", True, True, True, True, True, True)
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        if request.headers.get("HX-Request"):
            return HttpResponse(status=401)
        # Not Django's own helper: its module wants the models of users, which a site without login does not have.
        way = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': request.get_full_path()})}"
        return HttpResponseRedirect(way)
    if not user.is_active or not user.is_staff:
        raise Http404
    if not user.has_perm(VIEW_RUN):
        raise ForbiddenError(f"{user.get_username()} does not have the permission {VIEW_RUN}")
    return Viewer(
        user.get_username(),
        may_view=True,
        may_read=user.has_perm(VIEW_PAYLOAD),
        may_resolve=user.has_perm(RESOLVE_EFFECT),
        may_control=user.has_perm(CONTROL_RUN),
        may_rewind=user.has_perm(REWIND_RUN),
        may_terminate=user.has_perm(TERMINATE_RUN),
    )
