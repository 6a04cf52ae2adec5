"""Errors as problem documents (RFC 9457): a type that can be opened, a code, and what to do."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, reverse
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel, Field

from nexum.core.canonical import legible
from nexum.errors import ConflictError, InputError, NexumError, entry
from nexum.errors.misfits import got
from nexum_dashboard.api.callers import UnknownCallerError
from nexum_dashboard.pages.respond import STATUSES, status_of, too_large

MEDIA_TYPE = "application/problem+json"
SHOWN = 200  # characters of an address
log = logging.getLogger("nexum.dashboard")


class FieldProblem(BaseModel):
    """One field that does not fit."""

    path: str = Field(description="where: `input.order_id`, `query.limit`")
    got: str = Field(description="the value received, shortened")
    wanted: str = Field(description="what would fit")


class ProblemView(BaseModel):
    """A problem document."""

    type: str = Field(description="address of the error's page")
    title: str
    status: int
    detail: str
    code: str = Field(pattern=r"^NX-[A-Z]\d{3}$")
    fixes: tuple[str, ...] = ()
    problems: tuple[FieldProblem, ...] = ()


def register(api: NinjaAPI) -> None:
    """Answer every error of the interface with a problem document."""

    @api.exception_handler(NexumError)
    def of_nexum(request: HttpRequest, error: NexumError) -> HttpResponse:
        problems = [
            FieldProblem(path=legible(p.path), got=legible(p.got), wanted=legible(p.wanted))
            for p in getattr(error, "problems", ())
        ]
        status = _status(error)
        if status >= 500:
            log.error("request %s %s failed: %s", request.method, request.path, error)
        return problem(error.code, status, error.message, fixes=error.fixes, problems=problems)

    @api.exception_handler(ValidationError)
    def of_parameters(request: HttpRequest, error: ValidationError) -> HttpResponse:
        problems = [_field(request, found) for found in error.errors]
        told = "; ".join(f"{p.path}: {p.wanted}" for p in problems[:3])
        return problem("NX-P400", 422, f"the request does not fit: {told}", problems=problems)

    @api.exception_handler(HttpError)
    def of_http(request: HttpRequest, error: HttpError) -> HttpResponse:
        return problem("NX-P400", error.status_code, str(error.message))

    @api.exception_handler(RequestDataTooBig)
    def of_size(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
        told = too_large(request, error)
        return problem(told.code, _status(told), told.message, fixes=told.fixes)

    @api.exception_handler(Http404)
    def of_nowhere(request: HttpRequest, error: Http404) -> HttpResponse:
        return nowhere(request)

    @api.exception_handler(Exception)
    def of_bug(request: HttpRequest, error: Exception) -> HttpResponse:
        number = uuid.uuid4().hex[:12]
        log.error("request %s %s failed, request %s", request.method, request.path, number, exc_info=error)
        told = f"{type(error).__name__} while answering; the log has its traceback under request {number}"
        return problem("NX-X100", 500, told)


def mounted(api: NinjaAPI) -> tuple[list[URLPattern | URLResolver], str, str]:
    """The interface for `path()`: as `api.urls`, with a problem for addresses of nothing and for methods that are not taken."""
    patterns, app, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = _answered(pattern.callback)
    return patterns, app, namespace


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    """The answer of an address below the interface that names nothing."""
    return problem("NX-P400", 404, f"there is nothing at {request.path[:SHOWN]}")


def _answered(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Http404:  # the root, which has nothing to show
            return nowhere(request)
        if response.status_code != 405:
            return response
        allowed = ", ".join(sorted(response.headers.get("Allow", "").replace(" ", "").split(",")))
        refused = problem("NX-P400", 405, f"{request.path[:SHOWN]} takes {allowed}, not {request.method}")
        refused.headers["Allow"] = allowed
        return refused

    return answer


def problem(
    code: str, status: int, detail: str, *, fixes: tuple[str, ...] = (), problems: list[FieldProblem] | None = None
) -> HttpResponse:
    """One problem document as a response."""
    known = entry(code)
    body = ProblemView(
        type=reverse("nexum:code", args=[code]),
        title=known.title,
        status=status,
        detail=legible(detail),
        code=code,
        fixes=fixes or known.mend,
        problems=tuple(problems or ()),
    )
    headers = {"WWW-Authenticate": 'Bearer realm="nexum"'} if status == 401 else {}
    return HttpResponse(body.model_dump_json(), status=status, content_type=MEDIA_TYPE, headers=headers)


def _status(error: NexumError) -> int:
    if isinstance(error, UnknownCallerError):
        return 401
    if error.code == "NX-D201" or error.code == "NX-R404":
        return 404
    if error.code == "NX-R409":
        return 409
    if error.code in STATUSES:
        return STATUSES[error.code]
    if isinstance(error, InputError) and error.code != "NX-P400":
        return 422
    return 409 if isinstance(error, ConflictError) and error.code == ConflictError.default_code else status_of(error)


def _field(request: HttpRequest, found: dict[str, Any]) -> FieldProblem:
    """One of Pydantic's findings, with the value that the request holds there: the framework has taken it out."""
    place = [part for part in found.get("loc", ()) if part != "given"]  # a name that only our code knows
    return FieldProblem(
        path=legible(".".join(map(str, place))), got=legible(_given(request, place)), wanted=str(found.get("msg", ""))
    )


def _given(request: HttpRequest, place: list[Any]) -> str:
    """What stands at a place of a request, shortened; `nothing` where nothing does."""
    source, *path = place or [""]
    if source == "body":
        held: Any = json.loads(request.body) if request.body else {}
    else:
        match = request.resolver_match
        held = {
            "query": request.GET,
            "path": match.kwargs if match is not None else {},
            "header": request.headers,
            "cookie": request.COOKIES,
        }.get(str(source), {})
    try:
        for part in path:
            held = held[part]
    except (LookupError, TypeError):
        return "nothing"
    return got(held)
