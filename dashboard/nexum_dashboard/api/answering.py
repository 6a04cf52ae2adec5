"""What operations of the REST interface share: who calls, which errors are promised, how a document is answered."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja.errors import HttpError

from nexum.readouts.document import Document
from nexum_dashboard.api.callers import Caller
from nexum_dashboard.api.problems import ProblemView


def errors(*statuses: int) -> dict[int, Any]:
    """The problem documents that an operation may answer with: those of every operation, and `statuses`."""
    return dict.fromkeys((400, 401, 403, 422, 500, 503, *statuses), ProblemView)


def caller_with(request: HttpRequest, scope: str) -> Caller:
    """Who calls. Raises `ForbiddenError` NX-P403 without the scope."""
    caller: Caller = request.auth  # type: ignore[attr-defined]  # django-ninja keeps there what `Bearer` gave
    caller.must(scope)
    return caller


def must_be_json(request: HttpRequest) -> None:
    """Raises `HttpError` 415 for a body that does not say that it is JSON."""
    if request.content_type != "application/json":
        raise HttpError(415, f"the body is {request.content_type or 'of no type'}; application/json is wanted")


def spelled(view: Document, status: int = 200) -> HttpResponse:
    """A document as JSON."""
    return HttpResponse(view.written(), status=status, content_type="application/json")
