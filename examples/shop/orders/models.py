"""What the shop keeps. Amounts are in minor units."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """Something that was bought."""

    number = models.CharField(max_length=40, unique=True)
    customer = models.CharField(max_length=80)
    email = models.EmailField()
    item = models.CharField(max_length=80)
    amount = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"Order {self.number}"


class Claim(models.Model):
    """A customer wants money back."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="claims")
    text = models.TextField()
    filed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Claim {self.pk} for {self.order}"


class Mail(models.Model):
    """The outbox. `key` is unique, so that the same letter is never put there twice."""

    key = models.CharField(max_length=80, unique=True)
    to = models.EmailField()
    subject = models.CharField(max_length=120)
    body = models.TextField()
    written_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.subject} to {self.to}"
