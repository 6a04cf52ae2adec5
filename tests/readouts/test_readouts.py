"""The view-models over a filled store, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from databases import drop_postgres, fresh_postgres, fresh_sqlite
from nexum.readouts.events import read_event, read_events
from nexum.readouts.metrics import read_metrics
from nexum.readouts.node import read_node
from nexum.readouts.run import read_run
from nexum.readouts.runs import read_runs
from nexum.readouts.versions import read_versions
from nexum.store.connect import open_store
from nexum.testing.samples import CLAIM, JAPANESE, Clock, fill

BEGINNING = 1_790_000_000_000_000


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_name: str
) -> Iterator[tuple[Any, dict[str, str]]]:
    """A store with a run in every standing, and the runs' ids by name."""
    clock = Clock(BEGINNING)
    if request.param == "sqlite":
        store = open_store(fresh_sqlite(Path(tmp_path_factory.mktemp("readouts"))), clock=clock)
        yield store, fill(store, clock, more=3).ids
        store.close()
        return
    server = request.getfixturevalue("pg_server_url")
    url = fresh_postgres(server, worker_name)
    store = open_store(url, clock=clock)
    yield store, fill(store, clock, more=3).ids
    store.close()
    drop_postgres(url, server)


@pytest.mark.parametrize(
    "standing",
    ["completed", "failed", "cancelled", "in_doubt", "needs_attention", "no_worker", "retrying", "running", "queued"],
)
def test_the_list_and_the_run_agree_on_the_standing(filled: Any, standing: str) -> None:
    store, ids = filled
    listed = {run.run_id: run for run in read_runs(store).runs}
    found = read_run(store, ids[standing], may_read=True)

    assert found is not None
    assert found.run.standing.code == listed[ids[standing]].standing.code == standing
    assert found.linked
    assert found.trouble == ""


@pytest.mark.parametrize("standing", ["in_doubt", "needs_attention", "no_worker", "retrying", "queued", "failed"])
def test_the_filter_finds_exactly_the_runs_that_stand_so(filled: Any, standing: str) -> None:
    store, _ = filled
    everything = read_runs(store, limit=200).runs
    found = read_runs(store, f"standing:{standing}", limit=200)

    assert [run.run_id for run in found.runs] == [run.run_id for run in everything if run.standing.code == standing]
    assert found.total == len(found.runs) > 0


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("key:order-1042", {"completed"}),
        ("order-1042", {"completed"}),
        ('subject:"shop.Order:1046"', {"in_doubt"}),
        ("node:verdict -standing:running", {"retrying"}),
        ("error:NX-R2*", {"failed"}),
        ("status:cancelled", {"cancelled"}),
        ("workflow:OrderIntake status:completed", {"wide"}),
        ("workflow:OrderIntake duration:>10s", {"wide"}),
        ("finished:<1s", set()),
        ("key:注文-2071*", {"declined"}),
    ],
)
def test_a_filter_means_what_it_says(filled: Any, query: str, names: set[str]) -> None:
    store, ids = filled
    found = read_runs(store, query)

    assert found.problems == ()
    assert {run.run_id for run in found.runs} - {ids["wide_running"]} == {ids[name] for name in names}


def test_a_page_continues_where_the_one_before_ended(filled: Any) -> None:
    store, ids = filled
    seen: list[str] = []
    page = read_runs(store, limit=4)
    while True:
        seen += [run.run_id for run in page.runs]
        if not page.next:
            break
        page = read_runs(store, limit=4, after=page.next)

    assert sorted(seen) == sorted(ids.values())
    assert seen == [run.run_id for run in read_runs(store, limit=200).runs]


def test_a_models_node_tells_every_request_and_what_was_wrong_with_its_answer(filled: Any) -> None:
    store, ids = filled
    found = read_node(store, ids["repaired"], "verdict", may_read=True)

    assert found is not None
    assert [(a.round, a.number, a.state) for a in found.attempts] == [
        (0, 1, "failed"),
        (1, 1, "failed"),
        (2, 1, "completed"),
    ]
    first, second, last = found.attempts
    assert first.answer is not None
    assert first.answer.value["reason"] == JAPANESE
    assert first.error is not None
    assert first.error.message.startswith("$.refund: Input should be a valid boolean")
    assert second.answer is not None
    assert second.answer.text is not None
    assert second.answer.text.startswith("Sure! Here is my verdict:")
    assert last.usage is not None
    assert (last.usage.input_tokens, last.usage.output_tokens) == (830, 71)
    assert found.output is not None
    assert found.output.value["score"] == 91
    assert [given.name for given in found.inputs] == ["input", "purchase"]


