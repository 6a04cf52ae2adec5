"""The standalone site in a process of its own, on a database with a run in every standing, and a real browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, sync_playwright

from nexum.client.breakers import override
from nexum.core.graph.policies import BreakerPolicy
from nexum.core.run.breaker import Breaker, tell
from nexum.engine.breaking import change
from nexum.readouts.dead import read_dead
from nexum.readouts.doubt import read_doubts
from nexum.store.connect import open_store
from nexum.store.django import migrate
from nexum.testing.samples import MINUTE, Clock, Stage, fill
from nexum.testing.site import serving
from troubled import calls_in_doubt, trouble


def failing(breaker: Breaker, now: int) -> Breaker:
    """It has just opened."""
    return tell(breaker, BreakerPolicy(failures=1), now, well=False)


@dataclass
class Site:
    """Where the site answers, and the stage whose runs it shows; `live` plays by the real clock."""

    url: str
    ids: dict[str, str]
    live: Stage


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site on a filled database."""
    folder = tmp_path_factory.mktemp("site")
    address = f"sqlite:///{folder / 'runs.sqlite3'}"
    migrate(address)
    clock = Clock(time.time_ns() // 1000 - 30 * MINUTE)
    filled = fill(open_store(address, clock=clock), clock, more=40)
    trouble(filled)
    with closing(open_store(address)) as other:
        filled.ids["doubt_calls"] = calls_in_doubt(other)
    keys = {line.run_id: line.key for line in read_doubts(filled.store).effects}
    for name in ("in_doubt", "doubt_dedupes", "doubt_asked", "doubt_calls", "doubt_half"):
        filled.ids[f"{name}_key"] = keys[filled.ids[name]]
    override(
        filled.store, "stripe.refund", "open", actor="mika", reason="the provider announced maintenance", seconds=3600
    )
    change(filled.store, "default", "openai:gpt-4o-mini-with-a-name-that-is-longer-than-its-card", failing)
    groups = {group.workflow: group.fingerprint for group in read_dead(filled.store).groups}
    filled.ids |= {
        "dead_group": groups["RefundAgent"],
        "dead_parked": groups["Payout"],
        "dead_regressed": groups["Settlement"],
    }
    filled.store.close()
    live = open_store(address)
    with serving(address, folder) as url:
        yield Site(url, filled.ids, Stage(live, Clock(0), session="worker-2-77"))
    live.close()


@pytest.fixture(scope="session")
def browser(site: Site) -> Iterator[Browser]:
    """A headless Chromium of the system; after the site, because Django refuses to migrate beside Playwright's loop."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found is not None, "no chromium on the PATH: apt-get install chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()
