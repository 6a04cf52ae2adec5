"""The reference pages that are made from the code: `python docs/generate.py` writes them, `--check` says which are stale.

The command line from its commands, the settings from their fields, the errors from the catalogue, the events from their
classes, the REST interface from its OpenAPI document, the metrics from what an empty database answers.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

DOCS = Path(__file__).resolve().parent
NOTE = "<!-- Made by `python docs/generate.py`; change the code, not this page. -->\n"
FAMILIES = {
    "B": "building a workflow",
    "D": "deploying versions",
    "R": "starting and executing runs",
    "E": "effects",
    "L": "language models",
    "W": "workers",
    "Q": "the broker",
    "S": "storage and settings of the database",
    "P": "permissions",
    "F": "configuration and the command line",
    "X": "internal",
}


def main(words: list[str]) -> int:
    """Write the pages, or compare them; gives the exit code."""
    stale = [path for path, text in pages() if not path.exists() or path.read_text("utf-8") != text]
    known = {path for path, _ in pages()}
    stale += [
        path for path in (DOCS / "reference").rglob("*.md") if path not in known and NOTE in path.read_text("utf-8")
    ]
    if "--check" in words:
        sys.stdout.write("".join(f"stale: {path.relative_to(DOCS)}\n" for path in stale))
        return 64 if stale else 0
    for path, text in pages():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated page with its text."""
    made = {
        "cli.md": command_line,
        "settings.md": settings,
        "events.md": events,
        "metrics.md": metrics,
        "rest.md": rest,
        "errors/README.md": errors,
    }
    for name, make in made.items():
        yield DOCS / "reference" / name, NOTE + make()
    for family in FAMILIES:
        yield DOCS / "reference" / "errors" / f"{family}.md", NOTE + error_family(family)


def command_line() -> str:
    """All commands with their options, and the exit codes."""
    from nexum.cli.exits import Exit
    from nexum.cli.main import COMMANDS, nexum

    lines = [
        "# The command line",
        "",
        "`nexum COMMAND`, `python -m nexum COMMAND` and, inside a Django project, `manage.py nexum COMMAND` are the same, with the",
        "same options and exit codes. The options at the end of this page are taken by every command.",
        "",
    ]
    group = click.Context(nexum, info_name="nexum")
    shared = {parameter.name for parameter in nexum.params}
    for name in COMMANDS:
        command = nexum.get_command(group, name)
        assert command is not None
        lines += _command(command, f"nexum {name}", group, shared)
    lines += ["## Options of every command", "", *_options(nexum, group, keep=shared), ""]
    lines += ["## Exit codes", "", "| code | name |", "|---|---|"]
    lines += [f"| {int(code)} | {code.name.lower().replace('_', ' ')} |" for code in Exit]
    lines += ["", "1 and 2 are verdicts on compatibility and nothing else; every failure has another code.", ""]
    return "\n".join(lines)


def settings() -> str:
    """All settings with defaults and where they may stand."""
    from nexum.settings import DashboardSettings, Settings

    def rows(model: type) -> list[str]:
        return [
            f"| `{name}` | {_shown(field.default)} | {_cell(field.description or '')} |"
            for name, field in model.model_fields.items()  # type: ignore[attr-defined]
            if name not in ("sources", "dashboard")
        ]

    return "\n".join(
        [
            "# Settings",
            "",
            "For each setting the first of these places that names it holds: the command line, the environment",
            '(`NEXUM_LEASE_SECONDS`), Django\'s `NEXUM` dictionary (`"LEASE_SECONDS"`), `[tool.nexum]` in pyproject.toml',
            "(`lease-seconds`). An unknown name is an error with the nearest known one. Durations are seconds or `30m`, `2h`;",
            "sizes are bytes or `64KiB`, `4MiB`. Everything has a default: a Django project needs none.",
            "",
            "| setting | default | meaning |",
            "|---|---|---|",
            *rows(Settings),
            "",
            '## The dashboard (`NEXUM["DASHBOARD"]`, `[tool.nexum.dashboard]`)',
            "",
            "| setting | default | meaning |",
            "|---|---|---|",
            *rows(DashboardSettings),
            "",
        ]
    )


def events() -> str:
    """All events of a run."""
    from nexum.core.run.events import BODIES, CELL_TERMINAL, RUN_TERMINAL

    lines = [
        "# Events",
        "",
        "A run is a list of events; each is appended once and never changed. A *fact* comes from outside (a handler returned, a",
        "timer fired); a *decision* follows from the facts and the graph. `nexum show RUN` and the dashboard list them.",
        "",
        "| event | | meaning | ends |",
        "|---|---|---|---|",
    ]
    for name, body in BODIES.items():
        told = " ".join(inspect.getdoc(body).split())  # type: ignore[union-attr]
        nature, _, meaning = told.partition(": ")
        ends = "the cell" if name in CELL_TERMINAL else "the run" if name in RUN_TERMINAL else ""
        lines.append(f"| `{name}` | {nature.lower()} | {_cell(meaning)} | {ends} |")
    return "\n".join([*lines, ""])


