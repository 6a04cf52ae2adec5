"""Dead letters over REST: the groups, one group, and setting it aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Body, Path, Query, Router
from pydantic import BaseModel, ConfigDict, Field

from nexum.client.deadletters import LONGEST_NAME, GroupDecision, Tried, decide, retry_all, skip_all, version_named
from nexum.client.desk import LONGEST
from nexum.client.interventions import NOTHING, By
from nexum.client.limits import LONGEST as LONGEST_TENANT
from nexum.client.spans import A_YEAR
from nexum.core.run.events import Cell
from nexum.errors import ConflictError, NexumError
from nexum.errors.misfits import got
from nexum.readouts.dead import ENDED, MEMBERS, DeadDetail, DeadList, plan_retry, read_dead, read_group
from nexum.readouts.document import Document, Instant, View
from nexum.readouts.letters import DeadLetter, Members, find_members
from nexum_dashboard.api.answering import caller_with, errors, must_be_json, spelled
from nexum_dashboard.place import connection, store

router = Router()
SHOWN = 5  # runs that a message names
Fingerprint = Annotated[str, Path(max_length=64, description="the group's name")]
OnlyTenant = Annotated[str, Query(max_length=LONGEST_TENANT, description="only those of this tenant")]
Tenant = Annotated[
    str,
    Query(max_length=LONGEST_TENANT, description="the group's tenant; needed where several have a group of this name"),
]


class IgnoreBody(BaseModel):
    """Why a group is set aside, and for how many seconds; 0 until somebody takes it back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST, examples=["the provider's outage of Tuesday"])
    seconds: int = Field(default=0, ge=0, le=A_YEAR, strict=True)


@router.get("", response={200: DeadList, **errors()}, operation_id="list_dead_letters", by_alias=True)
def list_dead_letters(
    request: HttpRequest,
    workflow: Annotated[str, Query(max_length=63, description="only those of this workflow")] = "",
    tenant: OnlyTenant = "",
    ignored: Annotated[bool, Query(description="also the groups that are set aside")] = True,
) -> HttpResponse:
    """Groups of dead letters, the one that was hit last first."""
    caller_with(request, "runs:read")
    return spelled(read_dead(store(), workflow=workflow, tenant=tenant, ignored=ignored))


@router.get(
    "/{fingerprint}", response={200: DeadDetail, **errors(404, 409)}, operation_id="get_dead_letters", by_alias=True
)
def get_dead_letters(request: HttpRequest, fingerprint: Fingerprint, tenant: Tenant = "") -> HttpResponse:
    """One group with its newest members; the traceback only when the token may read payloads."""
    caller, here = caller_with(request, "runs:read"), store()
    return spelled(read_group(here, find_members(here, fingerprint, tenant=tenant), may_read=caller.may_read))


@router.post(
    "/{fingerprint}/ignore",
    response={200: DeadDetail, **errors(404, 409, 413, 415)},
    operation_id="ignore_dead_letters",
    by_alias=True,
)
def ignore_dead_letters(
    request: HttpRequest, fingerprint: Fingerprint, given: Annotated[IgnoreBody, Body()], tenant: Tenant = ""
) -> HttpResponse:
    """Set a group aside; runs stay as they are."""
    until = store().now() + given.seconds * 1_000_000 if given.seconds else 0
    return _decided(request, _found(request, fingerprint, tenant), "ignore", given.reason, until=until)


class AcknowledgeBody(BaseModel):
    """Why a group needs nobody's attention until it fails again."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST, examples=["the bank mends it"])


class AssignBody(BaseModel):
    """Who looks into a group; "" for nobody."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(max_length=LONGEST_NAME, examples=["mika"])


class FixedBody(AcknowledgeBody):
    """The version in which a group was fixed, or its beginning."""

    version: str = Field(min_length=1, max_length=LONGEST_NAME, examples=["8f3a9d08"])


