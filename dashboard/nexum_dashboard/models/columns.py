"""The kinds of column that the tables are made of."""

from __future__ import annotations

from django.db import models


def text() -> models.TextField[str, str]:
    """A text; '' means none."""
    return models.TextField(default="", blank=True)


def whole(default: int = 0) -> models.BigIntegerField[int, int]:
    """A 64-bit integer; times are microseconds since 1970."""
    return models.BigIntegerField(default=default)


def octets() -> models.BinaryField[bytes, bytes]:
    """Bytes; b"" means none."""
    return models.BinaryField(default=b"", blank=True, editable=False)