def test_an_effect_shows_its_key_and_the_providers_reference(filled: Any) -> None:
    store, ids = filled
    done, doubt = (read_node(store, ids[name], "refund", may_read=True) for name in ("completed", "in_doubt"))

    assert done is not None
    assert done.effect is not None
    assert (done.effect.state, done.effect.reference, done.effect.policy) == ("APPLIED", "re_3Q9fA7", "hold")
    assert done.effect.key.startswith("nx1-")
    assert doubt is not None
    assert doubt.effect is not None
    assert (doubt.node.state, doubt.effect.state) == ("in_doubt", "IN_DOUBT")


def test_a_large_payload_is_found_in_the_blobs(filled: Any) -> None:
    store, ids = filled
    found = read_run(store, ids["declined"], may_read=True)

    assert found is not None
    assert found.input is not None
    assert found.input.value == CLAIM | {"text": "x" * 30_000}


def test_nothing_of_a_payload_is_read_for_somebody_who_may_not(filled: Any) -> None:
    store, ids = filled
    found = read_node(store, ids["failed"], "refund", may_read=False)
    event = read_event(store, ids["failed"], "default", 1, last_seq=12, may_read=False)

    assert found is not None
    assert [given.payload.value for given in found.inputs if given.payload] == [None]
    assert found.error is not None
    assert found.error.trace == ""
    assert event is not None
    assert event.body is None


def test_every_event_says_something_and_is_linked_to_the_one_before(filled: Any) -> None:
    store, ids = filled
    for name in ("repaired", "failed", "cancelled", "needs_attention", "retrying", "in_doubt"):
        listed = read_events(store, ids[name], last_seq=99)
        assert all(event.summary for event in listed.events)
        assert [event.seq for event in listed.events] == list(range(1, len(listed.events) + 1))


def test_versions_say_who_serves_them(filled: Any) -> None:
    store, ids = filled
    lines = {(line.workflow, line.active, line.workers) for line in read_versions(store).versions}
    lost = read_run(store, ids["no_worker"], may_read=True)

    assert ("OrderIntake", 1, 1) in lines
    assert ("RefundAgent", 1, 0) in lines  # last year's version, which nobody serves
    assert lost is not None
    assert lost.behind_default


def test_metrics_count_what_the_tables_hold(filled: Any) -> None:
    store, _ = filled
    text = read_metrics(store)
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]

    assert families == [
        *(
            "execution_active_count",
            "execution_failed_total",
            "node_retry_total",
            "effect_duplicates_suspected_total",
            "effect_latency_seconds",
            "queue_depth",
            "breaker_open",
        )
    ]
    assert 'execution_active_count{workflow="OrderIntake",version="b7147271"} 1' in text
    assert 'node_retry_total{workflow="RefundAgent",version="8c6b34cf",node="verdict"} 1' in text
    assert (
        'effect_latency_seconds_bucket{workflow="OrderIntake",version="b7147271",effect="charge_card",le="+Inf"} 1'
        in text
    )
    assert 'queue_depth{workflow="OrderIntake",version="b7147271"} 0' in text


def test_a_cancelled_run_says_why(filled: Any) -> None:
    store, ids = filled
    found = read_run(store, ids["cancelled"], may_read=True)

    assert found is not None
    assert found.run.standing.sentence.endswith(": the customer took the claim back.")


def test_each_request_to_a_model_shows_what_was_asked_and_what_it_replied(filled: Any) -> None:
    store, ids = filled
    found = read_node(store, ids["repaired"], "verdict", may_read=True)

    assert found is not None
    assert len(found.attempts) == 3
    for attempt in found.attempts:
        assert [turn.role for turn in attempt.said] == ["user", "reply"]
        assert JAPANESE in attempt.said[0].text


def test_what_was_said_is_for_those_who_may_read_payloads(filled: Any) -> None:
    store, ids = filled
    found = read_node(store, ids["repaired"], "verdict", may_read=False)

    assert found is not None
    assert [attempt.said for attempt in found.attempts] == [(), (), ()]
