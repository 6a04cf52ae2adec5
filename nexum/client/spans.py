"""How long something may last that a person decides, and at what rate: one bound for Python, command line, REST and pages."""

from __future__ import annotations

from nexum.errors import InputError, Problem
from nexum.errors.misfits import got

A_YEAR = 366 * 86_400  # seconds; what should last longer is decided again, or without an end
FASTEST = 60_000  # retries per minute
MICROS = 1_000_000
_PACE = f"a whole number of retries per minute, from 1 to {FASTEST:,}, as `60/m`"


def unfit_seconds(seconds: float) -> Problem | None:
    """What is wrong with a time in seconds for which a decision is to hold; 0 means without an end."""
    if seconds == 0 or (1 / MICROS <= seconds <= A_YEAR):  # NaN is neither
        return None
    return Problem("seconds", got(seconds), f"0, or a time of at most {A_YEAR:,} seconds, which is a year")


def unfit_instant(until: int, now: int) -> Problem | None:
    """What is wrong with the instant in microseconds since 1970 until which a decision is to hold; 0 means without an end."""
    if until and until <= now:
        return Problem("until", got(until), "an instant that has not passed")
    if until > now + A_YEAR * MICROS:
        return Problem("until", got(until), f"an instant within a year: at most {A_YEAR:,} seconds from now")
    return None


def check_rate(rate: int) -> None:
    """Raises `InputError` NX-R444 for a rate of retries that is below 1 or above `FASTEST`."""
    if not 1 <= rate <= FASTEST:
        raise _no_rate(rate)


def rate_of(text: str) -> int | None:
    """`60/m`, or `60`, as retries per minute; None for nothing. Raises `InputError` NX-R444 for anything else."""
    given = text.strip()
    if not given:
        return None
    digits = given.removesuffix("/m")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(FASTEST))):
        raise _no_rate(text)
    rate = int(digits)
    check_rate(rate)
    return rate


def _no_rate(given: object) -> InputError:
    shown = got(given)
    why = "tries nothing" if given == 0 else "is no rate"
    return InputError(f"{shown} {why}: {_PACE} is wanted", code="NX-R444", problems=(Problem("rate", shown, _PACE),))
