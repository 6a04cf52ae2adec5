"""The filter language: what is understood, and what is said about the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexum.readouts.filters import QUALIFIERS, read_filter
from nexum.store.reading import FIELDS, Asked


def test_conditions_are_read_with_quotes_negation_and_times() -> None:
    found = read_filter('status:failed -workflow:RefundAgent key:"order 1042" started:<2h duration:>1.5s order-7')

    assert found.problems == ()
    assert found.asked == (
        Asked("status", "failed"),
        Asked("workflow", "RefundAgent", negated=True),
        Asked("key", "order 1042"),
        Asked("started", "<2h", 7_200_000_000, "<"),
        Asked("duration", ">1.5s", 1_500_000, ">"),
        Asked("word", "order-7"),
    )


@pytest.mark.parametrize(
    ("text", "message", "nearest"),
    [
        ("sttaus:failed", "`sttaus:` is not a filter; did you mean `status:`?", "status:failed"),
        ("-wrkflow:A", "`wrkflow:` is not a filter; did you mean `workflow:`?", "-workflow:A"),
        ("status:faled", "`faled` is not a status; did you mean `failed`?", "status:failed"),
        ("standing:indoubt", "`indoubt` is not a standing; did you mean `in_doubt`?", "standing:in_doubt"),
        ("started:2h", "`started:` wants < or >", ""),
        ("duration:>5parsec", "`duration:` wants < or >", ""),
        ('key:""', "`key:` wants a value", ""),
        ("status:", "`status:` wants a value", ""),
        ("input.n:3", "`input.n:` is not a filter; known are status:", ""),
        ("-result.id:re_1", "`result.id:` is not a filter; known are status:", ""),
        ("http://x", "`http:` is not a filter", ""),
        ("zzzzqqq:1", "`zzzzqqq:` is not a filter; known are status:", ""),
    ],
)
def test_what_is_not_understood_is_said_with_the_nearest_valid_one(text: str, message: str, nearest: str) -> None:
    found = read_filter(text)

    assert len(found.problems) == 1
    assert found.problems[0].message.startswith(message)
    assert found.problems[0].nearest == nearest


@pytest.mark.parametrize(
    ("text", "value"),
    [("shop.Order:1042", "shop.Order:1042"), ('"input.n:3"', "input.n:3"), ('shop.Order:"10 42"', "shop.Order:10 42")],
)
def test_a_subject_and_a_text_in_quotes_are_words(text: str, value: str) -> None:
    assert read_filter(text).asked == (Asked("word", value),)


def test_every_qualifier_has_a_column_behind_it() -> None:
    assert set(QUALIFIERS) | {"word"} == set(FIELDS)


def test_a_query_has_a_bounded_number_of_conditions() -> None:
    assert "at most 20" in read_filter(" ".join(f"w{i}" for i in range(30))).problems[0].message


@given(st.text(max_size=120))
def test_any_text_is_read_or_refused_and_never_raises(text: str) -> None:
    found = read_filter(text)

    assert found.problems or all(asked.field in FIELDS for asked in found.asked)
