"""Effects in doubt over REST: which there are, one with its evidence, and what somebody has found out about it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Body, Path, Query, Router
from pydantic import BaseModel, ConfigDict, Field

from nexum.client.asking import ask_provider
from nexum.client.desk import LONGEST
from nexum.client.doubts import NOTHING, Decision, resolve
from nexum.client.interventions import By
from nexum.client.suspicions import acknowledge
from nexum.core.run.events import Cell
from nexum.readouts.document import Document
from nexum.readouts.doubt import MOST, DoubtDetail, DoubtList, read_doubt, read_doubts
from nexum_dashboard.api.answering import caller_with, errors, must_be_json, spelled
from nexum_dashboard.pages.respond import MissingError
from nexum_dashboard.place import connection, store

router = Router()
LAST = 2**53  # a number of an event that JSON can spell everywhere
Key = Annotated[str, Path(max_length=200, description="the whole idempotency key")]


class DecisionBody(BaseModel):
    """What somebody found out. `response` is required when it happened, and must fit the effect's output.

    No outcome makes a new key: what did not happen is sent again under the same one.
    """

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["happened", "did_not_happen", "abandon"]
    reason: str = Field(min_length=1, max_length=LONGEST, examples=["seen in the provider's console"])
    reference: str = Field(default="", max_length=LONGEST, description="the provider's own name for what happened")
    link: str = Field(default="", max_length=LONGEST, description="the address of what was seen, http or https")
    response: Any = Field(default=None, description="what the handler would have returned")
    confirms: int = Field(
        default=0, ge=0, le=LAST, strict=True, description="the event that is confirmed, `proposed.seq`"
    )
    last_seq: int = Field(
        default=0, ge=0, le=LAST, strict=True, description="the run's last event when it was looked at"
    )


class ResolvedView(Document):
    """What the decision led to. `seq` is its event; 0 when whoever holds the run takes it up in a moment.

    `pending`: it waits for a second person to decide the same.
    """

    run_id: str
    node: str
    key: str
    outcome: str
    seq: int
    node_status: str
    run_status: str
    pending: bool


class AskedView(Document):
    """A request to ask the provider. `asking` counts them; 0 when whoever holds the run takes it up in a moment."""

    run_id: str
    node: str
    key: str
    asking: int


@router.get("/in-doubt", response={200: DoubtList, **errors()}, operation_id="list_effects_in_doubt", by_alias=True)
def list_effects_in_doubt(
    request: HttpRequest,
    workflow: Annotated[str, Query(max_length=63, description="only those of this workflow")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> HttpResponse:
    """The effects in doubt, the longest held first."""
    caller_with(request, "runs:read")
    return spelled(read_doubts(store(), workflow=workflow, limit=limit))


@router.get(
    "/in-doubt/{key}", response={200: DoubtDetail, **errors(404)}, operation_id="get_effect_in_doubt", by_alias=True
)
def get_effect_in_doubt(request: HttpRequest, key: Key) -> HttpResponse:
    """One effect with its evidence, in doubt or no longer; what was asked only when the token may read payloads."""
    return spelled(_found(key, may_read=caller_with(request, "runs:read").may_read))


@router.post(
    "/in-doubt/{key}/resolve",
    response={200: ResolvedView, **errors(404, 409, 413, 415)},
    operation_id="resolve_effect",
    by_alias=True,
)
def resolve_effect(request: HttpRequest, key: Key, given: Annotated[DecisionBody, Body()]) -> HttpResponse:
    """Record what became of an effect in doubt: 409, with what happened instead, when it is in doubt no longer.

    For a tool of the setting `four_eyes` the decision is `pending` until another person decides the same.
    """
    caller = caller_with(request, "operate")
    must_be_json(request)
    effect, here = _found(key, may_read=False).effect, connection()
    decision = Decision(
        effect.run_id,
        Cell(effect.path, effect.visit, effect.item),
        given.outcome,
        actor=f"token:{caller.name}",
        reason=given.reason,
        reference=given.reference,
        link=given.link,
        response=given.response if "response" in given.model_fields_set else NOTHING,
        confirms=given.confirms,
        last_seq=given.last_seq,
    )
    settings = here.settings
    done = resolve(
        here.store,
        decision,
        four_eyes=settings.four_eyes,
        doorbell=here.doorbell,
        inline_max=settings.inline_max,
        max_payload=settings.max_payload,
    )
    return spelled(
        ResolvedView(
            form="nexum.effect-resolved/1",
            run_id=done.run_id,
            node=done.cell.path,
            key=done.key,
            outcome=done.outcome,
            seq=done.seq,
            node_status=done.node_status,
            run_status=done.run_status,
            pending=done.pending,
        )
    )


@router.post(
    "/in-doubt/{key}/ask",
    response={202: AskedView, **errors(404, 409)},
    operation_id="ask_provider",
    by_alias=True,
)
def ask(request: HttpRequest, key: Key) -> HttpResponse:
    """Have a worker ask the provider, through the effect's `reconcile=`: 202; 409 when it has none or is in doubt no longer.

    503 when no worker of the run's version is alive. What came of it stands in the effect's evidence.
    """
    caller = caller_with(request, "operate")
    effect, here = _found(key, may_read=False).effect, connection()
    cell = Cell(effect.path, effect.visit, effect.item)
    actor = f"token:{caller.name}"
    asked = ask_provider(here.store, effect.run_id, cell, actor=actor, reason="asked over REST", doorbell=here.doorbell)
    view = AskedView(form="nexum.effect-asked/1", run_id=asked.run_id, node=cell.path, key=key, asking=asked.number)
    return spelled(view, 202)


class AcknowledgeBody(BaseModel):
    """What somebody found who has looked into what may have been done twice."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST, examples=["the second charge was refunded by hand"])


@router.post(
    "/in-doubt/{key}/acknowledge",
    response={200: DoubtDetail, **errors(404, 409, 413, 415)},
    operation_id="acknowledge_duplicate",
    by_alias=True,
)
def acknowledge_duplicate(request: HttpRequest, key: Key, given: Annotated[AcknowledgeBody, Body()]) -> HttpResponse:
    """Say that an effect which may have been done twice was looked into: it stays listed and raises no alarm; 409 when none does."""
    caller = caller_with(request, "operate")
    must_be_json(request)
    effect, here = _found(key, may_read=False).effect, connection()
    acknowledge(here.store, effect.key, By(f"token:{caller.name}", given.reason), doorbell=here.doorbell)
    return spelled(_found(key, may_read=caller.may_read))


def _found(key: str, *, may_read: bool) -> DoubtDetail:
    found = read_doubt(store(), key, may_read=may_read)
    if found is None:
        raise MissingError(f"there is no effect {key[:80]!r}", code="NX-E404")
    return found
