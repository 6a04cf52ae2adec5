"""The tables, as Django sees them. `nexum.store.tables` describes the same tables for the engine.

Conventions: times are microseconds since 1970 (BIGINT), payloads and hashes are bytes, nothing is NULL: '' is no text,
-1 no item, 0 no time. A guard over a nullable column would let duplicates pass.
"""

from __future__ import annotations

from nexum_dashboard.models.effects import Effect, EffectEvidence
from nexum_dashboard.models.fleet import ApiToken, Session, Version
from nexum_dashboard.models.mail import DeadMail, LateArrival, Mail
from nexum_dashboard.models.mending import Breaker, GroupDecision
from nexum_dashboard.models.runs import Blob, Event, Run, Snapshot, StartKey
from nexum_dashboard.models.work import Task, Timer

__all__ = [
    "ApiToken",
    "Blob",
    "Breaker",
    "DeadMail",
    "Effect",
    "EffectEvidence",
    "Event",
    "GroupDecision",
    "LateArrival",
    "Mail",
    "Run",
    "Session",
    "Snapshot",
    "StartKey",
    "Task",
    "Timer",
    "Version",
]
