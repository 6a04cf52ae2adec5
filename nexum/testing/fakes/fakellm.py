"""A language model's HTTP API (OpenAI's chat protocol) that answers by a script and misbehaves on demand.

    POST /v1/chat/completions      answers by the plays (in order, the last one stays), else by the rules
    POST /plays [{mode, text, seconds, retry_after}]     what to do next, and after that
    GET  /requests                 what was asked, by whom it was authorised, how it was answered

A rule of the file `--rules` is `{match, answers: [text, ...], mode, delay}`: the first whose `match` occurs in the
conversation answers; which of its answers counts how often the model has spoken before (repair rounds). With `--ledger`
every request is written down, fsynced, before it is answered: that is what a model provider would bill.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nexum.testing.arguments import Arguments
from nexum.testing.fakes.serving import Asked, Reply, serve

VALID = '{"refund": true, "score": 91, "reason": "damaged on arrival"}'


@dataclass(frozen=True, slots=True)
class Play:
    """One answer. `text` replaces the mode's own; `seconds` is the length of modes that take time."""

    mode: str = "valid"
    text: str = ""
    seconds: float = 30.0
    retry_after: str = "2"


def _nested(depth: int) -> str:
    return '{"refund": true, "score": 91, "reason": ' + "[" * depth + "]" * depth + "}"


TEXTS: dict[str, Callable[[], str]] = {
    "valid": lambda: VALID,
    "truncated": lambda: VALID[:31],
    "fenced": lambda: f"Here is my verdict:\n```json\n{VALID}\n```\nI hope this helps.",
    "two-values": lambda: f"```json\n{VALID}\n```\nor rather\n```json\n{VALID.replace('true', 'false')}\n```",
    "wrong-types": lambda: '{"refund": "perhaps", "score": "high", "reason": 7}',
    "out-of-range": lambda: VALID.replace("91", "850"),
    "missing-field": lambda: '{"refund": true}',
    "prose": lambda: "I think the customer should get the money back.",
    "empty": lambda: "",
    "nan": lambda: VALID.replace("91", "NaN"),
    "infinity": lambda: VALID.replace("91", "1e999"),
    "nul": lambda: VALID.replace("damaged", "\\u0000damaged"),
    "lone-surrogate": lambda: VALID.replace("damaged", "\\ud83d damaged"),
    "raw-surrogate": lambda: VALID.replace("damaged", "\ud83d damaged"),
    "twice": lambda: VALID.replace('"score"', '"refund": false, "score"'),
    "huge": lambda: VALID.replace("damaged", "damaged " * (10 * 1024 * 1024 // 8)),
    "deep": lambda: _nested(200_000),
    "deeper-than-read": lambda: _nested(250),
    "long-integer": lambda: VALID.replace("91", "9" * 5000),
}
BODIES: dict[str, bytes] = {
    "not-http-json": b"<html>bad gateway, but 200</html>",
    "no-choices": b'{"id": "x", "choices": []}',
    "deep-envelope": b"[" * 200_000,
    "null-content": b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}',
}
_STATUS = {"400": 400, "401": 401, "500": 500, "503": 503}


class FakeModel:
    """Answers chat completions."""

    def __init__(self, rules: list[dict[str, Any]], ledger: Path | None) -> None:
        self._rules = rules
        self._plays: list[Play] = []
        self._lock = threading.Lock()
        self._requests: list[dict[str, Any]] = []
        self._ledger = ledger.open("ab") if ledger else None

    def answer(self, asked: Asked) -> Reply:
        """Route a request."""
        if asked.path == "/plays":
            self._plays = [Play(**play) for play in asked.body]
            return Reply({"plays": len(self._plays)})
        if asked.path == "/requests":
            return Reply(self._requests)
        if asked.method == "POST" and asked.path == "/v1/chat/completions":
            return self._complete(asked)
        return Reply({"error": f"no such address: {asked.method} {asked.path}"}, status=404)

    def _complete(self, asked: Asked) -> Reply:
        with self._lock:
            play = self._next(asked.body["messages"])
            self._note(asked, play)
        shaped = _shaped(play)
        text = play.text or TEXTS.get(play.mode, TEXTS["valid"])()
        finish = {"truncated": "length", "filtered": "content_filter"}.get(play.mode, "stop")
        completion = {
            "id": f"chatcmpl-{len(self._requests)}",
            "object": "chat.completion",
            "model": f"{asked.body['model']}-2026-01-01",
            "choices": [{"index": 0, "message": _message(play, text), "finish_reason": finish}],
            "usage": {"prompt_tokens": _words(asked.body["messages"]), "completion_tokens": len(text.split())},
        }
        return shaped or Reply(
            json.dumps(completion).encode(),  # ASCII: a lone surrogate travels as its escape
            pause=play.seconds if play.mode in ("hang", "slow") else 0.0,
            trickle=play.seconds if play.mode == "trickle" else 0.0,
            cut=40 if play.mode == "reset" else -1,
        )

    def _next(self, messages: list[dict[str, str]]) -> Play:
        if self._plays:
            return self._plays.pop(0) if len(self._plays) > 1 else self._plays[0]
        said = "\n".join(message["content"] for message in messages if message["role"] != "assistant")
        spoken = sum(message["role"] == "assistant" for message in messages)
        for rule in self._rules:
            if rule["match"] in said:
                answers = rule["answers"]
                answer = answers[min(spoken, len(answers) - 1)]
                text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
                return Play("slow", text, float(rule["delay"])) if rule.get("delay") else Play(text=text)
        return Play()

    def _note(self, asked: Asked, play: Play) -> None:
        entry = {
            "at": time.time_ns() // 1000,
            "request_id": asked.headers.get("x-client-request-id", ""),
            "authorised": asked.headers.get("authorization", "").startswith("Bearer "),
            "play": {**asdict(play), "text": play.text[:200]},
            "body": asked.body,
        }
        self._requests.append(entry)
        if self._ledger:
            self._ledger.write(json.dumps(entry).encode() + b"\n")
            self._ledger.flush()
            os.fsync(self._ledger.fileno())


def _shaped(play: Play) -> Reply | None:
    """The replies that are no chat completion at all."""
    if play.mode == "429":
        return Reply({"error": {"message": "rate limit"}}, status=429, headers={"Retry-After": play.retry_after})
    if play.mode in _STATUS:
        return Reply({"error": {"message": play.text or f"status {play.mode}"}}, status=_STATUS[play.mode])
    if play.mode in BODIES:
        return Reply(BODIES[play.mode])
    if play.mode == "compressed":
        return Reply(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    return None


def _message(play: Play, text: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    return {**message, "content": None, "refusal": "I cannot help with that."} if play.mode == "refusal" else message


def _words(messages: list[dict[str, str]]) -> int:
    return sum(len(message["content"].split()) for message in messages)


def _make(arguments: argparse.Namespace) -> Any:
    rules = json.loads(Path(arguments.rules).read_text("utf-8")) if arguments.rules else []
    return FakeModel(rules, Path(arguments.ledger) if arguments.ledger else None).answer


def main() -> None:
    """Run the model."""
    parser = Arguments("fakellm", description="a language model's API that misbehaves on demand")
    parser.add_argument("--rules", default="", help="JSON file with a list of rules")
    parser.add_argument("--ledger", default="", help="the file it writes each request to")
    serve(parser, _make)


if __name__ == "__main__":
    main()
