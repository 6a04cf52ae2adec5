"""`nexum dlq`: groups of what failed for good, one group, and what can be done about it."""

from __future__ import annotations

import re

import pytest

from nexum.core.graph.nodes import Effect
from nexum.core.graph.policies import Hold, RetryPolicy
from nexum.core.graph.workflow import Graph
from nexum.store.connect import open_store
from nexum.store.doubts import effects_at
from nexum.store.verbs import Verbs
from nexum.testing.samples import CLAIM, REFUND, Clock, Stage, fails, gives, node, refund_graph
from shopfloor import Shop
from troubled import park, parking

NOW = 1_790_000_000_000_000


@pytest.fixture
def failed(shop: Shop) -> tuple[Shop, list[str]]:
    """A shop with two runs that failed alike, and one that was killed by its own handler."""
    clock = Clock(NOW)
    store = open_store(shop.url, clock=clock)
    assert isinstance(store, Verbs)
    stage = Stage(store, clock)
    graph = refund_graph()
    stage.register(graph)
    made = []
    for number in (1042, 7):
        broken = fails("NX-R210", f"no card for order {number}", kind="NonRetryable", retryable=False)
        made.append(stage.begin("RefundAgent", CLAIM, name=str(number)))
        stage.play(graph.queue, {**REFUND, "refund": [broken]})
    poison = fails("NX-R206", "purchase killed its worker process 5 times", kind="Poison", retryable=False)
    made.append(stage.begin("RefundAgent", CLAIM, name="poison"))
    stage.play(graph.queue, {**REFUND, "purchase": [poison]})
    store.close()
    return shop, made


def test_dead_letters_are_listed_by_group_and_shown(failed: tuple[Shop, list[str]]) -> None:
    shop, made = failed
    groups = shop.nexum("dlq", "list", "--json").json["groups"]
    by_code = {group["code"]: group for group in groups}
    name = by_code["NX-R210"]["fingerprint"]
    shown = shop.nexum("dlq", "show", name[:6])

    assert {code: group["count"] for code, group in by_code.items()} == {"NX-R210": 2, "NX-R206": 1}
    assert "no card for order 7" in shown.out
    assert "Traceback" in shown.out
    assert made[0][-8:] in shown.out
    assert "2 dead letters." in shown.err
    assert name in shop.nexum("dlq", "list").out


def test_poison_is_a_dead_letter_with_words_of_its_own(failed: tuple[Shop, list[str]]) -> None:
    shop, _ = failed
    (poison,) = [group for group in shop.nexum("dlq", "list", "--json").json["groups"] if group["poison"]]
    shown = shop.nexum("dlq", "show", poison["fingerprint"])

    assert "It killed the worker processes that tried it, and is in quarantine" in shown.out


def test_a_run_that_has_ended_is_not_promised_a_retry(failed: tuple[Shop, list[str]]) -> None:
    shop, made = failed
    name = shop.nexum("dlq", "list", "--json").json["groups"][0]["fingerprint"]
    answers = [shop.nexum("dlq", "retry", reference) for reference in (name, f"{made[0]}/refund")]

    for answer in answers:
        assert (answer.code, "NX-R443" in answer.err) == (6, True)
        assert "start a new run" in answer.err.lower()


