"""The operations of the REST interface."""

from __future__ import annotations

import copy
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Body, Header, NinjaAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from nexum import __version__
from nexum.client.limits import FIRST, LAST, LONGEST, SUBJECT, is_traceparent
from nexum.client.start import StartRequest
from nexum.errors import InputError, Problem
from nexum.readouts.document import Document
from nexum.readouts.events import EventDetail, EventList, read_event, read_events
from nexum.readouts.node import NodeDetail, read_node
from nexum.readouts.run import RunDetail, read_run
from nexum.readouts.runs import MOST, RunList, read_runs
from nexum.readouts.versions import VersionList, read_versions
from nexum.store import reading
from nexum.store.reading import RunRow
from nexum_dashboard.api import acting, breakers, dead, doubts
from nexum_dashboard.api.answering import caller_with, errors, must_be_json, spelled
from nexum_dashboard.api.callers import Bearer
from nexum_dashboard.api.problems import MEDIA_TYPE, register
from nexum_dashboard.pages.respond import MissingError
from nexum_dashboard.place import connection, store

ABOUT = "Start runs of Nexum, act on them, and read where they stand. Times are RFC 3339 in UTC, durations seconds."
REPEATED = "idempotency-key:"  # before the header's value, in the run key that it makes
BIGGEST = (1 << 63) - 1


class StartBody(BaseModel):
    """A run to start. `input` must fit the input schema of the workflow's default version."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, max_length=63, examples=["RefundAgent"])
    input: Any = Field(examples=[{"order_id": "1042"}])
    run_key: str = Field(
        default="", max_length=LONGEST, description="the same key with the same input names the same run"
    )
    subject: str = Field(
        default="", max_length=LONGEST, pattern=SUBJECT, description="what the run is about, such as shop.Order:1042"
    )
    priority: int = Field(default=0, ge=FIRST, le=LAST, description="lower is sooner")


class StartedView(Document):
    """The run that was started, or that the key names."""

    run_id: str
    existing: bool
    url: str


class Api(NinjaAPI):
    """NinjaAPI, whose document says that errors are problem documents."""

    def get_openapi_schema(self, **options: Any) -> Any:
        """The OpenAPI document."""
        schema = super().get_openapi_schema(**options)
        told = copy.deepcopy(schema)
        for operations in told["paths"].values():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    content = response.get("content", {})
                    if int(status) >= 400 and "application/json" in content:
                        content[MEDIA_TYPE] = content.pop("application/json")
        schema.update(told)
        return schema


api = Api(
    title="Nexum",
    version=__version__,
    description=ABOUT,
    urls_namespace="nexum:api",
    docs_url=None,  # the usual page of documentation loads scripts from elsewhere
    auth=Bearer(),
)
register(api)
api.add_router("/effects", doubts.router)
api.add_router("/dead-letters", dead.router)
api.add_router("", acting.router)
api.add_router("/breakers", breakers.router)

RunId = Annotated[str, Path(max_length=64, examples=["0198c2a4-0000-7000-8000-000000000000"])]


@api.post(
    "/runs",
    response={200: StartedView, 201: StartedView, **errors(404, 409, 413, 415)},
    operation_id="start_run",
    by_alias=True,
)
def start_run(
    request: HttpRequest,
    given: Annotated[StartBody, Body()],
    idempotency_key: Annotated[str, Header(alias="Idempotency-Key", max_length=LONGEST - len(REPEATED))] = "",
) -> HttpResponse:
    """Start a run: 201; 200 when the key names a run with the same input already, 409 when with another.

    Without `run_key`, the header `Idempotency-Key` makes the request safe to repeat.
    """
    caller = caller_with(request, "runs:start")
    must_be_json(request)
    key = given.run_key or (f"{REPEATED}{idempotency_key}" if idempotency_key else "")
    here = connection()
    asked = StartRequest(
        workflow=given.workflow,
        input=given.input,
        run_key=key,
        subject=given.subject,
        tenant=here.settings.tenant,
        trace=_trace(request),
        actor=f"token:{caller.name}",
        priority=given.priority,
    )
    started = here.start(asked)
    url = reverse("nexum:run", args=[started.run_id])
    view = StartedView(form="nexum.started/1", run_id=started.run_id, existing=started.existing, url=url)
    response = spelled(view, 200 if started.existing else 201)
    response["Location"] = reverse("nexum:api:get_run", args=[started.run_id])
    return response


@api.get("/runs", response={200: RunList, **errors()}, operation_id="list_runs", by_alias=True)
def list_runs(
    request: HttpRequest,
    q: Annotated[str, Query(max_length=500, description="the filter language of the list of runs")] = "",
    after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
) -> HttpResponse:
    """Runs, newest first."""
    caller_with(request, "runs:read")
    found = read_runs(store(), q, after=after, limit=limit)
    if found.problems:
        told = tuple(Problem(f"q: {p.text[:80]}", p.text[:80], p.nearest or p.message) for p in found.problems)
        raise InputError(found.problems[0].message, code="NX-P400", problems=told)
    return spelled(found)


@api.get(
    "/runs/{run_id}",
    response={200: RunDetail, **errors(404)},
    operation_id="get_run",
    url_name="get_run",
    by_alias=True,
)
def get_run(request: HttpRequest, run_id: RunId) -> HttpResponse:
    """One run, with its nodes; input and result when the token may read payloads."""
    caller = caller_with(request, "runs:read")
    found = read_run(store(), run_id, may_read=caller.may_read)
    if found is None:
        raise MissingError(f"there is no run {run_id!r}")
    return spelled(found)


@api.get("/runs/{run_id}/events", response={200: EventList, **errors(404)}, operation_id="list_events", by_alias=True)
def list_events(
    request: HttpRequest,
    run_id: RunId,
    after: Annotated[int, Query(ge=0, le=BIGGEST, description="`next` of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    node: Annotated[str, Query(max_length=200, description="only events of this node")] = "",
) -> HttpResponse:
    """A run's events, oldest first."""
    caller_with(request, "runs:read")
    run = _run(run_id)
    return spelled(read_events(store(), run_id, last_seq=run.last_seq, after=after, limit=limit, node=node))


