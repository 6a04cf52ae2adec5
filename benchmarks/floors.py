"""What this machine cannot do faster: a commit, a commit and a hop between two processes, SQLite's commit.

The commit floor is the smallest durable thing there is: one row inserted in autocommit by psycopg2, fsync on. The hop floor
adds a Redis list from one process to another, which is the least that a step on another worker costs.
"""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import redis

from benchmarks.places import ROOT

TABLE = "CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, text text NOT NULL)"
INSERT = "INSERT INTO floor (text) VALUES (%s)"
TEXT = "x" * 100
WARM = 20


def commit_floor(url: str, commits: int = 300) -> float:
    """Milliseconds of one committed INSERT, p50."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(TABLE)
        return _median(lambda: cursor.execute(INSERT, (TEXT,)), commits)


def sqlite_floor(path: Path, commits: int = 300) -> float:
    """Milliseconds of one committed INSERT into a WAL database with synchronous=FULL, p50."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        return _median(lambda: connection.execute("INSERT INTO floor (text) VALUES (?)", (TEXT,)), commits)


def hop_floor(url: str, broker: str, hops: int = 400) -> float:
    """Milliseconds of one commit and one hop to another process, p50; two processes play ping-pong."""
    partner = subprocess.Popen([sys.executable, "-m", "benchmarks.floors", url, broker, str(hops)], cwd=ROOT)
    try:
        return _play(url, broker, hops, mine="ping", theirs="pong", serve=True)
    finally:
        partner.kill()
        partner.wait(10)


def _play(url: str, broker: str, hops: int, *, mine: str, theirs: str, serve: bool) -> float:
    """Commit, push to the partner, wait for the answer; both do the same, so one turn is two steps."""
    with closing(psycopg2.connect(url)) as connection, redis.Redis.from_url(broker) as line:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(TABLE) if serve else None
        line.lpush(theirs, "ready")
        if line.brpop([mine], timeout=30) is None:
            raise TimeoutError("the other half of the hop floor did not start")
        if serve:
            line.lpush(theirs, "go")
        turns: list[float] = []
        for _ in range(hops // 2):
            began = time.perf_counter()
            if line.brpop([mine], timeout=30) is None:
                raise TimeoutError("the other half of the hop floor went away")
            cursor.execute(INSERT, (TEXT,))
            line.lpush(theirs, "go")
            turns.append(time.perf_counter() - began)
        return statistics.median(turns[WARM:]) * 1e3 / 2


def _median(act: Callable[[], object], times: int) -> float:
    spent: list[float] = []
    for _ in range(times + WARM):
        began = time.perf_counter()
        act()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent[WARM:]) * 1e3


if __name__ == "__main__":
    address, queue, count = sys.argv[1:]
    _play(address, queue, int(count), mine="pong", theirs="ping", serve=False)
