"""Laws of the condition language: spelling, totality, three-valued logic."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nexum.core.expr import (
    ABSENT,
    UNKNOWN,
    Binary,
    Call,
    EvalError,
    Expr,
    ExprError,
    Index,
    ListLiteral,
    Literal,
    Name,
    Select,
    Ternary,
    Unary,
    all_of,
    any_of,
    call,
    compile_expr,
    negate,
    parse,
    refs,
    spell,
    unknown_refs,
)
from nexum.core.expr.syntax import ARITHMETIC, COMPARISONS
from thorough import examples

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure

ROOTS = ("x", "y", "gone")
FIELDS = ("a", "b", "in", "foo-bar", "金額", "size")
LITERALS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
ATOMS: st.SearchStrategy[Expr] = st.one_of(st.builds(Literal, LITERALS), st.builds(Name, st.sampled_from(ROOTS)))


def _grown(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    several = st.lists(inner, max_size=3)
    return st.one_of(
        st.builds(Select, inner, st.sampled_from(FIELDS)),
        st.builds(Index, inner, inner),
        st.builds(Unary, st.sampled_from(["!", "-"]), inner),
        st.builds(Binary, st.sampled_from(sorted(COMPARISONS | ARITHMETIC)), inner, inner),
        st.builds(lambda operands: all_of(*operands), several),
        st.builds(lambda operands: any_of(*operands), several),
        st.builds(Ternary, inner, inner, inner),
        st.builds(lambda items: ListLiteral(tuple(items)), several),
        st.builds(lambda f, x: call(f, x), st.sampled_from(["size", "is_true"]), inner),
        st.builds(lambda f, x, y: call(f, x, y), st.sampled_from(["startsWith", "endsWith", "contains"]), inner, inner),
        st.builds(lambda x, field: call("has", Select(x, field)), inner, st.sampled_from(FIELDS)),
    )


EXPRS = st.recursive(ATOMS, _grown, max_leaves=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=2), inner),
    max_leaves=12,
)
DATA = st.fixed_dictionaries({}, optional={name: JSON | st.just(ABSENT) for name in ROOTS})


@settings(LAW, max_examples=examples(400))
@given(EXPRS)
def test_what_is_spelled_is_read_back_as_the_same_tree(expr: Expr) -> None:
    text = spell(expr)
    again = parse(text)
    assert again == expr
    assert hash(again) == hash(expr)
    assert spell(again) == text
    assert refs(again) == refs(expr)


@settings(LAW, max_examples=examples(400))
@given(st.text(st.sampled_from("abx01.5()[]!-+*/%<>=&|?:,'\"\\`in has size \n") | st.characters(), max_size=60))
def test_any_text_is_read_or_refused_at_an_offset_inside_it(text: str) -> None:
    try:
        expr = parse(text)
    except ExprError as error:
        offset = error.offset
    else:
        offset = len(text)
        assert parse(spell(expr)) == expr
    assert offset is not None
    assert 0 <= offset <= len(text)


@settings(LAW, max_examples=examples(600))
@given(EXPRS, DATA)
def test_evaluation_gives_json_or_unknown_or_an_eval_error_and_nothing_else(expr: Expr, data: dict[str, Any]) -> None:
    try:
        value = compile_expr(expr)(data)
    except EvalError:
        event("error")
        return
    event("unknown" if value is UNKNOWN else "value")
    assert value is UNKNOWN or type(value) in (bool, int, float, str, list, dict, type(None))
    assert set(unknown_refs(expr, data)) <= refs(expr)


@LAW
@given(EXPRS, DATA)
def test_evaluation_changes_nothing_and_is_the_same_twice(expr: Expr, data: dict[str, Any]) -> None:
    before = repr(data)
    run = compile_expr(expr)
    assert repr(outcome(run, data)) == repr(outcome(run, data))
    assert repr(data) == before


def outcome(run: Any, data: dict[str, Any]) -> object:
    try:
        return run(data)
    except EvalError:
        return EvalError


def three(expr: Expr, data: dict[str, Any]) -> object:
    """The value as logic sees it: true, false, or unknown for everything else."""
    value = outcome(compile_expr(expr), data)
    return value if isinstance(value, bool) else UNKNOWN


TRUTHS = st.sampled_from(
    [
        parse(text)
        for text in ("true", "false", "gone.a", "1 / 0 == 1", "x.a", "x.b == 1", "null", "x.a < y.a", "has(x.a)")
    ]
)


@LAW
@given(st.lists(TRUTHS, min_size=2, max_size=4), st.randoms(), DATA)
def test_order_and_grouping_of_logic_do_not_matter(operands: list[Expr], random: Any, data: dict[str, Any]) -> None:
    shuffled = list(operands)
    random.shuffle(shuffled)
    for join in (all_of, any_of):
        value = three(join(*operands), data)
        assert three(join(*shuffled), data) is value
        nested = three(join(operands[0], negate(negate(join(*operands[1:])))), data)
        assert nested is value


@LAW
@given(TRUTHS, TRUTHS, DATA)
def test_de_morgan_and_double_negation_hold_with_three_values(a: Expr, b: Expr, data: dict[str, Any]) -> None:
    assert three(negate(all_of(a, b)), data) is three(any_of(negate(a), negate(b)), data)
    assert three(negate(any_of(a, b)), data) is three(all_of(negate(a), negate(b)), data)
    assert three(negate(negate(a)), data) is three(a, data)


@LAW
@given(TRUTHS, TRUTHS, DATA)
def test_logic_follows_its_tables(a: Expr, b: Expr, data: dict[str, Any]) -> None:
    x, y = three(a, data), three(b, data)
    assert three(all_of(a, b), data) is (False if False in (x, y) else True if x is y is True else UNKNOWN)
    assert three(any_of(a, b), data) is (True if True in (x, y) else False if x is y is False else UNKNOWN)


@LAW
@given(EXPRS, DATA)
def test_is_true_and_has_are_never_unknown(expr: Expr, data: dict[str, Any]) -> None:
    assert outcome(compile_expr(call("is_true", expr)), data) in (True, False, EvalError)
    assert outcome(compile_expr(Call("has", (Select(expr, "a"),))), data) in (True, False)


@LAW
@given(st.lists(TRUTHS, min_size=1, max_size=4), DATA)
def test_of_routes_with_a_default_exactly_one_is_taken(conditions: list[Expr], data: dict[str, Any]) -> None:
    """The sugar of `route`: first true wins, the default takes what is left, unknown too."""
    sound = [condition for condition in conditions if outcome(compile_expr(condition), data) is not EvalError]
    missed = [negate(call("is_true", condition)) for condition in sound]
    routes = [all_of(*missed[:place], condition) for place, condition in enumerate(sound)]
    taken = [three(route, data) is True for route in [*routes, all_of(*missed)]]
    assert sum(taken) == 1
