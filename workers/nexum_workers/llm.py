"""Execute one activation of a language model node: ask once, read, check, report.

Whether to retry, to repair or to ask another model is the engine's to decide; each of those is a new `Work`. Here every
road ends in an outcome that carries the literal text and what it cost: nothing that was paid for is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from nexum.core.canonical import Json, canonical_bytes, from_bytes, legible
from nexum.core.graph.nodes import Llm
from nexum.core.run.events import Usage
from nexum.crash import crash
from nexum.engine.work import Failed, Repair, Reported, Succeeded, Work
from nexum.errors import ConfigurationError, HandlerError, InputError, InternalError, NexumError
from nexum.errors.misfits import told
from nexum.sdk.prompt import Prompt
from nexum_workers.models.door import Asked, Door
from nexum_workers.models.protocol import LaterError, Message, ModelAnswer, ModelError, ModelRequest
from nexum_workers.models.reading import InvalidAnswerError, read_json
from nexum_workers.outcome import failure

JOURNAL_MAX = 1 << 20  # characters of a reply that the journal keeps; the raw text of an invalid one is kept apart
_SHOWN = 8_000  # characters of an invalid answer that the model is shown again
_REFUSED = frozenset({"refusal", "content_filter"})
_SECOND = 1_000_000


async def execute_llm(
    work: Work,
    prompt: Prompt[Any],
    *,
    door: Door,
    validate: Callable[[Json], bytes],
    accept: Callable[[Json], bool] | None = None,
) -> Reported:
    """Ask `work.model` once and check what it says. Never raises, except for the cancellation of its task.

    The outcome's journal holds the conversation and the reply. `validate` takes the parsed answer and gives the
    canonical bytes of the output type, or raises. `accept` is the node's condition over the validated output. Invalid
    answers come back as `Failed(repairable=True, raw=...)`.
    """
    try:
        asked = door.resolve(work.model)
        request = _request(work, prompt, asked)
    except Exception as error:  # noqa: BLE001 (a model that cannot be found has an outcome like any other)
        return _unasked(failure(error, work.node), error)
    outcome, answer = await _asked(work, request, asked, validate, accept)
    return replace(outcome, journal=_journal(request, answer, outcome))


async def _asked(
    work: Work,
    request: ModelRequest,
    asked: Asked,
    validate: Callable[[Json], bytes],
    accept: Callable[[Json], bool] | None,
) -> tuple[Reported, ModelAnswer | None]:
    usage: Usage | None = None
    raw = b""
    answer: ModelAnswer | None = None
    try:
        answer = await asked.model.ask(request)
        crash("model.while_answering", run_key=work.run_key, node=work.node.id, attempt=work.attempt)
        usage, raw = _usage(work, answer), _bytes(answer.text)
        return Succeeded(_check(answer, validate, accept), usage=usage, raw=raw), answer
    except InvalidAnswerError as error:
        mendable = error.code != "NX-L216"
        return replace(failure(error, work.node), repairable=mendable, raw=raw, usage=usage), answer
    except ModelError as error:
        wait = round(error.retry_after * _SECOND) if isinstance(error, LaterError) else 0
        mendable = error.code == "NX-L212"
        failed = replace(failure(error, work.node), repairable=mendable, retry_after=wait)
        return replace(failed, raw=error.raw, usage=Usage(model=work.model)), answer
    except Exception as error:  # noqa: BLE001 (whatever it was, the text that was paid for is reported)
        return _unasked(replace(failure(error, work.node), raw=raw, usage=usage), error), answer


def _unasked(failed: Failed, error: Exception) -> Failed:
    """A wrong configuration or a bug of ours will not mend itself by another attempt."""
    final = isinstance(error, ConfigurationError | InternalError)
    return replace(failed, error=replace(failed.error, retryable=False)) if final else failed


def _journal(request: ModelRequest, answer: ModelAnswer | None, outcome: Reported) -> bytes:
    """What was asked and what came back, for people; a reply that was cut short is in the outcome's raw text."""
    reply = answer.text if answer is not None else outcome.raw.decode("utf-8", "replace")
    return canonical_bytes(
        {
            "model": request.model,
            "messages": [{"role": message.role, "text": legible(message.text)} for message in request.messages],
            "settings": dict(request.settings),
            "reply": legible(reply[:JOURNAL_MAX]),
            "finish": legible(answer.finish) if answer is not None else "",
            "request_id": request.request_id,
        }
    )


def conversation(prompt: Prompt[Any], repair: Repair | None) -> tuple[Message, ...]:
    """The messages to send: the prompt; in a repair round also the invalid answer and what was wrong with it."""
    messages = tuple(Message(message.role, message.content) for message in prompt.messages)
    if repair is None:
        return messages
    said = repair.raw.decode("utf-8", "replace")
    shown = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}\n[... cut here, {len(said):,} characters in all]"
    wanted = (
        f"That answer cannot be used. What is wrong: {repair.error.message}\n"
        "Answer again with one complete JSON value that fits the schema, and nothing else."
    )
    return (*messages, Message("assistant", shown), Message("user", wanted))


def _request(work: Work, prompt: Prompt[Any], asked: Asked) -> ModelRequest:
    node = work.node
    if not isinstance(node, Llm):
        raise InternalError(f"node {node.id!r} is of kind {node.kind}, not llm")
    task, repair = work.task, work.repair
    request_id = f"{task.run_id}/{task.path}/{task.visit}.{task.item}.{task.attempt}"
    return ModelRequest(
        model=asked.name,
        messages=conversation(prompt, repair),
        schema=node.output,
        schema_name=node.id,
        timeout=min(asked.timeout, work.max_run / _SECOND) if work.max_run else asked.timeout,
        request_id=f"{request_id}/repair.{repair.round}" if repair else request_id,
        settings=node.settings,
        round=repair.round if repair else 0,
    )


def _check(answer: ModelAnswer, validate: Callable[[Json], bytes], accept: Callable[[Json], bool] | None) -> bytes:
    if answer.finish in _REFUSED:
        raise InvalidAnswerError(f"the model declined: {answer.text[:500]}", code="NX-L216")
    try:
        value = read_json(answer.text)
    except InvalidAnswerError as error:
        if answer.finish == "length":
            raise InvalidAnswerError(f"cut off at the token limit; {error.message}", code="NX-L214") from error
        raise
    try:
        output = validate(value)
    except (ValidationError, InputError, HandlerError, ValueError) as error:
        raise InvalidAnswerError(_misfit(error), code="NX-L210") from error
    if accept is not None and not accept(from_bytes(output)):
        shown = output[:500].decode("utf-8", "replace")
        raise InvalidAnswerError(f"the answer fits the schema but is not acceptable here: {shown}", code="NX-L213")
    return output


def _misfit(error: Exception) -> str:
    """What does not fit, in words that a person and a model can act on."""
    if isinstance(error, ValidationError):
        return told(error)
    return error.message if isinstance(error, NexumError) else str(error)


def _usage(work: Work, answer: ModelAnswer) -> Usage:
    served, request_id = legible(answer.served), legible(answer.request_id)
    return Usage(work.model, served, answer.input_tokens, answer.output_tokens, request_id)


def _bytes(text: str) -> bytes:
    return legible(text).encode()  # half of a surrogate pair stays readable as its escape
