"""E, L, W, Q: effects, language models, workers and queues."""

from __future__ import annotations

from nexum.errors.catalogue.entry import Entry

WORK = (
    Entry(
        "NX-E101",
        "effect was not sent",
        "The handler proved that its request never left this machine.",
        "Nothing happened outside, so the attempt may be repeated under the same key.",
        ("wait; the run retries by itself",),
        exit_code=3,
        retryable=True,
    ),
    Entry(
        "NX-E201",
        "effect in doubt",
        "The effect was sent and its outcome is not known.",
        "Sending again could act twice, and giving up could leave a deed unrecorded; Nexum does not guess.",
        ("ask the provider whether it happened, under the key that `nexum show` prints",),
        exit_code=3,
    ),
    Entry(
        "NX-E205",
        "business key was used with another input",
        "Another run made an effect under the same business key, with an input that differs.",
        "One key names one act; two different acts under it would hide one of them.",
        ("put what distinguishes the acts into `key=`",),
        exit_code=3,
    ),
)
