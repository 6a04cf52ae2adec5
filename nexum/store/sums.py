"""Sums over all runs, for metrics: read from the tables when asked, kept nowhere."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import case, func, select

from nexum.store.reading import OPEN, Reader
from nexum.store.tables import effects, events, runs, tasks, versions


class RunSum(NamedTuple):
    """How many runs of a version are open, and how many have failed."""

    workflow: str
    version: str
    active: int
    failed: int


class RetrySum(NamedTuple):
    """How often a node was tried again."""

    workflow: str
    version: str
    path: str
    times: int


class LatencySum(NamedTuple):
    """How long effects took from the first sending to the record: a histogram. `within[i]` counts those within bound i."""

    workflow: str
    version: str
    path: str
    times: int
    total_us: int
    within: tuple[int, ...]


class DepthSum(NamedTuple):
    """Tasks of a version that are ready and due."""

    workflow: str
    version: str
    depth: int


def run_sums(store: Reader) -> list[RunSum]:
    """Open and failed runs by version; a version with neither is left out."""
    active = func.sum(case((runs.c.status.in_(OPEN), 1), else_=0))
    failed = func.sum(case((runs.c.status == "FAILED", 1), else_=0))
    chosen = (
        select(runs.c.workflow, runs.c.version, active, failed)
        .where(runs.c.status.in_((*OPEN, "FAILED")))
        .group_by(runs.c.workflow, runs.c.version)
    )
    return [RunSum(w, v, int(a), int(f)) for w, v, a, f in store.select(chosen)]


def retry_sums(store: Reader) -> list[RetrySum]:
    """Retries by node. Only they are read, from an index of their own: `nexum_events_retries`."""
    chosen = (
        select(runs.c.workflow, runs.c.version, events.c.path, func.count())
        .join(runs, runs.c.run_id == events.c.run_id)
        .where(events.c.type == "RetryScheduled")
        .group_by(runs.c.workflow, runs.c.version, events.c.path)
    )
    return [RetrySum(w, v, p, int(n)) for w, v, p, n in store.select(chosen)]


def latency_sums(store: Reader, bounds_us: tuple[int, ...]) -> list[LatencySum]:
    """The time that recorded effects took, by node, in buckets with these upper bounds (us)."""
    took = effects.c.recorded_at - effects.c.first_sent_at
    buckets = [func.sum(case((took <= bound, 1), else_=0)) for bound in bounds_us]
    chosen = (
        select(runs.c.workflow, runs.c.version, effects.c.path, func.count(), func.sum(took), *buckets)
        .join(runs, runs.c.run_id == effects.c.run_id)
        .where(effects.c.recorded_at > 0, effects.c.first_sent_at > 0)
        .group_by(runs.c.workflow, runs.c.version, effects.c.path)
    )
    return [
        LatencySum(w, v, p, int(n), int(total), tuple(map(int, within)))
        for w, v, p, n, total, *within in store.select(chosen)
    ]


def depth_sums(store: Reader, now: int) -> list[DepthSum]:
    """Tasks that are ready and due, by version."""
    chosen = (
        select(runs.c.workflow, runs.c.version, func.count())
        .join(tasks, tasks.c.run_id == runs.c.run_id)
        .where(tasks.c.state == "READY", tasks.c.not_before <= now)
        .group_by(runs.c.workflow, runs.c.version)
    )
    return [DepthSum(w, v, int(n)) for w, v, n in store.select(chosen)]


def known_versions(store: Reader) -> list[tuple[str, str]]:
    """Every registered (workflow, version) that is not retired."""
    chosen = select(versions.c.workflow, versions.c.version).where(versions.c.state != "retired")
    return [(w, v) for w, v in store.select(chosen)]
