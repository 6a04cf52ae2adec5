"""The shape of a catalogue entry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One error: what it is called, what it means, why Nexum stops here, how to mend it, and a command's exit code."""

    code: str
    title: str
    means: str
    why: str
    mend: tuple[str, ...]
    exit_code: int = 70
    retryable: bool = False
    severity: str = "error"