def metrics() -> str:
    """All metrics, by what an empty database answers."""
    from nexum.readouts.metrics import read_metrics
    from nexum.store.connect import open_store
    from nexum.store.schema import upgrade

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/empty.sqlite3"
        upgrade(url)
        store = open_store(url)
        text = read_metrics(store)  # type: ignore[arg-type]
        store.close()
    told = dict(re.findall(r"# HELP (\w+) (.*)", text))
    kinds = dict(re.findall(r"# TYPE (\w+) (.*)", text))
    labels = {"node_retry_total": "workflow, version, node", "effect_latency_seconds": "workflow, version, effect"}
    labels["breaker_open"] = "breaker, tenant"
    rows = [
        f"| `{name}` | {kinds[name]} | {labels.get(name, 'workflow, version')} | {_cell(meaning)} |"
        for name, meaning in told.items()
    ]
    return "\n".join(
        [
            "# Metrics",
            "",
            "Served at `/nexum/metrics` in Prometheus' text format, computed from the database: the same from every process, so",
            "that one target is enough. Where there is a login, the page wants a token with the scope `runs:read`",
            "([how to make one](rest.md)).",
            "",
            "| metric | kind | labels | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def rest() -> str:
    """All operations of the REST interface."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nexum_dashboard.settings")
    import django

    django.setup()
    from nexum.store.tokens import SCOPES

    document = import_module("nexum_dashboard.api.rest").api.get_openapi_schema(path_prefix="")
    lines = [
        "# The REST interface",
        "",
        "Mounted below the dashboard, `/nexum/api/v1/`; its OpenAPI document is `/nexum/api/v1/openapi.json`. A request carries",
        "`Authorization: Bearer nx_...`. A refused request answers with a problem document (RFC 9457) that holds an error code.",
        "Start requests are safe to repeat with `run_key` or the header `Idempotency-Key`.",
        "",
        "Two limits hold for the body of a start, and 413 is the answer to both: Django's own `DATA_UPLOAD_MAX_MEMORY_SIZE`",
        "(2.5 MiB unless the shop's settings say otherwise) for the whole request, and [`max_payload`](settings.md) for the input.",
        "",
        "## Tokens",
        "",
        "A token is shown once and kept as a hash. Who may use the database may make one:",
        "",
        "```console",
        "$ nexum token create --name ci --scope runs:read --scope runs:start --days 90",
        "```",
        "",
        "Standard output is the token and nothing else, so that a script can keep it: `TOKEN=$(nexum token create ...)`.",
        "`nexum token list` shows names, ids, scopes and when each was last used; `nexum token revoke ci` ends every token of that",
        "name, and with an id just one of them: make the new one, hand it out, revoke the old one by its id.",
        "",
        "| scope | allows |",
        "|---|---|",
        *(f"| `{scope}` | {meaning} |" for scope, meaning in SCOPES.items()),
        "",
        "## Operations",
        "",
        "| request | what | answers |",
        "|---|---|---|",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = ", ".join(str(status) for status in sorted(operation["responses"]))
            lines.append(f"| `{method.upper()} {path}` | {_cell(operation['description'])} | {answers} |")
    return "\n".join([*lines, ""])


def errors() -> str:
    """The list of all error codes."""
    from nexum.errors.catalogue import CATALOGUE

    lines = [
        "# Error codes",
        "",
        "Every error has a code that is never reused. `nexum explain CODE` says offline what these pages say; so does `/nexum/e/`.",
        "",
        "| code | |",
        "|---|---|",
        *(
            f"| [{code}]({code[3]}.md#{code.lower()}) | {_cell(entry.title)} |"
            for code, entry in sorted(CATALOGUE.items())
        ),
        "",
    ]
    return "\n".join(lines)


def error_family(family: str) -> str:
    """One family of error codes in full."""
    from nexum.errors.catalogue import CATALOGUE

    lines = [f"# NX-{family}: {FAMILIES[family]}", ""]
    for code, entry in sorted(CATALOGUE.items()):
        if code[3] != family:
            continue
        again = " A retry may help." if entry.retryable else ""
        lines += [
            f"## {code}",
            "",
            f"**{entry.title[:1].upper()}{entry.title[1:]}.** {entry.means}",
            "",
            f"*Why Nexum stops here:* {entry.why}",
            "",
            "*How to mend it:*",
            "",
            *(f"- {way}" for way in entry.mend),
            "",
            f"A command that ends with it has exit code {entry.exit_code}.{again}",
            "",
        ]
    return "\n".join(lines)


def _command(command: click.Command, name: str, above: click.Context, shared: set[str | None]) -> list[str]:
    context = click.Context(command, parent=above, info_name=name.rpartition(" ")[2])
    if isinstance(command, click.Group):
        found = [f"## {name}", "", inspect.cleandoc(command.help or ""), ""]
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            found += _command(below, f"{name} {each}", context, shared)
        return found
    pieces = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
    told = inspect.cleandoc(command.help or "")
    options = _options(command, context, drop=shared)
    return [
        f"## {name}",
        "",
        f"`{name} [OPTIONS] {pieces}`".replace(" `", "`"),
        "",
        told,
        "",
        *options,
        *[""] * bool(options),
    ]


def _options(
    command: click.Command,
    context: click.Context,
    *,
    drop: set[str | None] = frozenset(),
    keep: set[str | None] | None = None,  # type: ignore[assignment]
) -> list[str]:
    rows = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            continue
        record = parameter.get_help_record(context)
        if record is not None and parameter.name not in drop and (keep is None or parameter.name in keep):
            rows.append(f"| `{_cell(record[0])}` | {_cell(record[1])} |")
    return ["| option | |", "|---|---|", *rows] if rows else []


def _shown(value: object) -> str:
    if value in ("", (), {}):
        return ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
