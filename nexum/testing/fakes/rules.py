"""Which requests are treated badly, and how."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Rule:
    """Misbehave in `mode` on `path` when every field of `match` is equal in the body; `times` < 0 means always.

    `seconds` is the length of the modes that take time; `rate` is the share of the fitting requests that are treated so.
    """

    mode: str
    path: str = ""
    match: Mapping[str, Any] = field(default_factory=dict)
    times: int = -1
    seconds: float = 30.0
    rate: float = 1.0

    def fits(self, path: str, body: Any, luck: float = 0.0) -> bool:
        """Whether this request is meant, and the rule not used up; `luck` is drawn from [0, 1) for each request."""
        if self.times == 0 or luck >= self.rate or (self.path and self.path != path):
            return False
        return all(isinstance(body, dict) and body.get(name) == value for name, value in self.match.items())


class Rules:
    """Rules in order; the first that fits is used, and used up.

    Luck is drawn from the seed, the key and how often the key has come: the same requests are treated the same way again,
    in whatever order different keys arrive.
    """

    def __init__(self, rules: list[Rule] | None = None, *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._rules = rules or []
        self._seed = seed
        self._times: Counter[tuple[str, str]] = Counter()

    def replace(self, rules: list[dict[str, Any]]) -> None:
        """Forget the old ones."""
        with self._lock:
            self._rules = [Rule(**rule) for rule in rules]

    def take(self, path: str, body: Any, key: str = "") -> Rule | None:
        """The rule for this request, if any."""
        with self._lock:
            self._times[path, key] += 1
            name = f"{self._seed}|{path}|{key}|{self._times[path, key]}"
            luck = random.Random(name).random()  # noqa: S311 (reproducible, not secret)
            for rule in self._rules:
                if rule.fits(path, body, luck):
                    rule.times -= rule.times > 0
                    return rule
        return None


def read_rules(path: str, *, seed: int = 0) -> Rules:
    """Rules from a JSON file holding a list of objects; an empty path gives none."""
    return Rules([Rule(**rule) for rule in json.loads(Path(path).read_text("utf-8"))] if path else None, seed=seed)
