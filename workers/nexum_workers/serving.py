"""What a worker process is told before it is forked, and who executes for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from nexum.broker.doorbell import Doorbell
from nexum.broker.local import Ear
from nexum.engine.work import Outcome, Work
from nexum.store.api import Store
from nexum_workers.board import Board
from nexum_workers.early import Early


class Executor(Protocol):
    """Executes one attempt; never raises, never records."""

    def is_async(self, work: Work) -> bool:
        """Whether the attempt runs on the loop (`async def` handlers, language models) or in the body."""

    def execute(self, work: Work, on_heartbeat: Callable[[object], None], early: Early) -> Outcome:
        """Execute an attempt of a `def` handler in this thread; the caller watches its time and its heartbeats.

        `early` makes durable what does not wait for the attempt's end.
        """

    def execute_async(
        self, work: Work, on_heartbeat: Callable[[object], None], early: Early
    ) -> Coroutine[Any, Any, Outcome]:
        """Execute an attempt on the running loop; it is cancelled when its time is over.

        The caller watches it for longer than that: a handler that ignores its cancellation has not ended.
        """

    def abandon(self) -> None:
        """A handler is stuck, and this process is about to end: let go of what would keep others from recording that."""

    def close(self) -> None:
        """Let go of what was opened for handlers; called once, at the end of the process."""


class Telling(Protocol):
    """Is told what happens to each node, for Flower; never blocks, never raises."""

    def began(self, work: Work) -> int:
        """An attempt begins; gives the number under which its end is told."""

    def ended(self, told: int, work: Work, outcome: Outcome, seconds: float) -> None:
        """An attempt has ended after so many seconds."""

    def close(self) -> None:
        """Send what is still buffered."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What the children of one parent serve, and how. Times are in seconds.

    The callables open what must not be shared over a fork; each child calls them for itself. `ear` is where children
    listen together for local datagrams; `broker` says whether messages come too, and looking is only the safety net.
    """

    queues: tuple[str, ...]
    slots: int
    lease: float
    drain_timeout: float
    inline_max: int
    snapshot_every: int
    host: str
    ear: Ear
    broker: bool
    board: Board
    open_store: Callable[[], Store]
    open_doorbell: Callable[[], Doorbell]
    open_executor: Callable[[], Executor]
    open_telling: Callable[[], Telling]
