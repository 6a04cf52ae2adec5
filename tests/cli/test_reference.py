"""Which run and which effect a command means, that those of another tenant are none, and that no list ends silently."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from databases import fresh_sqlite
from nexum.cli.commands.in_doubt import find_effect, many
from nexum.cli.reference import find_run, split_node
from nexum.client.doubts import Decision, resolve
from nexum.client.interventions import By
from nexum.client.suspicions import acknowledge
from nexum.core.run.events import Cell
from nexum.errors import NexumError
from nexum.readouts.doubt import read_doubts
from nexum.store.connect import open_store
from nexum.store.doubts import effects_at
from nexum.store.verbs import Verbs
from nexum.testing.samples import Clock, Stage
from troubled import act_twice, doubt, park, parking, paying

NOW = 1_790_000_000_000_000


@pytest.fixture
def stage(tmp_path: object) -> Iterator[Stage]:
    """An engine on an empty database."""
    clock = Clock(NOW)
    made = Stage(open_store(fresh_sqlite(tmp_path), clock=clock), clock)
    yield made
    made.store.close()


def test_with_a_tenant_no_run_and_no_effect_of_another_one_is_found(stage: Stage) -> None:
    store = stage.store
    assert isinstance(store, Verbs)
    mine, other = (park(stage, parking("Payout"), "order/1042", tenant) for tenant in ("default", "acme"))
    (key,) = [effect.key for effect in effects_at(store, other)]
    foreign = (other, other[-8:], other[:-2])
    refused = []
    for reference in foreign:
        with pytest.raises(NexumError) as error:
            find_run(store, reference, "default")
        refused.append(error.value)
    for reference in (key, f"{other}/pay"):
        with pytest.raises(NexumError) as error:
            find_effect(store, reference, "default")
        refused.append(error.value)

    assert [error.code for error in refused] == ["NX-R404"] * 3 + ["NX-E404", "NX-R404"]
    assert all("of the tenant 'default'" in error.message for error in refused[:3])
    assert [find_run(store, reference, "acme") for reference in foreign] == [other] * 3
    assert (find_effect(store, key, "acme").run_id, find_effect(store, key, None).run_id) == (other, other)
    assert [find_run(store, "@last:Payout", tenant) for tenant in ("default", "acme", None)] == [mine, other, other]
    assert [find_run(store, "key:order/1042", tenant) for tenant in ("default", "acme")] == [mine, other]
    assert split_node(store, "key:order/1042/pay", "acme") == ("key:order/1042", "pay")


def test_a_list_of_doubts_that_ends_before_they_do_says_so(stage: Stage) -> None:
    store = stage.store
    assert isinstance(store, Verbs)
    for number in range(4):
        run_id = doubt(stage, paying("Refund"), f"d-{number}")
        if number < 2:
            resolve(store, Decision(run_id, Cell("pay"), "happened", "mika", "seen", "re_1", {"id": "re_1"}))
            key = act_twice(store, run_id, "pay", at=number + 1)
    acknowledge(store, key, By("mika", "a test of the provider"))  # the newer one

    short, whole = read_doubts(store, limit=1), read_doubts(store, limit=2)

    assert (many(short.effects, short.more_than), many(whole.effects, whole.more_than)) == (
        "more than 1 effect",
        "2 effects",
    )
    assert (short.more_suspected, whole.more_suspected) == (True, False)
    assert [line.acknowledged_at for line in short.suspected] == [0]
