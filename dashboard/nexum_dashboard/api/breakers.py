"""Circuit breakers over REST: where each stands, and holding one open or closed."""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Body, Path, Router
from pydantic import BaseModel, ConfigDict, Field

from nexum.client.breakers import LONGEST_NAME, override
from nexum.client.desk import LONGEST
from nexum.client.spans import A_YEAR
from nexum.readouts.breakers import BreakerLine, BreakerList, line_of, read_breakers
from nexum.readouts.document import Document
from nexum_dashboard.api.answering import caller_with, errors, must_be_json, spelled
from nexum_dashboard.place import connection, store

router = Router()


class HoldBody(BaseModel):
    """How a breaker is held, why, and for how many seconds; 0 until somebody lets it decide for itself (auto)."""

    model_config = ConfigDict(extra="forbid")

    act: Literal["open", "close", "auto"]
    reason: str = Field(min_length=1, max_length=LONGEST, examples=["the provider announced maintenance"])
    seconds: int = Field(default=0, ge=0, le=A_YEAR, strict=True)


class BreakerView(Document):
    """One breaker."""

    breaker: BreakerLine


@router.get("", response={200: BreakerList, **errors()}, operation_id="list_breakers", by_alias=True)
def list_breakers(request: HttpRequest) -> HttpResponse:
    """The breakers that have counted a failure or been held, those that are open first."""
    caller_with(request, "runs:read")
    return spelled(read_breakers(store()))


@router.post(
    "/{path:name}", response={200: BreakerView, **errors(404, 413, 415)}, operation_id="hold_breaker", by_alias=True
)
def hold_breaker(
    request: HttpRequest,
    name: Annotated[str, Path(max_length=LONGEST_NAME, description="the breaker's name, such as stripe.refund")],
    given: Annotated[HoldBody, Body()],
) -> HttpResponse:
    """Hold a breaker open or closed, or let it decide for itself again."""
    caller = caller_with(request, "operate")
    must_be_json(request)
    here = store()
    after = override(
        here,
        name,
        given.act,
        actor=f"token:{caller.name}",
        reason=given.reason,
        seconds=given.seconds,
        tenant=connection().settings.tenant,
    )
    return spelled(BreakerView(form="nexum.breaker/1", breaker=line_of(after, here.now())))
