"""What every contestant shares: the world it acts on, and how its run is measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.refund_agent.cases import HERE, Act, Case, Judgement, judge
from examples.refund_agent.killing import Kill
from nexum.testing.fakes import Fake, running

WORLD = HERE / "world"


@dataclass(frozen=True, slots=True)
class World:
    """A payment provider and a model, fresh, with books of their own."""

    pay: Fake
    model: Fake


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start both, with the behaviour that `world/` describes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        running(
            "fakepay",
            ledger=str(folder / "provider.jsonl"),
            purchases=str(WORLD / "purchases.json"),
            rules=str(WORLD / "faults.json"),
        ) as pay,
        running("fakellm", ledger=str(folder / "model.jsonl"), rules=str(WORLD / "answers.json")) as model,
    ):
        yield World(pay, model)


@dataclass(frozen=True, slots=True)
class Report:
    """How a contestant did.

    `recoveries` are seconds from a kill to the mail for the same order in the ledger; `lost` counts kills without one.
    `statuses` is what the contestant itself says of each claim, "" for nothing; `waits` is how many seconds a dead
    worker's work waits.
    """

    name: str
    acts: tuple[Act, ...]
    judgement: Judgement
    statuses: dict[str, str]
    kills: tuple[Kill, ...]
    recoveries: tuple[float, ...]
    lost: int
    model_requests: int
    seconds: float
    waits: int

    @property
    def recovered(self) -> str:
        """Median and worst recovery, as text."""
        if not self.recoveries:
            return "none"
        return f"{statistics.median(self.recoveries):.1f} s ({max(self.recoveries):.1f} s)"


def report(
    name: str,
    world: World,
    cases: tuple[Case, ...],
    *,
    statuses: dict[str, str],
    kills: list[Kill],
    seconds: float,
    waits: int,
) -> Report:
    """Ask the provider and the model what happened."""
    acts = world.pay.get("/ledger")
    # of several claims for one order the last to be answered counts: only then is the death overcome
    mails = {_order_of(act["body"]["body"], cases): act["at"] for act in acts if act["act"] == "mail"}
    refund_kills = [kill for kill in kills if kill.name.startswith("refund-")]
    delays = [(mails.get(kill.name.removeprefix("refund-"), 0) - kill.at) / 1e6 for kill in refund_kills]
    recoveries = tuple(wait for wait in delays if wait > 0)
    return Report(
        name,
        tuple(acts),
        judge(acts, cases),
        statuses,
        tuple(kills),
        recoveries,
        len(delays) - len(recoveries),
        len(world.model.get("/requests")),
        seconds,
        waits,
    )


def _order_of(text: str, cases: tuple[Case, ...]) -> str:
    return next((case.order for case in cases if f"order {case.order} " in text or f"order {case.order}:" in text), "")
