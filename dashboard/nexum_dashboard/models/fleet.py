"""What is installed and who is working: versions, sessions, tokens."""

from __future__ import annotations

from django.db import models
from django.db.models import CompositePrimaryKey, Q, UniqueConstraint

from nexum_dashboard.models.columns import octets, text, whole
from nexum_migrations._columns import Name


class Version(models.Model):
    """A registered version of a workflow: active, default or retired."""

    pk = CompositePrimaryKey("workflow", "version")
    workflow = text()
    version = text()
    state = text()
    graph = octets()
    label = text()
    note = text()
    actor = text()
    registered_at = whole()

    class Meta:
        db_table = "nexum_versions"
        constraints = (
            UniqueConstraint(fields=("workflow",), condition=Q(state="default"), name="nexum_versions_one_default"),
        )

    def __str__(self) -> str:
        return f"{self.workflow} {self.version}"


class Session(models.Model):
    """A process that may hold claims: LIVE, DRAINING, ENDED or DEAD. No index on the heartbeat: it changes all the time."""

    session = Name(primary_key=True)
    kind = text()
    host = text()
    pid = whole()
    parent_pid = whole()
    queues = text()
    slots = whole()
    started_at = whole()
    beat_at = whole()
    beats = whole()
    state = text()
    lease = whole()
    ended_at = whole()
    proof = text()

    class Meta:
        db_table = "nexum_sessions"

    def __str__(self) -> str:
        return f"{self.kind} {self.host} {self.pid}"


class ApiToken(models.Model):
    """A token for the REST API; only its sha256 is kept. `scopes` are separated by spaces."""

    hash: models.BinaryField[bytes, bytes] = models.BinaryField(primary_key=True)
    name = text()
    scopes = text()
    created_at = whole()
    expires_at = whole()
    last_used_at = whole()
    revoked_at = whole()

    class Meta:
        db_table = "nexum_api_tokens"

    def __str__(self) -> str:
        return f"{self.name}"
