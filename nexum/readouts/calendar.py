"""Instants as dates: a number of microseconds may lie beyond every calendar, and what shows it must not fail for that."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

MICROS = 1_000_000
_LAST = 253_402_214_400 * MICROS  # the last day of the year 9999 begins: every zone has a date for it


def moment(us: int, zone: tzinfo = UTC) -> datetime:
    """A time in microseconds since 1970 in a zone; what no calendar has becomes the nearest that one has."""
    return datetime.fromtimestamp(min(max(us, 0), _LAST) / MICROS, UTC).astimezone(zone)
