"""Whatever text an earlier version stored, no page, no document and no answer on paper fails because of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from databases import fresh_sqlite
from nexum.cli.main import run
from nexum.core.canonical import canonical_bytes
from nexum.core.run.events import Usage
from nexum.engine.work import Succeeded
from nexum.store.connect import open_store
from nexum.testing.samples import CLAIM, MINUTE, PURCHASE, Clock, Stage, fails, refund_graph, unfit
from nexum.testing.site import serving

HALF = "a \ud83d b"
SHOWN = r"a \ud83d b"
DEEP = "[" * 100_000
ADDRESSES = (
    *("/runs/{id}/", "/runs/{id}.json", "/runs/{id}/?tab=events", "/runs/{id}/?tab=io", "/runs/"),
    *("/runs/{id}/nodes/verdict/", "/runs/{id}/nodes/verdict.json", "/runs/{id}/nodes/purchase.json"),
    *("/api/v1/runs/{id}", "/api/v1/runs/{id}/nodes/verdict", "/api/v1/runs/{id}/nodes/purchase"),
    *("/api/v1/runs/{id}/events", "/api/v1/runs", "/runs.json"),
)


def succeeded(value: Any, **more: Any) -> Succeeded:
    """As a worker of an earlier version would have recorded it."""
    return Succeeded(canonical_bytes(value), **more)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, int, str]]:
    """A site with one run that holds halves of surrogate pairs wherever there is text: (address, run, events, database)."""
    folder: Path = tmp_path_factory.mktemp("halves")
    database = fresh_sqlite(folder)
    clock = Clock(time.time_ns() // 1000 - 20 * MINUTE)
    stage = Stage(open_store(database, clock=clock), clock)
    graph = refund_graph()
    stage.register(graph)
    stage.open(stage.session, graph.queue, lease=10**15)
    run_id = stage.begin("RefundAgent", CLAIM, name="halves", key="halves")
    journal = {"model": HALF, "messages": [{"role": "user", "text": HALF}], "reply": HALF, "finish": HALF}
    usage = Usage("openai:gpt-4o-mini", HALF, 1, 1, HALF)
    verdicts = [
        unfit(r'{"reason": "\ud83d", "\ud83d": NaN}', HALF),
        unfit(DEEP, HALF),
        succeeded(
            {"refund": True, HALF: HALF}, usage=usage, raw=rb'{"reason": "\ud83d"}', journal=canonical_bytes(journal)
        ),
    ]
    stage.play(
        graph.queue,
        {
            "purchase": [succeeded({**PURCHASE, "item": HALF, HALF: [HALF]})],
            "verdict": verdicts,
            "route": [fails("NX-R210", HALF, retryable=False)],
        },
    )
    head = stage.store.head(run_id)
    assert head is not None
    with serving(database, folder) as url:
        yield url, run_id, head.seq, database
    stage.store.close()


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_and_document_of_such_a_run_is_answered(place: Any, address: str) -> None:
    url, run_id, _, _ = place
    answer = httpx.get(url + address.format(id=run_id), timeout=30)

    assert answer.status_code in (200, 286)
    answer.content.decode()
    if "json" in answer.headers["Content-Type"]:
        json.loads(answer.content)
    if "nodes" in address:
        assert SHOWN in answer.text.replace(r"\\ud83d", r"\ud83d")


def test_every_event_of_such_a_run_is_answered(place: Any) -> None:
    url, run_id, last, _ = place
    with httpx.Client(timeout=30) as client:
        for seq in range(1, last + 1):
            for address in (f"/runs/{run_id}/events/{seq}/", f"/api/v1/runs/{run_id}/events/{seq}"):
                answer = client.get(url + address)
                assert (address, answer.status_code) == (address, 200)
                answer.content.decode()


@pytest.mark.parametrize(
    "words", [("show", "--node", "purchase"), ("show", "--node", "verdict"), ("show", "--events"), ("show",), ("why",)]
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_command_line_shows_such_a_run(
    place: Any,
    words: tuple[str, ...],
    form: tuple[str, ...],
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # xdist sets it, and a narrow table cuts the text
    _, run_id, _, database = place
    verb, *options = words

    assert run([verb, run_id, *options, *form, "--database", database]) == 0
    said = capsysbinary.readouterr().out.decode()
    assert not form or json.loads(said)
    assert SHOWN in said.replace(r"\\ud83d", SHOWN) or "a   b" in said  # a table shows a blank for what has no width
