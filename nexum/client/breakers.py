"""What a person decides about a circuit breaker: held open, held closed, or left to decide for itself again."""

from __future__ import annotations

from nexum.client.desk import LONGEST
from nexum.client.spans import MICROS, unfit_seconds
from nexum.core.canonical import legible
from nexum.core.run.breaker import Breaker, force
from nexum.engine.breaking import change
from nexum.errors import InputError, Problem
from nexum.errors.misfits import got
from nexum.store.api import Store

FORCED = {"open": "open", "close": "closed", "auto": ""}
LONGEST_NAME = 200  # characters, of a tenant as well


def override(
    store: Store, name: str, act: str, *, actor: str, reason: str, seconds: float = 0, tenant: str = "default"
) -> Breaker:
    """Hold a breaker as `act` says (open, close), for `seconds` (0: until `auto`); gives what stands then.

    A breaker that nobody has written yet may be held too: before its tool is down, or before the node that declares it is
    deployed. Raises `InputError` NX-E441 without actor or reason, for another act, a name or tenant that is none, or a time
    that is none or longer than a year.
    """
    found = []
    if act not in FORCED:
        found.append(Problem("act", got(act), f"one of {', '.join(FORCED)}"))
    for field, text, wanted, longest in (
        ("name", name, "the name of a breaker", LONGEST_NAME),
        ("tenant", tenant, "the name of a tenant", LONGEST_NAME),
        ("actor", actor, "who decides", LONGEST),
        ("reason", reason, "why, in a sentence", LONGEST),
    ):
        if not text.strip() or len(text) > longest or "\x00" in text or legible(text) != text:
            found.append(Problem(field, got(text) if text.strip() else "nothing", wanted))
    if (unfit := unfit_seconds(seconds)) is not None:
        found.append(unfit)
    if found:
        listed = "; ".join(map(str, found))
        raise InputError(f"the decision is not complete: {listed}", code="NX-E441", problems=tuple(found))
    us = int(seconds * MICROS)
    return change(
        store,
        tenant,
        name,
        lambda held, now: force(
            held, FORCED[act], until=now + us if us else 0, actor=actor, reason=reason.strip()
        )._replace(changed_at=now),
    )