@router.post(
    "/{fingerprint}/acknowledge",
    response={200: DeadDetail, **errors(404, 409, 413, 415)},
    operation_id="acknowledge_dead_letters",
    by_alias=True,
)
def acknowledge_dead_letters(
    request: HttpRequest, fingerprint: Fingerprint, given: Annotated[AcknowledgeBody, Body()], tenant: Tenant = ""
) -> HttpResponse:
    """Say that a group is known; the next failure of the kind opens it again."""
    return _decided(request, _found(request, fingerprint, tenant), "acknowledge", given.reason)


@router.post(
    "/{fingerprint}/assign",
    response={200: DeadDetail, **errors(404, 409, 413, 415)},
    operation_id="assign_dead_letters",
    by_alias=True,
)
def assign_dead_letters(
    request: HttpRequest, fingerprint: Fingerprint, given: Annotated[AssignBody, Body()], tenant: Tenant = ""
) -> HttpResponse:
    """Say who looks into a group."""
    return _decided(request, _found(request, fingerprint, tenant), "assign", value=given.to)


@router.post(
    "/{fingerprint}/fixed",
    response={200: DeadDetail, **errors(404, 409, 413, 415)},
    operation_id="fix_dead_letters",
    by_alias=True,
)
def fix_dead_letters(
    request: HttpRequest, fingerprint: Fingerprint, given: Annotated[FixedBody, Body()], tenant: Tenant = ""
) -> HttpResponse:
    """Say in which version a group was fixed: it has regressed when it fails there, or in a version registered later."""
    members = _found(request, fingerprint, tenant)
    version = version_named(store(), members.letters[0].workflow, given.version)
    return _decided(request, members, "fixed", given.reason, value=version)


def _found(request: HttpRequest, fingerprint: str, tenant: str) -> Members:
    """The group that somebody may decide about. Raises what keeps them from it, NX-R441 and NX-F111."""
    caller_with(request, "operate")
    if request.method != "DELETE":
        must_be_json(request)
    return find_members(store(), fingerprint, tenant=tenant)


def _decided(
    request: HttpRequest, members: Members, what: str, reason: str = "", *, value: str = "", until: int = 0
) -> HttpResponse:
    caller, here = caller_with(request, "operate"), store()
    actor = f"token:{caller.name}"
    decide(here, GroupDecision(members.tenant, members.fingerprint, what, actor, reason, value, until))
    return spelled(read_group(here, members, may_read=caller.may_read))


RunIds = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=MEMBERS)]


