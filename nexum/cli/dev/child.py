"""What runs inside a child: `python -m nexum.cli.dev.child PARENT web PORT`, `... bench`, `... scheduler`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

from nexum.cli.complaints import complain
from nexum.cli.exits import conclude
from nexum.cli.main import run
from nexum_workers.forking import die_with


def main(argv: Sequence[str]) -> int:
    """Tie this process to its parent, then do what the words say; gives the exit code."""
    parent, role, *words = argv
    tie_to(int(parent))
    if role == "web":
        return conclude(
            lambda: _web(int(words[0])), lambda error, code: complain(error, code, as_json=False, color="auto")
        )
    if role == "bench":
        return conclude(lambda: _bench(words), lambda error, code: complain(error, code, as_json=True, color="never"))
    return run([role, *words], prog="nexum")


def _web(port: int) -> int:
    from nexum.cli.dev.web import serve

    return serve(port)


def _bench(known: Sequence[str]) -> int:
    from nexum.cli.dev.bench import serve

    return serve(known)


def tie_to(parent: int) -> None:
    """Die when the parent does: by the kernel on Linux, elsewhere by the end of standard input."""
    die_with(parent)
    if sys.platform != "linux":
        threading.Thread(target=_listen, name="nexum-lifeline", daemon=True).start()


def _listen() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
