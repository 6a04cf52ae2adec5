"""How an effect's handler makes several acts, each of them once: by calls that are journaled."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import TypeAdapter

from nexum.compiler.annotations import UnknownAnnotation, Unsupported, adapter_of, annotations_of, plain, resolve
from nexum.compiler.handlers import spell
from nexum.core.canonical import from_bytes, sha256_hex, storable_bytes
from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import Dedupes as DedupesPolicy
from nexum.core.graph.policies import Doubt, Hold
from nexum.crash import crash
from nexum.errors import HandlerError, NexumError, NonDeterministicEffect, RetryAfter
from nexum.errors.misfits import got
from nexum.sdk.policies import Dedupes
from nexum.store.shapes import CallAnswer

if TYPE_CHECKING:  # the engine comes with a worker; declaring and unit tests need it not
    from nexum.engine.calls import Journal

Out = TypeVar("Out")

KEY = "idempotency_key"  # a parameter of this name is given the call's key
WAIT_SECONDS = 1.0  # until an attempt is made again that met another run's call
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_OTHER = re.compile(r"[^A-Za-z0-9_.-]")
_EVIDENCE = 4_096  # characters of a result that could not be kept
_ANY: TypeAdapter[Any] = TypeAdapter(Any)


@dataclass(slots=True)
class _Call:
    """One call: its name, the hash over its arguments, and how its result is written and read."""

    name: str
    arguments: str
    kwargs: Mapping[str, Any]
    result: TypeAdapter[Any]
    where: dict[str, object] = field(default_factory=dict)


class IO:
    """What an effect acts through when it makes more than one act; annotate a parameter with it.

    A handler with an `IO` touches the world through it alone. Each call is claimed before, and recorded right after it returns;
    when the handler runs again (its process died, a later call failed) what is recorded is returned from the journal and not
    made again. So the handler must make the same calls in the same order with the same arguments. Arguments and results are
    JSON or Pydantic values; a result is read by the return annotation of the function, as JSON values when it has none.

    A call's name is that of its function, with a number from the second on (`charge`, `charge.2`), or the one that is given.
    Two calls may only be open at once when both have names that were given. A handler has not ended before its calls have: what
    a thread that it left behind calls is waited for, and what that opens after the handler has returned is refused (NX-E225).

    In a unit test make one with nothing: `IO()`; it calls the functions and keeps no journal.
    """

    def __init__(
        self,
        journal: Journal | None = None,
        *,
        provider: Doubt | None = None,
        made: Callable[[BaseException, Doubt], str] = lambda _error, _policy: "unknown",
        max_payload: int = 0,
        where: Mapping[str, object] | None = None,
    ) -> None:
        self._journal = journal
        self._provider = provider or Hold()
        self._made = made
        self._max_payload = max_payload
        self._where = dict(where or {})
        self._names: dict[str, int] = {}
        self._failures: list[tuple[BaseException, Doubt]] = []
        self._asked: set[str] = set()
        self._open: dict[str, bool] = {}  # whether the name was derived
        self._changed = threading.Condition()  # what is open, and whether anything may be opened
        self._is_closed = False
        self.lost = False
        self.waits = ""
        self.broken: NexumError | None = None

    def call(
        self,
        function: Callable[..., Out],
        /,
        *args: Any,
        name: str = "",
        provider: Dedupes | None = None,
        reference: str = "",
        **kwargs: Any,
    ) -> Out:
        """Make a call that changes the world, once: `io.call(payments.charge, order.number, 100)`.

        A parameter `idempotency_key` of the function is given the call's key unless you give one. `provider` says what the
        call's provider promises, instead of all that the node's does; without either a call that may have been made is held
        for a person. `reference` is the path of the provider's own reference in the result. Raises what the function raises,
        `HandlerError` NX-E222 (it may have been made, and must not be repeated), NX-E223 (arguments or result are no JSON),
        NX-E224 (no name of its own), NX-E225 (the handler has returned), and `NonDeterministicEffect`.
        """
        with self._opened(function, args, kwargs, name) as call:
            answer = self._claimed(call, provider)
            if answer.state == "reuse":
                return cast("Out", self._loaded(call, answer))
            try:
                value = function(*args, **call.kwargs)
            except BaseException as error:
                self._failed(call, answer, error, provider)
                raise
            return cast("Out", self._recorded(call, answer, value, reference))

    async def acall(
        self,
        function: Callable[..., Awaitable[Out]],
        /,
        *args: Any,
        name: str = "",
        provider: Dedupes | None = None,
        reference: str = "",
        **kwargs: Any,
    ) -> Out:
        """As `call`, for an `async def` function and handler."""
        import asyncio  # here: who declares a workflow needs no loop, and loading it takes a third of the time

        with self._opened(function, args, kwargs, name) as call:
            answer = await asyncio.to_thread(self._claimed, call, provider)
            if answer.state == "reuse":
                return cast("Out", self._loaded(call, answer))
            try:
                value = await function(*args, **call.kwargs)
            except BaseException as error:
                await asyncio.shield(asyncio.to_thread(self._failed, call, answer, error, provider))
                raise
            made = asyncio.to_thread(self._recorded, call, answer, value, reference)
            return cast("Out", await asyncio.shield(made))

    def read(self, function: Callable[..., Out], /, *args: Any, name: str = "", **kwargs: Any) -> Out:
        """Ask the world something that changes nothing; the answer is journaled, and the same in every attempt.

        It may be asked again when the process dies meanwhile. Raises as `call`, but never NX-E222.
        """
        with self._opened(function, args, kwargs, name) as call:
            answer = self._found(call)
            known = self._loaded(call, answer) if answer.state else self._kept(call, function(*args, **call.kwargs))
            return cast("Out", known)

    async def aread(self, function: Callable[..., Awaitable[Out]], /, *args: Any, name: str = "", **kwargs: Any) -> Out:
        """As `read`, for an `async def` function and handler."""
        import asyncio  # as in `acall`

        with self._opened(function, args, kwargs, name) as call:
            answer = await asyncio.to_thread(self._found, call)
            if answer.state:
                return cast("Out", self._loaded(call, answer))
            value = await function(*args, **call.kwargs)
            return cast("Out", await asyncio.to_thread(self._kept, call, value))

    def key(self, name: str) -> str:
        """The idempotency key of the call of this name; constant over attempts, "" in a unit test."""
        return self._journal.key(name) if self._journal is not None else ""

    def policy_of(self, error: BaseException) -> Doubt:
        """What the provider promises that this exception came from: that of its call, else that of the node."""
        return next((policy for met, policy in self._failures if met is error), self._provider)

    @property
    def asked(self) -> frozenset[str]:
        """The names of all calls that were made, or found in the journal."""
        return frozenset(self._asked)

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return bool(self._open)

    def close(self, seconds: float | None = None) -> bool:
        """Let no call be opened any more, and wait, at most for `seconds`, for those under way; whether none is left.

        Whoever executes the handler closes it when the handler has returned.
        """
        with self._changed:
            self._is_closed = True
            return self._changed.wait_for(lambda: not self._open, seconds)

    # a call in its parts

    @contextmanager
    def _opened(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], given: str
    ) -> Iterator[_Call]:
        name = self._named(function, given)
        try:
            own = {KEY: self.key(name)} if _takes_key(function) and KEY not in kwargs else {}
            arguments = _hash(name, args, kwargs)
            yield _Call(name, arguments, {**kwargs, **own}, _result_of(function), {**self._where, "call": name})
        finally:
            with self._changed:
                del self._open[name]
                self._changed.notify_all()

    def _named(self, function: Callable[..., Any], given: str) -> str:
        """The call's name, which nobody else has; it is open from now on."""
        derived = not given
        with self._changed:
            if self._is_closed:
                what = given or plain(function).__qualname__
                said = f"the call {what} was not made: its handler has returned, and may have been recorded meanwhile"
                raise HandlerError(said, code="NX-E225")
            others = ", ".join(self._open)
            if self._open and (derived or any(self._open.values())):
                raise _nameless(f"a call was opened while {others} was open; give both a name: `io.call(f, name=...)`")
            base = (
                given or _OTHER.sub("_", plain(function).__qualname__.rpartition("<locals>.")[2]).lstrip(".-") or "call"
            )
            count = self._names.get(base, 0) + 1
            if given and (count > 1 or not _NAME.fullmatch(given)):
                wrong = "was given twice" if count > 1 else "holds other characters than letters, digits and `_.-`"
                raise _nameless(f"the name {got(given)} {wrong}")
            self._names[base] = count
            name = base if count == 1 else f"{base}.{count}"
            if name != base and name in self._names:
                raise _nameless(f"the name {got(name)} was given, and is that of another call now")
            self._asked.add(name)
            self._open[name] = derived
            return name

    def _claimed(self, call: _Call, provider: Dedupes | None) -> CallAnswer:
        if self._journal is None:
            return CallAnswer("")
        crash("iocall.before_claim", **call.where)
        policy = self._promised(provider)
        ttl = policy.ttl if isinstance(policy, DedupesPolicy) else 0
        answer = self._checked(call, self._journal.claim(call.name, call.arguments, policy=policy.policy, ttl=ttl))
        if answer.state == "":
            crash("iocall.after_claim", **call.where)
        return answer

    def _found(self, call: _Call) -> CallAnswer:
        if self._journal is None:
            return CallAnswer("")
        return self._checked(call, self._journal.find(call.name, call.arguments))

    def _checked(self, call: _Call, answer: CallAnswer) -> CallAnswer:
        match answer.state:
            case "conflict":
                said = f"the call {call.name} was journaled with other arguments than it is made with now"
                self.broken = self.broken or NonDeterministicEffect(said)
                raise self.broken
            case "other":
                said = f"the call {call.name} was not made: another run has made calls under this business key for another input"
                self.broken = self.broken or HandlerError(said, code="NX-E205")
                raise self.broken
            case "doubt":
                raise HandlerError(f"nobody knows whether the call {call.name} was made", code="NX-E222")
            case "wait":
                self.waits = self.key(call.name)
                raise RetryAfter(
                    WAIT_SECONDS, f"another run is making the call {call.name} under the same business key"
                )
            case "lost":
                self.lost = True
                raise HandlerError(f"the call {call.name} was not made: the task is somebody else's", code="NX-W210")
        return answer

    def _promised(self, provider: Dedupes | None) -> Doubt:
        return provider.policy() if provider is not None else self._provider

    def _failed(self, call: _Call, answer: CallAnswer, error: BaseException, provider: Dedupes | None) -> None:
        if self._journal is not None:
            policy = self._promised(provider)
            self._failures.append((error, policy))
            self._journal.end(call.name, answer.token, made=self._made(error, policy))

    def _recorded(self, call: _Call, answer: CallAnswer, value: object, reference: str) -> Any:
        if self._journal is None:
            return value
        crash("iocall.after_response", **call.where)
        try:
            data = self._spelled(call, value)
        except HandlerError:
            raw = got(value, _EVIDENCE).encode("utf-8", "backslashreplace")
            self._journal.end(call.name, answer.token, made="unknown", raw=raw)
            raise
        named = Effect.model_construct(reference=reference).reference_in(from_bytes(data)) if reference else ""
        self.lost = not self._journal.record(call.name, answer.token, data, reference=named) or self.lost
        crash("iocall.after_record", **call.where)
        return self._read(call, data)

    def _kept(self, call: _Call, value: object) -> Any:
        if self._journal is None:
            return value
        data = self._spelled(call, value)
        answer = self._checked(call, self._journal.keep(call.name, call.arguments, data))
        return self._read(call, answer.result if answer.state == "reuse" else data)

    def _spelled(self, call: _Call, value: object) -> bytes:
        try:
            data = spell(call.result, value)
        except Exception as error:
            raise _unfit(f"the call {call.name} returned {type(value).__name__} {got(value, 200)}: {error}") from error
        if self._max_payload and len(data) > self._max_payload:
            raise _unfit(
                f"the call {call.name} returned {len(data):,} bytes, more than the {self._max_payload:,} allowed"
            )
        return data

    def _loaded(self, call: _Call, answer: CallAnswer) -> Any:
        return self._read(call, answer.result)

    def _read(self, call: _Call, data: bytes) -> Any:
        """The result as every attempt sees it: from its JSON."""
        try:
            return call.result.validate_json(data)
        except ValueError as error:
            raise _unfit(
                f"what is journaled of the call {call.name} is not what its function returns: {error}"
            ) from error


def _nameless(message: str) -> HandlerError:
    return HandlerError(message, code="NX-E224")


def _unfit(message: str) -> HandlerError:
    return HandlerError(message, code="NX-E223")


def _takes_key(function: Callable[..., Any]) -> bool:
    try:
        return KEY in inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C
        return False


def _result_of(function: Callable[..., Any]) -> TypeAdapter[Any]:
    if "return" not in annotations_of(function):
        return _ANY
    try:
        return adapter_of(resolve(function, "return", {}))
    except (UnknownAnnotation, Unsupported) as error:
        raise _unfit(f"the return annotation of {plain(function).__qualname__} cannot be used: {error}") from error


def _hash(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    try:
        written = _ANY.dump_python([list(args), dict(kwargs)], mode="json", by_alias=True, warnings="error")
        return sha256_hex(storable_bytes(written))
    except Exception as error:
        raise _unfit(f"the arguments of the call {name} have no JSON spelling: {error}") from error
