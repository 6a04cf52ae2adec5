"""The shop's side of the world: purchases, payments and mail, over HTTP."""

from __future__ import annotations

import os
from typing import Any

import httpx

ADDRESS = "SHOP_URL"  # the environment variable that says where the provider is


def purchase(order_id: str) -> Any:
    """The purchase of an order, with its policy and the customer's history."""
    return _answer(httpx.get(_url(f"/purchases/{order_id}"), timeout=10))


def refund(order_id: str, amount: int, currency: str, *, key: str) -> Any:
    """Pay `amount` (minor units) back. The provider honours `key`: the same key is paid once."""
    body = {"order_id": order_id, "amount": amount, "currency": currency}
    return _answer(httpx.post(_url("/refunds"), json=body, headers={"Idempotency-Key": key}, timeout=10))


def mail(to: str, subject: str, body: str, *, key: str) -> Any:
    """Send a mail; the same key is sent once."""
    message = {"to": to, "subject": subject, "body": body}
    return _answer(httpx.post(_url("/mails"), json=message, headers={"Idempotency-Key": key}, timeout=10))


def _url(path: str) -> str:
    return os.environ[ADDRESS] + path


def _answer(response: httpx.Response) -> Any:
    return response.raise_for_status().json()
