"""How calls are named, hashed and read back; no database."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any, cast

import pytest
from pydantic import BaseModel

from nexum import IO, Dedupes, NonDeterministicEffect
from nexum.core.graph.policies import Dedupes as Policy
from nexum.engine.calls import Journal
from nexum.errors import HandlerError, RetryAfter
from nexum.store.shapes import CallAnswer


class Receipt(BaseModel):
    id: str


class Pages:
    """A journal in a dict, and what was asked of it."""

    def __init__(self, **answers: CallAnswer) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, str, int]] = []
        self.written: dict[str, bytes] = {}
        self.ended: list[tuple[str, str, bytes]] = []

    def key(self, name: str) -> str:
        return f"key-{name}"

    def claim(self, name: str, arguments: str, *, policy: str, ttl: int) -> CallAnswer:
        self.asked.append((name, arguments, policy, ttl))
        return self.answers.get(name.replace(".", "_"), CallAnswer("", 1))

    def find(self, name: str, arguments: str) -> CallAnswer:
        return self.claim(name, arguments, policy="read", ttl=0)._replace(token=0)

    def record(self, name: str, token: int, result: bytes, *, reference: str) -> bool:
        self.written[name] = result + reference.encode()
        return True

    def keep(self, name: str, arguments: str, result: bytes) -> CallAnswer:
        self.written[name] = result
        return CallAnswer("", 1)

    def end(self, name: str, token: int, *, made: str, raw: bytes = b"") -> None:
        self.ended.append((name, made, raw))


def io_on(pages: Pages, **more: Any) -> IO:
    return IO(cast("Journal", pages), **more)


def charge(order: str, amount: int = 1) -> Receipt:
    return Receipt(id=f"{order}-{amount}")


def untyped(value):  # type: ignore[no-untyped-def]
    return {"at": value}


def code_of(error: pytest.ExceptionInfo[HandlerError]) -> str:
    return error.value.code


def test_without_a_journal_it_calls_and_gives_what_was_returned() -> None:
    io = IO()
    assert io.call(charge, "o", amount=3) == Receipt(id="o-3")
    assert io.read(charge, "o") == Receipt(id="o-1")
    assert io.key("charge") == ""


def test_names_follow_the_function_and_count_from_the_second_on() -> None:
    pages = Pages()
    io = io_on(pages)
    for _ in range(3):
        io.call(charge, "o")
    io.call(charge, "o", name="refund")
    io.call(partial(charge, "o"))
    io.call(lambda: None)

    names = [asked[0] for asked in pages.asked]
    assert names == ["charge", "charge.2", "charge.3", "refund", "charge.4", "_lambda_"]
    assert list(pages.written) == names


@pytest.mark.parametrize("name", ["charge/1", "../up", "", "a b", "x" * 200])
def test_a_name_that_cannot_stand_in_a_path_is_refused(name: str) -> None:
    io = io_on(Pages())
    if not name:
        io.call(charge, "o", name=name)  # none was given
        return
    with pytest.raises(HandlerError) as caught:
        io.call(charge, "o", name=name)
    assert code_of(caught) == "NX-E224"


def test_a_name_is_given_once() -> None:
    io = io_on(Pages())
    io.call(charge, "o", name="a")
    with pytest.raises(HandlerError) as caught:
        io.call(charge, "p", name="a")
    assert code_of(caught) == "NX-E224"


@pytest.mark.parametrize(("outer", "inner"), [("", ""), ("a", ""), ("", "b")])
def test_two_calls_are_open_at_once_only_under_names_that_were_given(outer: str, inner: str) -> None:
    io = io_on(Pages())

    def nested(order: str) -> Receipt:
        return io.call(charge, order, name=inner)

    with pytest.raises(HandlerError) as caught:
        io.call(nested, "o", name=outer)
    assert code_of(caught) == "NX-E224"
    assert io_on(Pages()).call(charge, "o") == Receipt(id="o-1")


def test_threads_may_call_at_once_under_names_of_their_own() -> None:
    pages = Pages()
    io = io_on(pages)
    met = threading.Barrier(2, timeout=10)

    def wait(order: str) -> str:
        met.wait()
        return order

    threads = [threading.Thread(target=io.call, args=(wait, name), kwargs={"name": name}) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert pages.written == {"a": b'"a"', "b": b'"b"'}


def test_the_key_goes_into_the_parameter_of_that_name_and_not_into_the_hash() -> None:
    def send(order: str, idempotency_key: str) -> str:
        return idempotency_key

    pages = Pages()
    io = io_on(pages)
    assert io.call(send, "o") == "key-" + pages.asked[0][0]
    assert io.call(send, "o", idempotency_key="mine", name="own") == "mine"
    assert pages.asked[0][1] != pages.asked[1][1]  # what is given is an argument
    assert io.key("x") == "key-x"


def test_equal_arguments_have_one_hash_however_they_are_spelt() -> None:
    pages = Pages()
    io = io_on(pages)
    io.call(untyped, {"a": 1, "b": Receipt(id="x")})
    io.call(untyped, {"b": {"id": "x"}, "a": 1})
    io.call(untyped, {"a": 2, "b": {"id": "x"}})

    first, second, third = (asked[1] for asked in pages.asked)
    assert first == second != third


def test_arguments_without_a_json_spelling_are_refused_before_anything_is_claimed() -> None:
    pages = Pages()
    with pytest.raises(HandlerError) as caught:
        io_on(pages).call(untyped, object())
    assert code_of(caught) == "NX-E223"
    assert pages.asked == []


def test_the_policy_is_the_calls_own_else_the_nodes() -> None:
    from datetime import timedelta

    pages = Pages()
    io = io_on(pages, provider=Policy(ttl=5))
    io.call(charge, "o")
    io.call(charge, "o", provider=Dedupes(ttl=timedelta(seconds=1)))
    io_on(pages).call(charge, "o")

    assert [asked[2:] for asked in pages.asked] == [("dedupes", 5), ("dedupes", 1_000_000), ("hold", 0)]


def test_a_recorded_result_is_read_by_the_return_annotation_and_nothing_is_called() -> None:
    pages = Pages(charge=CallAnswer("reuse", 1, b'{"id":"old"}'), untyped=CallAnswer("reuse", 1, b'{"at":3}'))
    io = io_on(pages)

    assert io.call(charge, "o") == Receipt(id="old")
    assert io.read(untyped, 1) == {"at": 3}
    assert pages.written == {}


def test_the_first_attempt_sees_what_every_later_one_will() -> None:
    def raw(order: str):  # type: ignore[no-untyped-def]
        return Receipt(id=order)

    assert io_on(Pages()).call(raw, "o") == {"id": "o"}


def test_a_result_that_is_no_json_has_acted_and_is_kept_as_evidence() -> None:
    pages = Pages()
    with pytest.raises(HandlerError) as caught:
        io_on(pages).call(untyped, 1, name="a") and io_on(pages).call(lambda: object(), name="b")  # type: ignore[func-returns-value]
    assert code_of(caught) == "NX-E223"
    ((name, made, raw),) = pages.ended
    assert (name, made) == ("b", "unknown")
    assert b"object" in raw


def test_the_reference_is_read_from_the_result() -> None:
    pages = Pages()
    io_on(pages).call(charge, "o", reference="id")
    assert pages.written["charge"] == b'{"id":"o-1"}o-1'


def test_an_exception_says_whether_the_call_was_made() -> None:
    def broken(order: str) -> str:
        raise ConnectionRefusedError(order)

    pages = Pages()
    io = io_on(pages, made=lambda error, _: "no" if isinstance(error, ConnectionRefusedError) else "unknown")
    with pytest.raises(ConnectionRefusedError):
        io.call(broken, "o")
    assert [ended[1] for ended in pages.ended] == ["no"]


@pytest.mark.parametrize(
    ("state", "kind", "code"),
    [
        ("conflict", NonDeterministicEffect, "NX-E220"),
        ("doubt", HandlerError, "NX-E222"),
        ("wait", RetryAfter, "NX-R212"),
        ("lost", HandlerError, "NX-W210"),
    ],
)
def test_what_must_not_be_made_is_not_made(state: str, kind: type[HandlerError], code: str) -> None:
    pages = Pages(charge=CallAnswer(state, 1))
    io = io_on(pages)
    with pytest.raises(kind) as caught:
        io.call(charge, "o")
    assert caught.value.code == code
    assert pages.written == {}
    assert (io.lost, io.broken is not None) == (state == "lost", state == "conflict")


def test_async_functions_are_awaited_and_read_back_alike() -> None:
    async def send(order: str) -> Receipt:
        return Receipt(id=order)

    async def main() -> None:
        pages = Pages(send_2=CallAnswer("reuse", 1, b'{"id":"old"}'))
        io = io_on(pages)
        assert await io.acall(send, "o", name="a") == Receipt(id="o")
        assert await io.aread(send, "o", name="b") == Receipt(id="o")
        assert pages.written == {"a": b'{"id":"o"}', "b": b'{"id":"o"}'}

    asyncio.run(main())


def test_an_async_call_that_is_cancelled_may_have_been_made() -> None:
    async def main() -> None:
        pages = Pages()
        begun = asyncio.Event()

        async def send() -> None:
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(io_on(pages).acall(send))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [ended[1] for ended in pages.ended] == ["unknown"]

    asyncio.run(main())
