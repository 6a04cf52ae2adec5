"""Servers and databases for one run of the benchmarks, all below one folder that goes away with them."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import redis

from nexum.store.schema import upgrade
from nexum.testing.services import create_database, postgres_server, redis_server

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"


@dataclass(slots=True)
class Places:
    """`admin` is PostgreSQL's administrator (fsync on, every default of initdb), `redis` a server without persistence."""

    folder: Path
    admin: str
    redis: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _brokers: Iterator[int] = field(default_factory=lambda: itertools.count())
    _template: str = ""

    def postgres(self) -> str:
        """The URL of a new database with Nexum's tables."""
        if not self._template:
            self._template = f"bench_template_{self.folder.name[-8:].lower()}"
            upgrade(create_database(self.admin, self._template))
        return create_database(self.admin, self._name(), template=self._template)

    def empty_postgres(self) -> str:
        """The URL of a new database without tables."""
        return create_database(self.admin, self._name())

    def sqlite(self) -> str:
        """The URL of a new file with Nexum's tables."""
        url = f"sqlite:///{self.file('nexum.sqlite3')}"
        upgrade(url)
        return url

    def broker(self) -> str:
        """The URL of a Redis database that nobody else uses; there are fifteen, and a workload needs one or two."""
        return f"{self.redis.rpartition('/')[0]}/{next(self._brokers) % 15 + 1}"

    def file(self, name: str) -> Path:
        """A path that is not taken."""
        return self.folder / f"{next(self._numbers)}-{name}"

    def versions(self) -> dict[str, str]:
        """The versions of the servers."""
        with closing(psycopg2.connect(self.admin)) as connection, redis.Redis.from_url(self.redis) as line:
            number = connection.server_version
            return {"postgresql": f"{number // 10_000}.{number % 10_000}", "redis-server": line.info()["redis_version"]}

    def _name(self) -> str:
        return f"bench_{self.folder.name[-8:].lower()}_{next(self._numbers)}"


@contextmanager
def places() -> Iterator[Places]:
    """Start PostgreSQL and Redis; both are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="nexum-bench-"))
    folder.chmod(0o755)
    try:
        with (
            postgres_server(folder / "postgres", durable=True) as admin,
            redis_server(folder / "redis") as broker,
        ):
            yield Places(folder, admin, broker)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
