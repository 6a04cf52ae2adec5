"""The model that misbehaves on demand."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from nexum.testing.fakes import Fake, running


def ask(fake: Fake, *messages: tuple[str, str]) -> str:
    said = [{"role": role, "content": text} for role, text in messages or [("user", "hello")]]
    url = f"{fake.url}/v1/chat/completions"
    reply = httpx.post(url, json={"model": "m", "messages": said}, timeout=5)
    content: str = reply.raise_for_status().json()["choices"][0]["message"]["content"]
    return content


def test_plays_are_given_in_order_and_the_last_one_stays() -> None:
    with running("fakellm") as model:
        model.post("/plays", [{"mode": "prose"}, {"text": "two"}])
        assert [ask(model) for _ in range(3)] == ["I think the customer should get the money back.", "two", "two"]


def test_rules_answer_by_what_was_said_and_how_often_the_model_spoke(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{"match": "1042", "answers": ["broken {", {"refund": True}]}]))
    with running("fakellm", rules=str(rules)) as model:
        assert ask(model, ("user", "order 1042")) == "broken {"
        assert ask(model, ("user", "order 1042")) == "broken {"
        again = ask(model, ("user", "order 1042"), ("assistant", "broken {"), ("user", "again"))
        assert json.loads(again) == {"refund": True}


def test_every_request_is_written_down_before_it_is_answered(tmp_path: Path) -> None:
    ledger = tmp_path / "asked.jsonl"
    with running("fakellm", ledger=str(ledger)) as model:
        ask(model, ("user", "one"))
        (line,) = ledger.read_text().splitlines()
        assert json.loads(line)["body"]["messages"] == [{"role": "user", "content": "one"}]
        assert len(model.get("/requests")) == 1