def test_parked_nodes_are_tried_again_under_their_keys(shop: Shop) -> None:
    clock = Clock(NOW)
    store = open_store(shop.url, clock=clock)
    assert isinstance(store, Verbs)
    stage = Stage(store, clock)
    policy = RetryPolicy(max_attempts=1, exhausted="park")
    pay = node(Effect, "pay", "input", tool="pay.refund", doubt=Hold(), retry=policy)
    graph = Graph(workflow="Parked", input={}, nodes=(pay,), result=("pay",))
    stage.register(graph)
    down = fails("NX-R200", "connection refused by host 7")
    runs = [stage.begin("Parked", number, name=str(number)) for number in range(3)]
    stage.play(graph.queue, {"pay": [down]})
    before = {effect.run_id: effect.key for run in runs for effect in effects_at(store, run)}
    (group,) = shop.nexum("dlq", "list", "--json").json["groups"]
    one = shop.nexum("dlq", "retry", f"{runs[0]}/pay", "--reason", "it is up")
    rest = shop.nexum("dlq", "retry", group["fingerprint"], "--limit", "5", "--reason", "all", "--json").json["nodes"]
    left = shop.nexum("dlq", "list", "--json").json["groups"]
    clock.now += NOW
    stage.play(graph.queue, {"pay": [gives({"id": "re_1"})]})

    assert (group["count"], group["parked"], group["node"]) == (3, 3, "pay")
    assert (one.code, "tried again" in one.out) == (0, True)
    assert sorted(each["run_id"] for each in rest) == sorted(runs[1:])
    assert {each["refused"] for each in rest} == {""}
    assert left == []
    assert {effect.run_id: effect.key for run in runs for effect in effects_at(store, run)} == before
    assert {head.status for run in runs if (head := store.head(run))} == {"COMPLETED"}
    store.close()


def test_retries_are_planned_spread_and_skipped_with_a_value(shop: Shop) -> None:
    clock = Clock(NOW)
    store = open_store(shop.url, clock=clock)
    assert isinstance(store, Verbs)
    stage = Stage(store, clock)
    runs = [park(stage, parking("Payout"), f"p-{number}") for number in range(3)]
    (group,) = shop.nexum("dlq", "list", "--json").json["groups"]
    name = group["fingerprint"]
    wrong = [shop.nexum("dlq", "retry", name, "--rate", rate) for rate in ("0/m", "soon")]
    planned = shop.nexum("dlq", "retry", name, "--rate", "2/m", "--dry-run")
    one = shop.nexum("dlq", "retry", name, "--rate", "2/m", "--limit", "2")
    unfit = shop.nexum("dlq", "skip", name, "--value", "7", "--reason", "by hand")
    checked = shop.nexum("dlq", "skip", name, "--value", '{"id": "x"}', "--reason", "by hand", "--dry-run")
    done = shop.nexum("dlq", "skip", name, "--value", '{"id": "x"}', "--reason", "by hand")

    assert [(answer.code, "NX-R444" in answer.err) for answer in wrong] == [(65, True), (65, True)]
    assert planned.out.count("the same key") == 3
    assert (planned.out.count("at once"), one.out.count(": tried again")) == (1, 2)
    assert "2 of 3 nodes tried again; 1 left, as --limit says." in one.out
    assert "from " in one.out
    assert (unfit.code, "NX-R221" in unfit.err) == (65, True)
    assert "would be skipped; read by nobody" in checked.out
    assert "skipped, it is COMPLETED" in done.out
    assert sorted(head.status for run in runs if (head := store.head(run))) == ["COMPLETED", "RUNNING", "RUNNING"]
    store.close()


def test_a_group_is_set_aside_for_a_while_and_taken_back(failed: tuple[Shop, list[str]]) -> None:
    shop, _ = failed
    name = shop.nexum("dlq", "list", "--json").json["groups"][0]["fingerprint"]
    silent = shop.nexum("dlq", "ignore", name)
    done = shop.nexum("dlq", "ignore", name, "--reason", "known", "--until", "7d", "--actor", "mika", "--json")
    left = [group["fingerprint"] for group in shop.nexum("dlq", "list", "--json").json["groups"]]
    every = shop.nexum("dlq", "list", "--ignored", "--json").json["groups"]
    shop.nexum("dlq", "ignore", name, "--back")

    assert (silent.code, "NX-R442" in silent.err) == (65, True)
    assert (done.json["before"], done.json["after"]) == ("open", "ignored")
    assert name not in left
    assert [(g["by"], g["reason"]) for g in every if g["fingerprint"] == name] == [("mika", "known")]
    assert name in shop.nexum("dlq", "list").out


