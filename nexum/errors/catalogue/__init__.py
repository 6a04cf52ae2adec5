"""Every error code of Nexum, by family. A code is never reused; a test triggers each one.

Families: B build, D deploy, R run, E effect, L language model, W worker, Q queue, S storage, P permission,
F configuration, X internal. The command `nexum explain CODE`, the documentation and exit codes are made from this table.
"""

from __future__ import annotations

from nexum.errors.catalogue.access import ACCESS
from nexum.errors.catalogue.build import BUILD
from nexum.errors.catalogue.entry import Entry
from nexum.errors.catalogue.llm import LLM
from nexum.errors.catalogue.run import RUN
from nexum.errors.catalogue.storage import STORAGE
from nexum.errors.catalogue.surface import SURFACE
from nexum.errors.catalogue.work import WORK

__all__ = ["CATALOGUE", "Entry"]


def _table(*families: tuple[Entry, ...]) -> dict[str, Entry]:
    table: dict[str, Entry] = {}
    for family in families:
        for item in family:
            if item.code in table:
                raise ValueError(f"error code {item.code} is registered twice")
            table[item.code] = item
    return table


CATALOGUE: dict[str, Entry] = _table(BUILD, RUN, WORK, STORAGE, SURFACE, LLM, ACCESS)
