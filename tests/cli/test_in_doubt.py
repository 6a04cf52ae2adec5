"""`nexum in-doubt`: what is in doubt, one effect, and the decision of a person, on either database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from databases import drop_postgres, fresh_postgres
from doubtful import PAY, SHOP, in_doubt
from engine_driver import Driver
from nexum.client.interventions import By, terminate
from nexum.core.run.state import Phase
from nexum.engine.work import Succeeded
from nexum.readouts.doubt import read_doubt
from nexum.store.connect import open_store
from shopfloor import Answer, Shop

RESPONSE = '{"id": "re_7", "amount": 42}'
WHY = ("--reason", "seen in the console")


class Desk:
    """A database with one run in doubt, and the command line on it."""

    def __init__(self, shop: Shop, url: str) -> None:
        self.shop, self.url = shop, url
        self.driver = Driver(open_store(url))
        self.run = in_doubt(self.driver)
        self.key = self.driver.calls[0].key

    def nexum(self, *words: str, env: dict[str, str] | None = None) -> Answer:
        return self.shop.nexum(*words, "--database", self.url, env=env)

    def resolve(self, effect: str, outcome: str, *words: str) -> Answer:
        return self.nexum("in-doubt", "resolve", effect, "--as", outcome, *WHY, *words)


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, shop: Shop, worker_name: str) -> Iterator[Desk]:
    if request.param == "sqlite":
        made = Desk(shop, shop.url)
        yield made
        made.driver.store.close()
        return
    server: str = request.getfixturevalue("pg_server_url")
    url = fresh_postgres(server, worker_name)
    made = Desk(shop, url)
    yield made
    made.driver.store.close()
    drop_postgres(url, server)


@pytest.fixture
def local(shop: Shop) -> Iterator[Desk]:
    """For what does not depend on the database."""
    made = Desk(shop, shop.url)
    yield made
    made.driver.store.close()


def test_an_effect_in_doubt_is_listed_shown_and_resolved(desk: Desk) -> None:
    (listed,) = desk.nexum("in-doubt", "list", "--json").json["effects"]
    other = desk.nexum("in-doubt", "list", "--workflow", "Other")
    shown = desk.nexum("in-doubt", "show", desk.run)
    done = desk.resolve(desk.key[:12], "happened", "--response", RESPONSE, "--actor", "mika", "--json")
    desk.driver.play(SHOP)

    assert (listed["key"], listed["run_id"], listed["path"], listed["tool"]) == (desk.key, desk.run, "pay", "pay")
    assert other.out == "No effect of Other is in doubt.\n"
    assert desk.key in shown.out
    assert "Nexum does not know whether this happened." in shown.out
    assert (done.code, done.json["before"], done.json["after"]) == (0, "IN_DOUBT", "COMPLETED")
    event = desk.driver.events(desk.run)[done.json["event_seq"] - 1]
    assert (event.type, event.actor) == ("DoubtResolved", "mika")
    assert desk.driver.state(desk.run).phase is Phase.COMPLETED
    assert desk.nexum("in-doubt", "list").out == "No effect is in doubt.\n"


def test_why_names_the_commands_and_what_is_sent_again_is_in_doubt_no_more(desk: Desk) -> None:
    before = desk.nexum("why", desk.run)
    done = desk.resolve(f"{desk.run}/pay", "did-not-happen")
    after = desk.nexum("why", desk.run, "--json").json["standing"]

    assert f"nexum in-doubt resolve {desk.run}/pay --as did-not-happen" in before.out
    assert done.code == 0
    assert done.out.startswith("pay: did-not-happen, event ")
    assert after["code"] == "no_worker"
    assert desk.nexum("in-doubt", "list", "--json").json["effects"] == []
    assert desk.nexum("list", "standing:in_doubt", "--ids").out == ""
    assert desk.nexum("list", "standing:no_worker", "--ids").out == f"{desk.run}\n"


def test_the_response_is_checked_field_by_field_and_may_come_from_a_file(local: Desk) -> None:
    (local.shop.folder / "r.json").write_text('{"id": 7, "amount": 42}')

    refused = local.resolve(local.run, "happened", "--response", "@r.json", "--json")

    (finding,) = refused.json["diagnostics"]
    assert (refused.code, finding["code"]) == (65, "NX-E402")
    (problem,) = finding["problems"]
    assert problem["path"] == "$.id"
    assert "DoubtResolved" not in local.driver.types(local.run)


def test_what_is_given_up_fails_the_run_and_is_not_decided_twice(local: Desk) -> None:
    first, second = local.resolve(local.run, "abandon"), local.resolve(local.key, "abandon")

    assert first.code == 0
    assert local.driver.state(local.run).phase is Phase.FAILED
    assert second.code == 6
    assert "NX-E409" in second.err
    assert "resolved it as abandon" in second.err
    assert local.driver.types(local.run).count("DoubtResolved") == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("in-doubt", "resolve", "{run}", "--as", "happend", *WHY), 64, "did you mean `happened`?"),
        (("in-doubt", "resolve", "{run}", "--as", "abandon"), 64, "--reason"),
        (("in-doubt", "resolve", "{run}", "--as", "abandon", "--reason", " "), 65, "NX-E401"),
        (("in-doubt", "resolve", "{run}", "--as", "happened", *WHY), 65, "NX-E401"),
        (("in-doubt", "resolve", "{run}", "--as", "happened", *WHY, "--response", "{{"), 65, "NX-F112"),
        (("in-doubt", "show", "{run}/pya"), 66, "did you mean `{run}/pay`?"),
        (("in-doubt", "show", "nx1-0000"), 66, "NX-E404"),
        (("in-doubt", "show", "00000000-0000-7000-8000-000000000000"), 66, "NX-R404"),
    ],
)
def test_what_is_wrong_has_a_code_and_an_exit_code(local: Desk, words: tuple[str, ...], code: int, said: str) -> None:
    answer = local.nexum(*(word.replace("{run}", local.run) for word in words))

    assert answer.code == code
    assert said.replace("{run}", local.run) in answer.err
    assert local.driver.state(local.run).cells[PAY].status == "IN_DOUBT"


def test_the_address_of_what_was_seen_stays_with_the_decision(local: Desk) -> None:
    seen = "https://bank.example/refunds/re_7"
    refused = [
        local.resolve(local.run, "abandon", "--link", link) for link in ("javascript:alert(1)", "re_7", "http:// x")
    ]
    done = local.resolve(local.run, "happened", "--response", RESPONSE, "--link", seen, "--json")
    told = read_doubt(local.driver.store, local.key, may_read=True)

    assert [answer.code for answer in refused] == [65, 65, 65]
    assert all("NX-E401" in answer.err and "https://" in answer.err for answer in refused)
    assert done.code == 0
    assert told is not None
    assert [moment.link for moment in told.evidence if moment.link] == [seen]


def test_an_effect_that_a_terminated_run_has_left_waits_for_nobody_and_says_so(local: Desk) -> None:
    terminate(local.driver.store, local.run, By("mika", "enough"))
    refused = [local.resolve(local.run, outcome) for outcome in ("abandon", "did-not-happen")]
    shown, why = local.nexum("in-doubt", "show", local.run), local.nexum("why", local.run)

    for answer in refused:
        assert answer.code == 6
        assert (
            "error[NX-E409]: nothing waits for a decision about the effect at pay: the run was TERMINATED" in answer.err
        )
    assert "Nothing waits for a decision about it. Terminated after" in shown.out
    assert "resolve" not in shown.out
    assert "Nobody knows whether `pay` was done." in why.out


def test_a_tool_of_four_eyes_waits_for_a_second_person(local: Desk) -> None:
    two = {"NEXUM_FOUR_EYES": "pay"}
    words = ("in-doubt", "resolve", local.run, "--as", "happened", *WHY)
    first = local.nexum(*words, "--response", RESPONSE, "--actor", "mika", env=two)
    again = local.nexum(*words, "--response", RESPONSE, "--actor", "mika", env=two)
    shown, why = local.nexum("in-doubt", "show", local.run), local.nexum("why", local.run)
    second = local.nexum(*words, "--actor", "ken", "--json", env=two)

    assert (first.code, "it waits for a second person to decide the same" in first.out) == (0, True)
    assert (again.code, "NX-E411" in again.err) == (6, True)
    assert "mika has decided at" in shown.out
    assert "mika has decided (happened), and it waits for a second person." in why.out
    assert "who      somebody other than mika" in why.out
    assert (second.json["pending"], second.json["after"]) == (False, "COMPLETED")


def test_what_may_have_been_done_twice_has_a_section_of_its_own(desk: Desk) -> None:
    with_late_result(desk)

    listed, why = desk.nexum("in-doubt", "list"), desk.nexum("why", desk.run)
    (told,) = desk.nexum("in-doubt", "list", "--json").json["suspected"]

    assert "1 effect may have been done twice (NX-E230):" in listed.out
    assert "pay may have been done twice: recorded re_7, re_late came too" in why.out
    assert (told["recorded"], told["reference"], told["key"]) == ("re_7", "re_late", desk.key)


def test_what_may_have_been_done_twice_is_acknowledged_once(local: Desk) -> None:
    with_late_result(local)
    done = local.nexum("in-doubt", "acknowledge", f"{local.run}/pay", "--reason", "refunded by hand", "--actor", "mika")
    again = local.nexum("in-doubt", "acknowledge", f"{local.run}/pay", "--reason", "me too")
    listed, why = local.nexum("in-doubt", "list"), local.nexum("why", local.run)

    assert (done.code, "re_late is acknowledged" in done.out) == (0, True)
    assert (again.code, "NX-E232" in again.err) == (6, True)
    assert "1 effect may have been done twice (NX-E230), 1 acknowledged:" in listed.out
    assert "(mika has looked into it: refunded by hand)" in why.out


def with_late_result(desk: Desk) -> None:
    """Somebody has said that it happened as re_7, and the worker comes back with another reference."""
    work = desk.driver.calls[0]
    assert desk.resolve(desk.run, "happened", "--response", RESPONSE).code == 0
    desk.driver.engine.finish(work, Succeeded(b'{"amount":42,"id":"re_late"}', reference="re_late"))