def test_a_group_is_acknowledged_assigned_and_fixed(failed: tuple[Shop, list[str]]) -> None:
    shop, _ = failed
    group = shop.nexum("dlq", "list", "--json").json["groups"][0]
    name, version = group["fingerprint"], group["versions"][0]
    known = shop.nexum("dlq", "acknowledge", name, "--reason", "the bank mends it", "--json")
    shop.nexum("dlq", "assign", name, "ken")
    wrong = shop.nexum("dlq", "fixed", name, "--in", "zz", "--reason", "mended")
    fixed = shop.nexum("dlq", "fixed", name, "--in", version, "--reason", "mended", "--actor", "mika")
    shown = shop.nexum("dlq", "show", name)

    assert (known.json["before"], known.json["after"], known.json["action"]) == (
        "open",
        "acknowledged",
        "acknowledge_group",
    )
    assert (wrong.code, "NX-R442" in wrong.err) == (65, True)
    assert f"name a version of {group['workflow']}: {version}" in wrong.err
    assert fixed.out == f"{name} is fixed in {version}\n"
    assert f"fixed in {version} by mika: mended\n" in shown.out
    assert "assigned to ken\n" in shown.out
    assert "(fixed)" in shop.nexum("dlq", "list").out


def test_what_does_not_exist_is_said_so(failed: tuple[Shop, list[str]]) -> None:
    shop, made = failed
    answers = [shop.nexum("dlq", *words) for words in (("show", "nothing"), ("retry", f"{made[0]}/purchase"))]

    assert [(answer.code, "NX-R441" in answer.err) for answer in answers] == [(66, True), (66, True)]


def test_a_shop_without_dead_letters_says_so(shop: Shop) -> None:
    answer = shop.nexum("dlq", "list")

    assert (answer.code, answer.out) == (0, "No dead letters.\n")


def test_the_same_failure_of_two_tenants_is_told_apart(shop: Shop) -> None:
    clock = Clock(NOW)
    store = open_store(shop.url, clock=clock)
    stage = Stage(store, clock)
    runs = {tenant: park(stage, parking("Payout"), f"of-{tenant}", tenant) for tenant in ("default", "acme")}
    listed = shop.nexum("dlq", "list")
    name = shop.nexum("dlq", "list", "--tenant", "acme", "--json").json["groups"][0]["fingerprint"]
    unnamed = shop.nexum("dlq", "show", name)
    shown = shop.nexum("dlq", "show", name, "--tenant", "acme")
    foreign = shop.nexum("dlq", "retry", f"{runs['default']}/pay", "--tenant", "acme")
    tried = shop.nexum("dlq", "retry", name, "--tenant", "acme", "--reason", "it is up", "--json").json

    assert listed.out.count("acme") == 1
    assert (unnamed.code, "--tenant" in unnamed.err) == (64, True)
    assert (shown.code, runs["acme"][-8:] in shown.out, runs["default"][-8:] in shown.out) == (0, True, False)
    assert (foreign.code, "NX-R404" in foreign.err) == (66, True)
    assert ([node["run_id"] for node in tried["nodes"]], tried["left"]) == ([runs["acme"]], 0)
    store.close()


def test_on_a_narrow_terminal_the_list_of_groups_leaves_columns_out_and_cuts_no_name_short(shop: Shop) -> None:
    clock = Clock(NOW)
    store = open_store(shop.url, clock=clock)
    park(Stage(store, clock), parking("Payout"), "parked")
    store.close()
    narrow, wide = (shop.nexum("dlq", "list", env={"COLUMNS": columns}).out for columns in ("80", "160"))

    assert "FIRST" not in narrow
    assert "FIRST" in wide
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert "TENANT" not in wide  # there is one
    for page in (narrow, wide):
        assert re.search(r"^[0-9a-f]{12}  Payout +pay ", page, flags=re.MULTILINE)
