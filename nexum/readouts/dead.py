"""Dead letters, grouped: the same failure of the same node is one line, however many runs it has hit.

A group is found by the fingerprint of its failures (`nexum.core.run.fingerprint`). The newest `READ` dead letters are read;
`more_than` says that there are more, which then count in no group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nexum.core.canonical import from_bytes
from nexum.core.ids import short
from nexum.core.run.events import Cell
from nexum.core.run.fingerprint import acting, fingerprint, normalised
from nexum.readouts.deciding import Place, occurrences, state_of
from nexum.readouts.document import Document, ErrorView, Instant, View
from nexum.store.deadletters import DecisionRow, LetterRow, group_decisions_of, last_failure, letters, registrations
from nexum.store.reading import effects_of
from nexum.store.verbs import Verbs

READ = 5_000
MEMBERS = 200  # of one group, that are listed
POISON = "NX-R206"
RETRIED = (
    "A retry makes one more attempt of the same visit, with the same inputs and, for an effect, under the same key."
)
ENDED = "Its run has ended: what is over is not begun again. Start a new run once the cause is mended."


class DeadLetter(View):
    """One failure. `parked`: its run waits for a person; else the run has failed and ended, by event `seq`."""

    run_id: str
    tenant: str
    workflow: str
    version: str
    run_key: str
    subject: str
    node: str
    visit: int
    item: int
    parked: bool
    code: str
    message: str
    at: Instant
    seq: int

    @property
    def short_id(self) -> str:
        """The end of the run's id."""
        return self.run_id[-8:]

    @property
    def node_id(self) -> str:
        """The node of the graph."""
        return self.node.partition("/")[0]

    @property
    def cell(self) -> Cell:
        """Where it stands in its run."""
        return Cell(self.node, self.visit, self.item)

    @property
    def ticked(self) -> str:
        """What a form says for it."""
        return f"{self.run_id} {self.visit} {self.item} {self.node}"

    @property
    def place(self) -> str:
        """What `nexum dlq retry` takes."""
        return f"{self.run_id}/{self.node}"


class DeadGroup(View):
    """One kind of failure. `message` is the newest, `pattern` what all have in common; `parked` of `count` still wait.

    `state` is open, acknowledged (until it fails again), ignored (until `until`, null while nobody has named an end), fixed (in the
    version `fixed_in`) or regressed (it has failed there, or in a later version); `by` whom and for which `reason`. `assigned` is the
    user who looks into it. `only`: one version has it, and older ones do not. `occurrences` are counts in equal spans from the
    first failure until now. `poison`: it killed the processes that tried.
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
    """One group: its newest members, and the newest failure with its traceback for those who may read payloads."""

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
    now = store.now()
    groups = _grouped(found[:READ], group_decisions_of(store), registrations(store), now)
    shown = tuple(group for group, _ in groups if ignored or group.state != "ignored")
    return DeadList(
        form="nexum.dead-letters/1", groups=shown, letters=min(len(found), READ), more_than=len(found) > READ, now=now
    )


def read_group(store: Verbs, name: str, *, may_read: bool) -> DeadDetail | None:
    """One group by its fingerprint; None when nothing that failed has it."""
    now = store.now()
    decisions = group_decisions_of(store)
    groups = _grouped(letters(store, limit=READ), decisions, registrations(store), now)
    found = next((held for held in groups if held[0].fingerprint == name), None)
    if found is None:
        return None
    group, members = found
    newest = members[0]
    return DeadDetail(
        form="nexum.dead-letter-group/1",
        group=group,
        members=tuple(members[:MEMBERS]),
        sample=_sample(store, newest, may_read=may_read),
        decisions=tuple(
            DecisionView(**{field: getattr(row, field) for field in DecisionView.model_fields})
            for row in decisions
            if (row.tenant, row.fingerprint) == (group.tenant, group.fingerprint)
        ),
        now=now,
    )


def _grouped(
    found: Iterable[LetterRow],
    decisions: Iterable[DecisionRow],
    registered: Mapping[tuple[str, str], int],
    now: int,
) -> list[tuple[DeadGroup, list[DeadLetter]]]:
    """Groups with their members, the one that was hit last first; tenants share none."""
    kept: dict[tuple[str, str], list[DeadLetter]] = {}
    for row in found:
        letter = letter_of(row)
        name = fingerprint(letter.workflow, letter.node, letter.code, letter.message)
        kept.setdefault((letter.tenant, name), []).append(letter)
    about: dict[tuple[str, str], list[DecisionRow]] = {}
    for decision in decisions:
        about.setdefault((decision.tenant, decision.fingerprint), []).append(decision)
    return [(_group(place[1], mine, about.get(place, []), registered, now), mine) for place, mine in kept.items()]


def _group(
    name: str,
    members: list[DeadLetter],
    decisions: list[DecisionRow],
    registered: Mapping[tuple[str, str], int],
    now: int,
) -> DeadGroup:
    newest = members[0]
    places = [Place(member.at, member.version) for member in members]
    known = {version: at for (workflow, version), at in registered.items() if workflow == newest.workflow}
    affected = dict.fromkeys(member.version for member in members)
    older = [at for version, at in known.items() if at < known.get(newest.version, 0)]
    state = state_of(decisions, places, known, now)
    return DeadGroup(
        fingerprint=name,
        tenant=newest.tenant,
        workflow=newest.workflow,
        node=acting(newest.node),
        code=newest.code,
        message=newest.message,
        pattern=normalised(newest.message),
        count=len(members),
        parked=sum(member.parked for member in members),
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


def letter_of(row: LetterRow) -> DeadLetter:
    """An end as a dead letter: a failed run names the cell where its first cause arose."""
    body = _body(row.body)
    error = body.get("error") or {}
    parked = row.type == "NodeParked"
    path, visit, item = (row.path, row.visit, row.item) if parked else _cell(body.get("cell"))
    return DeadLetter(
        run_id=row.run_id,
        tenant=row.tenant,
        workflow=row.workflow,
        version=row.version,
        run_key=row.run_key,
        subject=row.subject,
        node=path,
        visit=visit,
        item=item,
        parked=parked,
        code=str(error.get("code", "")),
        message=str(error.get("message", "")),
        at=row.at,
        seq=row.seq,
    )


def _sample(store: Verbs, letter: DeadLetter, *, may_read: bool) -> ErrorView:
    body = _body(last_failure(store, letter.run_id, letter.node) or b"{}")
    error = body.get("error") or {}
    return ErrorView(
        code=letter.code,
        message=letter.message,
        type=str(error.get("type", "")),
        retryable=bool(error.get("retryable", False)),
        trace=str(error.get("trace", "")) if may_read else "",
    )


def _body(data: bytes) -> Mapping[str, Any]:
    """What an event says; nothing when it is damaged, which the page of its run tells."""
    try:
        found = from_bytes(data)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _cell(found: object) -> tuple[str, int, int]:
    path, visit, item = [*found, *("", 1, -1)[len(found) :]] if isinstance(found, list) else ("", 1, -1)
    return str(path), int(visit), int(item)
