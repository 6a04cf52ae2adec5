"""A handle on a run: where it stands, and what comes of it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import fresh_sqlite
from engine_driver import Driver
from graphs import compute, graph
from nexum.broker.doorbell import NullDoorbell
from nexum.client.connect import Connection
from nexum.client.runs import RunHandle
from nexum.core.graph.workflow import Graph
from nexum.core.run.codec import encode_mail
from nexum.core.run.events import CancelRequested, Error, RunTerminated
from nexum.engine.work import Failed
from nexum.errors import ConflictError, HandlerError, InternalError, NexumError
from nexum.settings import Settings
from nexum.store.api import Mail
from nexum.store.connect import open_store

ONE = graph(compute("a", "input"), compute("b", "a"))
TWO = graph(compute("a", "input"), compute("b", "input"), result=("a", "b"))


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    url = fresh_sqlite(tmp_path)
    store = open_store(url)
    yield Driver(store, inline_max=4)
    store.close()


def handle(driver: Driver, shape: Graph, value: object = 1) -> RunHandle:
    """Start a run and give a handle on it."""
    connection = Connection(driver.store, NullDoorbell(), Settings(), "sqlite:///here")
    return RunHandle(driver.start(shape, value).run_id, connection)


def test_one_node_gives_its_output_and_several_an_object(driver: Driver) -> None:
    one, two = handle(driver, ONE), handle(driver, TWO)
    driver.play(ONE)
    driver.play(TWO)

    assert one.result(timeout=0) == 3
    assert two.result(timeout=0) == {"a": 2, "b": 2}
    assert (one.status(), one.describe()["workflow"]) == ("COMPLETED", ONE.workflow)


def test_a_large_result_comes_from_its_blob(driver: Driver) -> None:
    driver.handlers["b"] = lambda work: "a long text"
    run = handle(driver, ONE)
    driver.play(ONE)

    assert run.result(timeout=0) == "a long text"


def test_a_result_that_was_tampered_with_is_not_given(driver: Driver, tmp_path: Path) -> None:
    driver.handlers["b"] = lambda work: "a long text"
    run = handle(driver, ONE)
    driver.play(ONE)
    (file,) = tmp_path.glob("*.sqlite3")
    with sqlite3.connect(file) as connection:
        connection.execute("""UPDATE nexum_blobs SET data = CAST('"another one"' AS BLOB), codec = ''""")
    connection.close()

    with pytest.raises(InternalError) as caught:
        run.result(timeout=0)
    assert caught.value.code == "NX-S101"


def test_a_failed_run_raises_its_first_cause(driver: Driver) -> None:
    driver.handlers["b"] = lambda work: Failed(Error("NX-R211", "the shop is closed"))
    run = handle(driver, ONE)
    driver.play(ONE)

    with pytest.raises(HandlerError) as caught:
        run.result(timeout=0)
    assert (caught.value.code, caught.value.message) == ("NX-R211", "the shop is closed")
    assert caught.value.where == f"run {run.run_id}, node b"


@pytest.mark.parametrize(
    ("word", "status"), [(CancelRequested("withdrawn"), "cancelled"), (RunTerminated("withdrawn"), "terminated")]
)
def test_a_run_that_was_stopped_has_no_result(
    driver: Driver, word: CancelRequested | RunTerminated, status: str
) -> None:
    run = handle(driver, ONE)
    driver.store.post(Mail(run.run_id, "stop", type(word).__name__, encode_mail(word), priority=-1))
    driver.engine.drain(run.run_id)

    with pytest.raises(NexumError) as caught:
        run.result(timeout=0)
    assert (caught.value.code, caught.value.message) == ("NX-R410", f"the run was {status}: withdrawn")


def test_waiting_ends_when_the_run_does(driver: Driver) -> None:
    run = handle(driver, ONE)
    player = threading.Timer(0.05, driver.play, [ONE])
    player.start()

    assert run.result(timeout=20) == 3
    player.join()


def test_waiting_gives_up_when_time_is_up(driver: Driver) -> None:
    run = handle(driver, ONE)

    with pytest.raises(NexumError) as caught:
        run.result(timeout=0.02)
    with pytest.raises(NexumError) as later:
        asyncio.run(run.aresult(timeout=0.02))

    assert (caught.value.code, later.value.code) == ("NX-R411", "NX-R411")
    assert caught.value.exit_code == 75


def test_a_loop_goes_on_while_a_result_is_awaited(driver: Driver) -> None:
    run = handle(driver, ONE)

    async def both() -> tuple[object, int]:
        waiting = asyncio.create_task(run.aresult(timeout=20))
        turns = 0
        while not waiting.done():
            turns += 1
            if turns == 3:
                await asyncio.to_thread(driver.play, ONE)
            await asyncio.sleep(0)
        return await waiting, turns

    result, turns = asyncio.run(both())

    assert result == 3
    assert turns > 3


def test_a_run_that_does_not_exist_is_said(driver: Driver) -> None:
    run = RunHandle("nobody", Connection(driver.store, NullDoorbell(), Settings(), "sqlite:///here"))

    with pytest.raises(NexumError) as caught:
        run.status()
    assert caught.value.code == "NX-R404"


def test_a_run_is_cancelled_by_its_handle_and_says_who_asked(driver: Driver) -> None:
    run = handle(driver, ONE)

    done = run.cancel("customer withdrew", actor="mika")

    assert (done.run_status, run.status()) == ("CANCELLED", "CANCELLED")
    request = next(row for row in driver.events(run.run_id) if row.type == "CancelRequested")
    assert request.actor == "mika"
    with pytest.raises(ConflictError, match="has ended as CANCELLED"):
        run.terminate("at once")


def test_a_run_is_terminated_by_its_handle_in_the_name_of_this_process(driver: Driver) -> None:
    run = handle(driver, ONE)

    assert run.terminate("gone mad").run_status == "TERMINATED"
    assert driver.events(run.run_id)[-1].actor.endswith(f":{os.getpid()}")
