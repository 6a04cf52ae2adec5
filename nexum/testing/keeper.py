"""Runs one server for as long as somebody uses it, however its users end.

Started by `services.py` as a script of its own, with a JSON document as its one argument; it imports nothing of Nexum.
Every user holds a shared lock on the file `users`. The kernel takes that lock away when the user dies, even by SIGKILL, so
waiting for the exclusive lock is waiting for the last user. Then the server is stopped and its directory removed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

STOP_SECONDS = 20


def keep(directory: Path, argv: list[str], user: str | None, stop_signal: int) -> None:
    """Run `argv` as `user` until nobody holds `directory/users`, then stop it and remove the directory."""
    with (directory / "log").open("ab") as log:
        server = subprocess.Popen(  # noqa: S603 (the command line was made by services.py)
            argv,
            user=user,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C at the terminal is for the tests; their end ends the server
        )
    (directory / "pid").write_text(str(server.pid))
    with (directory / "users").open("r+b") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        server.send_signal(stop_signal)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Leave the starter's process tree and session, then keep."""
    order = json.loads(sys.argv[1])
    if os.fork():  # the starter waits for this process only, and never has a child to reap
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keep(Path(order["directory"]), order["argv"], order["user"], order["stop_signal"])


if __name__ == "__main__":
    main()
