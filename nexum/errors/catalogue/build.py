"""B: the workflow cannot be compiled."""

from __future__ import annotations

from nexum.errors.catalogue.entry import Entry

BUILD = (
    Entry(
        "NX-B100",
        "workflow has build errors",
        "`build()` found one or more problems; each has a code of its own.",
        "A graph that cannot be checked cannot be executed exactly as written.",
        ("mend each finding; `nexum build` prints them with file, line and reason",),
        exit_code=65,
    ),
)
