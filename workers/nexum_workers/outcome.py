"""From what a handler did to an outcome. Pure: the same exception always gives the same value.

For an effect the question is what the exception proves, and what the status of an answer does: that is for `provider=`
to say. `NotSent`, a refused connection and a name that does not resolve prove that nothing left this machine.
`NonRetryable`, `Fail` and `RetryAfter`, raised on purpose, are declared answers: the other side refused without acting.
Everything else, answers with a status, time-outs and broken connections above all, proves nothing: the outcome is unknown.
`retry_on=` and `never_on=` say what is worth another attempt, and never what was sent.

An effect that returned something which cannot be recorded *has acted*. Its attempt fails with `sent="yes"` and an error that
forbids a retry, so that no policy and no answer of its provider sends it again; what it returned stands in `raw`, spelled as
far as possible, for the person who then resolves the doubt as happened.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Iterable
from types import TracebackType

import orjson
from pydantic import ValidationError

from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import Dedupes, Doubt
from nexum.core.graph.workflow import AnyNode
from nexum.core.run.accept import SERVER_ERROR
from nexum.core.run.events import Error
from nexum.engine.work import Failed
from nexum.errors import Answered, Fail, HandlerError, NexumError, NonRetryable, NotSent, RetryAfter, entry
from nexum.errors.misfits import told

TEXT_MAX = 16_384  # bytes of message and traceback together
MESSAGE_MAX = 4_096  # bytes of the message alone
_SECOND = 1_000_000
_OURS = ("nexum_workers.", "nexum.")  # packages whose frames say nothing about a handler
_ADDRESS = re.compile(r"\n *For further information visit https://errors\.pydantic\.dev\S*")

_NEVER_LEFT = frozenset(
    {
        "builtins.ConnectionRefusedError",
        "socket.gaierror",
        "httpx.ConnectError",
        "httpx.ConnectTimeout",
        "httpx.PoolTimeout",
        "httpx.UnsupportedProtocol",
        "requests.exceptions.ConnectTimeout",
        "urllib3.exceptions.NewConnectionError",
        "aiohttp.client_exceptions.ClientConnectorError",
    }
)
_STATUSES = (  # of an error of this class: the attribute that holds the response ("": the error itself), and its status
    ("httpx.HTTPStatusError", "response", "status_code"),
    ("requests.exceptions.HTTPError", "response", "status_code"),
    ("aiohttp.client_exceptions.ClientResponseError", "", "status"),
    ("urllib.error.HTTPError", "", "code"),
)


def failure(error: BaseException, node: AnyNode, *, began: bool = True, policy: Doubt | None = None) -> Failed:
    """The outcome of an attempt that ended with an exception; `began` tells whether the handler had been called.

    `policy` is what the provider that raised it promises, where that is not the node's.
    """
    promised = policy or (node.doubt if isinstance(node, Effect) else None)
    sent = _sent(error, promised) if began and _acts(node) else "no"
    seconds = error.seconds if isinstance(error, RetryAfter) else 0.0
    status = status_of(error) if isinstance(node, Effect) else 0
    described = _described(error, node, is_refused=is_refusal(error, promised))
    return Failed(described, sent=sent, retry_after=max(0, round(seconds * _SECOND)), status=status)


def status_of(error: BaseException) -> int:
    """The HTTP status that a provider answered with, by the error of its client; 0 for an error that is no answer."""
    if isinstance(error, Answered):
        return error.status
    holder, name = next(((where, field) for kind, where, field in _STATUSES if is_named(error, (kind,))), ("", ""))
    found = getattr(getattr(error, holder, None) if holder else error, name, 0) if name else 0
    return found if isinstance(found, int) else 0


def overtime(node: AnyNode, max_run: int) -> Failed:
    """The outcome of an attempt that outran its start_to_close of `max_run` microseconds."""
    message = f"{node.id} did not return within {max_run / _SECOND:g} s"
    return Failed(Error("NX-R202", message, "Timeout", retryable=True), sent="unknown" if _acts(node) else "no")


def silence(node: AnyNode) -> Failed:
    """The outcome of an attempt that sent no heartbeat for as long as its node declares."""
    message = f"{node.id} sent no heartbeat for {node.timeouts.heartbeat / _SECOND:g} s"
    return Failed(Error("NX-R205", message, "Timeout", retryable=True), sent="unknown" if _acts(node) else "no")


def unrecordable(error: NexumError, node: AnyNode, value: object) -> Failed:
    """The outcome of an attempt whose handler returned `value`, which cannot be recorded for the reason `error`."""
    described = Error(error.code, _cut(error.message, MESSAGE_MAX), type(error).__name__, retryable=False)
    if not _acts(node):
        return Failed(described)
    return Failed(described, sent="yes", raw=evidence_of(value))


def evidence_of(value: object) -> bytes:
    """What can be kept of a value that cannot be stored: its type, how it prints, and a hash of the whole print."""
    try:
        shown = repr(value)
    except Exception as error:  # noqa: BLE001 (a broken __repr__ is the handler's own, and must not lose the evidence)
        shown = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    data = shown.encode("utf-8", "backslashreplace")
    return orjson.dumps(
        {
            "unstorable": type(value).__qualname__,
            "sha256": hashlib.sha256(data).hexdigest(),
            "repr": data[:4_096].decode("utf-8", "ignore"),
        }
    )


def is_named(error: BaseException, names: Iterable[str]) -> bool:
    """Whether the exception's class, or one it derives from, has one of these names (bare, or with its module)."""
    wanted = frozenset(names)
    return any(kind.__name__ in wanted or _full(kind) in wanted for kind in type(error).__mro__)


