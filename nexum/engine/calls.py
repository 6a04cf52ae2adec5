"""The calls of one attempt of a node that acts through IO: claimed before, recorded right after, found again later.

A call is a small effect with a claim, a record and a doubt of its own. Its fact goes through the inbox, so that it counts
whatever the node is about; the node's own end takes the slow path, behind the facts of its calls. No attempt ends while a
call of it has no known outcome: where the same key may be sent again the attempt failed and is made again, else the call is
in doubt, and its node with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from nexum.core.canonical import canonical_bytes, sha256_hex
from nexum.core.graph.nodes import Effect
from nexum.core.graph.workflow import AnyNode
from nexum.core.ids import call_key
from nexum.core.run.accept import SAFE_SHARE
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import Body, EffectInDoubt, Error, NodeCompleted
from nexum.core.run.places import call_of
from nexum.core.run.state import CellStatus, State
from nexum.crash import crash
from nexum.engine.changes import cell_of_task
from nexum.engine.patience import patiently
from nexum.engine.quiet import alive_until
from nexum.engine.reports import TEXT_MAX, Report, dedupe_of, keep, outcome_report
from nexum.engine.work import FIRST_TOKEN, Failed, Reported, Succeeded, Work
from nexum.errors import UnavailableError
from nexum.store.api import CallAnswer, CallClaim, EffectOutcome, Mail, OpenCall, Record, Store, TaskKey

READ = "read"  # the policy of a call that changes nothing
INPUT = "(input)"  # the name under which a business key's input is journaled; no handler can give it to a call
ANOTHER_CALL = "NX-E220"
UNKNOWN_CALL = "NX-E221"
STORED = "its provider answered with an error that it stores, and would only repeat it under the same key"


class Journal:
    """What an attempt of a node has journaled, and journals. May be used by any thread."""

    def __init__(self, store: Store, work: Work, *, session: str, actor: str, inline_max: int) -> None:
        self._store = store
        self._work = work
        self._session = session
        self._actor = actor
        self._inline_max = inline_max

    def key(self, name: str) -> str:
        """The key of a call; constant over attempts."""
        return call_key(self._work.key, name)

    def claim(self, name: str, arguments: str, *, policy: str, ttl: int) -> CallAnswer:
        """Ask whether a call may be made, and claim it; `arguments` is the hash over them, `ttl` in microseconds.

        "other": the business key of the node stands for another input, so no call of this one may be made. Raises `UnavailableError` when the database does not answer for half a minute.
        """
        if not self._is_for_this_input():
            return CallAnswer("other")
        call = self._call(name, arguments, policy, ttl)
        lost = False

        def claim() -> CallAnswer:
            nonlocal lost
            try:
                return self._store.claim_call(call._replace(again=lost))
            except UnavailableError:
                lost = True  # it may have been claimed all the same, and by nobody else
                raise

        return self._whole(patiently(claim))

    def find(self, name: str, arguments: str) -> CallAnswer:
        """What is journaled of a call that changes nothing."""
        call = self._call(name, arguments, READ, 0)
        return self._whole(patiently(lambda: self._store.find_call(call)))

    def record(self, name: str, token: int, result: bytes, *, reference: str) -> bool:
        """Make the result of a claimed call durable; False when somebody else has it meanwhile, and this is evidence."""
        where = {"run": self._work.task.run_id, "node": self._work.node.id, "call": name}
        crash("iocall.before_blob", **where)
        mail, inline = self._fact(name, result, reference)
        crash("iocall.after_blob", **where)
        digest = sha256_hex(result)
        outcome = EffectOutcome(self._work.tenant, self.key(name), token, "APPLIED", inline, digest, reference)
        made = Record(self._place(name), self._session, token, mail, outcome)
        return patiently(lambda: self._store.record(made)).recorded

    def keep(self, name: str, arguments: str, result: bytes) -> CallAnswer:
        """Make the result of a call that changes nothing durable; what was kept before stays, and is given."""
        mail, inline = self._fact(name, result, "", by="read")
        call = self._call(name, arguments, READ, 0)
        return self._whole(patiently(lambda: self._store.keep_call(call, inline, sha256_hex(result), mail)))

    def end(self, name: str, token: int, *, made: str, raw: bytes = b"") -> None:
        """A claimed call brought no result; `made` is "no" when it was certainly not made, else "unknown".

        "stored": its provider would only repeat its answer under the same key, so the call is in doubt from now on.
        """
        if made == "stored":
            work = self._work
            call = OpenCall(work.tenant, self.key(name), self._place(name).path, token, "CLAIMED", "", 0, 0)
            mail = doubt_mail(work.task, call, STORED, self._actor, work.trace)
            patiently(lambda: self._store.doubt_call(call, work.attempt, mail))
            return
        state = "FAILED" if made == "no" else "UNKNOWN"
        outcome = EffectOutcome(self._work.tenant, self.key(name), token, state, raw=raw[:TEXT_MAX])
        ended = Record(self._place(name), self._session, token, Mail(self._work.task.run_id, "", "", b""), outcome)
        patiently(lambda: self._store.end_call(ended))

    def _is_for_this_input(self) -> bool:
        """Whether the node's business key is this input's: the first run to make a call under it says which one that is."""
        work = self._work
        if not work.is_shared:
            return True
        return self.keep(INPUT, work.input_hash, canonical_bytes(work.input_hash)).state != "conflict"

    def _call(self, name: str, arguments: str, policy: str, ttl: int) -> CallClaim:
        work = self._work
        return CallClaim(
            parent=work.task,
            session=self._session,
            token=work.token,
            tenant=work.tenant,
            key=self.key(name),
            path=call_of(work.cell, name).path,
            input_hash=arguments,
            tool=work.node.tool if isinstance(work.node, Effect) else "",
            policy=policy,
            ttl=ttl,
        )

    def _place(self, name: str) -> TaskKey:
        return self._work.task._replace(path=call_of(self._work.cell, name).path)

    def _fact(self, name: str, result: bytes, reference: str, by: str = "call") -> tuple[Mail, bytes]:
        work = self._work
        ref, inline = patiently(lambda: keep(self._store, work.tenant, result, self._inline_max))
        cell = call_of(work.cell, name)
        body = NodeCompleted(cell, ref, attempt=work.attempt, by=by, reference=reference)
        mail = Mail(
            run_id=work.task.run_id,
            dedupe=f"call|{cell.path}|{cell.visit}|{cell.item}",
            type="NodeCompleted",
            body=encode_mail(body),
            payload=inline,
            actor=self._actor,
            trace=work.trace,
        )
        return mail, inline

    def _whole(self, answer: CallAnswer) -> CallAnswer:
        """The answer with its result, also where that is a blob."""
        if answer.state != "reuse" or answer.result:
            return answer
        found = patiently(lambda: self._store.blob(self._work.tenant, answer.result_hash))
        return answer._replace(result=found or b"")


def makes_calls(node: AnyNode) -> bool:
    """Whether a node's handler acts through journaled calls alone."""
    return isinstance(node, Effect) and node.io


