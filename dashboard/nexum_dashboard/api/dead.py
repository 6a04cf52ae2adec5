"""Dead letters over REST: the groups, one group, and setting it aside."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Body, Path, Query, Router
from pydantic import BaseModel, ConfigDict, Field

from nexum.client.deadletters import Ignoring, ignore, notice, retry_all
from nexum.client.desk import LONGEST
from nexum.client.interventions import By
from nexum.core.run.events import Cell
from nexum.readouts.dead import MEMBERS, DeadDetail, DeadList, read_dead, read_group
from nexum.readouts.document import Document, View
from nexum_dashboard.api.answering import caller_with, errors, must_be_json, spelled
from nexum_dashboard.pages.respond import MissingError
from nexum_dashboard.place import connection, store

router = Router()
A_YEAR = 366 * 86_400  # seconds
Fingerprint = Annotated[str, Path(max_length=64, description="the group's name")]


class IgnoreBody(BaseModel):
    """Why a group is set aside, and for how many seconds; 0 until somebody takes it back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST, examples=["the provider's outage of Tuesday"])
    seconds: int = Field(default=0, ge=0, le=A_YEAR, strict=True)


@router.get("", response={200: DeadList, **errors()}, operation_id="list_dead_letters", by_alias=True)
def list_dead_letters(
    request: HttpRequest,
    workflow: Annotated[str, Query(max_length=63, description="only those of this workflow")] = "",
    ignored: Annotated[bool, Query(description="also the groups that are set aside")] = True,
) -> HttpResponse:
    """Groups of dead letters, the one that was hit last first."""
    caller_with(request, "runs:read")
    return spelled(read_dead(store(), workflow=workflow, ignored=ignored))


@router.get("/{fingerprint}", response={200: DeadDetail, **errors(404)}, operation_id="get_dead_letters", by_alias=True)
def get_dead_letters(request: HttpRequest, fingerprint: Fingerprint) -> HttpResponse:
    """One group with its newest members; the traceback only when the token may read payloads."""
    return spelled(_found(fingerprint, may_read=caller_with(request, "runs:read").may_read))


@router.post(
    "/{fingerprint}/ignore",
    response={200: DeadDetail, **errors(404, 413, 415)},
    operation_id="ignore_dead_letters",
    by_alias=True,
)
def ignore_dead_letters(
    request: HttpRequest, fingerprint: Fingerprint, given: Annotated[IgnoreBody, Body()]
) -> HttpResponse:
    """Set a group aside; runs stay as they are."""
    caller = caller_with(request, "operate")
    must_be_json(request)
    group = _found(fingerprint, may_read=False).group
    until = store().now() + given.seconds * 1_000_000 if given.seconds else 0
    ignore(store(), Ignoring(group.tenant, group.fingerprint, f"token:{caller.name}", given.reason, until))
    return spelled(_found(fingerprint, may_read=caller.may_read))


class RetryBody(BaseModel):
    """Why the group is tried again, and how many of its members at most."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST, examples=["the provider is back"])
    limit: int = Field(default=100, ge=1, le=MEMBERS, strict=True)


class TriedView(View):
    """One node that was to be tried again. `refused` says why it was not; "" when it was."""

    run_id: str
    node: str
    node_status: str
    refused: str


class RetriedView(Document):
    """What became of each parked node of the group; runs that have ended are not among them."""

    nodes: tuple[TriedView, ...]


@router.post(
    "/{fingerprint}/retry",
    response={200: RetriedView, **errors(404, 413, 415)},
    operation_id="retry_dead_letters",
    by_alias=True,
)
def retry_dead_letters(
    request: HttpRequest, fingerprint: Fingerprint, given: Annotated[RetryBody, Body()]
) -> HttpResponse:
    """Try the parked nodes of a group again, newest first, each under its own key; a run that has failed has ended."""
    caller = caller_with(request, "operate")
    must_be_json(request)
    members = _found(fingerprint, may_read=False).members
    parked = [(one.run_id, Cell(one.node, one.visit, one.item)) for one in members if one.parked][: given.limit]
    here = connection()
    tried = retry_all(here.store, parked, By(f"token:{caller.name}", given.reason), doorbell=here.doorbell)
    nodes = tuple(
        TriedView(run_id=one.run_id, node=one.cell.path, node_status=one.node_status, refused=one.refused)
        for one in tried
    )
    return spelled(RetriedView(form="nexum.dead-letters-retried/1", nodes=nodes))


@router.delete(
    "/{fingerprint}/ignore",
    response={200: DeadDetail, **errors(404)},
    operation_id="notice_dead_letters",
    by_alias=True,
)
def notice_dead_letters(request: HttpRequest, fingerprint: Fingerprint) -> HttpResponse:
    """Show a group again; safe to repeat."""
    caller = caller_with(request, "operate")
    group = _found(fingerprint, may_read=False).group
    notice(store(), group.tenant, group.fingerprint)
    return spelled(_found(fingerprint, may_read=caller.may_read))


def _found(fingerprint: str, *, may_read: bool) -> DeadDetail:
    found = read_group(store(), fingerprint, may_read=may_read)
    if found is None:
        raise MissingError(f"there is no group of dead letters {fingerprint[:40]!r}", code="NX-R441")
    return found
