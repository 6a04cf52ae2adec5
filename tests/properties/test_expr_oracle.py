"""The condition language against Google's CEL, on what both can say.

Our unknown and our errors are CEL's error. Where we differ on purpose, the difference has a name below; a case is left
out of the comparison only if one of these names applies to it, and each name is shown to be a real difference.
"""

from __future__ import annotations

from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from nexum.core.expr import (
    UNKNOWN,
    Binary,
    Call,
    EvalError,
    Expr,
    Index,
    Literal,
    Select,
    all_of,
    any_of,
    binary,
    call,
    compile_expr,
    negate,
    parse,
    ref,
    spell,
    ternary,
)
from nexum.core.expr.syntax import walk
from thorough import examples

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure

ENV = cel.NewEnv(variables={"x": cel.Type.DYN, "y": cel.Type.DYN})
ERROR = "error"

DATA: dict[str, Any] = {
    "x": {"i": 3, "d": 2.5, "w": 3.0, "s": "refund", "t": True, "n": None, "l": [1, 2.0, "a", None], "m": {"k": 1}},
    "y": {"i": -2, "d": -0.5, "s": "", "t": False, "l": [], "big": 2**62},
}

# name -> (an expression that shows it, why we differ)
DEVIATIONS = {
    "null beside in": ("null in [null]", "a null operand of in is unknown: 12-semantics section 3"),
    "mixed arithmetic": (
        "1 + 1.5",
        "JSON writes 1.0 as 1: the kind of a number may not decide whether it can be added",
    ),
    "division by zero": ("1.0 / 0.0 > 1.0", "JSON has no infinity"),
    "no overflow to infinity": ("1e300 * 1e300 > 1.0", "JSON has no infinity"),
    "has over nothing": ("has(x.none.a)", "has is never unknown: 12-semantics section 3"),
    "has of a root": ("has(x)", "a root may be absent, so it can be asked for"),
    "negation undone": ("!!3 == 3", "CEL's parser cancels !! and --, whatever they stand before; we apply them"),
    "is_true": ("is_true(x.none)", "our one function more; CEL cannot turn an error into a value"),
}


def ours(expr: Expr, data: dict[str, Any]) -> object:
    try:
        value = compile_expr(expr)(data)
    except EvalError:
        return ERROR
    return ERROR if value is UNKNOWN else value


def theirs(text: str, data: dict[str, Any]) -> object:
    try:
        value = ENV.compile(text, disable_check=True).eval(data=data)
    except RuntimeError as error:
        return f"{ERROR}: {error}"
    return ERROR if value.type() == cel.Type.ERROR else value.plain_value()


FIELDS = ("i", "d", "w", "s", "t", "n", "l", "m", "big", "none")
LEAVES = st.one_of(
    st.builds(lambda root, field: ref(root, field), st.sampled_from(["x", "y"]), st.sampled_from(FIELDS)),
    st.builds(
        Literal, st.sampled_from([None, True, False, 0, 1, 3, -2, 2**62, 0.5, 3.0, -1.5, "", "a", "re", "refund"])
    ),
    st.builds(lambda field: ref("x", "m", field), st.sampled_from(["k", "z"])),
)
OPS = sorted({"==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%"})


def _grown(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.builds(binary, st.sampled_from(OPS), inner, inner),
        st.builds(lambda a, b: all_of(a, b), inner, inner),
        st.builds(lambda a, b: any_of(a, b), inner, inner),
        st.builds(negate, inner),
        st.builds(lambda a: parse(f"-({spell(a)})"), inner),
        st.builds(ternary, inner, inner, inner),
        st.builds(lambda items: call("size", items), inner),
        st.builds(lambda a, items: binary("in", a, items), inner, st.lists(inner, max_size=3).map(tuple)),
        st.builds(lambda f, a, b: call(f, a, b), st.sampled_from(["startsWith", "endsWith", "contains"]), inner, inner),
        st.builds(
            lambda root, field: call("has", ref(root, field)), st.sampled_from(["x", "y"]), st.sampled_from(FIELDS)
        ),
        st.builds(Index, inner, inner),
        st.builds(Select, inner, st.sampled_from(FIELDS)),
    )


WILD = st.recursive(LEAVES, _grown, max_leaves=10)  # of any kinds, so mostly errors


def _of(roots_and_fields: list[tuple[str, str]], *literals: Any) -> st.SearchStrategy[Expr]:
    named = [ref(root, field) for root, field in [*roots_and_fields, ("x", "none")]]
    return st.sampled_from([*named, *map(Literal, literals)])


