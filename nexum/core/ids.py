"""Identifiers: how runs, versions, queues and effects are named.

A run id is a UUIDv7, so that ids sort by time. An effect key names the logical act (tenant, run, node path, visit, item)
or the business act (tenant, tool, business key); it never contains an attempt, a worker or a schedule number, so every
retry of one act carries the same key.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import NamedTuple

KEY_VERSION = b"nexum-key/1"


class TaskKey(NamedTuple):
    """One attempt of one cell of one run."""

    run_id: str
    path: str
    visit: int
    item: int
    attempt: int


def run_id_from(now_us: int, entropy: bytes) -> str:
    """A UUIDv7 from a time in microseconds since 1970 and ten random bytes."""
    head = ((now_us // 1000) & ((1 << 48) - 1)).to_bytes(6, "big")
    raw = bytearray(head + entropy[:10])
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(raw)))


def queue_name(workflow: str, version: str) -> str:
    """The Celery queue of one version: `RefundAgent@3ac1f2d09b7e`."""
    return f"{workflow}@{bare(version)[:12]}"


def bare(version: str) -> str:
    """A version without its `sha256:` prefix."""
    return version.removeprefix("sha256:")


def short(version: str) -> str:
    """A version as people see it: the first eight digits."""
    return bare(version)[:8]


def effect_key(tenant: str, run_id: str, path: str, visit: int, item: int) -> str:
    """The derived key of an effect; constant over attempts."""
    return "nx1-" + _digest(b"derived", tenant, run_id, path, str(visit), str(item))


def business_effect_key(tenant: str, tool: str, business_key: str) -> str:
    """The key of an effect that has a business key: the same over all runs of a tenant."""
    return "nx1-" + _digest(b"business", tenant, tool, business_key)


def call_key(parent: str, name: str) -> str:
    """The key of a call that an effect journals: of the effect's own key and the call's name."""
    return "nx1-" + _digest(b"call", parent, name)


def _digest(kind: bytes, *parts: str) -> str:
    sha = hashlib.sha256(KEY_VERSION + b"\n" + kind)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        sha.update(len(data).to_bytes(8, "big"))  # length-prefixed: ("ab", "c") is not ("a", "bc")
        sha.update(data)
    return sha.hexdigest()[:40]
