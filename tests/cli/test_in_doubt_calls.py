"""`nexum in-doubt` about a call that a handler journaled: RUN/NODE/io.NAME."""

from __future__ import annotations

from calldesk import ACTS, SENT, Desk, Order, Receipt, charge
from nexum.core.run.state import Phase
from nexum.sdk.io import IO
from nexum.store.connect import open_store
from shopfloor import Shop


def unanswered(order: str) -> Receipt:
    raise TimeoutError("no answer")


def handler(order: Order, io: IO) -> Receipt:
    io.call(charge, order.number, 7)
    return io.call(unanswered, order.number, name="late")


def test_a_call_in_doubt_is_listed_shown_and_resolved_by_its_place(shop: Shop) -> None:
    SENT.clear()
    ACTS.update(book=handler)
    desk = Desk(open_store(shop.url))
    run = desk.start()
    desk.play()

    (listed,) = shop.nexum("in-doubt", "list", "--json").json["effects"]
    why = shop.nexum("why", run)
    shown = shop.nexum("in-doubt", "show", f"{run}/book/io.late")
    wrong = shop.nexum("in-doubt", "show", f"{run}/book/io.lat")
    answer = ("--response", '{"id": "re_9"}', "--reason", "seen in the console", "--json")
    done = shop.nexum("in-doubt", "resolve", f"{run}/book/io.late", "--as", "happened", *answer)
    desk.play()

    assert listed["path"] == "book/io.late"
    assert f"nexum in-doubt show {run}/book/io.late" in why.out
    assert listed["key"] in shown.out
    assert "any JSON is taken for a call, and judged when the handler reads it (NX-E223)" in shown.out
    assert wrong.code == 66
    assert "io.late" in wrong.err
    assert (done.code, done.json["before"], done.json["after"]) == (0, "IN_DOUBT", "COMPLETED")
    assert desk.driver.output(run, "book") == b'{"amount":0,"id":"re_9"}'
    assert desk.driver.state(run).phase is Phase.COMPLETED
    assert [act for act, _ in SENT] == ["charge o-1 7"]
    desk.driver.store.close()
