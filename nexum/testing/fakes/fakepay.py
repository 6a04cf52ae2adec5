"""A payment, mail and shop provider in a process of its own. What its ledger says is what happened.

    POST /refunds {order_id, amount, currency}     -> {id: re_1, ...}          with Idempotency-Key
    POST /mails   {to, subject, body}              -> {id: ml_1, ...}          with Idempotency-Key
    GET  /refunds?key=...|order_id=...             -> what was executed (seen after `lag` seconds); GET /mails likewise
    GET  /purchases/<order>                        -> from the file `--purchases`; `history_bytes` grows a long history
    GET  /ledger, GET /requests?key=...            -> for whoever judges
    POST /rules [...], GET|POST /settings {...}    -> for whoever directs: `dedupe`, `key_ttl`, `lag`

A request is treated badly by a rule (`POST /rules`, file `--rules`) or by its header `X-Fake-Mode`, see `MODES`; with
`X-Fake-Dedupe: off` its key is written down and not honoured. A rule
with a `rate` below 1 is drawn from `--seed`, so that the same requests are treated the same way again.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import threading
import time
from pathlib import Path
from typing import Any

from nexum.testing.arguments import Arguments
from nexum.testing.fakes.ledger import KeyReusedError, Ledger, Stored
from nexum.testing.fakes.rules import Rule, Rules, read_rules
from nexum.testing.fakes.serving import Asked, Reply, serve

MODES = {
    "503-before": "answers 503 and does nothing",
    "reset-before": "does nothing and resets the connection without an answer",
    "503-after": "acts, then answers 503",
    "hang-after": "acts, then says nothing for `seconds`",
    "reset-after": "acts, then resets the connection in the middle of the answer",
    "wrong-json-after": "acts, then answers 200 with half a JSON document",
    "slow": "waits `seconds`, then acts and answers, whether or not the sender is still there",
    "stored-500": "answers 500 and, as Stripe v1 does, repeats it for this key as long as it lives",
}
_ACTS = {"/refunds": ("refund", "re"), "/mails": ("mail", "ml")}
_UNAVAILABLE = Reply({"error": "service unavailable"}, status=503)
_STORED = Reply({"error": "internal error"}, status=500)


class Provider:
    """Answers requests; every act goes through the ledger."""

    def __init__(self, ledger: Ledger, rules: Rules, purchases: dict[str, Any], lag: float, stored: Stored) -> None:
        self.ledger = ledger
        self.rules = rules
        self.purchases = purchases
        self.lag = lag
        self._lock = threading.Lock()
        self._requests: list[dict[str, Any]] = []
        self._stored_500 = stored

    def answer(self, asked: Asked) -> Reply:
        """Route a request."""
        if asked.method == "POST" and asked.path in _ACTS:
            return self._act(asked)
        if asked.method == "POST" and asked.path == "/rules":
            self.rules.replace(asked.body)
            return Reply({"rules": len(asked.body)})
        if asked.path == "/settings":
            return self._settings(asked)
        if asked.path == "/ledger":
            return Reply([dataclasses.asdict(act) for act in self.ledger.acts])
        if asked.path == "/requests":
            key = asked.query.get("key")
            with self._lock:
                return Reply([request for request in self._requests if key in (None, request["key"])])
        if asked.path in _ACTS:
            return Reply(self._find(asked))
        if asked.path.startswith("/purchases/"):
            return self._purchase(asked)
        return Reply({"error": f"no such address: {asked.method} {asked.path}"}, status=404)

    def _settings(self, asked: Asked) -> Reply:
        """The settings, after those that the body names have been changed."""
        given = asked.body if asked.method == "POST" else {}
        unknown = set(given) - {"dedupe", "key_ttl", "lag"} if isinstance(given, dict) else {"no object"}
        if unknown:
            return Reply({"error": f"no such setting: {', '.join(sorted(unknown))}"}, status=422)
        self.lag = float(given.get("lag", self.lag))
        self.ledger.honour(dedupe=given.get("dedupe"), key_ttl=given.get("key_ttl"))
        return Reply({"dedupe": self.ledger.dedupe, "key_ttl": self.ledger.key_ttl, "lag": self.lag})

    def _act(self, asked: Asked) -> Reply:
        key = asked.headers.get("idempotency-key", "")
        rule = _from_header(asked) or self.rules.take(asked.path, asked.body, key)
        mode = rule.mode if rule else ""
        with self._lock:
            self._requests.append({"path": asked.path, "key": key, "mode": mode, "body": asked.body})
            if mode == "stored-500" and key:
                self._stored_500.add(key)
            if mode == "stored-500" or key in self._stored_500:
                return _STORED
        if mode == "503-before":
            return _UNAVAILABLE
        if mode == "reset-before":
            return Reply(b"", status=0)
        problem = _problem(asked)
        if problem:
            return Reply({"error": problem}, status=422)
        if rule and mode == "slow":
            time.sleep(rule.seconds)
        try:
            honoured = asked.headers.get("x-fake-dedupe", "on") == "on"
            act, new = self.ledger.execute(*_ACTS[asked.path], key, asked.body, honoured=honoured)
        except KeyReusedError:
            return Reply({"error": "this idempotency key was used with another body"}, status=409)
        reply = Reply({**act.body, "id": act.id}, headers={"Idempotent-Replayed": str(not new).lower()})
        return _spoil(reply, rule)

    def _find(self, asked: Asked) -> list[dict[str, Any]]:
        """What the provider's list says of an act, which is what the ledger said `lag` seconds ago."""
        visible = time.time_ns() // 1000 - round(self.lag * 1_000_000)
        kind, _ = _ACTS[asked.path]
        return [
            {**act.body, "id": act.id, "key": act.key}
            for act in self.ledger.acts
            if act.act == kind
            and act.at <= visible
            and asked.query.get("key", act.key) == act.key
            and all(asked.query.get(name, act.body.get(name)) == act.body.get(name) for name in ("order_id", "to"))
        ]

    def _purchase(self, asked: Asked) -> Reply:
        rule = _from_header(asked) or self.rules.take(asked.path, None)
        if rule and rule.mode == "503-before":
            return _UNAVAILABLE
        order = asked.path.removeprefix("/purchases/")
        if order not in self.purchases:
            return Reply({"error": f"no purchase {order}"}, status=404)
        purchase = dict(self.purchases[order])
        size = purchase.pop("history_bytes", 0)
        return Reply({"order_id": order, **purchase, "history": history(order, size)})


