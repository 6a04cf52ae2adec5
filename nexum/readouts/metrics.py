"""Seven metrics in Prometheus' text format, computed from the tables when they are asked for.

They are facts about the database, the same from whichever process answers, so one scrape target is enough. The counters
count what the tables hold: they fall back when retention removes old runs, which Prometheus reads as a restart.
"""

from __future__ import annotations

from collections.abc import Iterable

from nexum.core.ids import short
from nexum.core.run.breaker import standing_of
from nexum.store import sums
from nexum.store.breaking import every_breaker
from nexum.store.suspicions import suspicion_sums
from nexum.store.verbs import Verbs

MICROS = 1_000_000
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)  # seconds
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


def read_metrics(store: Verbs) -> str:
    """The metrics as one text; eight queries."""
    now = store.now()
    known = dict.fromkeys(sums.known_versions(store), (0, 0))
    counted = known | {(row.workflow, row.version): (row.active, row.failed) for row in sums.run_sums(store)}
    depths = dict.fromkeys(known, 0) | {(row.workflow, row.version): row.depth for row in sums.depth_sums(store, now)}
    doubles = [(_labels(row.workflow, row.version, effect=row.path), row.times) for row in suspicion_sums(store)]
    retries = [(_labels(row.workflow, row.version, node=row.path), row.times) for row in sums.retry_sums(store)]
    bounds_us = tuple(int(bound * MICROS) for bound in BOUNDS)
    held = [
        ((("breaker", row.name), ("tenant", row.tenant)), int(standing_of(row, now) == "open"))
        for row in every_breaker(store)
    ]
    lines = [
        *_family("execution_active_count", "gauge", "Runs that have not ended.", _each(counted, 0)),
        *_family("execution_failed_total", "counter", "Runs that have failed.", _each(counted, 1)),
        *_family("node_retry_total", "counter", "Attempts after the first, by node.", retries),
        *_family(
            "effect_duplicates_suspected_total", "counter", "Late results that differ from the recorded.", doubles
        ),
        *_latency(sums.latency_sums(store, bounds_us)),
        *_family(
            "queue_depth",
            "gauge",
            "Tasks that are ready and wait for a worker.",
            [(_labels(*place), depth) for place, depth in sorted(depths.items())],
        ),
        *_family("breaker_open", "gauge", "Circuit breakers that let nothing pass (1), by name.", held),
    ]
    return "\n".join(lines) + "\n"


def _each(counted: dict[tuple[str, str], tuple[int, int]], place: int) -> list[tuple[Labels, int]]:
    return [(_labels(*key), values[place]) for key, values in sorted(counted.items())]


def _labels(workflow: str, version: str, **more: str) -> Labels:
    return (("workflow", workflow), ("version", short(version)), *more.items())


def _family(name: str, kind: str, told: str, samples: Iterable[tuple[Labels, int]]) -> list[str]:
    return [
        f"# HELP {name} {told}",
        f"# TYPE {name} {kind}",
        *(f"{name}{_spelled(labels)} {value}" for labels, value in samples),
    ]


def _latency(rows: Iterable[sums.LatencySum]) -> list[str]:
    name = "effect_latency_seconds"
    lines = [f"# HELP {name} From the first sending of an effect to its record.", f"# TYPE {name} histogram"]
    for row in rows:
        labels = _labels(row.workflow, row.version, effect=row.path)
        for bound, count in zip(BOUNDS, row.within, strict=True):
            lines.append(f"{name}_bucket{_spelled((*labels, ('le', str(bound))))} {count}")
        lines.append(f"{name}_bucket{_spelled((*labels, ('le', '+Inf')))} {row.times}")
        lines.append(f"{name}_sum{_spelled(labels)} {row.total_us / MICROS}")
        lines.append(f"{name}_count{_spelled(labels)} {row.times}")
    return lines


def _spelled(labels: Labels) -> str:
    quoted = (f'{name}="{_escaped(value)}"' for name, value in labels)
    return "{" + ",".join(quoted) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
