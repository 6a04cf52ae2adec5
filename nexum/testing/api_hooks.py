"""What the fuzzer knows of us: ids of real runs, names of real nodes and workflows, so that it comes past the front door.

Three of four valid parameters are replaced, by their own hash, so that an example found once is found again.
"""

from __future__ import annotations

import json
import os
from typing import Any
from zlib import crc32

import schemathesis

REAL = "NEXUM_TEST_API_SAMPLES"
LONGEST = 64


def _real() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(os.environ.get(REAL, "{}"))
    return found


def _draw(value: object, choices: list[Any]) -> Any:
    """The value itself, once in four times, else one of the choices."""
    number = crc32(repr(value).encode("utf-8", "replace"))
    return value if number % 4 == 0 or not choices else choices[number // 4 % len(choices)]


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Real runs, nodes and events."""
    found, known = dict(path_parameters or {}), _real()
    run_id = found.get("run_id")
    if isinstance(run_id, str) and len(run_id) <= LONGEST:
        found["run_id"] = _draw(run_id, known.get("runs", []))
    node_id = found.get("node_id")
    if isinstance(node_id, str) and len(node_id) < LONGEST:
        found["node_id"] = _draw(node_id, known.get("nodes", []))
    key = found.get("key")
    if isinstance(key, str) and len(key) < LONGEST:
        found["key"] = _draw(key, known.get("keys", []))
    group = found.get("fingerprint")
    if isinstance(group, str) and len(group) <= LONGEST:
        found["fingerprint"] = _draw(group, known.get("groups", []))
    seq = found.get("seq")
    if isinstance(seq, int) and seq > 0:
        found["seq"] = _draw(seq, list(range(1, 20)))
    return found or path_parameters


@schemathesis.hook
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Real filters."""
    if query and isinstance(query.get("q"), str) and len(query["q"]) <= 500:
        return {**query, "q": _draw(query["q"], known_filters())}
    return query


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Real workflows with inputs that fit."""
    known = _real()
    if isinstance(body, dict) and isinstance(body.get("workflow"), str) and 0 < len(body["workflow"]) < LONGEST:
        starts = known.get("starts", [])
        chosen = _draw(body, starts)
        return {**body, **chosen} if chosen in starts else body
    return body


def known_filters() -> list[str]:
    """Filters of every kind."""
    return [
        "status:failed -workflow:OrderIntake",
        "standing:no_worker",
        "standing:in_doubt node:refund",
        'key:"order-10*" started:<2h',
        "duration:>1s error:NX-*",
        "version:8 subject:shop.Order:1042 run:0*",
    ]
