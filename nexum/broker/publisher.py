"""The doorbell with a broker: a side thread, a bounded queue, a deadline, a circuit breaker.

Before a message is sent, the workers of this machine are asked by datagram: one that is idle answers within a fraction of a
millisecond, and then no message is needed. So a run that changes the process does not pay the way through the broker, and
the broker holds what nobody near was free to do.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from nexum.broker.breaker import Breaker
from nexum.broker.local import LocalDoorbell
from nexum.broker.senders import Ring, Sender
from nexum.core.ids import TaskKey
from nexum.crash import crash

logger = logging.getLogger("nexum.broker")

CAPACITY = 10_000  # rings; more means that the broker is slower than the database, and the sweeper takes over
BATCH = 100
ANSWER_SECONDS = 0.005  # an idle process answers in a tenth of that; who does not answer is busy


class _Waiting(NamedTuple):
    """A ring that waits for an answer to its `number` (0: nobody was asked) until `due`, then for the broker."""

    ring: Ring
    number: int
    due: float


class Publisher:
    """Rings through a broker. Safe to share between threads, and usable again in a child after a fork.

    `open_sender` makes the sender when the first ring is sent; `local` rings on this machine first; `capacity` bounds the
    rings that wait. A failure drops the batch at hand, closes the sender and opens the breaker; while it is open rings go
    no further than this machine. `sent`, `answered` (by this machine), `dropped` and `failures` count; `last_error` is the
    newest failure as text.
    """

    def __init__(
        self,
        open_sender: Callable[[], Sender],
        *,
        local: LocalDoorbell | None = None,
        capacity: int = CAPACITY,
        breaker: Breaker | None = None,
    ) -> None:
        self._open_sender = open_sender
        self._local = local
        self._capacity = capacity
        self._breaker = breaker or Breaker()
        self._thread: threading.Thread | None = None
        self._reset()
        self.sent = self.answered = self.dropped = self.failures = 0
        self.last_error = ""
        atexit.register(self.close)

    @property
    def is_down(self) -> bool:
        """Whether the broker failed when it was last spoken to."""
        return self._breaker.is_failing

    def ring(self, queue: str, key: TaskKey) -> None:
        """Ring here, and queue it for the side thread; drops it when the queue is full, the breaker open, or closed."""
        if self._pid != os.getpid():
            self._reset()  # a forked child: the parent's thread and socket are not ours
        number = self._local.call(queue) if self._local is not None else 0
        due = time.monotonic() + ANSWER_SECONDS
        with self._changed:
            if self._closed or self._breaker.is_open or len(self._waiting) >= self._capacity:
                self.dropped += 1
                return
            self._waiting.append(_Waiting((queue, key), number, due))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nexum-doorbell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, timeout: float = 1.0) -> None:
        """Send what waits, for at most `timeout` seconds, then stop. May be called twice."""
        if self._pid != os.getpid():
            return
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)
        if self._local is not None:
            self._local.close()
        atexit.unregister(self.close)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread = None
        self._closed = False

    def _run(self) -> None:
        sender: Sender | None = None
        try:
            while batch := self._take():
                if rings := self._unanswered(batch):
                    sender = self._send(sender, rings)
        finally:
            if sender is not None:
                sender.close()

    def _take(self) -> list[_Waiting]:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _unanswered(self, batch: list[_Waiting]) -> list[Ring]:
        """The rings that nobody here has answered in time."""
        asked = {waiting.number for waiting in batch if waiting.number}
        until = max((waiting.due for waiting in batch if waiting.number), default=0.0)
        while self._local is not None and asked and (left := until - time.monotonic()) > 0:
            asked.difference_update(self._local.answers(left))
        rings = [waiting.ring for waiting in batch if not waiting.number or waiting.number in asked]
        self.answered += len(batch) - len(rings)
        return rings

    def _send(self, sender: Sender | None, batch: list[Ring]) -> Sender | None:
        """Send one batch; gives the sender to use next (None: open a new one)."""
        try:
            crash("publish.before")
            sender = sender or self._open_sender()
            sender.send(batch)
            crash("publish.after")
        except Exception as error:  # noqa: BLE001 (every transport has its own tree; none of them may end this thread)
            self._failed(sender, batch, error)
            return None
        self.sent += len(batch)
        if self._breaker.is_failing:
            logger.info("the broker answers again")
        self._breaker.succeeded()
        return sender

    def _failed(self, sender: Sender | None, batch: list[Ring], error: Exception) -> None:
        first = not self._breaker.is_failing
        self._breaker.failed()
        self.failures += 1
        self.last_error = f"{type(error).__name__}: {error}"
        with self._changed:
            self.dropped += len(batch) + len(self._waiting)
            self._waiting.clear()
        if first:
            logger.warning(
                "[NX-Q205] the broker does not answer (%s); workers pull from the database until it does",
                self.last_error,
                extra={"code": "NX-Q205"},
            )
        if sender is not None:
            try:
                sender.close()
            except Exception:
                logger.debug("closing a broken broker connection failed", exc_info=True)
