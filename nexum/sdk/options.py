"""The options of nodes, and their translation into what the compiler reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict, TypeVar, cast

from pydantic import ValidationError

from nexum.compiler.declared import Asking, Declared, Place
from nexum.compiler.diagnostics import did_you_mean
from nexum.core.graph import policies as graph
from nexum.errors.misfits import got
from nexum.sdk.allowed import misfits, misfits_of
from nexum.sdk.handles import Handle
from nexum.sdk.policies import Breaker, Dedupes, Reconcile, Retry, Timeouts, Undo

Node = Handle[..., Any, Any] | str
Problem = tuple[str, str, str]  # code, option, message


class Author(NamedTuple):
    """For which workflow, and where, a node was written."""

    workflow: str
    place: Place


_Converted = TypeVar("_Converted")


class NodeOptions(TypedDict, total=False):
    """What a node of any kind takes.

    `when`: a condition, written by references or as text; false skips the node. `after`: nodes that must be settled
    before, without their data. `retry`, `timeouts`: see `Retry` and `Timeouts`. `priority`: -9 to 9, lower runs first.
    """

    when: bool | str
    after: Node | Sequence[Node]
    retry: Retry
    timeouts: Timeouts
    priority: int


class ReadOptions(NodeOptions, total=False):
    """What a read takes besides. `breaker`: see `Breaker`; without, the node is tried whatever became of others."""

    breaker: Breaker


class EffectOptions(NodeOptions, total=False):
    """What an effect takes besides.

    `tool`: what it touches, such as `stripe.refund`. `key`: a business key, unique over all runs, by reference or as
    text; without it the key names run, node and visit. `provider`: `Dedupes(ttl=...)` when the provider honours the key
    for so long, so that a request with unknown outcome may be sent again. `reconcile`: a function that asks the provider
    what became of it, where the request may not be sent again; see `Reconcile`. Without either, doubt waits for a person.
    `reference`: the path of the provider's own reference in the output. `compensate`: how it is undone when the run fails
    or is cancelled, a function or an `Undo`. `pivot`: once it is done, neither it nor what stands above it is undone.
    `breaker`: see `Breaker`.
    """

    tool: str
    key: str | int
    provider: Dedupes
    reconcile: Callable[..., Any] | Reconcile
    reference: str
    compensate: Callable[..., Any] | Undo
    pivot: bool
    breaker: Breaker


class LlmOptions(NodeOptions, total=False):
    """What a request to a language model takes besides.

    `model` is asked first, then those of `fallback`. An answer that does not fit the output type, or for which `accept`
    is not true (text over the node's own name, or a function of the output: `lambda out: out.score >= 30`), is shown to
    the model again at most `repair` times. `settings` go to the provider as they are. `breaker`: see `Breaker`.
    """

    model: str
    fallback: Sequence[str]
    repair: int
    accept: str | Callable[[Any], bool]
    settings: Mapping[str, Any]
    breaker: Breaker


def declared(kind: str, node_id: str, handler: Callable[..., Any], at: Author, options: Mapping[str, Any]) -> Declared:
    """A node as the compiler reads it; option values that cannot be become its `problems`."""
    problems = list(_unknown(kind, options))
    fitting = _fitting(options, problems)
    make = {"read": _read, "effect": _effect, "llm": _llm}.get(kind)
    own = make(fitting, problems) if make else {}
    if own.get("compensate") is not None:
        own["compensate"] = _undo(named(node_id), own["compensate"], at, own["tool"], problems)
    shared = _common(at.workflow, fitting, problems)
    name = named(node_id)
    return Declared(kind=kind, id=name, handler=handler, place=at.place, **shared, **own, problems=tuple(problems))


def named(name: object) -> str:
    """A name as it was given; what is no text becomes one that the build refuses as a name."""
    return name if isinstance(name, str) else f"{type(name).__name__} {got(name)}"


def _fitting(options: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The options without those of a wrong type, which become problems; what must be there is stood in for."""
    wrong = {misfit.name: misfit.message for misfit in misfits(options)}
    problems.extend(("NX-B124", name, message) for name, message in wrong.items())
    return {
        name: _STAND_IN[name] if name in wrong else value
        for name, value in options.items()
        if name not in wrong or name in _STAND_IN
    }


_STAND_IN = {"tool": "?", "model": "?"}


def _unknown(kind: str, options: Mapping[str, Any]) -> Iterable[Problem]:
    """Options that the type checker would have refused: nobody else looks at keyword arguments."""
    known = sorted(_OPTIONS.get(kind, NodeOptions).__optional_keys__)
    for option in options:
        if option not in known:
            yield "NX-B124", option, f"`{option}=` is no option of {kind} nodes{did_you_mean(option, known)}"


_OPTIONS: Mapping[str, Any] = {"read": ReadOptions, "effect": EffectOptions, "llm": LlmOptions}


def _read(options: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    return {"breaker": _breaker(options.get("breaker"), problems)}


def _effect(options: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    return {
        "tool": options.get("tool", ""),
        "key": options.get("key"),
        "doubt": _doubt(options.get("provider"), problems),
        "reconcile": _asking(options.get("reconcile"), problems),
        "reference": options.get("reference", ""),
        "compensate": options.get("compensate"),
        "pivot": options.get("pivot", False),
        "breaker": _breaker(options.get("breaker"), problems),
    }


def _undo(
    effect: str, given: Callable[..., Any] | Undo, at: Author, tool: str, problems: list[Problem]
) -> Declared | None:
    """How an effect is undone: an effect of its own. None when its options are wrong, which then are problems."""
    undo = given if isinstance(given, Undo) else Undo(given)
    wrong = [("NX-B124", "compensate", f"`compensate=`: {misfit.message}") for misfit in misfits_of(undo)]
    problems.extend(wrong)
    if wrong:
        return None
    found: list[Problem] = []
    declared = Declared(
        kind="effect",
        id=f"{effect}/undo",
        handler=undo.handler,
        place=at.place,
        retry=_policy("retry", undo.retry, graph.RetryPolicy(), found),
        timeouts=_policy("timeouts", undo.timeouts, graph.TimeoutPolicy(), found),
        tool=undo.tool or f"{tool}.undo",
        doubt=_doubt(undo.provider, found),
        reconcile=_asking(undo.reconcile, found),
        reference=undo.reference,
    )
    problems.extend((code, "compensate", f"`compensate=`: {message}") for code, _, message in found)
    return declared


def _llm(options: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    return {
        "models": (options.get("model", ""), *options.get("fallback", ())),
        "repair": options.get("repair", 2),
        "accept": options.get("accept"),
        "settings": dict(options.get("settings", {})),
        "breaker": _breaker(options.get("breaker"), problems),
    }


def _common(workflow: str, options: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    return {
        "when": options.get("when"),
        "after": tuple(_ids(workflow, options.get("after", ()), problems)),
        "retry": _policy("retry", options.get("retry", Retry()), graph.RetryPolicy(), problems),
        "timeouts": _policy("timeouts", options.get("timeouts", Timeouts()), graph.TimeoutPolicy(), problems),
        "priority": options.get("priority", 0),
    }


def _doubt(provider: Dedupes | None, problems: list[Problem]) -> graph.Doubt:
    """What resolves doubt about an effect: the provider's promise, else a person."""
    if provider is None:
        return graph.Hold()
    unknown: graph.Doubt = graph.Hold()
    return _policy("provider", provider, unknown, problems)


def _breaker(given: Breaker | None, problems: list[Problem]) -> graph.BreakerPolicy | None:
    return None if given is None else _policy("breaker", given, graph.BreakerPolicy(), problems)


def _asking(given: Callable[..., Any] | Reconcile | None, problems: list[Problem]) -> Asking | None:
    """Who asks the provider, and on what terms."""
    if given is None:
        return None
    how = given if isinstance(given, Reconcile) else Reconcile(given)
    wrong = list(misfits_of(how)) or [*misfits_of(how.retry), *misfits_of(how.timeouts)]
    problems.extend(("NX-B124", "reconcile", f"`reconcile=`: {misfit.message}") for misfit in wrong)
    if wrong:
        return None
    return Asking(how.ask, _policy("reconcile", how, Reconcile(how.ask).policy(), problems))


def _policy(
    option: str, given: Retry | Timeouts | Dedupes | Reconcile | Breaker, instead: _Converted, problems: list[Problem]
) -> _Converted:
    """A policy in the terms of the graph; when a value is wrong that is a problem, and `instead` stands in for it."""
    wrong = [("NX-B124", option, f"`{option}=`: {misfit.message}") for misfit in misfits_of(given)]
    problems.extend(wrong)
    if wrong:
        return instead
    try:
        return cast("_Converted", given.policy())
    except ValidationError as error:
        for line in error.errors():
            field = ".".join(map(str, line["loc"]))
            message = f"`{option}=`: {field} is {line['input']!r}; {line['msg'].lower()}"
            problems.append(("NX-B124", option, message))
        return instead


def _ids(workflow: str, after: Node | Sequence[Node], problems: list[Problem]) -> Iterable[str]:
    for node in [after] if isinstance(after, Handle | str) else after:
        if isinstance(node, Handle) and node.workflow != workflow:
            message = f"`after=` names `{node.id}` of workflow {node.workflow}"
            problems.append(("NX-B128", "after", message))
        else:
            yield node if isinstance(node, str) else node.id
