"""What every page does around its own work: check the viewer, render or spell, say what went wrong, set the headers."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings as django_settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.template.loader import render_to_string
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.csrf import csrf_exempt

from nexum.errors import ConfigurationError, InputError, NexumError, entry
from nexum.readouts.document import Document
from nexum.settings import Settings
from nexum.store.doubts import count_doubts
from nexum_dashboard.access import ForbiddenError, Viewer, viewer_of
from nexum_dashboard.place import chosen, store

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
log = logging.getLogger("nexum.dashboard")
STATUSES = {
    "NX-E211": 409,
    "NX-E232": 409,
    "NX-E404": 404,
    "NX-E409": 409,
    "NX-E411": 409,
    "NX-E412": 409,
    "NX-F111": 409,
    "NX-R103": 413,
    "NX-R222": 404,
    "NX-R441": 404,
    "NX-R443": 409,
}
P = ParamSpec("P")
Work = Callable[Concatenate[HttpRequest, Viewer, P], HttpResponse]


class MissingError(NexumError):
    """What was asked for is not there; `near` are runs that may have been meant."""

    default_code = "NX-R404"

    def __init__(self, message: str, near: tuple[Any, ...] = (), *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.near = near


def page(work: Work[P]) -> Callable[..., HttpResponse]:
    """Make a page of a function of request and viewer. It changes nothing, and no other method than GET is taken."""
    return _guarded(work, ("GET", "HEAD"))


def form(work: Work[P]) -> Callable[..., HttpResponse]:
    """Make a page with forms of a function of request and viewer: a POST without the page's own token is refused.

    The check does not depend on the shop's middleware.
    """
    return _Checked.around(_guarded(work, ("GET", "HEAD", "POST")))


class _Checked(CsrfViewMiddleware):
    """Django's check of forms, whose refusal is a page like every other one."""

    @classmethod
    def around(cls, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """The view behind this check instead of the shop's own, which would answer before it in other words."""
        checked = decorator_from_middleware(cls)(view)

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return cast("HttpResponse", checked(request, *args, **kwargs))
            except (RequestDataTooBig, TooManyFieldsSent) as error:  # found by whoever reads the form first: the check
                return _sealed(trouble(request, too_large(request, error)))

        return cast("Callable[..., HttpResponse]", csrf_exempt(answer))

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        told = "the form did not come from this page, or the page is older than the sign-in"
        why = "Otherwise any page that you open in the same browser could decide in your name."
        fixes = ("load the page again and repeat what you did; nothing was recorded",)
        return _sealed(trouble(request, ForbiddenError(told, why=why, fixes=fixes)))


def _guarded(work: Work[P], methods: tuple[str, ...]) -> Callable[..., HttpResponse]:
    @wraps(work)
    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method not in methods:
            return _sealed(HttpResponse(status=405, headers={"Allow": ", ".join(methods)}))
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
    context = {"doc": document, "viewer": viewer, "needs": Needs(), **_surroundings(chosen()), **more}
    return drawn(request, template, context)


class Needs:
    """How much waits for a person, for the navigation; read when a template asks, which fragments do not."""

    @cached_property
    def doubts(self) -> int:
        """Effects in doubt, at most 101."""
        return count_doubts(store(), most=100)


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


def too_large(request: HttpRequest, found: SuspiciousOperation) -> InputError:
    """The error NX-R103 for a request that Django refuses to read for its size."""
    name = "DATA_UPLOAD_MAX_MEMORY_SIZE" if isinstance(found, RequestDataTooBig) else "DATA_UPLOAD_MAX_NUMBER_FIELDS"
    size = f"{request.headers.get('Content-Length') or 'too many'} bytes"
    has = size if isinstance(found, RequestDataTooBig) else "too many fields"
    told = f"the body has {has}; Django's {name} allows {getattr(django_settings, name)}"
    fixes = (f"raise {name} in Django's settings", *entry("NX-R103").mend)
    return InputError(told, code="NX-R103", fixes=fixes)


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
    if error.code in STATUSES:
        return STATUSES[error.code]
    if isinstance(error, InputError):
        return 400
    return 503 if isinstance(error, ConfigurationError) or entry(error.code).exit_code == 69 else 500


def _sealed(response: HttpResponse) -> HttpResponse:
    response.headers.setdefault("Content-Security-Policy", CSP)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cache-Control", "no-store")
    return response