@functools.lru_cache(maxsize=32)
def history(order: str, size: int) -> list[dict[str, Any]]:
    """A deterministic history of at least `size` bytes of JSON; one entry when `size` is 0."""
    entries: list[dict[str, Any]] = []
    written = 0
    while written < size or not entries:
        n = len(entries)
        entry = {"n": n, "order_id": f"{order}-{n}", "amount": 1000 + n * 37 % 9000, "note": "parcel delivered " * 8}
        entries.append(entry)
        written += len(json.dumps(entry)) + 2
    return entries


def _from_header(asked: Asked) -> Rule | None:
    mode = asked.headers.get("x-fake-mode", "")
    return Rule(mode, seconds=float(asked.headers.get("x-fake-seconds", "30"))) if mode else None


def _problem(asked: Asked) -> str:
    """Why the request is refused without acting; empty when it is not."""
    body = asked.body
    if not isinstance(body, dict):
        return "the body is no object"
    wanted = {"order_id", "amount", "currency"} if asked.path == "/refunds" else {"to", "subject", "body"}
    missing = wanted - set(body)
    if missing:
        return f"missing {', '.join(sorted(missing))}"
    if asked.path == "/refunds" and (type(body["amount"]) is not int or body["amount"] <= 0):
        return "amount must be a positive integer of minor units"
    return ""


def _spoil(reply: Reply, rule: Rule | None) -> Reply:
    """The answer after the act, as the rule wants it."""
    mode = rule.mode if rule else ""
    if mode == "503-after":
        return _UNAVAILABLE
    if rule and mode == "hang-after":
        return dataclasses.replace(reply, pause=rule.seconds)
    if mode == "reset-after":
        return dataclasses.replace(reply, cut=len(reply.data) // 2)
    if mode == "wrong-json-after":
        return dataclasses.replace(reply, body=reply.data[: len(reply.data) // 2])
    return reply


def _make(arguments: argparse.Namespace) -> Any:
    ledger = Ledger(Path(arguments.ledger), dedupe=arguments.dedupe == "on", key_ttl=arguments.key_ttl)
    purchases = json.loads(Path(arguments.purchases).read_text("utf-8")) if arguments.purchases else {}
    rules = read_rules(arguments.rules, seed=arguments.seed)
    return Provider(ledger, rules, purchases, arguments.lag, Stored(Path(arguments.ledger + ".stored"))).answer


def main() -> None:
    """Run the provider."""
    parser = Arguments("fakepay", description="a payment and mail provider that misbehaves on demand")
    parser.add_argument("--ledger", required=True, help="the file it writes each executed act to")
    parser.add_argument("--rules", default="", help="JSON file with a list of rules")
    parser.add_argument("--purchases", default="", help="JSON file: order -> purchase")
    parser.add_argument("--dedupe", choices=("on", "off"), default="on", help="honour idempotency keys")
    parser.add_argument("--key-ttl", type=float, default=0.0, help="seconds a key is honoured; 0: for ever")
    parser.add_argument("--lag", type=float, default=0.0, help="seconds after which GET /refunds sees an act")
    parser.add_argument("--seed", type=int, default=0, help="decides which requests a rule with a rate treats badly")
    serve(parser, _make)


if __name__ == "__main__":
    main()
