"""What a handler may know about the attempt that it is: a plain object that the worker fills in.

Time and chance come from here and not from the machine, so that a node which runs again sees the same. Both belong to
the visit of the node, not to the attempt: every attempt and every machine draws the same numbers.
"""

from __future__ import annotations

import hashlib
import logging
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the engine is heavy, and a shop that only declares workflows does not need it
    from nexum.engine.work import Work

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Context:
    """The attempt under way, as its handler sees it.

    `run_id`, `run_key` ("" without one) and `tenant` name the run; `node` and `attempt` (from 1) the attempt;
    `idempotency_key` is an effect's key, constant over attempts ("" for other kinds). `log` is a logger. `calls` is for an
    undo: the results, as JSON values, of the calls that its effect had journaled, by name; empty for everything else.

    In a unit test make one with the values that the handler needs: `Context(run_id="r1", idempotency_key="k")`.
    """

    def __init__(
        self,
        *,
        run_id: str = "",
        run_key: str = "",
        tenant: str = "default",
        node: str = "",
        visit: int = 1,
        item: int = -1,
        attempt: int = 1,
        idempotency_key: str = "",
        scheduled_at: int = 0,
        calls: Mapping[str, Any] | None = None,
        on_heartbeat: Callable[[Any], None] | None = None,
    ) -> None:
        self.run_id = run_id
        self.run_key = run_key
        self.tenant = tenant
        self.node = node
        self.visit = visit
        self.item = item
        self.attempt = attempt
        self.idempotency_key = idempotency_key
        self.calls: Mapping[str, Any] = calls or {}
        self._scheduled_at = scheduled_at
        self._on_heartbeat = on_heartbeat
        self._reference = ""

    @classmethod
    def of(cls, work: Work, on_heartbeat: Callable[[Any], None] | None = None) -> Context:
        """The context of one attempt; `on_heartbeat` is told the details of each heartbeat."""
        from nexum.core.canonical import from_bytes  # a shop that only declares workflows does not need it

        return cls(
            run_id=work.task.run_id,
            run_key=work.run_key,
            tenant=work.tenant,
            node=work.cell.path,
            visit=work.cell.visit,
            item=work.cell.item,
            attempt=work.attempt,
            idempotency_key=work.key,
            scheduled_at=work.scheduled_at,
            calls={name: from_bytes(data) for name, data in work.calls},
            on_heartbeat=on_heartbeat,
        )

    @property
    def now(self) -> datetime:
        """When this visit was scheduled, by the database's clock, in UTC; the same for every attempt."""
        return _EPOCH + timedelta(microseconds=self._scheduled_at)

    @cached_property
    def random(self) -> random.Random:
        """A source of chance that gives the same numbers to every attempt of this visit. Not for secrets."""
        return random.Random(self._seed)  # noqa: S311 (repeatable on purpose)

    def uuid4(self) -> uuid.UUID:
        """The next random UUID of this visit; the same sequence in every attempt."""
        return uuid.UUID(bytes=self.random.randbytes(16), version=4)

    @cached_property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that carries run, node and attempt with every record."""
        where = {"run_id": self.run_id, "node": self.node, "attempt": self.attempt, "tenant": self.tenant}
        return logging.LoggerAdapter(logging.getLogger("nexum.handler"), where)

    def reference(self, value: str) -> None:
        """Note the provider's own reference of an effect, such as `re_1`; operators find the act by it."""
        self._reference = value

    @property
    def noted_reference(self) -> str:
        """What `reference` was called with last; empty before."""
        return self._reference

    def heartbeat(self, details: Any = None) -> None:
        """Tell that the handler is alive and how far it is; needed often enough where `Timeouts(heartbeat=)` is set."""
        if self._on_heartbeat is not None:
            self._on_heartbeat(details)

    @property
    def _seed(self) -> int:
        identity = f"{self.run_id}\n{self.node}\n{self.visit}\n{self.item}".encode()
        return int.from_bytes(hashlib.sha256(identity).digest())
