"""What a handler did becomes exactly one value."""

from __future__ import annotations

import asyncio
import json
import socket
from http.client import IncompleteRead
from ssl import SSLError

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexum.core.graph.nodes import Compute, Effect, Handler, Read
from nexum.core.graph.policies import RetryPolicy
from nexum.errors import Fail, HandlerError, NonRetryable, NotSent, RetryAfter
from nexum_workers.outcome import TEXT_MAX, evidence_of, failure, is_named, overtime, unrecordable


def _node(kind: type[Compute | Read | Effect], *, tool: str = "", **retry: object) -> Compute | Read | Effect:
    extra = {"tool": tool or "pay"} if kind is Effect else {}
    return kind(id="n", handler=Handler(ref="m:f"), output={}, retry=RetryPolicy(**retry), **extra)  # type: ignore[arg-type]


class CardDeclinedError(Exception):
    pass


def _answered(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "https://pay.test/refunds")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    "error",
    [
        NotSent("pool was exhausted"),
        NonRetryable("card declined"),
        Fail("fraud"),
        RetryAfter(3),
        ConnectionRefusedError(),
        socket.gaierror(),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("no answer to SYN"),
        httpx.PoolTimeout("busy"),
    ],
)
def test_these_prove_that_an_effect_did_not_happen(error: Exception) -> None:
    assert failure(error, _node(Effect)).sent == "no"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("?"),
        TimeoutError(),
        ConnectionResetError(),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("cut"),
        SystemExit(1),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        MemoryError(),
    ],
)
def test_everything_else_leaves_the_outcome_of_an_effect_unknown(error: BaseException) -> None:
    assert failure(error, _node(Effect)).sent == "unknown"
    assert failure(error, _node(Read)).sent == "no"
    assert failure(error, _node(Effect), began=False).sent == "no"


@pytest.mark.parametrize("option", ["retry_on", "never_on"])
@pytest.mark.parametrize("name", ["CardDeclinedError", "httpx.HTTPStatusError", "Exception", "OSError"])
@pytest.mark.parametrize(
    "error",
    [
        CardDeclinedError(),
        _answered(400),
        _answered(500),
        _answered(503),
        BrokenPipeError(),
        IncompleteRead(b""),
        SSLError("EOF occurred in violation of protocol"),
        json.JSONDecodeError("Expecting value", "", 0),
        KeyError("id"),
        TimeoutError(),
    ],
    ids=repr,
)
def test_what_is_worth_another_attempt_says_nothing_of_what_was_sent(error: Exception, name: str, option: str) -> None:
    listed = _node(Effect, **{option: (name,)})
    assert failure(error, listed).sent == "unknown"
    assert failure(NotSent("busy"), listed).sent == "no"


def test_retry_on_and_never_on_go_by_class_name_through_the_ancestors() -> None:
    assert failure(ValueError(), _node(Read)).error.retryable
    only = _node(Read, retry_on=("LookupError",))
    assert failure(KeyError(), only).error.retryable
    assert not failure(ValueError(), only).error.retryable
    never = _node(Read, never_on=("builtins.ValueError",))
    assert not failure(UnicodeDecodeError("utf-8", b"", 0, 1, "bad"), never).error.retryable
    assert is_named(KeyError(), ["LookupError"])


def test_errors_with_a_meaning_keep_their_codes() -> None:
    node = _node(Read)
    told = failure(RetryAfter(2.5, "quota"), node)
    assert (told.error.code, told.retry_after, told.error.retryable) == ("NX-R212", 2_500_000, True)
    assert failure(RetryAfter(-1), node).retry_after == 0
    assert (failure(NonRetryable("x"), node).error.code, failure(NonRetryable("x"), node).error.retryable) == (
        "NX-R210",
        False,
    )
    assert (failure(Fail("x"), node).error.code, failure(Fail("x"), node).error.retryable) == ("NX-R211", False)
    assert (failure(NotSent("x"), node).error.code, failure(NotSent("x"), node).error.retryable) == ("NX-E101", True)
    assert failure(ZeroDivisionError("division by zero"), node).error.code == "NX-R200"


def test_the_traceback_names_the_line_that_failed() -> None:
    try:
        {}["order"]
    except KeyError as error:
        described = failure(error, _node(Read)).error
    assert "test_outcome.py" in described.trace
    assert (described.type, described.message) == ("KeyError", "KeyError: 'order'")


@given(st.text(st.characters(), max_size=30_000) | st.just("\x00\ud800" * 9_000))
def test_texts_are_cut_together_and_can_be_stored_anywhere(text: str) -> None:
    error = failure(ValueError(text), _node(Read)).error
    both = error.message.encode() + error.trace.encode()  # encodes: no lone surrogate is left
    assert len(both) <= TEXT_MAX
    assert b"\x00" not in both


def test_an_exception_that_cannot_be_printed_is_still_an_outcome() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert failure(Hostile(), _node(Read)).error.type == "Hostile"


def test_overtime_of_an_effect_is_unknown_and_of_a_read_is_not() -> None:
    late = overtime(_node(Effect), 1_500_000)
    assert (late.sent, late.error.code, late.error.retryable) == ("unknown", "NX-R202", True)
    assert "1.5 s" in late.error.message
    assert overtime(_node(Read), 1).sent == "no"


def test_an_effect_whose_result_cannot_be_stored_is_known_to_have_acted_and_is_never_sent_again() -> None:
    error = HandlerError("$.amount: nan is not JSON", code="NX-R102")
    outcome = unrecordable(error, _node(Effect), {"amount": float("nan")})
    assert (outcome.sent, outcome.error.code, outcome.error.retryable) == ("yes", "NX-R102", False)
    kept = json.loads(outcome.raw)
    assert (kept["unstorable"], kept["repr"]) == ("dict", "{'amount': nan}")
    assert unrecordable(error, _node(Compute), {}).raw == b""


def test_evidence_survives_a_hostile_value() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert "whose repr raises RuntimeError" in json.loads(evidence_of(Hostile()))["repr"]
    assert len(evidence_of("\ud800" * 100_000)) < 20_000
