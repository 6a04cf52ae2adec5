"""The one loop thread of a child, where `async` handlers and language models run side by side."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

THREADS = 4  # for calls that block: the database, and `def` handlers that follow an `async` one


class LoopThread:
    """Starts its thread when it is first needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()
        self._blocking = ThreadPoolExecutor(THREADS, thread_name_prefix="nexum-step")

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the loop; returns at once. May be called from any thread."""
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="nexum-loop", daemon=True).start()
        asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def blocking(self, act: Callable[[], T]) -> T:
        """Call something that blocks, from a coroutine on the loop; it logs about the same."""
        return await asyncio.get_running_loop().run_in_executor(self._blocking, partial(copy_context().run, act))

    def stop(self) -> None:
        """Stop the loop; what still runs on it is abandoned."""
        self._blocking.shutdown(wait=False, cancel_futures=True)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
