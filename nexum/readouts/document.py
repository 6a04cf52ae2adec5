"""What every readout shares: frozen, closed, and how times and durations look in JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticSerializationError

from nexum.core.run.standing import Standing
from nexum.readouts.calendar import MICROS, moment
from nexum.version import __version__

SHOWN = 64 << 10  # characters of a payload on a page; the whole is a download


def rfc3339(us: int) -> str | None:
    """A time in microseconds since 1970 as RFC 3339 in UTC; None for 0, which means "not yet"."""
    if us <= 0:
        return None
    return moment(us).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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

    def written(self) -> bytes:
        """The document as JSON in UTF-8; half of a surrogate pair, which has no spelling there, becomes its escape."""
        try:
            return self.model_dump_json(by_alias=True).encode()
        except PydanticSerializationError:
            return json.dumps(self.spelled(), ensure_ascii=False).encode("utf-8", "backslashreplace")


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
    """A payload by its hash. `value` is there when it is `given`: the reader may see payloads, and it is not too large.

    A value that is no JSON, such as the text of a model's answer, is given as a string.
    """

    name: str
    hash: str
    size: int
    seq: int
    given: bool = False
    value: Any = None
    too_large: bool = False
    missing: str = ""

    @property
    def whole(self) -> str | None:
        """The value as people read it: indented JSON, or the text as it is; None when it is not given."""
        if not self.given:
            return None
        return self.value if isinstance(self.value, str) else json.dumps(self.value, indent=2, ensure_ascii=False)

    @property
    def text(self) -> str | None:
        """As much of it as a page shows."""
        return None if self.whole is None else self.whole[:SHOWN]

    @property
    def cut(self) -> bool:
        """Whether the page shows less than there is."""
        return self.too_large or len(self.whole or "") > SHOWN
