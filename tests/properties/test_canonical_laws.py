"""Laws of canonical JSON v1, over any value that Python can build of JSON's types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nexum.core.canonical import (
    MAX_DIGITS,
    NotCanonicalError,
    canonical_bytes,
    from_bytes,
    legible,
    reference_bytes,
    storable_bytes,
)

TEXT = st.text(st.characters(exclude_categories=()), max_size=8)  # halves of surrogate pairs included
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def has_half(value: Any) -> bool:
    """Whether a text somewhere cannot be encoded; said in another way than the code under test does."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


@given(VALUES)
@example("\ud83d")
@example({"\ud800": 1, "\uffff": 2, "𐀀": 3})
@example([1e16, -0.0, 1e-7, 1 << 64, -(1 << 53), 10**400])
def test_the_fast_spelling_is_the_reference_and_reads_back_as_the_same_value(value: Any) -> None:
    data = canonical_bytes(value)

    assert data == reference_bytes(value)
    assert from_bytes(data) == value
    assert canonical_bytes(from_bytes(data)) == data


@given(VALUES)
@example(r"a backslash before \ud800 is ordinary text")
@example({"\udfff": None})
def test_a_payload_is_what_utf8_can_carry_spelt_canonically(value: Any) -> None:
    if has_half(value):
        with pytest.raises(NotCanonicalError, match="half of a surrogate pair"):
            storable_bytes(value)
    else:
        data = storable_bytes(value)
        assert data == canonical_bytes(value)
        assert json.loads(data.decode()) == value


@given(TEXT)
def test_legible_text_can_be_encoded_and_ordinary_text_stays_as_it_is(text: str) -> None:
    legible(text).encode()
    assert has_half(text) or legible(text) == text


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [0, {"b": "x\ud800"}]}, "$.a[1].b"),
        ({"a": {"\udc00": 1}}, r"$.a.\udc00"),
        ({"a": ["\udc00"]}, "$.a[0]"),
        ({"n": [10**MAX_DIGITS]}, "$.n[0]"),
        ({"n": -(10**MAX_DIGITS)}, "$.n"),
    ],
)
def test_what_is_refused_is_named_by_its_place(value: Any, path: str) -> None:
    with pytest.raises(NotCanonicalError) as caught:
        storable_bytes(value)
    assert caught.value.path == path


def test_the_largest_integer_that_is_written_can_be_read() -> None:
    assert from_bytes(canonical_bytes(10**MAX_DIGITS - 1)) == 10**MAX_DIGITS - 1
