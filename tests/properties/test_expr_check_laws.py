"""A condition that is checked without a finding fits the data that its schemas describe."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nexum.core.expr import ABSENT, UNKNOWN, EvalError, Expr, ExprError, check, compile_expr, parse, refs
from nexum.core.schema import problems
from thorough import examples

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure

CLAIM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "d": {"type": "number"},
        "s": {"type": "string"},
        "t": {"type": "boolean"},
        "e": {"enum": ["a", "b"]},
        "l": {"type": "array", "items": {"type": "integer"}},
        "o": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "p": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
    },
    "required": ["n", "d", "s", "t", "e", "l"],
    "$defs": {"Inner": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
}
ROOTS = {"x": CLAIM, "y": CLAIM}

INTS = st.integers(-3, 3)
VALUES = st.fixed_dictionaries(
    {
        "n": INTS,
        "d": INTS | st.floats(-3, 3),
        "s": st.sampled_from(["", "a", "ab"]),
        "t": st.booleans(),
        "e": st.sampled_from(["a", "b"]),
        "l": st.lists(INTS, max_size=3),
    },
    optional={"o": st.none() | st.just("a"), "p": st.none() | st.fixed_dictionaries({"n": INTS})},
)

NAMED = [
    "x.n",
    "x.d",
    "x.s",
    "x.t",
    "x.e",
    "x.l",
    "x.l[0]",
    "x.o",
    "x.p",
    "x.p.n",
    "y.n",
    "y.s",
    "y.t",
    "y.l",
    "y.o",
    "y.p.n",
]
LEAVES = st.sampled_from([*NAMED, "1", "2.5", "'a'", "'b'", "true", "null", "[1, 2]", "['a', 'b']"])
# No unions of kinds here: those are sound if one of their kinds is, and may then meet another at run time.
INFIX = [f"({{}} {op} {{}})" for op in ("&&", "||", "==", "!=", "<", ">=", "in", "+", "*", "%")]
SHAPES = st.sampled_from(
    [
        *INFIX,
        "(!{})",
        "(-{})",
        "({} ? x.n : y.n)",
        "({} ? x.t : y.t)",
        "size({})",
        "is_true({})",
        "{}.startsWith({})",
        "[{}]",
    ]
)
TEXTS = st.recursive(
    LEAVES,
    lambda inner: SHAPES.flatmap(
        lambda shape: st.tuples(*[inner] * shape.count("{}")).map(lambda parts: shape.format(*parts))
    ),
    max_leaves=6,
)

# What only the values decide, so that no check of kinds can foresee it.
BY_VALUE = re.compile("by zero|64 bits|out of range|finite|longer than")


def read(text: str) -> Expr | None:
    try:
        return parse(text)
    except ExprError:  # such as a number with an index
        return None


@settings(LAW, max_examples=examples(500))
@given(TEXTS, VALUES, VALUES | st.just(ABSENT))
def test_a_checked_condition_meets_no_value_of_the_wrong_kind(text: str, x: dict[str, Any], y: Any) -> None:
    assert not problems(CLAIM, x)
    expr = read(text)
    if expr is None:
        return
    result = check(expr, ROOTS, absent=frozenset({"y"}))
    is_mistaken = any(not problem.may_be_unknown for problem in result.problems)
    event("mistaken" if is_mistaken else "sound")
    if is_mistaken:
        return
    try:
        value = compile_expr(expr)({"x": x, "y": y})
    except EvalError as error:
        if not BY_VALUE.search(str(error)):
            raise AssertionError(text) from error
        return
    if value is not UNKNOWN:
        assert any(not problems(one, value) for one in result.type), f"{value!r} is not of the type {result.type}"


@settings(LAW, max_examples=examples(300))
@given(TEXTS, VALUES, VALUES)
def test_only_an_absent_root_makes_what_is_flagged_unknown(text: str, x: dict[str, Any], y: dict[str, Any]) -> None:
    expr = read(text)
    if expr is None:
        return
    flagged = [one for one in check(expr, ROOTS, absent=frozenset({"y"})).problems if one.may_be_unknown]
    assert all(one.path[0] == "y" for one in flagged)
    assert not any(one.may_be_unknown for one in check(expr, ROOTS).problems)
    if flagged:
        assert any(path[0] == "y" for path in refs(expr))
