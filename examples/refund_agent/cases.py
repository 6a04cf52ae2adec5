"""The claims, what must come of each, and the judge who compares that with the provider's ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent  # where `examples` can be imported
CLAIMS = HERE / "claims"

Act = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One claim. `refund` is in minor units, 0 for none; `mail` is the subject, empty for none."""

    name: str
    claim: dict[str, Any]
    about: str
    status: str
    refund: int
    mail: str

    @property
    def order(self) -> str:
        """The order that the claim is about."""
        return str(self.claim["order_id"])


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the ledger holds against what it must hold; `problems` are sentences, none when everything is right."""

    refunds: int
    refunds_wanted: int
    mails: int
    mails_wanted: int
    problems: tuple[str, ...]


def cases() -> tuple[Case, ...]:
    """All cases in order. A claim without an expectation, or the other way round, is an error."""
    expected = json.loads((CLAIMS / "expected.json").read_text("utf-8"))
    files = {path.stem: path for path in sorted(CLAIMS.glob("[0-9]*.json"))}
    if set(files) != set(expected):
        raise ValueError(f"claims and expected.json differ in {sorted(set(files) ^ set(expected))}")
    return tuple(Case(name, json.loads(path.read_text("utf-8")), **expected[name]) for name, path in files.items())


def judge(acts: Iterable[Act], wanted: Iterable[Case]) -> Judgement:
    """Compare a ledger with the cases: every refund once per order, every mail once per claim, nothing else."""
    ledger, wanted = list(acts), list(wanted)
    refunds = Counter((act["body"]["order_id"], act["body"]["amount"]) for act in ledger if act["act"] == "refund")
    mails = Counter(letter_of(act) for act in ledger if act["act"] == "mail")
    due_refunds = Counter({(case.order, case.refund): 1 for case in wanted if case.refund})
    due_mails = Counter((case.claim["email"], case.mail) for case in wanted if case.mail)
    problems = (
        *_difference("refund", refunds, due_refunds),
        *_difference("mail", mails, due_mails),
        *_false_letters(ledger),
    )
    return Judgement(refunds.total(), due_refunds.total(), mails.total(), due_mails.total(), problems)


def letter_of(act: Act) -> tuple[str, str]:
    """Who was written to, and about what."""
    return act["body"]["to"], act["body"]["subject"]


def _difference(kind: str, found: Counter[Any], due: Counter[Any]) -> list[str]:
    missing = [f"{kind} missing: {_shown(what)} (x{count})" for what, count in sorted((due - found).items())]
    extra = [f"{kind} too many: {_shown(what)} (x{count})" for what, count in sorted((found - due).items())]
    return missing + extra


def _shown(what: tuple[Any, ...]) -> str:
    return ", ".join(map(str, what))


def _false_letters(ledger: list[Act]) -> list[str]:
    """Mails that speak of a refund which is not in the ledger under that order."""
    paid = {(act["id"], act["body"]["order_id"]) for act in ledger if act["act"] == "refund"}
    return [
        f"mail {act['id']} speaks of a refund that was not made"
        for act in ledger
        if act["act"] == "mail"
        and "refund is on its way" in act["body"]["subject"]
        and not any(f"order {order} ({ref})" in act["body"]["body"] for ref, order in paid)
    ]
