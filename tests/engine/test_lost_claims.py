"""What a session holds and does not know of is found again, whichever answer was lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine_driver import Driver
from graphs import compute, graph
from nexum.core.run.state import Phase
from nexum.engine.work import Work
from nexum.errors import UnavailableError
from nexum.store.api import Claimed, Mail, Store

CHAIN = graph(compute("a", "input"), compute("b", "a"))


class Cut:
    """A store of which one verb is cut off once: done, with `after`, or not."""

    def __init__(self, store: Store, verb: str, *, after: bool) -> None:
        self._store = store
        self._verb, self._after = verb, after

    def __getattr__(self, name: str) -> object:
        found: Callable[..., object] = getattr(self._store, name)
        if name != self._verb:
            return found

        def once(*given: object, **named: object) -> object:
            self._verb = ""
            if self._after:
                found(*given, **named)
            raise UnavailableError("the connection was lost", code="NX-S102")

        return once


@pytest.mark.parametrize("after", [True, False])
def test_work_that_could_not_be_given_back_is_adopted_or_free(store: Store, after: bool) -> None:
    driver = Driver(Cut(store, "release", after=after))  # type: ignore[arg-type]
    run = driver.start(CHAIN).run_id
    (work,) = driver.claim(CHAIN)

    driver.engine.release(work)

    assert driver.engine.may_have_lost
    found = driver.engine.adopt() or driver.claim(CHAIN)
    assert [again.task for again in found] == [work.task]
    driver.go_on(found[0])
    assert driver.state(run).phase is Phase.COMPLETED


def test_what_was_adopted_is_kept_when_the_next_cannot_be_begun(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = {driver.start(CHAIN).run_id for _ in range(2)}
    driver.store.claim(driver.session, (CHAIN.queue,), 2)  # and nobody hears of it
    begin, begun = driver.engine.begin, []

    def once(claimed: Claimed) -> Work | None:
        if begun:
            raise UnavailableError("the connection was lost", code="NX-S102")
        begun.append(claimed)
        return begin(claimed)

    monkeypatch.setattr(driver.engine, "begin", once)
    (first,) = driver.engine.adopt()
    assert driver.engine.may_have_lost
    with pytest.raises(UnavailableError):
        driver.engine.adopt()
    monkeypatch.undo()
    (second,) = driver.engine.adopt()

    assert {first.task.run_id, second.task.run_id} == runs
    assert not driver.engine.may_have_lost


def test_a_claim_is_found_when_the_look_after_its_step_was_cut_off(store: Store) -> None:
    driver = Driver(Cut(store, "has_mail", after=False))  # type: ignore[arg-type]
    run = driver.start(CHAIN).run_id
    (work,) = driver.claim(CHAIN)
    driver.store.post(Mail(run, "strange", "Unheard", b"{}"))

    with pytest.raises(UnavailableError):
        driver.engine.finish(work, driver.execute(work))

    assert driver.engine.may_have_lost
    (adopted,) = driver.engine.adopt()
    driver.go_on(adopted)
    assert driver.state(run).phase is Phase.COMPLETED
