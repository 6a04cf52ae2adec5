"""From the prompt that an llm handler returned to a checked answer of a model."""

from __future__ import annotations

from collections.abc import Callable

from nexum.compiler.handlers import BoundHandler
from nexum.core.canonical import Json, canonical_bytes
from nexum.core.expr import EvalError, compile_expr, parse
from nexum.core.graph.nodes import Llm
from nexum.engine.work import Reported, Work
from nexum.errors import HandlerError
from nexum.sdk.prompt import Prompt
from nexum_workers.llm import execute_llm
from nexum_workers.models.door import Door
from nexum_workers.outcome import unrecordable


async def ask(work: Work, prompt: object, *, door: Door, handler: BoundHandler) -> Reported:
    """Ask the model of this attempt once. Never raises, except for cancellation."""
    if not isinstance(prompt, Prompt):
        wrong = f"{work.node.id} returned {type(prompt).__name__}, not a Prompt"
        return unrecordable(HandlerError(wrong, code="NX-R201"), work.node, prompt)
    return await execute_llm(work, prompt, door=door, validate=_validator(handler), accept=_acceptor(work))


def _validator(handler: BoundHandler) -> Callable[[Json], bytes]:
    """The model wrote JSON, so its answer is read by JSON's rules (a date is a string) before it is spelled."""
    return lambda value: handler.spell(handler.output.validate_json(canonical_bytes(value)))


def _acceptor(work: Work) -> Callable[[Json], bool] | None:
    node = work.node
    if not isinstance(node, Llm) or not node.accept:
        return None
    condition = compile_expr(parse(node.accept))

    def accept(value: Json) -> bool:
        try:
            return condition({node.id: value}) is True
        except EvalError as error:
            raise HandlerError(f"accept of {node.id}: {error}", code="NX-R301") from error

    return accept
