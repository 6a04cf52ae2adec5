"""P: requests, tokens and permissions; and what pages say when nobody works."""

from __future__ import annotations

from nexum.errors.catalogue.entry import Entry

ACCESS = (
    Entry(
        "NX-P400",
        "request is not understood",
        "The address, the method, a parameter, a header or the body of a request does not fit.",
        "An answer to a question that was not asked is worse than none.",
        ("correct what the message names; the OpenAPI document says what is expected",),
        exit_code=64,
    ),
    Entry(
        "NX-P401",
        "token is missing or not valid",
        "The request carries no `Authorization: Bearer nx_...`, or its token is unknown, expired or revoked.",
        "Who may start runs and read them is the shop's to decide.",
        ("make a token with `nexum token create --name NAME --scope SCOPE` and send it as a bearer token",),
        exit_code=77,
    ),
    Entry(
        "NX-P403",
        "permission is missing",
        "The user or token is known, and may not do this.",
        "Payloads are often personal data, and starting a run may move money.",
        ("ask for the permission or scope that is named",),
        exit_code=77,
    ),
    Entry(
        "NX-P404",
        "scope does not exist",
        "A token was to be made with a scope that Nexum does not know, or without any.",
        "A misspelt scope would make a token that fails later, in production.",
        ("use the scopes that the message lists",),
        exit_code=64,
    ),
    Entry(
        "NX-P405",
        "there is no such token",
        "No token was made with this name or id.",
        "Whoever revokes a token must know when it was another one, or another database.",
        ("`nexum token list` shows names and ids", "name the database that knows it: `--database`"),
        exit_code=66,
    ),
    Entry(
        "NX-W203",
        "no worker for a version with live runs",
        "A task is ready, and no live worker serves the queue of its version.",
        "A run stays on its version; workers of other versions must not execute it.",
        ("start `nexum worker --workflow NAME` from the commit that built the version",),
        exit_code=69,
        severity="warning",
    ),
)
