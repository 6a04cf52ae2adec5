"""What a compute handler must not call: one table of dotted names, by what is wrong with them and what to do instead."""

from __future__ import annotations

from typing import NamedTuple


class Ban(NamedTuple):
    """A family of calls: what it touches, and how to mend it."""

    touches: str
    mend: str


CLOCK = Ban("a clock", "take the time that the engine recorded: `ctx.now`")
CHANCE = Ban("randomness", "take the repeatable source of this visit: `ctx.random` or `ctx.uuid4()`")
PROCESS = Ban("something that differs between processes", "derive the value from the inputs, for example with hashlib")
ENVIRONMENT = Ban("the environment", "make it a field of the input, or read it in a `read` node")
FILES = Ban("files", "read files in a `read` node, write them in an `effect` node")
NETWORK = Ban("the network", "make it a `read` node, or an `effect` node if it changes something")
PROGRAMS = Ban("other programs or threads", "make it a `read` or an `effect` node")
DATABASE = Ban("a database", "read rows in a `read` node, write them in a `transaction` node")

_FAMILIES: dict[Ban, str] = {
    CLOCK: """
        time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns
        time.process_time time.process_time_ns time.localtime time.gmtime time.ctime time.sleep asyncio.sleep
        datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today
        django.utils.timezone.now django.utils.timezone.localtime django.utils.timezone.localdate
    """,
    CHANCE: """
        random secrets uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 os.urandom os.getrandom numpy.random
        django.utils.crypto.get_random_string
    """,
    PROCESS: "builtins.id builtins.hash os.getpid threading.get_ident threading.current_thread",
    ENVIRONMENT: """
        os.environ os.getenv os.environb os.getcwd os.getlogin os.uname os.cpu_count sys.argv sys.stdin platform
        builtins.input getpass django.conf.settings
    """,
    FILES: """
        builtins.open io.open io.FileIO os.open os.listdir os.scandir os.stat os.remove os.unlink os.rename os.mkdir
        os.makedirs os.rmdir os.walk os.read os.write os.path.exists os.path.isfile os.path.isdir os.path.getsize
        shutil tempfile glob pathlib.Path.open pathlib.Path.read_text pathlib.Path.read_bytes pathlib.Path.write_text
        pathlib.Path.write_bytes pathlib.Path.exists pathlib.Path.is_file pathlib.Path.is_dir pathlib.Path.iterdir
        pathlib.Path.glob pathlib.Path.mkdir pathlib.Path.unlink pathlib.Path.touch pathlib.Path.stat
    """,
    NETWORK: """
        socket ssl http.client urllib.request urllib3 requests httpx aiohttp smtplib imaplib ftplib telnetlib xmlrpc
        boto3 botocore redis openai anthropic stripe grpc
    """,
    PROGRAMS: """
        subprocess multiprocessing concurrent.futures os.system os.popen os.fork os.spawnl os.spawnv os.execv os.execvp
        os.kill threading.Thread _thread.start_new_thread asyncio.create_subprocess_exec asyncio.create_subprocess_shell
    """,
    DATABASE: """
        sqlite3 psycopg psycopg2 pymysql MySQLdb pymongo sqlalchemy.create_engine sqlalchemy.orm.Session
        django.db.connection django.db.connections django.db.transaction
    """,
}

BANNED: dict[str, Ban] = {name: ban for ban, names in _FAMILIES.items() for name in names.split()}

ALLOWED = frozenset({"random.Random", "uuid.UUID"})  # repeatable when they are given a seed or a value

_VALUES = ("os.environ", "os.environb", "sys.argv", "sys.stdin", "django.conf.settings")


def is_value(dotted: str) -> bool:
    """Whether to name it is already to use it."""
    return any(dotted == value or dotted.startswith(f"{value}.") for value in _VALUES)


def ban_on(dotted: str) -> Ban | None:
    """The ban that covers a dotted name: its own, or that of a package above it."""
    if dotted in ALLOWED:
        return None
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        found = BANNED.get(".".join(parts[:end]))
        if found is not None:
            return found
    return None