def report_of(store: Store, work: Work, outcome: Reported, now: int, inline_max: int) -> Report:
    """The report of an attempt's outcome, for which payloads are written. Raises `UnavailableError`."""
    if makes_calls(work.node):
        return _with_calls(store, work, outcome, now, inline_max)
    key = work.key if isinstance(work.node, Effect) else ""
    return outcome_report(
        store,
        work.task,
        work.token,
        outcome,
        tenant=work.tenant,
        key=key,
        inline_max=inline_max,
        alive=alive_until(work),
        doubtful=work.doubtful,
    )


def _with_calls(store: Store, work: Work, outcome: Reported, now: int, inline_max: int) -> Report:
    """The report of an attempt in the light of its calls: of its outcome, of a failure that is made again, or of doubt.

    Doubt about calls is recorded here; the report says so of the node.
    """
    found = store.open_calls(work.task)
    if found and not (all(_may_repeat(call, _next_at(outcome, now)) for call in found) and _is_left(work, outcome)):
        doubted = _doubt_all(store, work.task, work.node, found, work.trace)
        if not doubted:  # all of them were recorded meanwhile
            return _with_calls(store, work, outcome, now, inline_max)
        why = f": {outcome.error.message}" if isinstance(outcome, Failed) else ""
        return Report(work.task, work.token, _in_doubt(work.task, doubted, why), b"", None)
    if found and isinstance(outcome, Succeeded):
        outcome = Failed(_unknown(work, found))
    if isinstance(outcome, Succeeded) and (left := _not_asked_for(store, work, outcome)):
        outcome = Failed(_contradicted(work, left))
    return outcome_report(store, work.task, work.token, outcome, tenant=work.tenant, key="", inline_max=inline_max)


