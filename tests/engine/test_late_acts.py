"""A worker that was believed dead says that it acted, and that its result cannot be recorded, on every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from doubtful import ABSENT, FOUND, PAY, asked, provider
from engine_driver import Driver
from nexum.core.graph.policies import Dedupes, RetryPolicy
from nexum.core.run.codec import decode
from nexum.core.run.events import EffectInDoubt, Error
from nexum.core.run.state import CellStatus, Phase
from nexum.engine.work import Failed, Work
from nexum.readouts.doubt import read_doubt
from nexum.store.api import Store
from nexum.store.shapes import EXPIRED
from nexum.store.verbs import Verbs

ASKED = asked()
RAW = b'{"repr":"re_7"}'
ACTED = Failed(Error("NX-R201", "pay returned a Receipt"), sent="yes", raw=RAW)


@pytest.fixture
def second(opens: Callable[[], Store]) -> Callable[[str], Driver]:
    """Another process's engine, set as `direct` is."""
    return lambda session: Driver(opens(), session=session)


def believed_dead(
    driver: Driver, another: Callable[[str], Driver], proof: str = "seen to die"
) -> tuple[str, Work, Driver]:
    """A run in doubt, the work of the worker that was believed dead, and another worker."""
    run = driver.start(ASKED).run_id
    (work,) = driver.claim(ASKED)
    driver.store.end_session(driver.session, proof=proof)
    heir = another("s2")
    heir.sweep()
    assert heir.state(run).cells[PAY].status is CellStatus.IN_DOUBT
    return run, work, heir


def doubts(driver: Driver, run: str) -> list[EffectInDoubt]:
    found = [decode(row.type, PAY, row.body) for row in driver.events(run) if row.type == "EffectInDoubt"]
    return [body for body in found if isinstance(body, EffectInDoubt)]


def test_what_acted_after_all_is_not_sent_again_whatever_its_provider_says(
    driver: Driver, another: Callable[[str], Driver]
) -> None:
    run, work, heir = believed_dead(driver, another)

    driver.engine.finish(work, ACTED)
    provider(heir, ABSENT, lost=0)
    heir.play(ASKED)

    assert [body.proof for body in doubts(heir, run)] == ["ended", "acted"]
    assert (heir.state(run).cells[PAY].status, heir.state(run).cells[PAY].proof) == (CellStatus.IN_DOUBT, "acted")
    assert [call.node.id for call in heir.calls] == ["pay/reconcile"]


def test_what_acted_after_all_is_completed_by_what_its_provider_finds(
    direct: Driver, second: Callable[[str], Driver]
) -> None:
    run, work, heir = believed_dead(direct, second)

    direct.engine.finish(work, ACTED)
    provider(heir, FOUND, lost=0)
    heir.play(ASKED)

    assert heir.state(run).phase is Phase.COMPLETED
    assert heir.output(run, "pay") == b'{"amount":42,"id":"re_3"}'


def test_that_it_acted_is_told_once_and_outweighs_that_its_sender_has_died(
    direct: Driver, second: Callable[[str], Driver]
) -> None:
    run, work, heir = believed_dead(direct, second, proof=f"{EXPIRED} of 15 s")
    direct.engine.finish(work, ACTED)
    direct.engine.finish(work, ACTED)

    direct.store.end_session(direct.session, proof="killed by signal 9")
    heir.sweep()

    assert [body.proof for body in doubts(heir, run)] == ["expired", "acted"]
    assert heir.state(run).cells[PAY].proof == "acted"
    assert "SenderEnded" in heir.types(run)


def test_what_it_returned_is_kept_and_shown_to_those_who_may_read_it(
    direct: Driver, second: Callable[[str], Driver]
) -> None:
    run, work, heir = believed_dead(direct, second)

    direct.engine.finish(work, ACTED)

    assert doubts(heir, run)[-1].raw is not None
    if not isinstance(direct.store, Verbs):  # pages read databases only
        return
    for may_read in (True, False):
        shown = read_doubt(direct.store, work.key, may_read=may_read)
        assert shown is not None
        (moment,) = [moment for moment in shown.evidence if moment.what.startswith("it was done")]
        assert ("re_7" in moment.detail) == may_read


def test_that_it_acted_is_believed_also_of_an_attempt_that_was_given_to_two(
    direct: Driver, second: Callable[[str], Driver]
) -> None:
    g = asked(doubt=Dedupes(ttl=3_600_000_000), retry=RetryPolicy())
    run = direct.start(g).run_id
    direct.claim(g)
    direct.store.end_session(direct.session, proof="seen to die")
    heir = second("s2")
    heir.sweep()
    (again,) = heir.claim(g)
    assert again.deliveries == 2

    heir.engine.finish(again, ACTED)

    assert [body.proof for body in doubts(heir, run)] == ["acted"]
