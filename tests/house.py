"""The repository as the house tests see it: its own text files, without what tools leave behind."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = {
    "nexum": ROOT / "nexum",
    "nexum_orchestrator": ROOT / "orchestrator" / "nexum_orchestrator",
    "nexum_workers": ROOT / "workers" / "nexum_workers",
    "nexum_dashboard": ROOT / "dashboard" / "nexum_dashboard",
    "nexum_migrations": ROOT / "migrations" / "nexum_migrations",
}
_LEFT_BEHIND = ("__pycache__", "build", "dist", "node_modules")
_KEPT_DOTTED = (".ci", ".github", ".gitignore", ".dockerignore")
_BINARY = (".png", ".ico", ".woff2", ".sqlite3", ".gz", ".pyc")


def files(*suffixes: str) -> Iterator[Path]:
    """Text files of the repository, by suffix; all of them without one."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if _is_ours(name)]
        for name in names:
            path = Path(folder, name)
            if _is_ours(name) and path.suffix not in _BINARY and (not suffixes or path.suffix in suffixes):
                yield path


def _is_ours(name: str) -> bool:
    hidden = name.startswith(".") and name not in _KEPT_DOTTED
    return not hidden and name not in _LEFT_BEHIND and not name.endswith(".egg-info")


def sources() -> Iterator[Path]:
    """The Python files of the five packages."""
    yield from (path for path in files(".py") if any(path.is_relative_to(room) for room in ROOMS.values()))


def module_name(path: Path) -> str:
    """`workers/nexum_workers/app.py` -> `nexum_workers.app`."""
    name, room = next((name, room) for name, room in ROOMS.items() if path.is_relative_to(room))
    parts = [name, *path.relative_to(room).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def shown(path: Path) -> str:
    """A path as a failure shows it."""
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    """A parsed file."""
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def dotted(node: ast.expr) -> str:
    """`time.sleep` from its syntax tree; empty when it is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) for every import anywhere in a file; name is empty for `import module`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module or "", alias.name) for alias in node.names)
