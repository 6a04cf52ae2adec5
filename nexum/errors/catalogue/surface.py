"""D, F, P, X: deploying, configuration, permissions, and bugs of ours."""

from __future__ import annotations

from nexum.errors.catalogue.entry import Entry

SURFACE = (
    Entry(
        "NX-D201",
        "workflow has no registered version",
        "No version of this workflow is the default in this database.",
        "A run is pinned to a version; there is none to pin it to.",
        ("run `nexum deploy`",),
        exit_code=66,
    ),
    Entry(
        "NX-F100",
        "configuration is wrong",
        "A setting is missing, misspelt or contradicts another.",
        "Going on with a guess would surprise somebody later.",
        ("correct the setting that is named",),
        exit_code=78,
    ),
    Entry(
        "NX-X100",
        "bug in Nexum",
        "Something happened that the code promises cannot happen.",
        "Continuing could write a wrong fact; what was recorded is safe.",
        ("please report it, with the traceback",),
        exit_code=70,
    ),
)
