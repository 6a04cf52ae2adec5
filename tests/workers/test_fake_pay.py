"""The payment provider that judges everything else must itself be beyond doubt."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from nexum.testing.fakes import Fake, running
from waiting import until

REFUND = {"order_id": "1042", "amount": 4200, "currency": "EUR"}
MAIL = {"to": "ada@example.org", "subject": "Refund", "body": "On its way"}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def pay(ledger: Path) -> Iterator[Fake]:
    with running("fakepay", ledger=str(ledger)) as fake:
        yield fake


def send(fake: Fake, path: str = "/refunds", body: object = REFUND, key: str = "k1", **headers: str) -> httpx.Response:
    sent = {"Idempotency-Key": key, **headers} if key else headers
    return httpx.post(fake.url + path, json=body, headers=sent, timeout=5)


def test_an_act_is_in_the_ledger_file_before_it_is_answered(pay: Fake, ledger: Path) -> None:
    answer = send(pay).json()

    (line,) = ledger.read_text().splitlines()
    assert answer["id"] == "re_1"
    assert json.loads(line)["id"] == "re_1"
    assert json.loads(line)["body"] == REFUND


def test_the_same_key_gets_the_first_answer_again_and_acts_once(pay: Fake) -> None:
    first, second = send(pay), send(pay)

    assert second.json() == first.json()
    assert (first.headers["idempotent-replayed"], second.headers["idempotent-replayed"]) == ("false", "true")
    assert [act["id"] for act in pay.get("/ledger")] == ["re_1"]
    (key,) = {request["key"] for request in pay.get("/requests")}
    assert len(pay.get("/requests")) == len(pay.get(f"/requests?key={key}")) == 2
    assert pay.get("/requests?key=another") == []


def test_two_keys_are_two_acts(pay: Fake) -> None:
    assert [send(pay, key=key).json()["id"] for key in ("a", "b")] == ["re_1", "re_2"]


def test_one_key_for_a_refund_and_a_mail_are_two_acts(pay: Fake) -> None:
    send(pay, key="same")
    assert send(pay, "/mails", MAIL, key="same").json()["id"] == "ml_1"


def test_a_key_with_another_body_is_refused(pay: Fake) -> None:
    send(pay)
    assert send(pay, body={**REFUND, "amount": 1}).status_code == 409
    assert len(pay.get("/ledger")) == 1


def test_dedupe_survives_a_sigkill_of_the_provider(pay: Fake) -> None:
    first = send(pay).json()
    pay.restart()
    assert send(pay).json() == first
    assert len(pay.get("/ledger")) == 1


def test_a_line_torn_by_a_crash_is_cut_off_when_the_ledger_is_opened(pay: Fake, ledger: Path) -> None:
    send(pay)
    pay.kill()
    with ledger.open("ab") as file:
        file.write(b'{"n": 2, "act": "refu')
    pay.restart()
    assert send(pay, key="k2").json()["id"] == "re_2"
    assert [json.loads(line)["n"] for line in ledger.read_text().splitlines()] == [1, 2]


def test_without_dedupe_every_request_acts(ledger: Path) -> None:
    with running("fakepay", ledger=str(ledger), dedupe="off") as pay:
        assert [send(pay).json()["id"] for _ in range(2)] == ["re_1", "re_2"]


def test_a_key_is_forgotten_after_its_time_to_live(ledger: Path) -> None:
    with running("fakepay", ledger=str(ledger), key_ttl="0.000001") as pay:
        assert [send(pay).json()["id"] for _ in range(2)] == ["re_1", "re_2"]


def test_a_request_that_makes_no_sense_is_refused_without_acting(pay: Fake) -> None:
    assert send(pay, body={**REFUND, "amount": -5}).status_code == 422
    assert send(pay, body={**REFUND, "amount": "42"}).status_code == 422
    assert send(pay, body={"order_id": "1"}).status_code == 422
    assert pay.get("/ledger") == []


@pytest.mark.parametrize(
    ("mode", "acts"), [("503-before", 0), ("503-after", 1), ("reset-after", 1), ("wrong-json-after", 1)]
)
def test_a_mode_spoils_the_answer_and_not_the_ledger(pay: Fake, mode: str, acts: int) -> None:
    if mode == "reset-after":
        with pytest.raises(httpx.TransportError):
            send(pay, **{"X-Fake-Mode": mode})
    elif mode == "wrong-json-after":
        answer = send(pay, **{"X-Fake-Mode": mode})
        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"delimiter|Unterminated|Expecting"):
            answer.json()
    else:
        assert send(pay, **{"X-Fake-Mode": mode}).status_code == 503
    assert len(pay.get("/ledger")) == acts
    assert send(pay).json()["id"] == "re_1"
    assert len(pay.get("/ledger")) == 1


def test_a_hang_comes_after_the_act(pay: Fake) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            pay.url + "/refunds",
            json=REFUND,
            headers={"Idempotency-Key": "k1", "X-Fake-Mode": "hang-after"},
            timeout=0.3,
        )
    assert len(pay.get("/ledger")) == 1


def test_slow_acts_and_answers(pay: Fake) -> None:
    assert send(pay, **{"X-Fake-Mode": "slow", "X-Fake-Seconds": "0.05"}).json()["id"] == "re_1"


def test_a_stored_500_is_repeated_for_its_key_and_never_acts(pay: Fake) -> None:
    assert send(pay, **{"X-Fake-Mode": "stored-500"}).status_code == 500
    assert send(pay).status_code == 500
    assert send(pay, key="other").status_code == 200


def test_a_stored_500_survives_a_sigkill_of_the_provider(pay: Fake) -> None:
    send(pay, **{"X-Fake-Mode": "stored-500"})
    pay.restart()
    assert send(pay).status_code == 500
    assert pay.get("/ledger") == []


def test_a_connection_reset_before_the_act_leaves_nothing(pay: Fake) -> None:
    with pytest.raises(httpx.TransportError):
        send(pay, **{"X-Fake-Mode": "reset-before"})
    assert pay.get("/ledger") == []


def test_a_slow_request_acts_although_its_sender_has_gone(pay: Fake) -> None:
    slow = {"Idempotency-Key": "k1", "X-Fake-Mode": "slow", "X-Fake-Seconds": "0.4"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(pay.url + "/refunds", json=REFUND, headers=slow, timeout=0.1)
    assert pay.get("/ledger") == []
    until(lambda: len(pay.get("/ledger")) == 1)


def test_a_single_request_can_go_without_dedupe(pay: Fake) -> None:
    assert [send(pay, **{"X-Fake-Dedupe": "off"}).json()["id"] for _ in range(2)] == ["re_1", "re_2"]
    assert [act["key"] for act in pay.get("/ledger")] == ["k1", "k1"]


def test_settings_change_while_it_runs(pay: Fake) -> None:
    assert pay.get("/settings") == {"dedupe": True, "key_ttl": 0.0, "lag": 0.0}
    assert pay.post("/settings", {"dedupe": False}) == {"dedupe": False, "key_ttl": 0.0, "lag": 0.0}
    assert [send(pay).json()["id"] for _ in range(2)] == ["re_1", "re_2"]
    pay.post("/settings", {"dedupe": True, "lag": 60})
    assert send(pay).json()["id"] == "re_2"
    assert pay.get("/refunds?key=k1") == []
    pay.post("/settings", {"lag": 0, "key_ttl": 0.000001})
    assert [found["id"] for found in pay.get("/refunds?key=k1")] == ["re_1", "re_2"]
    assert send(pay).json()["id"] == "re_3"


def test_a_setting_that_does_not_exist_is_refused(pay: Fake) -> None:
    assert httpx.post(pay.url + "/settings", json={"dedup": False}).status_code == 422
    assert httpx.post(pay.url + "/settings", json=[]).status_code == 422


def test_a_rule_with_a_rate_treats_the_same_requests_badly_for_the_same_seed(tmp_path: Path) -> None:
    seen = []
    for number, seed in enumerate(("7", "7", "8")):
        with running("fakepay", ledger=str(tmp_path / f"{number}.jsonl"), seed=seed) as pay:
            pay.post("/rules", [{"mode": "503-before", "rate": 0.5}])
            seen.append([send(pay, key=f"k{n}").status_code for n in (range(24) if number else reversed(range(24)))])
    seen[0].reverse()  # the order in which keys arrive does not matter
    assert seen[0] == seen[1] != seen[2]
    assert 4 < seen[0].count(503) < 20


def test_half_a_request_is_no_request(pay: Fake) -> None:
    head = "POST /refunds HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", pay.port)) as client:
        client.sendall(head.encode() + b'{"order_id": "1042", ')
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert pay.get("/requests") == pay.get("/ledger") == []


def test_a_rule_is_used_up_after_its_times(pay: Fake) -> None:
    pay.post("/rules", [{"path": "/refunds", "match": {"order_id": "1042"}, "mode": "503-before", "times": 1}])
    assert send(pay, body={**REFUND, "order_id": "7"}, key="k7").status_code == 200
    assert [send(pay).status_code for _ in range(2)] == [503, 200]


def test_rules_can_come_from_a_file(ledger: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{"mode": "503-before", "times": 1}]))
    with running("fakepay", ledger=str(ledger), rules=str(rules)) as pay:
        assert [send(pay).status_code for _ in range(2)] == [503, 200]


def test_refunds_are_found_by_key_and_by_order(pay: Fake) -> None:
    send(pay)
    send(pay, body={**REFUND, "order_id": "7"}, key="k7")
    assert [found["id"] for found in pay.get("/refunds?key=k1")] == ["re_1"]
    assert [found["id"] for found in pay.get("/refunds?order_id=7")] == ["re_2"]
    assert pay.get("/refunds?key=none") == []


def test_mails_are_found_by_key_and_by_addressee(pay: Fake) -> None:
    send(pay, "/mails", MAIL)
    send(pay)
    assert [found["id"] for found in pay.get("/mails?key=k1")] == ["ml_1"]
    assert [found["id"] for found in pay.get("/mails?to=ada@example.org")] == ["ml_1"]
    assert pay.get("/mails?to=bob@example.org") == []


def test_a_lagging_list_does_not_show_what_was_just_done(ledger: Path) -> None:
    with running("fakepay", ledger=str(ledger), lag="60") as pay:
        send(pay)
        assert pay.get("/refunds?key=k1") == []
        assert len(pay.get("/ledger")) == 1


def test_a_purchase_can_carry_a_history_of_five_megabytes(ledger: Path, tmp_path: Path) -> None:
    purchases = tmp_path / "purchases.json"
    purchases.write_text(json.dumps({"1042": {"amount": 4200}, "9": {"amount": 1, "history_bytes": 5_000_000}}))
    with running("fakepay", ledger=str(ledger), purchases=str(purchases)) as pay:
        assert pay.get("/purchases/1042")["amount"] == 4200
        large = httpx.get(pay.url + "/purchases/9", timeout=10).content
        assert len(large) > 5_000_000
        assert large == httpx.get(pay.url + "/purchases/9", timeout=10).content
        assert httpx.get(pay.url + "/purchases/none").status_code == 404


def test_a_fake_ends_when_its_starter_lets_go(ledger: Path) -> None:
    with running("fakepay", ledger=str(ledger)) as pay:
        process = pay.process
    assert process.returncode == 0