def _acts(node: AnyNode) -> bool:
    """Whether the handler itself may have acted; one that journals its calls has not, they have."""
    return isinstance(node, Effect) and not node.io


def call_made(error: BaseException, policy: Doubt) -> str:
    """Whether a call that ended with an exception was made: "no", "unknown", or "stored": unknown, and so it stays if sent again."""
    stored = isinstance(policy, Dedupes) and policy.stored_errors and status_of(error) >= SERVER_ERROR
    sent = _sent(error, policy)
    return "stored" if stored and sent != "no" else sent


def is_refusal(error: BaseException, policy: Doubt | None) -> bool:
    """Whether the provider answered with a status that proves, as its author declares, that it has done nothing."""
    return isinstance(policy, Dedupes) and status_of(error) in policy.not_executed


def _sent(error: BaseException, policy: Doubt | None) -> str:
    declared = isinstance(error, NotSent | NonRetryable | Fail | RetryAfter)
    return "no" if declared or is_named(error, _NEVER_LEFT) or is_refusal(error, policy) else "unknown"


def _described(error: BaseException, node: AnyNode, *, is_refused: bool) -> Error:
    code = error.code if isinstance(error, NexumError) else "NX-R200"
    message = error.message if isinstance(error, NexumError) else _said(error)
    shown = _cut(message, MESSAGE_MAX)
    lines = "".join(traceback.format_exception(type(error), error, _from_the_handler(error.__traceback__)))
    trace = _tail(_ADDRESS.sub("", lines), TEXT_MAX - len(shown.encode()))
    return Error(code, shown, type(error).__name__, is_refused or _is_retryable(error, node), trace)


def _from_the_handler(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without our own frames above those of the handler; all of it where there are no others."""
    below = trace
    while below is not None and below.tb_frame.f_globals.get("__name__", "").startswith(_OURS):
        below = below.tb_next
    return below or trace


def _is_retryable(error: BaseException, node: AnyNode) -> bool:
    if isinstance(error, RetryAfter | NotSent):
        return True
    if isinstance(error, HandlerError) and not entry(error.code).retryable:
        return False
    if is_named(error, node.retry.never_on):
        return False
    return not node.retry.retry_on or is_named(error, node.retry.retry_on)


def _said(error: BaseException) -> str:
    try:
        text = told(error) if isinstance(error, ValidationError) else str(error)
    except Exception:  # noqa: BLE001 (a broken __str__ must not hide which exception it was)
        text = "(its message cannot be shown)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _full(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _clean(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace").replace(b"\x00", b"\\x00")  # read in places that know no NUL


def _cut(text: str, limit: int) -> str:
    return _clean(text)[:limit].decode("utf-8", "ignore")


def _tail(text: str, limit: int) -> str:
    return _clean(text)[-limit:].decode("utf-8", "ignore") if limit > 0 else ""
