"""What is read as the answer of a model, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexum.core.canonical import MAX_DEPTH, canonical_bytes
from nexum_workers.models.reading import MAX_DIGITS, InvalidAnswerError, read_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def code(text: str) -> str:
    with pytest.raises(InvalidAnswerError) as caught:
        read_json(text)
    return caught.value.code


@given(JSON)
def test_every_json_value_is_read_as_it_is(value: object) -> None:
    assert read_json(json.dumps(value)) == value


@given(JSON)
def test_a_fence_around_a_value_does_not_change_it(value: object) -> None:
    assert read_json(f"```json\n{json.dumps(value, indent=1)}\n```") == value


@given(st.text())
def test_whatever_is_read_can_be_stored(text: str) -> None:
    try:
        value = read_json(text)
    except InvalidAnswerError:
        return
    canonical_bytes(value)


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}```',
        'Sure!\n\n```json\n{"a": 1}\n```\nAnything else?',
        '\ufeff {"a": 1} \n',
        '```json\n{"a": 1}\n```\nor, the same:\n```\n{ "a" : 1 }\n```',
    ],
)
def test_fences_marks_and_prose_around_one_value_are_tolerated(text: str) -> None:
    assert read_json(text) == {"a": 1}


def test_a_fence_inside_a_string_belongs_to_the_string() -> None:
    value = {"code": "```py\nx\n```"}
    assert read_json(json.dumps(value)) == value
    assert read_json(f"```json\n{json.dumps(value)}\n```") == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "yes",
        '{"a": 1',
        '{"a": 1} {"a": 2}',
        'The answer is {"a": 1}.',
        '```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```',
        '{"a": 1, "a": 2}',
        "```json\n```",
    ],
)
def test_what_is_not_one_json_value_is_no_answer(text: str) -> None:
    assert code(text) == "NX-L211"


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        "9" * (MAX_DIGITS + 1),
        '{"a": -' + "9" * 5000 + "}",
        "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
        '{"a":' * 300 + "1" + "}" * 300,
        "[" * 200_000 + "]" * 200_000,
    ],
)
def test_numbers_and_nesting_out_of_bounds_are_refused(text: str) -> None:
    assert code(text) == "NX-L212"


def test_the_largest_nesting_that_is_read_can_be_stored() -> None:
    value = read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert canonical_bytes(value) == b"[" * MAX_DEPTH + b"]" * MAX_DEPTH


def test_the_refusal_says_where_the_text_stops_being_json() -> None:
    with pytest.raises(InvalidAnswerError, match=r"character 9, near '\{\"a\": 1, b\}'"):
        read_json('{"a": 1, b}')
