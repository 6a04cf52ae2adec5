"""Dead letters, grouped: the same failure of the same node is one line, however many runs it has hit.

A group is found by the fingerprint of its failures (`nexum.core.run.fingerprint`). A list reads the newest `READ`
dead letters; `more_than` says that there are more, which then count in no group of the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nexum.core.ids import short
from nexum.core.run.fingerprint import acting, normalised
from nexum.readouts.deciding import Place, occurrences, state_of
from nexum.readouts.document import Document, ErrorView, Instant, View
from nexum.readouts.letters import READ, DeadLetter, Members, body_of, by_group
from nexum.store.deadletters import DecisionRow, group_decisions_of, last_failure, letters, registrations
from nexum.store.reading import effects_of
from nexum.store.verbs import Verbs

MEMBERS = 200  # of one group, that are listed; and at most so many are acted on at once from a page or over REST
POISON = "NX-R206"
RETRIED = (
    "A retry makes one more attempt of the same visit, with the same inputs and, for an effect, under the same key."
)
ENDED = "Its run has ended: what is over is not begun again. Start a new run once the cause is mended."


class DeadGroup(View):
    """One kind of failure. `message` is the newest, `pattern` what all have in common; `parked` of `count` still wait.

    `state` is open, acknowledged (until it fails again), ignored (until `until`, null while nobody has named an end), fixed
    (in the version `fixed_in`) or regressed (it has failed there, or in a later version); `by` whom and for which `reason`.
    `assigned` is the user who looks into it. `only`: one version has it, and older ones do not. `occurrences` are counts in
    equal spans from the first failure until now. `poison`: it killed the processes that tried.
    """

    fingerprint: str
    tenant: str
    workflow: str
    node: str
    code: str
    message: str
    pattern: str
    count: int
    parked: int
    first_seen: Instant
    last_seen: Instant
    versions: tuple[str, ...]
    poison: bool
    state: str
    until: Instant
    by: str
    reason: str
    assigned: str
    fixed_in: str
    reopened: bool
    only: bool
    occurrences: tuple[int, ...]


class DecisionView(View):
    """What somebody has decided about a group, and when."""

    what: str
    value: str
    until: Instant
    actor: str
    reason: str
    at: Instant


class DeadList(Document):
    """Groups of dead letters, the one that was hit last at the top."""

    groups: tuple[DeadGroup, ...]
    letters: int
    more_than: bool
    now: Instant


class DeadDetail(Document):
    """One group: its members, and the newest failure with its traceback for those who may read payloads.

    Of the members the newest are listed, those that wait for a person first; `group.count` says how many there are.
    """

    group: DeadGroup
    members: tuple[DeadLetter, ...]
    sample: ErrorView
    decisions: tuple[DecisionView, ...]
    now: Instant


class PlannedNode(View):
    """One node that would be tried again at `start` (null: at once). `key` is that of its effect, the same as before; "" for none."""

    run_id: str
    run_key: str
    node: str
    tool: str
    key: str
    start: Instant

    @property
    def short_id(self) -> str:
        """The end of the run's id."""
        return self.run_id[-8:]


def plan_retry(store: Verbs, members: Sequence[DeadLetter], starts: Sequence[int]) -> tuple[PlannedNode, ...]:
    """What trying these members again would send, and when; one query."""
    acts = {(e.run_id, e.path, e.visit, e.item): e for e in effects_of(store, [one.run_id for one in members])}
    found = [
        (one, start, acts.get((one.run_id, one.node, one.visit, one.item)))
        for one, start in zip(members, starts, strict=True)
    ]
    return tuple(
        PlannedNode(
            run_id=one.run_id,
            run_key=one.run_key,
            node=one.node,
            tool=act.tool if act is not None else "",
            key=act.key if act is not None else "",
            start=start,
        )
        for one, start, act in found
    )


def read_dead(store: Verbs, *, workflow: str = "", tenant: str = "", ignored: bool = True) -> DeadList:
    """The groups, four queries; only those of a workflow or tenant when named, and those set aside unless told not to."""
    found = letters(store, workflow=workflow, tenant=tenant, limit=READ + 1)
    now, registered = store.now(), registrations(store)
    about: dict[tuple[str, str], list[DecisionRow]] = {}
    for decision in group_decisions_of(store):
        about.setdefault((decision.tenant, decision.fingerprint), []).append(decision)
    groups = [
        _group(Members(*place, tuple(mine)), about.get(place, []), registered, now)
        for place, mine in by_group(found[:READ]).items()
    ]
    shown = tuple(group for group in groups if ignored or group.state != "ignored")
    return DeadList(
        form="nexum.dead-letters/1", groups=shown, letters=min(len(found), READ), more_than=len(found) > READ, now=now
    )


def read_group(store: Verbs, members: Members, *, may_read: bool) -> DeadDetail:
    """A group as it stands after what was decided about it; three queries."""
    now = store.now()
    decisions = group_decisions_of(store, members.tenant, members.fingerprint)
    return DeadDetail(
        form="nexum.dead-letter-group/1",
        group=_group(members, decisions, registrations(store), now),
        members=tuple(sorted(members.letters, key=lambda letter: not letter.parked)[:MEMBERS]),
        sample=_sample(store, members.letters[0], may_read=may_read),
        decisions=tuple(
            DecisionView(**{field: getattr(row, field) for field in DecisionView.model_fields}) for row in decisions
        ),
        now=now,
    )


def _group(
    its: Members, decisions: list[DecisionRow], registered: Mapping[tuple[str, str], int], now: int
) -> DeadGroup:
    members, newest = its.letters, its.letters[0]
    places = [Place(member.at, member.version) for member in members]
    known = {version: at for (workflow, version), at in registered.items() if workflow == newest.workflow}
    affected = dict.fromkeys(member.version for member in members)
    older = [at for version, at in known.items() if at < known.get(newest.version, 0)]
    state = state_of(decisions, places, known, now)
    return DeadGroup(
        fingerprint=its.fingerprint,
        tenant=newest.tenant,
        workflow=newest.workflow,
        node=acting(newest.node),
        code=newest.code,
        message=newest.message,
        pattern=normalised(newest.message),
        count=len(members),
        parked=len(its.parked),
        first_seen=min(member.at for member in members),
        last_seen=newest.at,
        versions=tuple(short(version) for version in affected),
        poison=newest.code == POISON,
        state=state.state,
        until=state.until,
        by=state.by,
        reason=state.reason,
        assigned=state.assigned,
        fixed_in=short(state.fixed_in) if state.fixed_in else "",
        reopened=state.reopened,
        only=len(affected) == 1 and bool(older),
        occurrences=occurrences(places, now),
    )


def _sample(store: Verbs, letter: DeadLetter, *, may_read: bool) -> ErrorView:
    body = body_of(last_failure(store, letter.run_id, letter.node) or b"{}")
    error = body.get("error") or {}
    return ErrorView(
        code=letter.code,
        message=letter.message,
        type=str(error.get("type", "")),
        retryable=bool(error.get("retryable", False)),
        trace=str(error.get("trace", "")) if may_read else "",
    )
