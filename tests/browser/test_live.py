"""A page that stays open while its run goes on, and the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from nexum.testing.samples import gives, wide_graph

QUEUE = wide_graph().queue
SCRIPT = {"limit": [gives({"order": "L-1"})]}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def begun(site: Any, name: str) -> str:
    """A run of twenty nodes that somebody works on."""
    site.live.open(site.live.session, QUEUE, host="worker-2", pid=77, lease=10**15)
    run_id: str = site.live.begin("OrderIntake", {"order": name}, name=name)
    return run_id


def test_a_run_that_goes_on_is_seen_to_go_on_until_it_ends(site: Any, page: Page) -> None:
    run_id = begun(site, "live-1")
    page.goto(f"{site.url}/runs/{run_id}/")
    state = page.locator("#node-charge_card .pill")
    expect(page.locator("#nx-live")).to_have_attribute("data-state", "live")
    expect(state).to_have_text("Not reached")

    work = site.live.play(QUEUE, SCRIPT, until="charge_card")
    expect(state).to_have_text("Running", timeout=20_000)
    expect(page.locator(".stand .said")).to_contain_text("charge_card is running on worker-2:77")

    made: dict[str, int] = {}
    while work is not None:
        work = site.live.step(work, SCRIPT, made)
    site.live.play(QUEUE, SCRIPT)
    expect(page.locator(".stand .pill")).to_have_text("Completed", timeout=30_000)
    expect(page.locator("#nx-live")).to_have_text("Ended")


def test_what_was_opened_stays_open_and_loaded_while_events_come_in(site: Any, page: Page) -> None:
    run_id = begun(site, "live-2")
    page.goto(f"{site.url}/runs/{run_id}/?tab=events")
    first = page.locator("#event-1")
    first.locator("summary").first.click()
    expect(first.locator("pre").first).to_contain_text("live-2")

    site.live.play(QUEUE, SCRIPT, until="normalise")
    expect(page.locator("#event-5")).to_be_visible(timeout=20_000)
    expect(first).to_have_attribute("open", "")
    expect(first.locator("pre").first).to_contain_text("live-2")


def test_nothing_on_the_page_moves_while_nothing_happens(site: Any, page: Page) -> None:
    page.goto(f"{site.url}/runs/{site.ids['in_doubt']}/")
    page.evaluate("""() => {
        window.moved = [];
        const quiet = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest("time, [data-since]");
        new MutationObserver((records) => records.filter((r) => !quiet(r.target)).forEach((r) => window.moved.push(r.type)))
            .observe(document.querySelector("#nx-fresh"), { childList: true, subtree: true, characterData: true });
    }""")
    quiet = 0
    while quiet < 2:  # a new half minute may bring one answer between
        page.evaluate("window.moved = []")
        with page.expect_response(lambda answer: "/live" in answer.url, timeout=60_000) as asked:
            pass
        if asked.value.status == 204:
            quiet += 1
            assert page.evaluate("window.moved") == []


def test_a_page_says_since_when_it_is_not_live_and_recovers(site: Any, page: Page) -> None:
    page.goto(f"{site.url}/runs/{site.ids['running']}/")
    page.route("**/live?*", lambda route: route.abort())
    expect(page.locator("#nx-live")).to_contain_text("Not live since", timeout=20_000)

    page.unroute("**/live?*")
    expect(page.locator("#nx-live")).to_have_text("Live", timeout=40_000)


def arrived(page: Page, url: str) -> None:
    """The page is there, and its script listens."""
    expect(page).to_have_url(url)
    page.wait_for_function("() => document.readyState === 'complete'")


def test_the_keyboard_walks_rows_opens_them_and_comes_back(site: Any, page: Page) -> None:
    run = f"{site.url}/runs/{site.ids['failed']}/"
    page.goto(f"{site.url}/runs/?q=status:failed")
    for keys, url in (("j Enter", run), ("n Enter", f"{run}nodes/refund/"), ("u", run), ("2", f"{run}?tab=events")):
        for key in keys.split():
            page.keyboard.press(key)
        arrived(page, url)
    page.keyboard.press("?")
    expect(page.locator("#nx-keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#nx-keys")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("r")
    arrived(page, f"{site.url}/runs/")
    page.keyboard.press("/")
    expect(page.locator("#nx-search")).to_be_focused()
    page.keyboard.type("status:failed")
    page.keyboard.press("Enter")
    arrived(page, f"{site.url}/runs/?q=status%3Afailed")


def test_an_ended_run_asks_for_nothing_more(site: Any, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/live" in request.url else None)
    page.clock.install()
    page.goto(f"{site.url}/runs/{site.ids['completed']}/")
    expect(page.locator("#nx-live")).to_have_text("Ended")
    page.clock.run_for(120_000)

    assert asked == []


def test_a_page_works_without_its_script(site: Any, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/runs/{site.ids['repaired']}/?tab=events")
    page.locator("#event-5 summary").first.click()
    page.get_by_role("link", name="Event 5").click()

    expect(page.locator("h1")).to_contain_text("AttemptFailed")
    context.close()
