"""Laws of the compiler, over random workflows and random conditions."""

from __future__ import annotations

import types
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from nexum import BuildError, Workflow, has, in_, not_, size
from nexum.compiler.references import expression_of
from nexum.core.expr.parse import parse
from nexum.core.expr.spell import spell
from nexum.core.graph.workflow import parse_graph
from thorough import examples


class Claim(BaseModel):
    amount: int
    text: str
    tags: list[str]
    flag: bool


TYPES = {"int": int, "maybe": int | None, "text": str, "claim": Claim}
ACCEPTED = {(taken, given) for taken in TYPES for given in TYPES if taken == given} | {("maybe", "int")}

claim = Workflow("Law", input=Claim).input

atoms: st.SearchStrategy[Any] = st.one_of(
    st.integers(-5, 5).map(lambda n: claim.amount > n),
    st.text(max_size=8).filter(lambda t: t.isprintable()).map(lambda t: claim.text == t),
    st.lists(st.integers(-3, 3), min_size=1, max_size=3).map(lambda items: in_(claim.amount, items)),
    st.floats(-9, 9).map(lambda n: claim.amount <= n),
    st.just(claim.flag),
    st.just(has(claim.text)),
    st.just(size(claim.tags) != 2),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        inner.map(not_),
    ),
    max_leaves=6,
)


@st.composite
def nodes(draw: st.DrawFn) -> list[tuple[str, str, dict[str, str], bool]]:
    """Nodes as (id, output type, parameter types by source, has a condition), sources before readers."""
    found: list[tuple[str, str, dict[str, str], bool]] = []
    for place in range(draw(st.integers(1, 6))):
        sources = draw(st.sets(st.sampled_from([node[0] for node in found] or ["input"]), max_size=3))
        params = {name: "claim" if name == "input" else draw(st.sampled_from(list(TYPES))) for name in sorted(sources)}
        found.append((f"n{place}", draw(st.sampled_from(list(TYPES))), params, draw(st.booleans())))
    return found


def handler(name: str, output: str, params: dict[str, str]) -> Any:
    scope: dict[str, Any] = {}
    exec(f"def {name}({', '.join(params)}): ...", scope)
    function = scope[name]
    assert isinstance(function, types.FunctionType)
    function.__annotations__ = {**{key: TYPES[kind] for key, kind in params.items()}, "return": TYPES[output]}
    return function


def declared(drawn: list[tuple[str, str, dict[str, str], bool]]) -> Workflow[Claim]:
    flow = Workflow("Law", input=Claim)
    for name, output, params, conditional in drawn:
        flow.read(when="input.amount > 3" if conditional else "")(handler(name, output, params))
    return flow


def misfits(drawn: list[tuple[str, str, dict[str, str], bool]]) -> int:
    outputs = {"input": "claim", **{name: output for name, output, _, _ in drawn}}
    return sum((kind, outputs[source]) not in ACCEPTED for _, _, params, _ in drawn for source, kind in params.items())


@settings(max_examples=examples(100), deadline=None)  # a build takes milliseconds, unless the machine is busy
@given(nodes())
def test_a_workflow_builds_exactly_when_every_parameter_accepts_its_source(
    drawn: list[tuple[str, str, dict[str, str], bool]],
) -> None:
    wrong = misfits(drawn)
    if not wrong:
        assert len(declared(drawn).build().graph.nodes) == len(drawn)
        return
    with pytest.raises(BuildError) as caught:
        declared(drawn).build()
    assert [item.code for item in caught.value.diagnostics if item.severity == "error"] == ["NX-B104"] * wrong


@settings(max_examples=examples(100), deadline=None)  # a build takes milliseconds, unless the machine is busy
@given(nodes())
def test_a_built_graph_reads_back_as_itself(drawn: list[tuple[str, str, dict[str, str], bool]]) -> None:
    assume(not misfits(drawn))
    graph = declared(drawn).build().graph

    again = parse_graph(graph.data)

    assert (again, again.version) == (graph, graph.version)
    assert declared(drawn).build().version == graph.version


@settings(max_examples=examples(100), deadline=None)  # a build takes milliseconds, unless the machine is busy
@given(nodes())
def test_sources_come_first_and_the_result_is_what_nobody_reads(
    drawn: list[tuple[str, str, dict[str, str], bool]],
) -> None:
    assume(not misfits(drawn))
    graph = declared(drawn).build().graph

    read = {param.source for node in graph.nodes for param in node.params}
    assert all(graph.order.get(p.source, -1) < graph.order[node.id] for node in graph.nodes for p in node.params)
    assert graph.result == tuple(node.id for node in graph.nodes if node.id not in read)


@settings(max_examples=examples(100), deadline=None)  # a build takes milliseconds, unless the machine is busy
@given(conditions)
def test_a_condition_by_reference_and_its_text_are_one_condition(condition: Any) -> None:
    text = spell(expression_of(condition))

    assert parse(text) == expression_of(condition)
    by_reference, by_text = Workflow("Law", input=Claim), Workflow("Law", input=Claim)
    by_reference.read(when=condition)(handler("one", "int", {}))
    by_text.read(when=text)(handler("one", "int", {}))
    assert by_reference.build().version == by_text.build().version
