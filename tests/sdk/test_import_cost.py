"""What `import nexum` loads; how long it takes is a benchmark, G5."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("celery", "django", "kombu", "redis", "sqlalchemy", "psycopg2", "click", "rich", "asyncio", "ssl", "httpx")


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


def test_import_nexum_alone_loads_not_even_pydantic() -> None:
    program = (
        "import sys, nexum; print([m for m in sys.modules if m.startswith(('pydantic', 'nexum.sdk', 'nexum.core'))])"
    )

    assert python(program) == "[]"
