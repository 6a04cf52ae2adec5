"""A kind of column that Django does not have."""

from __future__ import annotations

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class Name(models.TextField):  # type: ignore[type-arg]  # django-stubs knows parameters that Django does not
    """A text that is a primary key of its own.

    For a unique `text` or `varchar` column Django adds a second index for LIKE on PostgreSQL; spelt in full, the type is
    the same and the extra index, which every insert would pay for, is not made.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """`character varying` on PostgreSQL, Django's own elsewhere."""
        return "character varying" if connection.vendor == "postgresql" else super().db_type(connection)
