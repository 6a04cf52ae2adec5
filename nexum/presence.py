"""Where a process lives, so that a neighbour on the same machine can prove its death at once.

A lease must run out before a stranger's silence counts as death. A process that sees the same process table needs no lease:
when the number is not in the table, the process is gone. The same table means the same boot and the same namespace of
process numbers; two containers that were given one host name do not share it.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from uuid import uuid4

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@cache
def process_table() -> str:
    """A short name of the process table that this process sees; "" where the system does not say."""
    try:
        seen = _BOOT.read_text("ascii").strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(seen.encode()).hexdigest()[:8]


def session_name(host: str) -> str:
    """A new name for this process's session: host, process, process table, chance."""
    return f"{host}:{os.getpid()}:{process_table()}-{uuid4().hex[:8]}"


def is_gone(session: str, pid: int) -> bool:
    """Whether the process of a session is certainly dead: it was in our process table, and is not any more.

    False when it lives elsewhere, and also while its number stands in the table, whoever has it now.
    """
    table = session.rpartition(":")[2].partition("-")[0]
    if not table or table != process_table() or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is there, and somebody else's
        return False
    return False