def _may_repeat(call: OpenCall, at: int) -> bool:
    young = at - call.first_sent_at < call.ttl * SAFE_SHARE
    return call.policy == "dedupes" and call.state != "IN_DOUBT" and young


def _next_at(outcome: Reported, now: int) -> int:
    """The instant before which no other attempt begins, as far as the failed one has said."""
    return now + (outcome.retry_after if isinstance(outcome, Failed) else 0)


def _is_left(work: Work, outcome: Reported) -> bool:
    """Whether another attempt will follow."""
    retryable = outcome.error.retryable if isinstance(outcome, Failed) else True
    return retryable and work.attempt < work.node.retry.max_attempts


def _unknown(work: Work, found: Sequence[OpenCall]) -> Error:
    named = ", ".join(call.path for call in found)
    said = f"{work.node.id} returned although the outcome of {named} is not known"
    return Error(UNKNOWN_CALL, said, type="CallInDoubt", retryable=True)


def _not_asked_for(store: Store, work: Work, outcome: Succeeded) -> list[str]:
    """The calls that an earlier execution has made, and this one has not even asked for; most are the first one."""
    if work.attempt == 1 and work.deliveries == 1 and work.token == FIRST_TOKEN:
        return []
    asked = {call_of(work.cell, name).path for name in outcome.asked}
    return [path for path in store.made_calls(work.task) if path not in asked]


def _contradicted(work: Work, left: Sequence[str]) -> Error:
    said = f"{work.node.id} ran again and returned without making {', '.join(left)}, which it has made before"
    return Error(ANOTHER_CALL, said[:2_000], type="NonDeterministicEffect", retryable=False)


def doubts_of(state: State, task: TaskKey, node: AnyNode, calls: Sequence[OpenCall]) -> list[tuple[TaskKey, Body]]:
    """The facts that nobody knows whether these calls of a node were made, and last that of the node itself.

    What somebody has given up is no doubt any more.
    """
    facts: list[tuple[TaskKey, Body]] = []
    doubted = []
    for call in calls:
        place = task._replace(path=call.path)
        at = state.cells.get(cell_of_task(place))
        if at is None or not at.status.is_terminal:
            doubted.append(call)
        if at is None or at.status is CellStatus.ATTEMPT_FAILED:
            facts.append((place, EffectInDoubt(cell_of_task(place), task.attempt, _evidence(node))))
    return [*facts, (task, _in_doubt(task, doubted))] if doubted else []


def doubt_mail(task: TaskKey, call: OpenCall, evidence: str, actor: str, trace: str = "") -> Mail:
    """The fact that nobody knows whether a call was made."""
    place = task._replace(path=call.path)
    body = EffectInDoubt(cell_of_task(place), task.attempt, evidence)
    return Mail(task.run_id, dedupe_of(place, body), "EffectInDoubt", encode_mail(body), actor=actor, trace=trace)


def _doubt_all(store: Store, task: TaskKey, node: AnyNode, calls: Sequence[OpenCall], trace: str) -> Sequence[OpenCall]:
    """Put calls in doubt; gives those that are, the others were recorded meanwhile."""
    evidence = _evidence(node)
    return [
        call
        for call in calls
        if call.state == "IN_DOUBT"
        or store.doubt_call(call, task.attempt, doubt_mail(task, call, evidence, "engine", trace))
    ]


def _in_doubt(task: TaskKey, calls: Sequence[OpenCall], why: str = "") -> EffectInDoubt:
    evidence = "; ".join(f"{call.path} may have been made" for call in calls)
    return EffectInDoubt(cell_of_task(task), task.attempt, f"{evidence}{why}"[:2_000])


def _evidence(node: AnyNode) -> str:
    return f"{node.id} was to make it, and nothing tells whether it did"
