"""Migration steps for PostgreSQL alone."""

from __future__ import annotations

import logging

from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunSQL
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

log = logging.getLogger("nexum.migrations")

MAY_NOT = "42501"  # insufficient_privilege


class PostgresSQL(RunSQL):
    """SQL that other databases skip; `sqlmigrate` shows it to whoever must review it."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Run the SQL on PostgreSQL."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Run the reverse SQL on PostgreSQL."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class PostgresFunctions(PostgresSQL):
    """Functions that make Nexum faster and that it can do without: a role that may not create them goes on without them.

    `probe` is a function that is there when all of this step are.
    """

    def __init__(self, sql: str, reverse_sql: str, probe: str) -> None:
        super().__init__(sql, reverse_sql)
        self.probe = probe

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        """Spell the step out again, as Django asks of its operations."""
        return type(self).__qualname__, [self.sql, self.reverse_sql, self.probe], {}

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the functions, all or none."""
        connection = schema_editor.connection
        if connection.vendor != "postgresql" or getattr(schema_editor, "collect_sql", False):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        elif not self.create(connection):
            log.warning(
                "this role may not create functions: Nexum works without them, slower (`nexum doctor` says more)"
            )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the functions, if they were created."""
        connection = schema_editor.connection
        if connection.vendor == "postgresql" and self.are_there(connection):
            super().database_backwards(app_label, schema_editor, from_state, to_state)

    def create(self, connection: BaseDatabaseWrapper) -> bool:
        """Create the functions unless they are there; False when this role may not."""
        if self.are_there(connection):
            return True
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(str(self.sql))
        except DatabaseError as error:
            if getattr(error.__cause__, "pgcode", None) != MAY_NOT:
                raise
            return False
        return True

    def are_there(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether the functions exist where this role looks for them."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regproc(%s) IS NOT NULL", [self.probe])
            return bool(cursor.fetchone()[0])


def create_functions(connection: BaseDatabaseWrapper) -> bool:
    """Create what applied migrations left out because the role might not; True when every function is there."""
    if connection.vendor != "postgresql":
        return True
    loader = MigrationLoader(connection)
    applied = sorted(key for key in loader.applied_migrations if key[0] == "nexum" and key in loader.disk_migrations)
    steps = [step for key in applied for step in loader.disk_migrations[key].operations]
    return all(step.create(connection) for step in steps if isinstance(step, PostgresFunctions))
