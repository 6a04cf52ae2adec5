"""What `import nexum` loads, and how long it takes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("celery", "django", "kombu", "redis", "sqlalchemy", "psycopg2", "click", "rich")


def python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_every_public_name_together_loads_nothing_heavy() -> None:
    program = f"import sys, nexum; [getattr(nexum, n) for n in nexum.__all__]; print([m for m in {HEAVY} if m in sys.modules])"

    assert python(program) == "[]"


def test_building_a_workflow_loads_nothing_heavy() -> None:
    program = (
        "import sys, nexum\n"
        "agent = nexum.Workflow('A', input=int)\n"
        "@agent.compute()\n"
        "def double(input: int) -> int: return 2 * input\n"
        "agent.build()\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )

    assert python(program) == "[]"


def test_a_process_that_needs_one_room_loads_neither_sdk_nor_compiler() -> None:
    program = (
        "import sys, nexum.core.ids; print([m for m in sys.modules if m.startswith(('nexum.sdk', 'nexum.compiler'))])"
    )

    assert python(program) == "[]"


def test_import_nexum_takes_at_most_120_milliseconds() -> None:
    def once(program: str) -> float:
        began = time.perf_counter()
        python(program)
        return time.perf_counter() - began

    once("import nexum")  # writes the byte code

    assert min(once("import nexum") for _ in range(5)) - min(once("pass") for _ in range(5)) <= 0.120


def test_the_whole_sdk_takes_at_most_160_milliseconds_more_than_a_first_pydantic_model() -> None:
    model = "import pydantic; pydantic.TypeAdapter; type('M', (pydantic.BaseModel,), {'__annotations__': {'x': int}})"
    program = "import nexum; [getattr(nexum, n) for n in nexum.__all__]"

    def once(text: str) -> float:
        return float(python(f"import time; t = time.process_time(); {text}\nprint(time.process_time() - t)"))

    once(program)

    assert min(once(program) for _ in range(5)) - min(once(model) for _ in range(5)) <= 0.160
