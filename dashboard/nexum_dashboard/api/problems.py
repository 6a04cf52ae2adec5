"""Errors as problem documents (RFC 9457): a type that can be opened, a code, and what to do."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel, Field

from nexum.errors import ConflictError, InputError, NexumError, entry
from nexum_dashboard.api.callers import UnknownCallerError
from nexum_dashboard.pages.respond import status_of

MEDIA_TYPE = "application/problem+json"
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
        problems = [FieldProblem(path=p.path, got=p.got, wanted=p.wanted) for p in getattr(error, "problems", ())]
        status = _status(error)
        if status >= 500:
            log.error("request %s %s failed: %s", request.method, request.path, error)
        return problem(error.code, status, error.message, fixes=error.fixes, problems=problems)

    @api.exception_handler(ValidationError)
    def of_parameters(request: HttpRequest, error: ValidationError) -> HttpResponse:
        problems = [_field(found) for found in error.errors]
        told = "; ".join(f"{p.path}: {p.wanted}" for p in problems[:3])
        return problem("NX-P400", 422, f"the request does not fit: {told}", problems=problems)

    @api.exception_handler(HttpError)
    def of_http(request: HttpRequest, error: HttpError) -> HttpResponse:
        return problem("NX-P400", error.status_code, str(error.message))


def problem(
    code: str, status: int, detail: str, *, fixes: tuple[str, ...] = (), problems: list[FieldProblem] | None = None
) -> HttpResponse:
    """One problem document as a response."""
    known = entry(code)
    body = ProblemView(
        type=reverse("nexum:code", args=[code]),
        title=known.title,
        status=status,
        detail=detail.encode("utf-8", "replace").decode(),
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
    if isinstance(error, InputError) and error.code != "NX-P400":
        return 422
    return 409 if isinstance(error, ConflictError) and error.code == ConflictError.default_code else status_of(error)


def _field(found: dict[str, Any]) -> FieldProblem:
    """One of Pydantic's findings, without the names that only our code knows."""
    path = ".".join(str(part) for part in found.get("loc", ()) if part != "given")
    got = repr(found.get("input", ""))[:80].encode("utf-8", "replace").decode()
    return FieldProblem(path=path, got=got, wanted=str(found.get("msg", "")))
