"""Playing seeds on a mutant until one fails."""

from __future__ import annotations

from typing import NamedTuple

from nexum.testing.sim.mutants.races import RACES
from nexum.testing.sim.mutants.rules import RULES
from nexum.testing.sim.mutants.swapping import Mutant
from nexum.testing.sim.world import play

MUTANTS: tuple[Mutant, ...] = (*RACES, *RULES)


class Hunt(NamedTuple):
    """What became of a mutant. `reached` is how often the seeds played came by the place where it differs."""

    race: str
    without: str
    caught: bool
    first_seed: int | None
    by: str
    reached: int


def hunt(mutant: Mutant, seeds: int) -> Hunt:
    """Play seeds on the mutant until one fails."""
    hits = [0]
    for seed in range(seeds):
        with mutant.applied(hits):
            violations = play(seed).violations
        if violations and not play(seed).violations:  # it is the mutant, and not the seed
            first = violations[0]
            by = f"{first.invariant}: {first.what}"[:200]
            return Hunt(mutant.race, mutant.without, hits[0] > 0, seed, by, hits[0])
    return Hunt(mutant.race, mutant.without, caught=False, first_seed=None, by="", reached=hits[0])


def hunt_at(place: int, seeds: int) -> Hunt:
    """Hunt the mutant at a place of the list; for other processes, which a mutant cannot be sent to."""
    return hunt(MUTANTS[place], seeds)
