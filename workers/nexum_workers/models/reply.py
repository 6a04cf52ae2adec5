"""Read what a provider sent: an answer, or the kind of its refusal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from nexum_workers.models.protocol import (
    BadReplyError,
    Message,
    ModelAnswer,
    ModelError,
    ProviderDownError,
    RateLimitedError,
    RefusedError,
)

_SHOWN = 500  # characters of a provider's message that go into an error
_LATER = frozenset({408, 409, 425})  # not now; asking again may help


def answer(body: bytes, headers: Mapping[str, str], *, where: str) -> ModelAnswer:
    """The answer in a chat completion. Raises `BadReplyError` when there is none."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        refused = message.get("refusal")
        text = refused or message["content"]
        if not isinstance(text, str):
            raise TypeError(f"content is {type(text).__name__}")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        shown = body[:_SHOWN].decode("utf-8", "replace")
        raise BadReplyError(f"no chat completion in {shown!r}: {error!r}", where=where, raw=body) from error
    usage = data.get("usage")
    return ModelAnswer(
        text=text,
        served=_text(data.get("model")),
        input_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        request_id=_text(headers.get("x-request-id") or data.get("id")),
        finish="refusal" if refused else _text(choice.get("finish_reason")) or "stop",
    )


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, where: str, secret: str = "") -> ModelError:
    """The error that a status other than 200 stands for; `secret` never appears in it."""
    shown = body.decode("utf-8", "replace")
    if secret:
        shown = shown.replace(secret, "[key]")
        body = body.replace(secret.encode(), b"[key]")
    said = f"HTTP {status}: {shown[:_SHOWN]}"
    wait = retry_after(headers.get("retry-after", ""), datetime.now(UTC))
    if status == 429:
        return RateLimitedError(said, retry_after=wait, where=where, raw=body)
    if status >= 500 or status in _LATER:
        return ProviderDownError(said, retry_after=wait, where=where, raw=body)
    return RefusedError(said, where=where, raw=body)


def retry_after(value: str, now: datetime) -> float:
    """Seconds to wait, from a Retry-After header: a number or a date. 0 when it says nothing usable."""
    try:
        return min(max(0.0, float(value)), 86_400.0)
    except ValueError:
        pass
    try:
        return min(max(0.0, (parsedate_to_datetime(value) - now).total_seconds()), 86_400.0)
    except (ValueError, TypeError):
        return 0.0


def schema_message(schema: Mapping[str, Any]) -> Message:
    """Say the schema in words, for providers that cannot be told otherwise."""
    spelled = json.dumps(schema, ensure_ascii=False)
    return Message(
        "system", f"Answer with one JSON value only, no other text. It must fit this JSON Schema:\n{spelled}"
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(usage: Any, name: str) -> int:
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1 << 53 else 0
