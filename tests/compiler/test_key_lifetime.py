"""An attempt must have ended before its provider forgets the key that it sends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import BaseModel

from findings import only, pointed
from nexum import Dedupes, Timeouts, Workflow


class Claim(BaseModel):
    order_id: str


def paying(ttl: timedelta, limit: timedelta | None) -> Workflow[Claim]:
    """An effect whose provider knows a key for `ttl`, and whose attempts may take `limit`."""
    agent = Workflow("Agent", input=Claim)
    honours, limits = Dedupes(ttl=ttl), Timeouts(start_to_close=limit)

    @agent.effect(tool="bank", provider=honours, timeouts=limits)
    def pay(claim: Claim) -> None:
        return None

    return agent


@pytest.mark.parametrize(
    ("ttl", "limit", "words"),
    [
        (timedelta(minutes=59), timedelta(minutes=10), "start_to_close may be 588 s at most"),
        (
            timedelta(minutes=20),
            timedelta(minutes=3),
            "its provider knows a key for 1200 s (ttl), of which 240 s are left",
        ),
        (
            timedelta(minutes=20),
            timedelta(minutes=3),
            "may send for 300 s (start_to_close, and 120 s until it is ended)",
        ),
        (timedelta(minutes=10), timedelta(seconds=1), "no start_to_close is short enough"),
        (timedelta(days=1), None, "an attempt may send for ever"),
    ],
)
def test_an_attempt_that_may_outlive_the_key_is_refused(ttl: timedelta, limit: timedelta | None, words: str) -> None:
    found = only(paying(ttl, limit))

    assert found.code == "NX-B133"
    assert words in found.message
    assert pointed(found) == "honours"


@pytest.mark.parametrize(
    ("ttl", "limit"),
    [(timedelta(hours=1), timedelta(minutes=10)), (timedelta(minutes=11), timedelta(seconds=12))],
)
def test_one_that_has_ended_by_then_is_built(ttl: timedelta, limit: timedelta) -> None:
    assert paying(ttl, limit).build().version