@api.get(
    "/runs/{run_id}/events/{seq}", response={200: EventDetail, **errors(404)}, operation_id="get_event", by_alias=True
)
def get_event(request: HttpRequest, run_id: RunId, seq: Annotated[int, Path(ge=1, le=BIGGEST)]) -> HttpResponse:
    """One event; its body and payloads only when the token may read payloads."""
    caller = caller_with(request, "runs:read")
    run = _run(run_id)
    found = read_event(store(), run_id, run.tenant, seq, last_seq=run.last_seq, may_read=caller.may_read)
    if found is None:
        raise MissingError(f"run {run_id} has no event {seq}; its last one is {run.last_seq}")
    return spelled(found)


@api.get(
    "/runs/{run_id}/nodes/{node_id}", response={200: NodeDetail, **errors(404)}, operation_id="get_node", by_alias=True
)
def get_node(request: HttpRequest, run_id: RunId, node_id: Annotated[str, Path(max_length=63)]) -> HttpResponse:
    """One node of a run: attempts, input, output, error."""
    caller = caller_with(request, "runs:read")
    found = read_node(store(), run_id, node_id, may_read=caller.may_read)
    if found is None:
        raise MissingError(f"there is no run {run_id!r} with a node {node_id!r}")
    return spelled(found)


@api.get("/versions", response={200: VersionList, **errors()}, operation_id="list_versions", by_alias=True)
def list_versions(request: HttpRequest) -> HttpResponse:
    """What is installed, how many runs are on each version, and who serves it."""
    caller_with(request, "runs:read")
    return spelled(read_versions(store()))


def _run(run_id: str) -> RunRow:
    found = reading.find_run(store(), run_id)
    if found is None:
        raise MissingError(f"there is no run {run_id!r}")
    return found


def _trace(request: HttpRequest) -> str:
    """The caller's W3C trace context, if it is one."""
    given = request.headers.get("traceparent", "")
    return given if is_traceparent(given) else ""
