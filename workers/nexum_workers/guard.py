"""Purity of compute handlers at run time: a lint with teeth, not a sandbox.

One audit hook per process looks at events such as `open`, `socket.connect` and `subprocess.Popen`, and lets everything
pass unless the current context is inside `pure()`; other threads and coroutines are never affected. Queries over Django's
connections come here too (`nexum_workers.django`), open connections included. A handler that swallows the error fails all
the same, for what it did is remembered.

What leaves no trace in Python is not seen: clocks, randomness, the environment, and drivers written in C that are used
without Django; of those the build refuses what it can see. A thread that the handler starts has a context of its own and
escapes on Python 3.11.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from nexum.errors import HandlerError

BANNED = frozenset(
    {
        "_thread.start_joinable_thread",
        "_thread.start_new_thread",
        "ftplib.connect",
        "imaplib.open",
        "mmap.__new__",
        "open",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.mkdir",
        "os.posix_spawn",
        "os.putenv",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.spawn",
        "os.system",
        "os.unsetenv",
        "poplib.connect",
        "shutil.copyfile",
        "shutil.rmtree",
        "smtplib.connect",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.sendmsg",
        "socket.sendto",
        "sqlite3.connect",
        "subprocess.Popen",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
        "time.sleep",
        "urllib.Request",
    }
)
_CODE = (".py", ".pyc", ".so", ".pyd")  # an import inside a handler opens these

_found: ContextVar[list[str] | None] = ContextVar("nexum_impurities", default=None)
_installed = False


@contextmanager
def pure(node: str) -> Iterator[None]:
    """Run a compute handler inside this. Raises `HandlerError` (NX-R207) for what it did that is not pure."""
    _install()
    found: list[str] = []
    token = _found.set(found)
    try:
        yield
    finally:
        _found.reset(token)
        if found:
            raise HandlerError(f"{node} is a compute node, but it called {found[0]}", code="NX-R207", where=node)


def refuse(act: str) -> None:
    """Something impure is about to be done. Raises `HandlerError` (NX-R207) inside `pure()`, else does nothing."""
    found = _found.get()
    if found is not None:
        found.append(act)
        raise HandlerError(f"a compute handler called {act}", code="NX-R207")


def _install() -> None:
    """Add the hook; it cannot be removed again."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event not in BANNED or _found.get() is None or (event == "open" and _is_import(args)):
        return
    refuse(f"{event}({args[0]!r})"[:200] if args and isinstance(args[0], str | bytes) else event)


def _is_import(args: tuple[Any, ...]) -> bool:
    path, mode, *_ = args
    return isinstance(path, str) and path.endswith(_CODE) and (mode is None or "r" in mode)
