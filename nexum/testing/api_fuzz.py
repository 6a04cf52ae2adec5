"""Fuzz the REST interface from its own OpenAPI document: `python -m nexum.testing.api_fuzz [EXAMPLES]`.

A site that wants tokens is started on a database with a run in every standing, and schemathesis asks each operation at
least `EXAMPLES` times (50 by default), valid and invalid, with real run ids among the invented ones. Exits 0 when every
answer was one that the document promises, with its media type and schema, and none was a server error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from nexum.readouts.dead import read_dead
from nexum.readouts.doubt import read_doubts
from nexum.store.connect import open_store
from nexum.store.schema import upgrade
from nexum.store.tokens import SCOPES, create_token
from nexum.store.verbs import Verbs
from nexum.testing.api_hooks import REAL
from nexum.testing.arguments import Arguments, at_least
from nexum.testing.samples import CLAIM, MINUTE, Clock, Stage, fill
from nexum.testing.site import serving

EXAMPLES = 50
# use_after_free and its like ask what was deleted; nothing is deleted here.
CONFIG = """
[[operations]]
include-operation-id = "start_run"  # whether an input fits depends on the workflow that the body names
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 422]

[[operations]]
include-operation-id = "resolve_effect"  # whether a response fits depends on the effect, and one decision ends a doubt
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 422]

[[operations]]
include-operation-id = "ask_provider"  # not every effect has a provider that can be asked
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 409]

[[operations]]  # what fits depends on where the run stands
include-operation-id = ["cancel_run", "terminate_run", "retry_node", "skip_node", "fail_node"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 422]

[[operations]]
include-operation-id = "hold_breaker"  # a name or a reason of nothing but blanks says nothing
checks.positive_data_acceptance.expected-statuses = ["2xx", 422]

[[operations]]  # one acknowledgement ends an alarm
include-operation-id = "acknowledge_duplicate"
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 422]

[[operations]]  # groups come and go; whether a value or a version fits depends on the workflow
include-operation-id = ["retry_dead_letters", "skip_dead_letters", "ignore_dead_letters", "acknowledge_dead_letters"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 422]

[[operations]]  # as above
include-operation-id = ["assign_dead_letters", "fix_dead_letters"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 422]

[[operations]]
include-operation-id = "list_runs"  # a filter is a language, a cursor is opaque: neither has a schema
checks.positive_data_acceptance.expected-statuses = ["2xx", 400]
"""
LEFT_OUT = "use_after_free,ensure_resource_availability,object_level_authorization"


def main(examples: int = EXAMPLES) -> int:
    """Fuzz, and give the exit code."""
    with tempfile.TemporaryDirectory(prefix="nexum-api-fuzz-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        database = f"sqlite:///{folder / 'runs.sqlite3'}"
        upgrade(database)
        clock = Clock(time.time_ns() // 1000 - 20 * MINUTE)
        stage = fill(open_store(database, clock=clock), clock, more=5)
        store = open_store(database)
        assert isinstance(store, Verbs)
        token = create_token(store, "fuzzer", tuple(SCOPES))
        with serving(database, folder, login=True) as url:
            return _ask(url, token, stage, store, examples, folder)


def _ask(url: str, token: str, stage: Stage, store: Verbs, examples: int, folder: Path) -> int:
    held = [line.key for line in read_doubts(store).effects]
    known = {
        "runs": list(stage.ids.values()),
        "keys": held,
        "groups": [group.fingerprint for group in read_dead(store).groups],
        "nodes": ["purchase", "verdict", "refund", "charge_card", "limit"],
        "starts": [
            {"workflow": "OrderIntake", "input": {"order": "A-79"}},
            {"workflow": "RefundAgent", "input": CLAIM},
        ],
    }
    env = {**os.environ, REAL: json.dumps(known), "SCHEMATHESIS_HOOKS": "nexum.testing.api_hooks"}
    (folder / "schemathesis.toml").write_text(CONFIG, "utf-8")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(examples)),
        *("--checks", "all", "--exclude-checks", LEFT_OUT, "--request-timeout", "20"),
        *("--continue-on-failure", "--suppress-health-check", "all", "--generation-deterministic"),
    ]
    done = subprocess.run(command, env=env, cwd=folder, check=False)  # noqa: S603 (a command of our own)
    return done.returncode


def examples_of(words: Sequence[str] | None = None) -> int:
    """The command line; ends the process with 64 where it is not understood."""
    parser = Arguments("api_fuzz", description=__doc__)
    parser.add_argument("examples", nargs="?", type=at_least(1), default=EXAMPLES)
    return int(parser.parse_args(words).examples)


if __name__ == "__main__":
    sys.exit(main(examples_of()))
