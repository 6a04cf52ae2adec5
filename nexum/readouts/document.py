"""What every readout shares: frozen, closed, and how times and durations look in JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from nexum.core.run.standing import Standing
from nexum.version import __version__

MICROS = 1_000_000
_LAST = 253_402_300_799 * MICROS  # the end of the year 9999, beyond which there is no calendar date


def rfc3339(us: int) -> str | None:
    """A time in microseconds since 1970 as RFC 3339 in UTC; None for 0, which means "not yet"."""
    if us <= 0:
        return None
    at = datetime.fromtimestamp(min(us, _LAST) / MICROS, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(us: int) -> float | None:
    return None if us < 0 else round(us / MICROS, 6)


Instant = Annotated[
    int,
    PlainSerializer(rfc3339, return_type=str | None, when_used="json"),
    WithJsonSchema({"type": ["string", "null"], "format": "date-time"}, mode="serialization"),
]
Duration = Annotated[
    int,
    PlainSerializer(_seconds, return_type=float | None, when_used="json"),
    WithJsonSchema({"type": ["number", "null"], "description": "seconds"}, mode="serialization"),
]


class View(BaseModel):
    """A part of a readout."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Document(View):
    """A whole readout. `schema` names its form; removals or changes of meaning raise its number."""

    form: str = Field(serialization_alias="schema")
    nexum: str = __version__

    def spelled(self) -> dict[str, Any]:
        """The document as JSON values."""
        spelled: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return spelled


class StandingView(View):
    """Why a run is where it is: see `nexum.core.run.standing`."""

    code: str
    label: str
    since: Instant
    sentence: str
    who: str = ""
    commands: tuple[str, ...] = ()
    docs: str = ""


def standing_view(standing: Standing) -> StandingView:
    """A standing as a readout."""
    return StandingView(
        code=standing.code,
        label=standing.label,
        since=standing.since,
        sentence=standing.sentence,
        who=standing.who,
        commands=standing.commands,
        docs=standing.docs,
    )


class ErrorView(View):
    """An error as it was recorded. `trace` is the handler's traceback, only where it is asked for."""

    code: str
    message: str
    type: str = ""
    retryable: bool = False
    trace: str = ""


class UsageView(View):
    """What one model request used."""

    model: str = ""
    served: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    request_id: str = ""


class PayloadView(View):
    """A payload by its hash. `value` is set only where the reader may see payloads and it is not too large."""

    name: str
    hash: str
    size: int
    seq: int
    text: str | None = None
    cut: bool = False
    missing: str = ""
