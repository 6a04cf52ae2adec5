"""The documentation as its tests see it: pages, and the blocks of code in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from house import ROOT, files

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.\w+)\n")


class Block(NamedTuple):
    """A block of code: the page it stands on, the line it begins in, its language ("" for none), its text."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str:
        """The file that a reader puts it into, as its first line names it; "" when it names none."""
        found = _FILE.match(self.text)
        return found[1] if found else ""

    @property
    def commands(self) -> list[str]:
        """What a reader types: the lines after a `$`, without comments."""
        typed = re.findall(r"^\$ (.*)$", self.text, re.MULTILINE)
        return [command.split("  #")[0].strip() for command in typed]

    @property
    def place(self) -> str:
        """Where it stands, for a failure."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README.md, CONTRIBUTING.md and everything in docs/, decisions and all."""
    return sorted({ROOT / "README.md", ROOT / "CONTRIBUTING.md", *_below(ROOT / "docs"), *_below(ROOT / "examples")})


def blocks(page: Path, language: str = "") -> list[Block]:
    """The blocks of a page, of one language or all."""
    text = page.read_text("utf-8")
    found = [Block(page, text.count("\n", 0, match.start()) + 1, match[2], match[3]) for match in _FENCE.finditer(text)]
    return [block for block in found if not language or block.language == language]


def _below(folder: Path) -> list[Path]:
    return [path for path in files(".md") if path.is_relative_to(folder)]
