"""What every page does around its own work: check the viewer, render or spell, say what went wrong, set the headers."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from nexum.errors import ConfigurationError, InputError, NexumError, entry
from nexum.readouts.document import Document
from nexum.settings import Settings
from nexum_dashboard.access import ForbiddenError, Viewer, viewer_of
from nexum_dashboard.place import chosen

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
log = logging.getLogger("nexum.dashboard")
P = ParamSpec("P")
Work = Callable[Concatenate[HttpRequest, Viewer, P], HttpResponse]


class MissingError(NexumError):
    """What was asked for is not there; `near` are runs that may have been meant."""

    default_code = "NX-R404"

    def __init__(self, message: str, near: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.near = near


def page(work: Work[P]) -> Callable[..., HttpResponse]:
    """Make a page of a function of request and viewer."""

    @wraps(work)
    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return _sealed(HttpResponse(status=405, headers={"Allow": "GET, HEAD"}))
        try:
            viewer = viewer_of(request)
            if isinstance(viewer, HttpResponse):
                return _sealed(viewer)
            return _sealed(work(request, viewer, *args, **kwargs))
        except Http404:
            raise
        except NexumError as error:
            return _sealed(trouble(request, error))

    return answer


def show(request: HttpRequest, viewer: Viewer, template: str, document: Document, **more: Any) -> HttpResponse:
    """A document as a page, or as itself where JSON was asked for."""
    if wants_json(request):
        return spelled(document)
    return drawn(request, template, {"doc": document, "viewer": viewer, **_surroundings(chosen()), **more})


def drawn(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A template as a page. Whatever text was stored, the page can be encoded."""
    text = render_to_string(template, context, request)
    return HttpResponse(text.encode("utf-8", "backslashreplace"), status=status)


def spelled(document: Document, status: int = 200) -> HttpResponse:
    """A document as JSON."""
    return HttpResponse(document.written(), status=status, content_type="application/json")


def wants_json(request: HttpRequest) -> bool:
    """Whether the address ends in `.json`, or JSON is all that is accepted."""
    return request.path.endswith(".json") or request.headers.get("Accept", "").startswith("application/json")


def trouble(request: HttpRequest, error: NexumError) -> HttpResponse:
    """A page that says what failed, whether the data is safe, and what to do."""
    status = status_of(error)
    number = uuid.uuid4().hex[:12]
    if status >= 500:
        log.error("page %s failed, request %s: %s", request.path, number, error)
    known = entry(error.code)
    told = {
        "code": error.code,
        "title": known.title,
        "message": error.message,
        "why": error.why,
        "fixes": error.fixes,
        "request": number,
        "safe": status >= 500,
    }
    near = getattr(error, "near", ())
    if wants_json(request):
        return JsonResponse({"schema": "nexum.error/1", **told, "near": [run.run_id for run in near]}, status=status)
    context = {"error": {**told, "near": near}, "status": status}
    try:
        return drawn(request, "nexum/trouble.html", {**context, **_surroundings(chosen())}, status=status)
    except Exception:  # the settings may be the trouble, or the shop's template may want what is not there now
        log.exception("the page of request %s is shown without the shop's template", number)
        return drawn(request, "nexum/trouble.html", {**context, **_surroundings(Settings())}, status=status)


def _surroundings(settings: Settings) -> dict[str, Any]:
    """What the template around a page wants to know."""
    return {
        "brand": settings.dashboard.brand,
        "base_template": settings.dashboard.base_template or "nexum/base.html",
        "links": settings.dashboard.links,
        "flower_url": settings.flower_url,
    }


def status_of(error: NexumError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, MissingError):
        return 404
    if isinstance(error, ForbiddenError):
        return 403
    if isinstance(error, InputError):
        return 400
    return 503 if isinstance(error, ConfigurationError) or entry(error.code).exit_code == 69 else 500


def _sealed(response: HttpResponse) -> HttpResponse:
    response.headers.setdefault("Content-Security-Policy", CSP)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cache-Control", "no-store")
    return response
