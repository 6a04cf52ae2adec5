"""Which requests are treated badly, and how."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Rule:
    """Misbehave in `mode` on `path` when every field of `match` is equal in the body; `times` < 0 means always.

    `seconds` is the length of the modes that take time.
    """

    mode: str
    path: str = ""
    match: Mapping[str, Any] = field(default_factory=dict)
    times: int = -1
    seconds: float = 30.0

    def fits(self, path: str, body: Any) -> bool:
        """Whether this request is meant, and the rule not used up."""
        if self.times == 0 or (self.path and self.path != path):
            return False
        return all(isinstance(body, dict) and body.get(name) == value for name, value in self.match.items())


class Rules:
    """Rules in order; the first that fits is used, and used up."""

    def __init__(self, rules: list[Rule] | None = None) -> None:
        self._lock = threading.Lock()
        self._rules = rules or []

    def replace(self, rules: list[dict[str, Any]]) -> None:
        """Forget the old ones."""
        with self._lock:
            self._rules = [Rule(**rule) for rule in rules]

    def take(self, path: str, body: Any) -> Rule | None:
        """The rule for this request, if any."""
        with self._lock:
            for rule in self._rules:
                if rule.fits(path, body):
                    rule.times -= rule.times > 0
                    return rule
        return None


def read_rules(path: str) -> Rules:
    """Rules from a JSON file holding a list of objects; an empty path gives none."""
    return Rules([Rule(**rule) for rule in json.loads(Path(path).read_text("utf-8"))] if path else None)
