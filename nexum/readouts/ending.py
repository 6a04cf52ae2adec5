"""What ending a run at once would leave behind: effects that somebody is executing, that are in doubt, and that stay done."""

from __future__ import annotations

from nexum.readouts.document import Document
from nexum.readouts.run import header, read_facts
from nexum.readouts.runs import RunLine
from nexum.store.reading import EffectRow
from nexum.store.verbs import Verbs


class EndingDetail(Document):
    """Paths of effects: `in_flight` may yet happen and nobody awaits them, `in_doubt` stays unknown, `stays` is not undone."""

    run: RunLine
    in_flight: tuple[str, ...]
    in_doubt: tuple[str, ...]
    stays: tuple[str, ...]


def read_ending(store: Verbs, run_id: str) -> EndingDetail | None:
    """What terminating this run would leave behind; None when there is no such run."""
    facts = read_facts(store, run_id)
    if facts is None:
        return None
    return EndingDetail(
        form="nexum.ending/1",
        run=header(store, facts),
        in_flight=_paths(facts.effects, "CLAIMED"),
        in_doubt=_paths(facts.effects, "IN_DOUBT", "UNKNOWN"),
        stays=_paths(facts.effects, "RECORDED", "APPLIED"),
    )


def _paths(effects: list[EffectRow], *states: str) -> tuple[str, ...]:
    return tuple(effect.path for effect in effects if effect.state in states)
