"""One attempt in five verbs: bind the inputs, call the handler, validate its output, spell it, name the outcome.

Nothing here raises: a handler that exits, recurses for ever or returns a foreign object has an outcome like any other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from nexum.compiler.handlers import BoundHandler
from nexum.core.canonical import NotCanonicalError, canonical_bytes, from_bytes, legible
from nexum.core.graph.nodes import Compute, Effect, Llm, Transaction
from nexum.core.graph.policies import Doubt
from nexum.core.graph.workflow import AnyNode
from nexum.core.run.places import inner_of, parent_of
from nexum.core.run.plan import plan_of
from nexum.crash import crash
from nexum.engine.work import Committed, Failed, Outcome, Succeeded, TakenBack, Unanswered, Waits, Work
from nexum.errors import CannotTell, HandlerError, InternalError, NexumError
from nexum.errors.misfits import got, reason_of, told
from nexum.sdk.compiled import CompiledWorkflow
from nexum.sdk.context import Context
from nexum.sdk.io import IO
from nexum_workers.acting import aclose, end_of, io_of
from nexum_workers.asking import ask
from nexum_workers.early import Early
from nexum_workers.guard import pure
from nexum_workers.models.door import Door
from nexum_workers.outcome import failure, overtime, silence, unrecordable
from nexum_workers.pulse import OvertimeError, Pulse, Returned, SilenceError, in_time
from nexum_workers.transacting import Transacting

logger = logging.getLogger("nexum.worker")


class Attempts:
    """Executes attempts of the versions it is given. `around` wraps each call of a `def` handler.

    Without `transacting` it has no database for transaction nodes.
    """

    def __init__(
        self,
        served: Iterable[CompiledWorkflow[Any]],
        *,
        door: Door,
        max_payload: int,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
        transacting: Transacting | None = None,
    ) -> None:
        self._served = {workflow.version: workflow.handlers for workflow in served}
        self._door = door
        self._max_payload = max_payload
        self._around = around
        self._transacting = transacting

    def is_async(self, work: Work) -> bool:
        """Whether the attempt runs on the loop: `async def` handlers and language models."""
        handlers = self._served.get(work.graph.version, {})
        handler = handlers.get(work.node.id)
        return isinstance(work.node, Llm) or (handler is not None and handler.is_async)

    def execute(self, work: Work, on_heartbeat: Callable[[object], None], early: Early | None = None) -> Outcome:
        """Execute a `def` handler in this thread; the caller watches its time and its heartbeats.

        `early` is asked for transaction nodes, and for effects that journal calls.
        """
        handler = self._served.get(work.graph.version, {}).get(work.node.id)
        if not isinstance(work.node, Transaction) or handler is None:
            return _logged(work, self._execute(work, on_heartbeat, self._io(work, early)))
        assert self._transacting is not None, "this executor was made without a database"
        assert early is not None
        with self._around():
            run = partial(self._execute, work, on_heartbeat)
            return _logged(work, self._transacting.conduct(work, handler, run, early))

    async def execute_async(
        self, work: Work, on_heartbeat: Callable[[object], None], early: Early | None = None
    ) -> Outcome:
        """Execute an `async` handler, or ask a language model; both are cancelled when their time is over.

        It lasts as long as a handler that ignores that: the caller watches.
        """
        return _logged(work, await self._execute_async(work, on_heartbeat, self._io(work, early)))

    def abandon(self) -> None:
        """Take back the transactions that are open here, from the watchdog's thread."""
        if self._transacting is not None:
            self._transacting.abandon()

    def close(self) -> None:
        """Nothing is held here: the models' clients end with the loop."""

    # the verbs

    def _execute(self, work: Work, on_heartbeat: Callable[[object], None], mean: object = None) -> Outcome:
        bound = self._bind(work, on_heartbeat, mean)
        if isinstance(bound, Failed):
            return bound
        handler, context, arguments = bound
        _announce(work)
        inside = isinstance(work.node, Transaction)  # then it is the transaction that is wrapped, and not its inside
        with nullcontext() if inside else self._around():
            value, error = _called(work, handler, arguments)
        if isinstance(mean, IO):
            mean.close()
        return self._in_the_end(work, handler, context, mean, value, error)

    async def _execute_async(self, work: Work, on_heartbeat: Callable[[object], None], mean: object) -> Outcome:
        pulse = Pulse(work)

        def beat(details: object = None) -> None:
            pulse.beat()
            on_heartbeat(details)

        bound = self._bind(work, beat, mean)
        if isinstance(bound, Failed):
            return bound
        handler, context, arguments = bound
        _announce(work)
        if isinstance(work.node, Llm):
            return await self._ask(work, handler, arguments, Pulse(work, beats=False))
        value, error = await in_time(_acted(_awaited(work, handler, arguments), mean), pulse)
        return self._in_the_end(work, handler, context, mean, value, error)

    def _bind(
        self, work: Work, on_heartbeat: Callable[[object], None], mean: object = None
    ) -> tuple[BoundHandler, Context, dict[str, Any]] | Failed:
        """The handler, its context and its arguments."""
        if isinstance(work.node, Effect):
            crash("effect.before_guard", run_key=work.run_key, node=work.node.id, attempt=work.attempt)
        try:
            handler = self._served[work.graph.version][work.node.id]
        except KeyError:
            unknown = InternalError(f"this worker has no handler for {work.node.id} of {work.graph.queue}")
            return failure(unknown, work.node, began=False)
        context = Context.of(work, on_heartbeat)
        try:
            return handler, context, handler.arguments(work.inputs, context, mean)
        except Exception as error:  # noqa: BLE001 (validators of the author's own types may raise anything)
            return failure(error, work.node, began=False)

    async def _ask(self, work: Work, handler: BoundHandler, arguments: dict[str, Any], pulse: Pulse) -> Outcome:
        if handler.is_async:
            prompt, error = await in_time(_awaited(work, handler, arguments), pulse)
        else:
            prompt, error = await asyncio.to_thread(self._prompt, work, handler, arguments)
        if error is not None:
            return _ended(error, work)
        asked = ask(work, prompt, door=self._door, handler=handler)
        outcome, error = await in_time(_settled(asked), pulse)
        return _ended(error, work) if error is not None else self._within_limits(work, outcome)

    def _prompt(self, work: Work, handler: BoundHandler, arguments: dict[str, Any]) -> Returned:
        with self._around():
            return _called(work, handler, arguments)

    def _io(self, work: Work, early: Early | None) -> IO | None:
        """What an effect that journals calls acts through."""
        if not isinstance(work.node, Effect) or not work.node.io:
            return None
        assert early is not None, "this executor was made without a journal"
        return io_of(work, early.journal(), max_payload=self._max_payload)

    def _in_the_end(
        self,
        work: Work,
        handler: BoundHandler,
        context: Context,
        mean: object,
        value: object,
        error: BaseException | None,
    ) -> Outcome:
        """What the calls of a handler say of its end, else what it did itself."""
        if not isinstance(mean, IO):
            return self._named(work, handler, context, value, error)
        said = end_of(mean, error, lambda error, policy: _ended(error, work, policy))
        outcome = said or self._named(work, handler, context, value, error)
        return replace(outcome, asked=mean.asked) if isinstance(outcome, Succeeded) else outcome

    def _named(
        self, work: Work, handler: BoundHandler, context: Context, value: object, error: BaseException | None
    ) -> Outcome:
        """Validate, spell, and name the outcome."""
        if inner_of(work.cell) == "reconcile":
            return self._answered(work, handler, context, value, error)
        if isinstance(work.node, Effect) and error is None:
            crash(
                "effect.after_response",
                run_key=work.run_key,
                node=work.node.id,
                attempt=work.attempt,
                key=work.key,
                token=work.token,
            )
        if error is not None:
            return _ended(error, work)
        return self._recorded(work, handler, context, value, work.node)

    def _recorded(
        self, work: Work, handler: BoundHandler, context: Context, value: object, node: AnyNode
    ) -> Succeeded | Failed:
        """What was returned, as the output of `node`."""
        try:
            output = _spelled(handler, value)
        except NexumError as misfit:
            return unrecordable(misfit, work.node, value)
        if len(output) > self._max_payload:
            return unrecordable(self._too_large(len(output), work), work.node, value)
        return Succeeded(output, reference=_reference(node, context, output))

    def _answered(
        self, work: Work, handler: BoundHandler, context: Context, value: object, error: BaseException | None
    ) -> Outcome:
        """What a provider said about an effect in doubt: found is what the effect would have returned."""
        if isinstance(error, CannotTell):
            return Succeeded(canonical_bytes(legible(error.message)), answer="cannot_tell")
        if error is not None:
            return _ended(error, work)
        if value is None:
            return Succeeded(b"null", answer="not_found")
        parent = parent_of(work.cell)
        assert parent is not None
        found = self._recorded(work, handler, context, value, plan_of(work.graph).node_at(parent.path))
        return replace(found, answer="found") if isinstance(found, Succeeded) else found

    def _within_limits(self, work: Work, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Succeeded) and len(outcome.output) > self._max_payload:
            return unrecordable(self._too_large(len(outcome.output), work), work.node, b"")
        return outcome

    def _too_large(self, size: int, work: Work) -> HandlerError:
        return HandlerError(
            f"{work.node.id} returned {size:,} bytes, more than the {self._max_payload:,} allowed", code="NX-R103"
        )


