"""G5: how long a person waits for the first word: `nexum --help`, `import nexum`, its names; each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.figures import Figure, Target
from benchmarks.places import ROOT
from benchmarks.session import Session

HELP = ("-m", "nexum", "--help")
IMPORT = ("-c", "import nexum")
FIRST_NAME = ("-c", "from nexum import Workflow")
EVERY_NAME = ("-c", "import nexum; [getattr(nexum, name) for name in nexum.__all__]")
FIRST_MODEL = (
    "-c",
    "import pydantic; pydantic.TypeAdapter; type('M', (pydantic.BaseModel,), {'__annotations__': {'x': int}})",
)
BARE = ("-c", "pass")


def measure(session: Session) -> list[Figure]:
    """Whole processes, the interpreter's own start included; the shortest of a round, which a neighbour disturbs least."""
    shown = Figure("G5h", "nexum --help", "ms", targets=(Target(200.0),))
    imported = Figure("G5i", "import nexum", "ms", targets=(Target(120.0),))
    used = Figure("G5w", "from nexum import Workflow", "ms")
    every = Figure("G5a", "every public name, over a process with one Pydantic model", "ratio", targets=(Target(2.0),))
    bare = Figure("G5p", "an empty Python process", "ms")
    times = session.pick(10, 5)
    for command in (HELP, IMPORT, FIRST_NAME, EVERY_NAME):
        _spent(command)  # writes the bytecode
    for _ in session.rounds("G5", 3, 1, 20):
        for figure, command in ((shown, HELP), (imported, IMPORT), (used, FIRST_NAME), (bare, BARE)):
            figure.add(min(_spent(command) for _ in range(times)))
        model = min(_spent(FIRST_MODEL) for _ in range(times))
        every.add(min(_spent(EVERY_NAME) for _ in range(times)) / model)
    return [shown, imported, used, every, bare]


def _spent(arguments: tuple[str, ...]) -> float:
    """Milliseconds of one process. Raises `CalledProcessError` when it fails: a fast failure is no figure."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1e3
