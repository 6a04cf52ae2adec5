"""The shop's side of the world: purchases, payments and mail, over HTTP."""

from __future__ import annotations

import os
from typing import Any

import httpx

ADDRESS = "SHOP_URL"  # the environment variable that says where the provider is


def purchase(order_id: str) -> Any:
    """The purchase of an order, with its policy and the customer's history."""
    return _answer(httpx.get(_url(f"/purchases/{order_id}"), timeout=10))


def refund(order_id: str, amount: int, currency: str, *, key: str, honoured: bool = True) -> Any:
    """Pay `amount` (minor units) back. The provider pays the same key once, unless it is one that has not `honoured` keys."""
    body = {"order_id": order_id, "amount": amount, "currency": currency}
    return _answer(httpx.post(_url("/refunds"), json=body, headers=_keyed(key, honoured), timeout=10))


def refunds_with(key: str) -> Any:
    """What the provider has paid under this key."""
    return _answer(httpx.get(_url("/refunds"), params={"key": key}, timeout=10))


def mail(to: str, subject: str, body: str, *, key: str, honoured: bool = True) -> Any:
    """Send a mail; the same key is sent once, unless the provider has not `honoured` keys."""
    message = {"to": to, "subject": subject, "body": body}
    return _answer(httpx.post(_url("/mails"), json=message, headers=_keyed(key, honoured), timeout=10))


def _keyed(key: str, honoured: bool) -> dict[str, str]:
    return {"Idempotency-Key": key, **({} if honoured else {"X-Fake-Dedupe": "off"})}


def _url(path: str) -> str:
    return os.environ[ADDRESS] + path


def _answer(response: httpx.Response) -> Any:
    return response.raise_for_status().json()
