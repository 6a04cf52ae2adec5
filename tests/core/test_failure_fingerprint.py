"""Which failures are the same one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexum.core.run.fingerprint import LENGTH, LONGEST, fingerprint, normalised

PIECES = st.lists(
    st.one_of(
        st.sampled_from(["'", '"', "`", "0x", "deadbeef", " ", "\n", "<n>", "order ", "1", "12.5", "-"]), st.text()
    ),
    max_size=20,
).map("".join)


@given(PIECES)
def test_normalising_twice_is_normalising_once(message: str) -> None:
    once = normalised(message)

    assert normalised(once) == once
    assert len(once) <= LONGEST


@given(PIECES, st.integers(0, 10**30))
def test_numbers_do_not_make_another_group(message: str, number: int) -> None:
    one, other = (normalised(f"order {value} was refused {message}") for value in (number, 7))

    assert one == other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 1042 was refused", "order 7 was refused"),
        ("no account 'mika'", "no account 'hanako'"),
        ('no field "a" in `b`', 'no field "c" in `d`'),
        ("run 0198c2a4-0000-7000-8000-000000000000 ended", "run 0198C2A4-1111-7000-8000-000000000001 ended"),
        ("object at 0x7f2b81962390", "object at 0x11"),
        ("digest 0123456789abcdef", "digest fedcba9876543210"),
        ("took 1.5 s at 12:30:01", "took 90 s at 9:01"),
        ("refused\n  line one", "refused\n  line two"),
    ],
)
def test_data_is_not_part_of_a_message(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"), [("card declined", "card expired"), ("facade broken", "decade broken"), ("a", "")]
)
def test_words_are(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_workflow_node_and_code_tell_groups_apart_and_rounds_do_not() -> None:
    names = {
        fingerprint(*parts, "card 1 declined")
        for parts in (
            ("A", "pay", "NX-R200"),
            ("B", "pay", "NX-R200"),
            ("A", "book", "NX-R200"),
            ("A", "pay", "NX-R210"),
        )
    }

    assert len(names) == 4
    assert {len(name) for name in names} == {LENGTH}
    assert fingerprint("A", "verdict", "X", "m 1") == fingerprint("A", "verdict/repair.2", "X", "m 2")
    assert fingerprint("A", "car", "X", "m") != fingerprint("A", "car/undo", "X", "m")
    assert fingerprint("A", "car/undo", "X", "m") == fingerprint("A", "car/undo/reconcile.3", "X", "m")


def test_a_text_that_utf8_cannot_carry_has_a_fingerprint_too() -> None:
    assert len(fingerprint("A", "pay", "NX-R200", "half \ud83d of a pair")) == LENGTH
