"""What was measured on: the machine, the versions, and how much of it somebody else was using meanwhile."""

from __future__ import annotations

import os
import platform
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PACKAGES = ("nexum", "celery", "kombu", "redis", "psycopg2-binary", "sqlalchemy", "django")


def facts() -> dict[str, object]:
    """The machine, as far as it matters for comparing ratios."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1),
        "system": platform.platform(),
        "python": sys.version.split()[0],
    }


def versions() -> dict[str, str]:
    """Installed versions of what takes part in this environment."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


class Meter:
    """Splits the machine's CPU time into ours (this process tree, and servers below `folder`) and that of others.

    On systems without /proc everything reads as zero, and `known` says so.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder).encode()
        self.known = Path("/proc/stat").exists()
        self.restart()

    def restart(self) -> None:
        """Measure from now."""
        self._since = time.monotonic()
        self._busy, self._ours = self._read()

    @property
    def ours(self) -> float:
        """CPU seconds that we used since the start."""
        return max(0.0, self._read()[1] - self._ours)

    @property
    def foreign(self) -> float:
        """How many cores others kept busy on average since the start."""
        busy, ours = self._read()
        elapsed = max(time.monotonic() - self._since, 1e-9)
        return max(0.0, (busy - self._busy) - (ours - self._ours)) / elapsed

    def _read(self) -> tuple[float, float]:
        if not self.known:
            return 0.0, 0.0
        user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split()[1:9])
        return (user + nice + system + irq + softirq) / TICK, self._own_time()

    def _own_time(self) -> float:
        """The time of our tree; dead children count through the parents that waited for them."""
        parents: dict[int, int] = {}
        spent: dict[int, int] = {}
        roots = {os.getpid()}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                pid = int(entry.name)
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[pid] = int(fields[1])
                spent[pid] = sum(map(int, fields[11:15]))
                if self._folder in (entry / "cmdline").read_bytes():
                    roots.add(pid)
        return sum(ticks for pid, ticks in spent.items() if _descends(pid, roots, parents)) / TICK


def _descends(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    while pid not in roots:
        pid = parents.get(pid, 0)
        if pid <= 1:
            return False
    return True


def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
