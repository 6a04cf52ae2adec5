"""The second act of the demo must notice when a doubt is resolved by the wrong one, or an act is missing or doubled."""

from __future__ import annotations

import pytest

from examples.refund_agent.doubt_side import faults
from examples.refund_agent.goodwill import SETTLE, goodwill_agent
from nexum.core.graph.nodes import Effect

ACTS = ["refund", "mail"]
RESOLVED = [("voucher", "reconcile"), ("letter", "person")]


def test_one_effect_is_asked_about_and_one_is_held() -> None:
    voucher, letter = goodwill_agent.graph["voucher"], goodwill_agent.graph["letter"]

    assert isinstance(voucher, Effect)
    assert isinstance(letter, Effect)
    assert voucher.reconcile is not None
    assert voucher.reconcile.settle == SETTLE.total_seconds() * 1e6
    assert letter.reconcile is None
    assert {voucher.doubt.policy, letter.doubt.policy} == {"hold"}


def test_an_act_as_it_must_be_has_no_faults() -> None:
    assert faults("COMPLETED", ACTS, RESOLVED) == []


@pytest.mark.parametrize(
    ("ended", "acts", "resolved"),
    [
        ("RUNNING", ACTS, RESOLVED),
        ("COMPLETED", ["refund"], RESOLVED),
        ("COMPLETED", ["refund", "refund", "mail"], RESOLVED),
        ("COMPLETED", ["refund", "mail", "mail"], RESOLVED),
        ("COMPLETED", ACTS, RESOLVED[:1]),
        ("COMPLETED", ACTS, [("voucher", "person"), ("letter", "person")]),
    ],
)
def test_every_other_end_has_a_fault(ended: str, acts: list[str], resolved: list[tuple[str, str]]) -> None:
    assert faults(ended, acts, resolved)
