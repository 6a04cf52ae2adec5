"""The doctor asks Redis whether it may remove what waits there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis

from nexum.broker.eviction import memory_rule
from nexum.errors import UnavailableError
from nexum.testing.services import free_port
from shopfloor import Shop

GB = 1 << 30


@pytest.fixture
def memory(redis_url: str) -> Iterator[Redis]:
    """A connection with which a test may change how Redis treats its memory; it is as before afterwards."""
    with closing(Redis.from_url(redis_url)) as client:
        before = {name: client.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy")}
        yield client
        for name, value in before.items():
            client.config_set(name, value)


def eviction(shop: Shop, url: str) -> tuple[str, str, str, str]:
    said = shop.nexum("doctor", "--json", env={"NEXUM_BROKER": url})
    (found,) = [check for check in said.json["checks"] if check["check"] == "eviction"]
    return found["level"], found["code"], found["text"], found["mend"]


@pytest.mark.parametrize(
    ("limit", "policy", "level", "told"),
    [
        (GB, "allkeys-lru", "warn", "maxmemory-policy allkeys-lru"),
        (GB, "volatile-ttl", "warn", "maxmemory-policy volatile-ttl"),
        (GB, "noeviction", "ok", "removes nothing: noeviction"),
        (0, "allkeys-lru", "ok", "it has no maxmemory"),
    ],
)
def test_a_redis_that_may_remove_queues_is_a_warning(
    shop: Shop, memory: Redis, redis_url: str, limit: int, policy: str, level: str, told: str
) -> None:
    memory.config_set("maxmemory", limit)
    memory.config_set("maxmemory-policy", policy)

    found = eviction(shop, redis_url)

    assert found[0] == level
    assert told in found[2]
    assert ("NX-F310" in found[1]) == ("noeviction" in found[3]) == ("sweeper" in found[2]) == (level == "warn")


def test_a_redis_that_may_not_be_asked_is_said_and_is_no_failure(shop: Shop, memory: Redis, redis_url: str) -> None:
    memory.acl_setuser(
        "limited", enabled=True, passwords=["+pw"], keys=["*"], channels=["*"], commands=["+@all", "-info"]
    )
    try:
        found = eviction(shop, redis_url.replace("//", "//limited:pw@"))
    finally:
        memory.acl_deluser("limited")

    assert found[:2] == ("ok", "")
    assert "NOPERM" in found[2] or "no permissions" in found[2]
    assert "should be noeviction" in found[2]


def test_a_broker_that_is_no_redis_has_no_such_rule() -> None:
    assert memory_rule("amqp://guest@127.0.0.1:1//") is None


def test_a_redis_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="NX-Q205"):
        memory_rule(f"redis://127.0.0.1:{free_port()}/0")