def _logged(work: Work, told: Outcome) -> Outcome:
    """One line for each end of an attempt; run, node, attempt and key stand in the line's subject."""
    outcome = told.instead if isinstance(told, Unanswered) else told
    if isinstance(outcome, Succeeded | Committed):
        size = len(outcome.output) if isinstance(outcome, Succeeded) else outcome.size
        logger.debug("%s ended in attempt %d: %d bytes", work.node.id, work.attempt, size)
    elif isinstance(outcome, Waits):
        logger.info("attempt %d of %s waits for a call that another run is making", work.attempt, work.node.id)
    elif isinstance(outcome, TakenBack):
        logger.warning("attempt %d of %s counts no more: the task is somebody else's", work.attempt, work.node.id)
    else:
        error = outcome.error
        fields = {"code": error.code, "kind": error.type, "sent": outcome.sent, "retryable": error.retryable}
        logger.warning(
            "%s failed in attempt %d: [%s] %s", work.node.id, work.attempt, error.code, error.message, extra=fields
        )
    return told


def _announce(work: Work) -> None:
    """The last places before user code where a test may kill the process."""
    crash("handler.before_call", run_key=work.run_key, node=work.node.id, attempt=work.attempt)
    if isinstance(work.node, Effect):
        crash("effect.after_guard", run_key=work.run_key, node=work.node.id, attempt=work.attempt)


