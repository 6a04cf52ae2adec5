"""The invariants of the design, by their names: what is looked at here, and what is held elsewhere or not built yet."""

from __future__ import annotations

INVARIANTS = {
    "I1": "the events of a run are numbered 1..n, chained by hash, and never changed (each commit)",
    "I2": "a cell and a run end at most once, and nothing follows the end of a run (each commit)",
    "I3": "row, timers and snapshots of a run are what its events fold to (each commit)",
    "I4": "deciding again from each recorded fact gives the recorded decisions (each commit)",
    "I5": "every open attempt has exactly one task, unless mail about it waits; no other task exists (each commit)",
    "I6": "the provider acts at most once under one key (each act)",
    "I7": "at the end every act is known to the database, and every recorded effect was an act",
    "I8": "key and input of a cell never change over its attempts (each execution)",
    "I9": "tokens never fall, an old token changes nothing, no attempt is executed twice under one token (each commit)",
    "I10": "mail is in the inbox, or in exactly one of events, late arrivals and dead letters (each commit)",
    "I11": "what was acknowledged to a client or a person is there at the end",
    "I12": "one run key names one run, and one input",
    "I13": "a task is claimed only by a session that serves its queue (each commit)",
    "I14": "nothing is claimed and executed after a cancellation was recorded, but undoing and asking (each execution)",
    "I15": "a timer fires only when it is armed and due (each commit)",
    "I16": "every blob that an event refers to is there and hashes to its name (each commit)",
    "I18": "no doorbell is rung inside a transaction (each ring)",
    "I22": "a run's rows carry its tenant (each commit)",
    "I23": "after the healing every run ends, or waits for a person where there is none",
    "I24": "after the healing no mail and no task is left",
    "I25": "a READY task is announced ever more rarely (each commit)",
    "C3": "an effect moves only as its state machine says, is forgotten only when it was certainly not sent, fails only when it was "
    "certainly not made or somebody decided so, and that an attempt was not sent makes no earlier one certain (each commit)",
    "J1": "no node ends over a call of which nobody knows whether it was made (each commit)",
    "J2": "a call is claimed only by the holder of its node's task (each commit)",
    "J3": "every execution of a handler is given what its calls brought the first time (each execution)",
    "J4": "a call that was given up is never made again (each commit)",
    "U1": "a deed is undone when nothing goes forward, after what follows it, and not above a completed pivot (each commit)",
    "U2": "no closed run leaves a deed that was to be undone, unless a person gave it up, and it says so (each commit)",
    "B1": "a breaker moves only as its policy says, and nobody is let through an open one (each commit, each execution)",
    "T1": "what a transaction node writes and its completion are one commit, of whoever holds its task (each commit)",
    "S1": "a session is never declared dead whose process lives and was not kept from beating (each commit)",
    "E0": "no exception of the engine reaches a worker, a scheduler, a client or a person, but those that are declared",
}

ELSEWHERE = {
    "I17": "the archive is not built",
    "I19": "limits and budgets of tenants are not built",
    "I20": "child runs are not built",
    "I21": "tests/test_secrets.py: nothing here prints or stores a secret",
    "I26": "measured on real databases: `make bench`",
}
