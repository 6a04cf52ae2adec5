"""What people do to runs over REST: cancel, terminate, and retry, skip or fail a node. Each needs a reason, and is an event."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Body, Path, Router
from pydantic import BaseModel, ConfigDict, Field

from nexum.client.desk import LONGEST
from nexum.client.interventions import NOTHING, By, Done, cancel, fail, retry, skip, terminate
from nexum.core.run.events import Cell
from nexum.readouts.document import Document
from nexum.store import reading
from nexum_dashboard.api.answering import caller_with, errors, must_be_json, spelled
from nexum_dashboard.pages.respond import MissingError
from nexum_dashboard.place import connection, store

router = Router()


class Why(BaseModel):
    """Why somebody acts; it stays in the run's history."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST, examples=["the customer withdrew"])
    last_seq: int = Field(
        default=0,
        ge=0,
        le=2**53,
        strict=True,
        description="the run's last event when it was looked at: 409 when it went on",
    )


class CancelBody(Why):
    """A cancellation. Without `compensate`, what the run has done stays done."""

    compensate: bool = True


class RetryBody(Why):
    """Another attempt now."""

    reason: str = Field(default="", max_length=LONGEST)


class SkipBody(Why):
    """Going on without a node. `value` is what it would have returned; without it, nodes that need it are skipped too."""

    value: Any = None


class ActedView(Document):
    """What came of it. `event_seq` is 0 when somebody else holds the run, who takes the request up in a moment.

    `in_flight` and `in_doubt` are the effects of a terminated run that were under way, and that may have happened.
    """

    run_id: str
    node: str
    node_status: str
    run_status: str
    event_seq: int
    suspended: bool
    in_flight: tuple[str, ...]
    in_doubt: tuple[str, ...]


RunId = Annotated[str, Path(max_length=64)]
NodePath = Annotated[str, Path(max_length=200, examples=["refund", "refund/undo"])]
_ANSWERS = {200: ActedView, **errors(404, 409, 413, 415)}


@router.post("/runs/{run_id}/cancel", response=_ANSWERS, operation_id="cancel_run", by_alias=True)
def cancel_run(request: HttpRequest, run_id: RunId, given: Annotated[CancelBody, Body()]) -> HttpResponse:
    """Ask a run to end: nothing new begins, effects under way are awaited, and what was done is undone."""
    by, here = _by(request, run_id, given), connection()
    return _told(cancel(here.store, run_id, by, compensate=given.compensate, doorbell=here.doorbell))


@router.post("/runs/{run_id}/terminate", response=_ANSWERS, operation_id="terminate_run", by_alias=True)
def terminate_run(request: HttpRequest, run_id: RunId, given: Annotated[Why, Body()]) -> HttpResponse:
    """End a run at once: nothing is awaited, nothing undone."""
    by, here = _by(request, run_id, given), connection()
    return _told(terminate(here.store, run_id, by, doorbell=here.doorbell))


@router.post("/runs/{run_id}/nodes/{path:node}/retry", response=_ANSWERS, operation_id="retry_node", by_alias=True)
def retry_node(
    request: HttpRequest, run_id: RunId, node: NodePath, given: Annotated[RetryBody, Body()]
) -> HttpResponse:
    """Try a node now that waits for its time, or that is parked; under the same key."""
    by, here = _by(request, run_id, given), connection()
    return _told(retry(here.store, run_id, Cell(node), by, doorbell=here.doorbell))


@router.post("/runs/{run_id}/nodes/{path:node}/skip", response=_ANSWERS, operation_id="skip_node", by_alias=True)
def skip_node(request: HttpRequest, run_id: RunId, node: NodePath, given: Annotated[SkipBody, Body()]) -> HttpResponse:
    """Go on without a node, or with a value in its place; an effect that may have acted is not skipped."""
    by, here = _by(request, run_id, given), connection()
    value = given.value if "value" in given.model_fields_set else NOTHING
    limits = {"inline_max": here.settings.inline_max, "max_payload": here.settings.max_payload}
    return _told(skip(here.store, run_id, Cell(node), by, value=value, doorbell=here.doorbell, **limits))


@router.post("/runs/{run_id}/nodes/{path:node}/fail", response=_ANSWERS, operation_id="fail_node", by_alias=True)
def fail_node(request: HttpRequest, run_id: RunId, node: NodePath, given: Annotated[Why, Body()]) -> HttpResponse:
    """Let a node fail for good, as if its attempts were used up; an undo is given up."""
    by, here = _by(request, run_id, given), connection()
    return _told(fail(here.store, run_id, Cell(node), by, doorbell=here.doorbell))


def _by(request: HttpRequest, run_id: str, given: Why) -> By:
    """Who acts, and why. Raises what keeps them from it, and `MissingError` where there is no such run."""
    caller = caller_with(request, "operate")
    must_be_json(request)  # which a form of a foreign page cannot send
    if reading.find_run(store(), run_id) is None:
        raise MissingError(f"there is no run {run_id[:80]!r}")
    return By(f"token:{caller.name}", given.reason, given.last_seq)


def _told(done: Done) -> HttpResponse:
    view = ActedView(
        form="nexum.acted/1",
        run_id=done.run_id,
        node=done.cell.path,
        node_status=done.node_status,
        run_status=done.run_status,
        event_seq=done.seq,
        suspended=done.suspended,
        in_flight=tuple(cell.path for cell in done.in_flight),
        in_doubt=tuple(cell.path for cell in done.in_doubt),
    )
    return spelled(view)
