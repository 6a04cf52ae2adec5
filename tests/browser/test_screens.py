"""Every page as people see it, wide and narrow, light and dark, looked at by a machine; the pictures are for people.

Writes `build/screens/*.png` and `build/browser.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from house import ROOT

BUILD = ROOT / "build"
SCREENS = BUILD / "screens"
LOOKS = (ROOT / "tests" / "browser" / "looks.js").read_text("utf-8")
WATCH = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.reports.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile || ""}`);
});
"""
SIZES = {1440: 900, 390: 844}
PAGES = {
    "runs": "/runs/",
    "runs-failed": "/runs/?q=status:failed",
    "runs-misread": "/runs/?q=sttaus:failed",
    "runs-none": "/runs/?q=key:nothing-like-this",
    "run-completed": "/runs/{completed}/",
    "run-failed": "/runs/{failed}/",
    "run-in-doubt": "/runs/{in_doubt}/",
    "run-no-worker": "/runs/{no_worker}/",
    "run-needs-attention": "/runs/{needs_attention}/",
    "run-wide": "/runs/{wide}/",
    "run-wide-running": "/runs/{wide_running}/",
    "run-long-key": "/runs/{declined}/?tab=io",
    "events": "/runs/{repaired}/?tab=events",
    "event": "/runs/{completed}/events/4/",
    "node-llm-repaired": "/runs/{repaired}/nodes/verdict/",
    "node-in-doubt": "/runs/{in_doubt}/nodes/refund/",
    "node-failed": "/runs/{failed}/nodes/refund/",
    "node-retrying": "/runs/{retrying}/nodes/verdict/",
    "node-pending": "/runs/{queued}/nodes/mail/",
    "terminate": "/runs/{in_doubt}/do/terminate/",
    "doubts": "/in-doubt/",
    "doubt": "/in-doubt/{in_doubt_key}/",
    "doubt-dedupes": "/in-doubt/{doubt_dedupes_key}/",
    "doubt-asked": "/in-doubt/{doubt_asked_key}/",
    "doubt-half": "/in-doubt/{doubt_half_key}/",
    "run-half": "/runs/{doubt_half}/",
    "doubt-calls": "/in-doubt/{doubt_calls_key}/",
    "dead-letters": "/dead-letters/",
    "breakers": "/breakers/",
    "dead-group": "/dead-letters/{dead_group}/",
    "dead-parked": "/dead-letters/{dead_parked}/",
    "dead-preview": "/dead-letters/{dead_parked}/",
    "dead-regressed": "/dead-letters/{dead_regressed}/",
    "versions": "/versions/",
    "code": "/e/NX-E201/",
    "missing": "/runs/0198-nothing/",
}
FOUND: list[dict[str, Any]] = []


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    """What was found, as one file, whatever the tests say."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    yield
    kinds = (
        "overflow",
        "overlaps",
        "csp_reports",
        "console_errors",
        "contrast",
        "cut_without_title",
        "foreign_requests",
    )
    totals = {kind: sum(len(shot[kind]) for shot in FOUND) for kind in kinds}
    (BUILD / "browser.json").write_text(
        json.dumps({**totals, "shots": FOUND}, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )


def look(page: Page, name: str, width: int, theme: str, errors: list[str], foreign: list[str]) -> dict[str, Any]:
    """What a machine sees of the page."""
    seen = page.evaluate(LOOKS)
    shot = {
        "page": name,
        "width": width,
        "theme": theme,
        "overflow": seen["overflow"],
        "overlaps": seen["overlaps"],
        "csp_reports": page.evaluate("window.reports"),
        "console_errors": list(errors),
        "contrast": seen["contrast"],
        "cut_without_title": seen["cut"],
        "thin_targets": seen["thin"],
        "inline_styles": seen["styled"],
        "foreign_requests": list(foreign),
    }
    FOUND.append(shot)
    return shot


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_at_any_width_in_either_theme(
    browser: Browser, site: Any, name: str, width: int, theme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]},
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = context.new_page()
    errors: list[str] = []
    foreign: list[str] = []
    expected = "Failed to load resource: the server responded with a status of 404"
    page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((site.url.removesuffix("/nexum"), "data:")) else foreign.append(asked.url)
        ),
    )
    page.add_init_script(WATCH)
    page.goto(site.url + PAGES[name].format(**site.ids))
    if name == "events":
        page.locator("details.event").nth(4).locator("summary").click()
        page.locator("details.event .event-body").first.wait_for()
    if name == "dead-preview":
        page.locator("[name=rate]").fill("2")
        page.get_by_role("button", name="Preview").first.click()
        page.locator("#preview").wait_for()
    if name == "missing":
        errors[:] = [text for text in errors if not text.startswith(expected)]
    shot = look(page, name, width, theme, errors, foreign)
    page.screenshot(path=SCREENS / f"{name}-{width}-{theme}.png", full_page=True)
    context.close()

    assert {kind: found for kind, found in shot.items() if kind not in ("page", "width", "theme") and found} == {}
