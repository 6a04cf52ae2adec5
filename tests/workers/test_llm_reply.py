"""What a provider's status, headers and body mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nexum_workers.models import ProviderDownError, RateLimitedError, RefusedError
from nexum_workers.models.reply import refusal, retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("-3", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("nan", 0.0),
        ("1e30", 86_400.0),
        ("Thu, 01 Jan 2026 12:00:30", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_nonsense(value: str, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, RateLimitedError, "NX-L201"),
        (500, ProviderDownError, "NX-L202"),
        (503, ProviderDownError, "NX-L202"),
        (408, ProviderDownError, "NX-L202"),
        (400, RefusedError, "NX-L203"),
        (401, RefusedError, "NX-L203"),
        (302, RefusedError, "NX-L203"),
    ],
)
def test_a_status_says_whether_asking_again_may_help(status: int, kind: type[Exception], code: str) -> None:
    error = refusal(status, {}, b"no", where="here")
    assert type(error) is kind
    assert error.code == code


def test_a_key_that_the_provider_echoes_is_taken_out() -> None:
    error = refusal(401, {}, b"wrong key sk-secret", where="here", secret="sk-secret")
    assert "sk-secret" not in str(error)
    assert error.raw == b"wrong key [key]"
