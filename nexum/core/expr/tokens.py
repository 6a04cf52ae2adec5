"""From characters to tokens, in one pass; string and number literals are decoded here."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from nexum.core.expr.syntax import ExprError


class Token(NamedTuple):
    """`kind` is int, float, string, name, quoted, op or end; `value` is decoded for literals, else the text."""

    kind: str
    value: str | int | float
    offset: int


_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\r\n\f]+|//[^\n]*)
    | (?P<float>(?:[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+))
    | (?P<int>0x[0-9a-fA-F]+|[0-9]+)
    | (?P<raw>[rR](?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\r\n]*"|'[^'\r\n]*'))
    | (?P<string>\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}|"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | `(?P<quoted>[^`]+)`
    | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"\\(?:[xX](?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<o>[0-3][0-7]{2})|(?P<c>.)|$)",
    re.DOTALL,
)
_SIMPLE: Final = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_HINTS: Final = {"&": "&&", "|": "||", "=": "==", "~": "!"}
_SURROGATES: Final = range(0xD800, 0xE000)


def tokens(text: str) -> list[Token]:
    """Cut a text into tokens, the last one `end`. Raises `ExprError` at the first character that begins none."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _no_token(text, at)
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(_token(kind, match[kind], text, match))
        at = match.end()
    found.append(Token("end", "", len(text)))
    return found


def _token(kind: str, value: str, text: str, match: re.Match[str]) -> Token:
    at = match.start()
    if kind in ("int", "float") and re.match(r"[A-Za-z0-9_.]", text[match.end() : match.end() + 1]):
        raise ExprError(f"{text[at : match.end() + 1]!r} is not a number (there are no unsigned numbers)", at)
    match kind:
        case "int":
            return Token(kind, _integer(value, at), at)
        case "float":
            return Token(kind, float(value), at)
        case "raw":
            return Token("string", _unquoted(value[1:]), at)
        case "string":
            return Token(kind, _unescaped(_unquoted(value), at), at)
        case _:
            return Token(kind, value, at)


def _integer(digits: str, at: int) -> int:
    if len(digits) > 40:  # int() of thousands of digits is slow, and refused by Python anyway
        raise ExprError("the number does not fit in 64 bits", at)
    return int(digits, 16) if digits.startswith("0x") else int(digits)


def _unquoted(quoted: str) -> str:
    width = 3 if len(quoted) >= 6 and quoted[0] == quoted[1] == quoted[2] else 1
    return quoted[width:-width]


def _unescaped(body: str, at: int) -> str:
    def character(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind == "c":
            if match["c"] not in _SIMPLE:
                raise ExprError(f"\\{match['c']} is not an escape; write \\\\ for a backslash", at)
            return _SIMPLE[match["c"]]
        assert kind is not None  # a string token never ends in a single backslash
        code = int(match[kind], 8 if kind == "o" else 16)
        if code > 0x10FFFF or code in _SURROGATES:
            raise ExprError(f"{match[0]} is not a character", at)
        return chr(code)

    return _ESCAPE.sub(character, body)


def _no_token(text: str, at: int) -> ExprError:
    c = text[at]
    if c in "\"'":
        return ExprError("the string does not end", at)
    if c == "`":
        return ExprError("the quoted field name does not end", at)
    if c in _HINTS:
        return ExprError(f"{c!r} is not an operator; write {_HINTS[c]}", at, _HINTS[c])
    return ExprError(f"unexpected {c!r}", at)
