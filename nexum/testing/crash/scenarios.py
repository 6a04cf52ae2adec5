"""The scenarios: which workflow, what is done to whom, what is expected. Each is a row; what attacks is in `attackers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FAULTS: tuple[Mapping[str, Any], ...] = (
    {"mode": "503-before", "rate": 0.02},
    {"mode": "503-after", "rate": 0.04},
    {"mode": "reset-after", "rate": 0.06},
    {"mode": "wrong-json-after", "rate": 0.08},
)  # each rate counts from 0: two requests in a hundred are treated in each of the four ways


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario.

    `workflows` take turns over the runs. `attacker` names what attacks, `pause` is the mean of seconds between two attacks,
    `lease` is in seconds. `rules` are the provider's, `lag` is how late its lists are. With `decides` a scripted operator
    settles what is held, `settle` seconds after the doubt. `point` is the crash point at which workers stop by themselves.
    `lined`: workers and web reach PostgreSQL through a bad line; `kept_postgres`: PostgreSQL is one of the processes under
    attack. `compares`: as many runs are started before the attack, to see what it costs; `explains`: every doubt must be
    explained by a death or by a request that was spoilt.
    """

    name: str
    shows: str
    workflows: tuple[str, ...]
    attacker: str
    pause: float
    lease: float = 3.0
    rules: tuple[Mapping[str, Any], ...] = ()
    lag: float = 0.0
    decides: bool = False
    settle: float = 1.5
    point: str = ""
    lined: bool = False
    kept_postgres: bool = False
    compares: bool = False
    explains: bool = True
    grace: float = 90.0


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="dedupe",
            shows="a provider that honours keys: whoever is killed, each deed is done once",
            workflows=("CrashAgent",),
            attacker="kill",
            pause=0.6,
        ),
        Scenario(
            name="reconcile",
            shows="a provider without keys that can be asked: every doubt resolves itself by its list, and nothing is guessed",
            workflows=("ReconcileAgent",),
            attacker="kill",
            pause=0.6,
            rules=FAULTS,
            lag=0.5,
            grace=200.0,  # whether a process that nobody saw die is quiet is known two minutes later
        ),
        Scenario(
            name="hold",
            shows="a provider without keys: what may have happened is held until somebody decides, and nothing is guessed",
            workflows=("HoldAgent",),
            attacker="kill",
            pause=0.6,
            rules=FAULTS,
            decides=True,
        ),
        Scenario(
            name="wrong",
            shows="a policy that is wrong about its provider: every duplicate that two answers prove is alarmed",
            workflows=("WrongAgent",),
            attacker="freeze",
            pause=0.8,
            lease=2.0,
            point="effect.after_response",
        ),
        Scenario(
            name="zombie",
            shows="workers that stand still for three leases between sending and recording: nothing twice, nothing forgotten",
            workflows=("CrashAgent", "HoldAgent"),
            attacker="freeze",
            pause=0.8,
            lease=2.0,
            decides=True,
            settle=14.0,  # longer than anybody stands still: who was frozen before sending may still send
            point="effect.after_response",
        ),
        Scenario(
            name="commit-cut",
            shows="commits that stand although nobody hears of it: nothing twice, no acknowledged start lost",
            workflows=("CrashAgent", "HoldAgent"),
            attacker="cut",
            pause=0.1,
            decides=True,
            lined=True,
        ),
        Scenario(
            name="flush",
            shows="a broker that forgets everything every five seconds: nothing is lost, and little is late",
            workflows=("CrashAgent",),
            attacker="flush",
            pause=5.0,
            compares=True,
        ),
        Scenario(
            name="pg-restart",
            shows="a database that is restarted, stopped at once and killed: nothing twice, and nobody taken for dead",
            workflows=("CrashAgent", "HoldAgent"),
            attacker="restart",
            pause=7.0,
            decides=True,
            kept_postgres=True,
            explains=False,  # nobody dies: every doubt is a false one, and their share is what counts
        ),
    )
}
