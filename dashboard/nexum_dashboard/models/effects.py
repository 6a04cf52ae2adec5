"""Acts on the outside world."""

from __future__ import annotations

from django.db import models
from django.db.models import CompositePrimaryKey, Index, Q, UniqueConstraint

from nexum_dashboard.models.columns import octets, text, whole


class Effect(models.Model):
    """One act under its key: CLAIMED, RECORDED, APPLIED, FAILED, UNKNOWN or IN_DOUBT.

    `before` is the state that the present claim was taken from, so that a claim that was certainly not begun can be
    given back; '' when the claim made the row. From `undo_from` on its run takes an act under a business key back (0: it
    stands), and nobody else may take its result; `taken_by` is RUN/NODE of who has taken it last.
    """

    pk = CompositePrimaryKey("tenant", "key")
    tenant = text()
    key = text()
    scope = text()
    business_key = text()
    run_id = text()
    path = text()
    visit = whole()
    item = whole(-1)
    attempt = whole()
    token = whole()
    session = text()
    state = text()
    before = text()
    input_hash = text()
    tool = text()
    policy = text()
    ttl = whole()
    first_sent_at = whole()
    claimed_at = whole()
    recorded_at = whole()
    result = octets()
    result_hash = text()
    reference = text()
    raw = octets()
    undo_from: models.BigIntegerField[int, int] = models.BigIntegerField(default=0, db_default=0)
    taken_by: models.TextField[str, str] = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "nexum_effects"
        permissions = (("resolve_effect", "Can decide about effects in doubt"),)
        constraints = (
            UniqueConstraint(
                fields=("tenant", "scope", "business_key"),
                condition=Q(business_key__gt=""),
                name="nexum_effects_one_business",
            ),
        )
        indexes = (
            Index(fields=("run_id",), name="nexum_effects_run"),
            Index(
                fields=("state", "claimed_at"),
                condition=Q(state__in=["IN_DOUBT", "UNKNOWN"]),
                name="nexum_effects_doubt",
            ),
        )

    def __str__(self) -> str:
        return f"{self.tool} {self.key} {self.state}"


class EffectEvidence(models.Model):
    """What a process reported about an effect that was no longer its own; kept, never applied."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    tenant = text()
    key = text()
    token = whole()
    run_id = text()
    session = text()
    state = text()
    result = octets()
    result_hash = text()
    reference = text()
    raw = octets()
    at = whole()

    class Meta:
        db_table = "nexum_effect_evidence"
        constraints = (
            UniqueConstraint(
                fields=("tenant", "key", "token", "state", "result_hash", "reference"), name="nexum_evidence_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.key} {self.state}"
