"""What is read, what is refused and where, and how it is spelled again."""

from __future__ import annotations

import pytest

from nexum.core.expr import (
    Binary,
    Call,
    Expr,
    ExprError,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Select,
    Ternary,
    Unary,
    all_of,
    any_of,
    binary,
    call,
    lift,
    negate,
    parse,
    ref,
    refs,
    spell,
    ternary,
)

A, B, C = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("verdict.score >= 80", Binary(">=", Select(Name("verdict"), "score"), Literal(80))),
        ("a || b && !c", Logic("||", (A, Logic("&&", (B, Unary("!", C)))))),
        ("a && (b && c)", Logic("&&", (A, B, C))),
        ("a - b - c", Binary("-", Binary("-", A, B), C)),
        ("a - (b - c)", Binary("-", A, Binary("-", B, C))),
        ("a + b * c < 1", Binary("<", Binary("+", A, Binary("*", B, C)), Literal(1))),
        ("a ? b : c ? a : b", Ternary(A, B, Ternary(C, A, B))),
        ("a in ['x', 1.5, null]", Binary("in", A, ListLiteral((Literal("x"), Literal(1.5), Literal(None))))),
        ("-9223372036854775808", Literal(-(2**63))),
        ("- 5", Literal(-5)),
        ("-a", Unary("-", A)),
        ("0x1F + .5", Binary("+", Literal(31), Literal(0.5))),
        ("a[0].b", Select(Index(A, Literal(0)), "b")),
        ("has(a.b)", Call("has", (Select(A, "b"),))),
        ("a.size()", Call("size", (A,))),
        ("a.startsWith('x')", Call("startsWith", (A, Literal("x")))),
        ("a.`foo-bar`.`in`", Select(Select(A, "foo-bar"), "in")),
        ("a // a remark\n && b", Logic("&&", (A, B))),
        (r"""'\x41\u00e9\U0001d11e\101\n\?' + r'\n' + '''it's''' """, None),
    ],
)
def test_a_text_is_read_as_its_tree(text: str, tree: Expr | None) -> None:
    if tree is None:
        tree = Binary("+", Binary("+", Literal("Aé𝄞A\n?"), Literal("\\n")), Literal("it's"))
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "offset", "did_you_mean", "says"),
    [
        ("a and b", 2, "&&", "write &&"),
        ("a = b", 2, "==", "not an operator"),
        ("a | b", 2, "||", "not an operator"),
        ("a is None", 2, "==", "write =="),
        ("a == True", 5, "true", "write true"),
        ("not a", 0, "!", "write !"),
        ("strtsWith(a)", 0, "startsWith", "no function strtsWith"),
        ("startsWith(a, 'b')", 0, None, "after its string"),
        ("a.has()", 2, None, "before its operand"),
        ("has(1)", 5, None, "takes a name or a field"),
        ("size(a, b)", 9, None, "takes 1 argument"),
        ("1u", 0, None, "not a number"),
        ("a == 9223372036854775808", 5, None, "64 bits"),
        ("a == 1e999", 5, None, "finite"),
        ("a == 'b", 5, None, "does not end"),
        (r"'\q'", 0, None, "not an escape"),
        (r"'\ud800'", 0, None, "not a character"),
        ("a.in", 2, None, "unexpected 'in'"),
        ("[a", 2, None, "ends where something is missing (expected ',')"),
        ("a b", 2, None, "unexpected 'b'"),
        ("", 0, None, "something is missing"),
        ("a ? b", 5, None, "expected ':'"),
        ("a $ b", 2, None, "unexpected '$'"),
    ],
)
def test_what_is_no_condition_is_refused_at_its_place(
    text: str, offset: int, did_you_mean: str | None, says: str
) -> None:
    with pytest.raises(ExprError) as caught:
        parse(text)
    assert (caught.value.offset, caught.value.did_you_mean) == (offset, did_you_mean)
    assert says in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "a" * 4097,
        "(" * 2000 + "a" + ")" * 2000,
        "!" * 2000 + "a",
        "[" * 1000,
        "a" + ".b" * 100,
        " + ".join(["a"] * 40),
        " || ".join(["a"] * 600),
        "a ? b : " * 100 + "c",
        "9" * 4000,
    ],
)
def test_a_condition_too_large_is_refused_and_nothing_overflows(text: str) -> None:
    with pytest.raises(ExprError):
        parse(text)


def test_a_long_chain_is_not_a_deep_one() -> None:
    chain = parse(" || ".join(f"a == {n}" for n in range(120)))
    assert chain.depth == 3
    assert len(chain.parts) == 120


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a  &&b||  c", "a && b || c"),
        ("(a||b)&&c", "(a || b) && c"),
        ("((a))", "a"),
        ("'it\\'s \"x\"\\n'", '"it\'s \\"x\\"\\n"'),
        ("-(5)", "-(5)"),
        ("!!a && - -a == 1", "!(!a) && -(-a) == 1"),
        ("(a ? b : c) ? a : b", "(a ? b : c) ? a : b"),
        ("a - (b - c)", "a - (b - c)"),
        ("1.0 + 1e16", "1.0 + 1e+16"),
        ("(a + b).c", "(a + b).c"),
        ("a.size() > 0x10", "size(a) > 16"),
        ("verdict.`判定` == '返金'", 'verdict.`判定` == "返金"'),
    ],
)
def test_the_canonical_text_has_one_spelling(text: str, canonical: str) -> None:
    assert spell(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_equal_numbers_of_different_kinds_are_different_literals() -> None:
    assert len({Literal(1), Literal(1.0), Literal(True), Literal("1")}) == 4
    assert Literal(0.0) != Literal(-0.0)


def test_references_are_exact_and_as_long_as_written() -> None:
    expr = parse("verdict.score >= input.limit && has(approve) && items[0].price > 1 || run.key == ''")
    assert refs(expr) == {("verdict", "score"), ("input", "limit"), ("approve",), ("items",), ("run", "key")}


def test_fluent_building_gives_the_same_trees_as_text() -> None:
    score = ref("verdict", "score")
    built = any_of(
        all_of(binary(">=", score, 80), binary("in", ref("verdict", "label"), ["a", "b"])),
        negate(call("is_true", ref("approve", "approved"))),
        ternary(call("has", ref("input", "note")), call("endsWith", ref("input", "note"), "!"), False),
    )
    assert built == parse(
        "verdict.score >= 80 && verdict.label in ['a', 'b'] || !is_true(approve.approved)"
        " || (has(input.note) ? input.note.endsWith('!') : false)"
    )
    assert all_of(all_of(A, B), C) == all_of(A, B, C)
    assert all_of(A) == A
    assert (all_of(), any_of()) == (Literal(True), Literal(False))


@pytest.mark.parametrize("value", [object(), {"a": 1}, float("nan"), 2**63, "\ud800", b"x"])
def test_what_has_no_spelling_cannot_be_lifted(value: object) -> None:
    with pytest.raises(ExprError):
        lift(value)  # type: ignore[arg-type]


def test_a_tree_too_large_cannot_be_made() -> None:
    expr: Expr = A
    for _ in range(31):
        expr = negate(expr)
    with pytest.raises(ExprError, match="nested deeper than 32"):
        negate(expr)
    with pytest.raises(ExprError, match="more than 512 parts"):
        lift([0] * 512)
    with pytest.raises(ExprError, match="4200 characters"):
        spell(lift("x" * 4198))
    with pytest.raises(ExprError, match="written flat"):
        Logic("&&", (Logic("&&", (A, B)), C))