def _called(work: Work, handler: BoundHandler, arguments: dict[str, Any]) -> Returned:
    try:
        with pure(work.node.id) if isinstance(work.node, Compute) else nullcontext():
            return handler.call(**arguments), None
    except BaseException as error:  # noqa: BLE001 (a handler that calls sys.exit() must not take the process along)
        return None, error


async def _awaited(work: Work, handler: BoundHandler, arguments: dict[str, Any]) -> Returned:
    try:
        with pure(work.node.id) if isinstance(work.node, Compute) else nullcontext():
            return await handler.call(**arguments), None
    except BaseException as error:  # noqa: BLE001 (SystemExit in a task would end the loop of all the others)
        return None, error


async def _acted(call: Coroutine[Any, Any, Returned], mean: object) -> Returned:
    """A handler has not ended while a call of it is under way."""
    returned = await call
    if isinstance(mean, IO):
        await aclose(mean)
    return returned


async def _settled(asking: Coroutine[Any, Any, Outcome]) -> Returned:
    try:
        return await asking, None
    except BaseException as error:  # noqa: BLE001 (only a cancellation comes here; `in_time` knows why)
        return None, error


def _ended(error: BaseException, work: Work, policy: Doubt | None = None) -> Failed:
    match error:
        case OvertimeError():
            return overtime(work.node, work.max_run)
        case SilenceError():
            return silence(work.node)
        case _:
            return failure(error, work.node, policy=policy)


def _spelled(handler: BoundHandler, value: object) -> bytes:
    """Canonical bytes of a result. Raises `HandlerError` NX-R201 (wrong type) or NX-R102 (no JSON spelling)."""
    wrong = partial(HandlerError, code="NX-R201")
    foreign = partial(HandlerError, code="NX-R102")
    try:
        return handler.spell(value)
    except ValidationError as error:
        raise wrong(f"{handler.id} returned {_shown(value)}: {told(error)}") from error
    except PydanticSerializationError as error:
        made = foreign if "unknown type" in str(error) else wrong
        raise made(f"{handler.id} returned {_shown(value)}: {reason_of(error)}") from error
    except (NotCanonicalError, RecursionError) as error:
        raise foreign(f"{handler.id} returned {_shown(value)}: {error}") from error
    except Exception as error:
        raise wrong(f"{handler.id} returned {_shown(value)}, and validating it raised {error!r}") from error


def _shown(value: object) -> str:
    return f"{type(value).__name__} {got(value, 200)}"


def _reference(node: AnyNode, context: Context, output: bytes) -> str:
    """The provider's own reference: what the handler noted, else what stands at the declared path."""
    if not isinstance(node, Effect):
        return ""
    if context.noted_reference or not node.reference:
        return legible(context.noted_reference)
    return node.reference_in(from_bytes(output))