def _binaries(ops: str, inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.builds(binary, st.sampled_from(ops.split()), inner, inner)


STRINGS = _of([("x", "s"), ("y", "s")], "", "a", "re", "refund")
STRINGS |= _binaries("+", STRINGS)
INTS = _of([("x", "i"), ("y", "i"), ("y", "big")], 0, 1, 3, -2, 2**62)
INTS |= _binaries("+ - * / %", INTS) | st.builds(lambda s: call("size", s), STRINGS | st.just(ref("x", "l")))
INTS |= _binaries("+ - * / %", INTS)
DOUBLES = _of([("x", "d"), ("x", "w"), ("y", "d")], 0.5, 3.0, -1.5)
DOUBLES |= _binaries("+ - * /", DOUBLES)
TESTS = st.one_of(
    _of([("x", "t"), ("y", "t")], True, False),
    _binaries("== != < <= > >=", INTS | DOUBLES),
    _binaries("== != < <= > >=", STRINGS),
    st.builds(lambda a, some: binary("in", a, some), INTS, st.lists(INTS | DOUBLES, max_size=3).map(tuple)),
    st.builds(lambda f, a, b: call(f, a, b), st.sampled_from(["startsWith", "endsWith", "contains"]), STRINGS, STRINGS),
    st.builds(lambda field: call("has", ref("x", field)), st.sampled_from(FIELDS)),
    st.builds(lambda field: binary("==", ref("x", field), None), st.sampled_from(FIELDS)),
)
TYPED = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds(lambda some: all_of(*some), st.lists(inner, min_size=2, max_size=4)),
        st.builds(lambda some: any_of(*some), st.lists(inner, min_size=2, max_size=4)),
        st.builds(negate, inner),
        st.builds(ternary, inner, inner, inner),
    ),
    max_leaves=8,
)
EXPRS = st.integers(0, 4).flatmap(lambda n: WILD if n == 0 else TYPED)


def deviates(expr: Expr) -> bool:
    """Whether a known deviation may show in some part of the expression."""
    return any(_part_deviates(part) for part in walk(expr))


def _part_deviates(part: Expr) -> bool:
    match part:
        case Binary("in", member, _):
            return ours(member, DATA) is None
        case Binary("+" | "-" | "*" | "/" | "%" as op, left, right):
            kinds = {type(ours(left, DATA)), type(ours(right, DATA))}
            return kinds == {int, float} or (float in kinds and ours(part, DATA) == ERROR and op != "%")
        case Call("has", (Select(operand, _),)):
            return ours(operand, DATA) == ERROR
        case _:
            return False


@settings(LAW, max_examples=examples(600))
@given(EXPRS)
def test_both_give_the_same_value_or_both_give_none(expr: Expr) -> None:
    assume(not deviates(expr))
    text = spell(expr)
    mine, other = ours(expr, DATA), theirs(text, DATA)
    event("error" if mine == ERROR else type(mine).__name__)
    assert mine == other, text
    assert type(mine) is type(other)


@settings(LAW, max_examples=examples(300))
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_both_read_our_spelling_of_a_string_as_the_same_characters(text: str) -> None:
    assume("\x00" not in text)
    assert theirs(spell(Literal(text)), {}) == text


@settings(LAW, max_examples=examples(300))
@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_both_read_our_spelling_of_a_number_as_the_same_number(number: float) -> None:
    other = theirs(spell(Literal(number)), {})
    assert (other, type(other)) == (number, type(number))


@pytest.mark.parametrize(
    "text",
    [
        r"""'\a\b\f\n\r\t\v\\\?\"\'\`\x41\u00e9\U0001d11e\101'""",
        "r'\\n' + r\"\\t\"",
        "'''it's''' + \"\"\"a\"b\"\"\"",
        "0x1F + 0xfF",
        ".5 + 1e3 + 2.5E-1",
        "1 - -1 - - 1",
        "-2 * -3 % 4",
        "!true == false",
        "true || false && false",
        "true ? (false ? 1 : 2) : false ? 3 : 4",
        "1 + 2 * 3 == 7 && 2 in [1, 2] // remark",
        "[[1, 2], [3]][0][1]",
        "'abc'.size() + size('é𝄞')",
    ],
)
def test_both_read_a_text_in_the_same_way(text: str) -> None:
    assert ours(parse(text), DATA) == theirs(text, DATA)


@pytest.mark.parametrize("name", sorted(DEVIATIONS))
def test_each_named_deviation_is_a_real_one(name: str) -> None:
    text, why = DEVIATIONS[name]
    assert ours(parse(text), DATA) != theirs(text, DATA), why