class ChosenBody(BaseModel):
    """Which members of a group are meant, and why: those of `runs`, or all, and at most `limit`. A `preview` does nothing."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST, examples=["the provider is back"])
    limit: int = Field(default=100, ge=1, le=MEMBERS, strict=True)
    runs: RunIds = Field(default=[], description="ids of runs; none: all of the group")
    preview: bool = Field(default=False, strict=True)


class RetryBody(ChosenBody):
    """With a `rate` at most so many retries begin within a minute."""

    rate: int | None = Field(
        default=None, le=60_000, strict=True, description="retries per minute, at least 1; none: all at once"
    )


class SkipBody(ChosenBody):
    """`value` is put in place of what each node would have returned; without it, nodes that need it are skipped too."""

    value: Any = None


class TriedView(View):
    """One node that was to be tried again or skipped. `refused` says why it was not; "" when it was.

    A retry sends under `key`, the same as before ("" for what is no effect), at `start` (null: at once).
    """

    run_id: str
    node: str
    node_status: str
    refused: str
    tool: str
    key: str
    start: Instant


class RetriedView(Document):
    """What became of each parked node of the group; runs that have ended are not among them. A `preview` has done nothing.

    `readers` are the nodes that would read the value of a skip. `waiting` are all that were meant and waited for a person,
    `left` of which were not touched, because `limit` allows no more at once.
    """

    preview: bool
    nodes: tuple[TriedView, ...]
    readers: tuple[str, ...]
    waiting: int
    left: int


@router.post(
    "/{fingerprint}/retry",
    response={200: RetriedView, **errors(404, 409, 413, 415)},
    operation_id="retry_dead_letters",
    by_alias=True,
)
def retry_dead_letters(
    request: HttpRequest, fingerprint: Fingerprint, given: Annotated[RetryBody, Body()], tenant: Tenant = ""
) -> HttpResponse:
    """Try the parked nodes of a group again, newest first, each under its own key; a run that has failed has ended."""
    meant, here = _meant(_found(request, fingerprint, tenant), given), connection()
    tried = retry_all(
        here.store,
        _cells(meant[: given.limit]),
        _by(request, given),
        rate=given.rate,
        preview=given.preview,
        doorbell=here.doorbell,
    )
    return _told(meant, tried, preview=given.preview)


@router.post(
    "/{fingerprint}/skip",
    response={200: RetriedView, **errors(404, 409, 413, 415)},
    operation_id="skip_dead_letters",
    by_alias=True,
)
def skip_dead_letters(
    request: HttpRequest, fingerprint: Fingerprint, given: Annotated[SkipBody, Body()], tenant: Tenant = ""
) -> HttpResponse:
    """Go on without the parked nodes of a group, or with a value in their place, which is checked against all of them first."""
    meant, here = _meant(_found(request, fingerprint, tenant), given), connection()
    tried, readers = skip_all(
        here.store,
        _cells(meant[: given.limit]),
        _by(request, given),
        value=given.value if "value" in given.model_fields_set else NOTHING,
        preview=given.preview,
        doorbell=here.doorbell,
        inline_max=here.settings.inline_max,
        max_payload=here.settings.max_payload,
    )
    return _told(meant, tried, preview=given.preview, readers=readers)


def _meant(members: Members, given: ChosenBody) -> list[DeadLetter]:
    """The parked members that are meant, however many there are.

    Raises `NexumError` NX-R441 for runs that the group does not have, `ConflictError` NX-R443 when none of them waits.
    """
    known = {one.run_id for one in members.letters}
    unknown = [got(run_id) for run_id in given.runs if run_id not in known]
    if unknown:
        told = f"this group has no dead letter of {len(unknown)} of the runs: {', '.join(unknown[:SHOWN])}"
        fixes = ("name runs that the group lists, or none for all; nothing was done",)
        raise NexumError(told, code="NX-R441", fixes=fixes)
    meant = [one for one in members.parked if not given.runs or one.run_id in given.runs]
    if not meant:
        raise ConflictError(f"nothing that is meant waits for a person. {ENDED}", code="NX-R443")
    return meant


def _cells(letters: Sequence[DeadLetter]) -> list[tuple[str, Cell]]:
    return [(one.run_id, one.cell) for one in letters]


def _by(request: HttpRequest, given: ChosenBody) -> By:
    return By(f"token:{caller_with(request, 'operate').name}", given.reason)


def _told(meant: list[DeadLetter], tried: list[Tried], *, preview: bool, readers: tuple[str, ...] = ()) -> HttpResponse:
    planned = plan_retry(store(), meant[: len(tried)], [one.not_before for one in tried])
    nodes = tuple(
        TriedView(
            run_id=one.run_id,
            node=one.cell.path,
            node_status=one.node_status,
            refused=one.refused,
            tool=plan.tool,
            key=plan.key,
            start=plan.start,
        )
        for one, plan in zip(tried, planned, strict=True)
    )
    return spelled(
        RetriedView(
            form="nexum.dead-letters-retried/1",
            preview=preview,
            nodes=nodes,
            readers=readers,
            waiting=len(meant),
            left=len(meant) - len(tried),
        )
    )


@router.delete(
    "/{fingerprint}/ignore",
    response={200: DeadDetail, **errors(404, 409)},
    operation_id="notice_dead_letters",
    by_alias=True,
)
def notice_dead_letters(request: HttpRequest, fingerprint: Fingerprint, tenant: Tenant = "") -> HttpResponse:
    """Show a group again; safe to repeat."""
    return _decided(request, _found(request, fingerprint, tenant), "notice")
