"""S: the database and what is kept there."""

from __future__ import annotations

from nexum.errors.catalogue.entry import Entry

STORAGE = (
    Entry(
        "NX-S100",
        "database does not answer",
        "A statement could not be executed because the connection failed.",
        "Nothing is decided without the database; what was recorded is safe.",
        ("start the database or correct its address; workers wait and go on by themselves",),
        exit_code=69,
        retryable=True,
    ),
)
