"""What a claim met under its business key: a result to take, or an act that forbids this one.

A result is another run's, or another node's, and perhaps of another version. It is held against this node's output before it
is taken: nobody after this node has been built to read anything else. Where it does not fit, nothing is sent, for the act is
made. An act that its run has begun to undo is nobody's any more: under the same key the provider would repeat its first
answer. And to undo what another run has taken is a person's to decide.
"""

from __future__ import annotations

from datetime import UTC, datetime

from nexum.core.canonical import from_bytes
from nexum.core.graph.nodes import Effect
from nexum.core.graph.workflow import AnyNode
from nexum.core.run.events import AttemptFailed, Error, NodeCompleted
from nexum.core.schema import problems
from nexum.core.values import BLOB, HERE, Ref
from nexum.engine.changes import cell_of_task
from nexum.engine.reports import Report
from nexum.errors import InternalError
from nexum.store.api import Claimed, Store


def met_report(store: Store, node: AnyNode, claimed: Claimed, *, tenant: str) -> Report | None:
    """The report of a claim whose key is recorded, contradicted or used up; None for every other claim.

    Raises `InternalError` NX-S121 when the recorded result is gone.
    """
    if claimed.effect == "reuse":
        return _taken(store, node, claimed, tenant)
    if claimed.effect == "conflict":
        other = f"by {claimed.holder}" if claimed.holder else "before"
        return _refused(
            claimed, "NX-E205", f"the business key of {claimed.key.path} was used {other} with another input"
        )
    if claimed.effect == "undone":
        since = datetime.fromtimestamp(claimed.undo_from // 1_000_000, UTC).isoformat()
        why = f"{claimed.holder} did {claimed.key.path} under this business key and began to undo it at {since}"
        return _refused(claimed, "NX-E208", f"{why}; nothing was sent")
    if claimed.effect == "taken":
        deed, who = claimed.key.path.removesuffix("/undo"), claimed.holder or "another run"
        return _refused(claimed, "NX-E302", f"{who} has taken the result of {deed} under its business key")
    return None


def _taken(store: Store, node: AnyNode, claimed: Claimed, tenant: str) -> Report:
    ref, inline = Ref(claimed.result_hash, len(claimed.result), HERE), claimed.result
    data: bytes | None = inline
    if not inline:
        data = store.blob(tenant, claimed.result_hash)
        ref = Ref(claimed.result_hash, len(data or b""), BLOB)
    if data is None:
        told = f"the result that {claimed.holder or 'an earlier attempt'} left under the key is missing"
        raise InternalError(told, code="NX-S121", where=f"run {claimed.key.run_id}")
    found = problems(node.output, from_bytes(data)) if isinstance(node, Effect) and claimed.holder else ()
    if found:
        told = "; ".join(map(str, found[:3]))
        why = f"{claimed.key.path} may not take what {claimed.holder} left under its business key: {told}; nothing was sent"
        return _refused(claimed, "NX-E207", why)
    message = NodeCompleted(
        cell_of_task(claimed.key),
        ref,
        attempt=claimed.key.attempt,
        by="reuse",
        reference=claimed.reference,
        source=claimed.holder.partition("/")[0],
    )
    return Report(claimed.key, claimed.token, message, inline, None)


def _refused(claimed: Claimed, code: str, why: str) -> Report:
    failed = AttemptFailed(cell_of_task(claimed.key), claimed.key.attempt, Error(code, why))
    return Report(claimed.key, claimed.token, failed, b"", None)
