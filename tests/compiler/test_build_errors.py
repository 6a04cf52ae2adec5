"""Names, options and code that a workflow cannot be compiled with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from findings import errors, only, pointed
from nexum import BuildError, Context, Dedupes, Prompt, Retry, Timeouts, Workflow


class Claim(BaseModel):
    order_id: str
    amount: int


class Order(BaseModel):
    order_id: str
    amount: int


@pytest.fixture
def agent() -> Workflow[Claim]:
    return Workflow("Agent", input=Claim)


def order(claim: Claim) -> Order:
    return Order(order_id=claim.order_id, amount=claim.amount)


def test_two_nodes_may_not_have_one_name(agent: Workflow[Claim]) -> None:
    agent.read()(order)
    agent.read()(order)

    found = only(agent)
    assert found.code == "NX-B110"
    assert found.message.startswith("node `order` is declared twice; first at line ")


@pytest.mark.parametrize("name", ["input", "run", "item", "true", "in", "has", "size"])
def test_reserved_names_cannot_name_a_node(agent: Workflow[Claim], name: str) -> None:
    def handler(claim: Claim) -> int:
        return 1

    handler.__name__ = name
    agent.compute()(handler)

    found = next(item for item in errors(agent) if item.severity == "error")
    assert found.code == "NX-B111"
    assert found.message == f"`{name}` is reserved and cannot name a node"


def test_a_workflow_needs_a_name_that_can_stand_in_a_queue() -> None:
    agent = Workflow("Refund Agent", input=Claim)
    agent.read()(order)

    assert only(agent).code == "NX-B111"


def test_an_impure_compute_handler_is_refused(agent: Workflow[Claim]) -> None:
    @agent.compute()
    def total(claim: Claim) -> float:
        import time

        return time.time()

    found = only(agent)
    assert found.code == "NX-B112"
    assert pointed(found) == "time.time()"


def test_a_text_that_is_no_expression_is_refused(agent: Workflow[Claim]) -> None:
    @agent.compute(when="input.amount >")
    def total(claim: Claim) -> int:
        return 1

    found = only(agent)
    assert found.code == "NX-B113"
    assert "input.amount >>>>" in found.why


@pytest.mark.parametrize(
    "misuse",
    [
        lambda ref: ref and ref,
        lambda ref: not ref,
        lambda ref: bool(ref),
        lambda ref: f"{ref}",
        lambda ref: str(ref),
        lambda ref: len(ref),
        lambda ref: list(ref),
        lambda ref: 1 in ref,
        lambda ref: ref == object(),
        lambda ref: ref == float("nan"),
    ],
    ids=["and", "not", "bool", "f-string", "str", "len", "list", "in", "object", "nan"],
)
def test_a_reference_has_no_value_while_a_workflow_is_declared(
    agent: Workflow[Claim], misuse: Callable[[Any], object]
) -> None:
    with pytest.raises(BuildError) as caught:
        misuse(agent.input.order_id)

    (found,) = caught.value.diagnostics
    assert found.code == "NX-B115"
    assert found.file == __file__
    assert found.fixes


def test_a_condition_that_python_decided_already_is_refused(agent: Workflow[Claim]) -> None:
    handle = agent.read()(order)

    @agent.compute(when=handle.out is not None)
    def total(order: Order) -> int:
        return order.amount

    found = only(agent)
    assert found.code == "NX-B115"
    assert found.message == "`when=` of `total` is the constant True, not a condition"
    assert pointed(found) == "handle.out is not None"


def test_an_effect_must_name_its_tool(agent: Workflow[Claim]) -> None:
    @agent.effect()
    def pay(claim: Claim) -> None:
        return None

    assert only(agent).code == "NX-B117"


@pytest.mark.parametrize("options", [{}, {"model": ""}, {"model": "m", "fallback": [""]}])
def test_an_llm_node_must_name_its_models(agent: Workflow[Claim], options: dict[str, Any]) -> None:
    @agent.llm(**options)
    def judge(claim: Claim) -> Prompt[int]:
        return Prompt("?")

    assert only(agent).code == "NX-B119"


@pytest.mark.parametrize("returned", [str, Prompt])
def test_an_llm_handler_must_return_a_prompt_of_something(agent: Workflow[Claim], returned: Any) -> None:
    def judge(claim: Claim) -> Any: ...

    judge.__annotations__["return"] = returned
    handle: Any = agent.llm(model="m")(judge)

    found = next(item for item in errors(agent) if item.severity == "error")
    assert found.code == "NX-B120"
    with pytest.raises(BuildError, match="NX-B120"):
        handle.out  # noqa: B018


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (
            Timeouts(start_to_close=timedelta(minutes=2), schedule_to_close=timedelta(minutes=1)),
            "start_to_close (120 s) is longer than schedule_to_close (60 s)",
        ),
        (
            Timeouts(start_to_close=timedelta(seconds=5), heartbeat=timedelta(seconds=6)),
            "heartbeat (6 s) is longer than start_to_close (5 s)",
        ),
    ],
)
def test_time_limits_may_not_contradict_each_other(agent: Workflow[Claim], limits: Timeouts, words: str) -> None:
    @agent.compute(timeouts=limits)
    def total(claim: Claim) -> int:
        return 1

    found = only(agent)
    assert found.code == "NX-B123"
    assert words in found.message
    assert pointed(found) == "limits"


def _out_of_range() -> Iterator[dict[str, Any]]:
    yield {"retry": Retry(max_attempts=0)}
    yield {"retry": Retry(first_wait=timedelta(seconds=-1))}
    yield {"timeouts": Timeouts(heartbeat=timedelta(seconds=-1))}
    yield {"provider": Dedupes(ttl=timedelta(0))}
    yield {"priority": 10}


@pytest.mark.parametrize("options", list(_out_of_range()), ids=str)
def test_an_option_out_of_range_is_refused(agent: Workflow[Claim], options: dict[str, Any]) -> None:
    @agent.effect(tool="bank", **options)
    def pay(claim: Claim) -> None:
        return None

    assert only(agent).code == "NX-B124"


@pytest.mark.parametrize("tool", ["bank" * 51, "bank\n"])
def test_a_tool_is_short_and_printable(agent: Workflow[Claim], tool: str) -> None:
    @agent.effect(tool=tool)
    def pay(claim: Claim) -> None:
        return None

    found = only(agent)
    assert (found.code, "at most 200 characters" in found.message) == ("NX-B124", True)


@pytest.mark.parametrize(
    ("kind", "option", "hint"),
    [
        ("effect", "tol", "; did you mean 'tool'?"),
        ("compute", "tool", ""),
        ("llm", "models", "; did you mean 'model'?"),
    ],
)
def test_an_option_that_does_not_exist_is_not_ignored(
    agent: Workflow[Claim], kind: str, option: str, hint: str
) -> None:
    @getattr(agent, kind)(**{option: "x"})
    def node(claim: Claim) -> int:
        return 1

    found = next(item for item in errors(agent) if item.code == "NX-B124")
    assert found.message == f"`{option}=` is no option of {kind} nodes{hint}"


def test_a_default_limit_yields_to_one_that_is_set(agent: Workflow[Claim]) -> None:
    @agent.compute(timeouts=Timeouts(schedule_to_close=timedelta(seconds=5)))
    def total(claim: Claim) -> int:
        return 1

    assert agent.build().graph["total"].timeouts.schedule_to_close == 5_000_000


def test_repair_rounds_are_bounded(agent: Workflow[Claim]) -> None:
    @agent.llm(model="m", repair=21)
    def judge(claim: Claim) -> Prompt[int]:
        return Prompt("?")

    found = only(agent)
    assert (found.code, pointed(found)) == ("NX-B124", "21")


def test_code_without_fingerprint_is_a_warning(agent: Workflow[Claim]) -> None:
    rate = 3

    @agent.compute()
    def total(claim: Claim) -> int:
        return claim.amount * rate

    built = agent.build()

    (warning,) = built.warnings
    assert (warning.code, warning.severity) == ("NX-B125", "warning")
    assert built.graph["total"].handler.fingerprint == ""


def test_a_workflow_needs_a_node(agent: Workflow[Claim]) -> None:
    found = only(agent)

    assert found.code == "NX-B127"
    assert pointed(found) == 'return Workflow("Agent", input=Claim)'


def test_a_node_of_another_workflow_is_refused(agent: Workflow[Claim]) -> None:
    other = Workflow("Other", input=Claim)
    foreign = other.read()(order)
    agent.read()(order)

    @agent.compute(when=foreign.out.amount > 3, after=foreign)
    def total(claim: Claim) -> int:
        return 1

    assert [item.code for item in errors(agent)] == ["NX-B128", "NX-B128"]


def test_after_must_name_a_node_declared_before(agent: Workflow[Claim]) -> None:
    @agent.compute(after=["late", "nothing"])
    def total(claim: Claim) -> int:
        return 1

    @agent.compute()
    def late(claim: Claim) -> int:
        return 1

    assert [item.code for item in errors(agent)] == ["NX-B102", "NX-B101"]


def test_an_effect_that_others_may_skip_is_a_warning(agent: Workflow[Claim]) -> None:
    @agent.read(when=agent.input.amount > 3)
    def stock(claim: Claim) -> int:
        return 1

    @agent.effect(tool="mail.send")
    def tell(stock: int) -> None:
        return None

    (warning,) = agent.build().warnings
    assert warning.code == "NX-B131"
    assert warning.message == "effect `tell` is skipped whenever `stock` is skipped"


def test_all_findings_are_reported_at_once(agent: Workflow[Claim]) -> None:
    @agent.effect(priority=11, when="input.amuont > ")
    def pay(clam: Order, ctx: Context):  # type: ignore[no-untyped-def]
        return None

    with pytest.raises(BuildError) as caught:
        agent.build()

    assert {item.code for item in caught.value.diagnostics} == {
        "NX-B101",
        "NX-B107",
        "NX-B113",
        "NX-B117",
        "NX-B124",
    }
    assert caught.value.exit_code == 65
    assert "5 errors, 0 warnings" in caught.value.__notes__[0]
