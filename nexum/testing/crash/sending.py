"""A client for handlers under attack: it knows the moment at which a request has left and nothing has come back."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx

from nexum.crash import crash

_SENT = "http11.send_request_body.complete"  # httpcore's word for it


@cache
def client() -> httpx.Client:
    """One for each process, made when it is first needed: after the fork."""
    return httpx.Client(timeout=5)


@cache
def async_client() -> httpx.AsyncClient:
    """One for the process's loop."""
    return httpx.AsyncClient(timeout=5)


def act(url: str, body: dict[str, Any], key: str, *, honoured: bool = True) -> httpx.Response:
    """POST a deed under its key; between the last byte out and the first byte in lies the point `effect.after_send`.

    Not `honoured`: the provider takes the key down in its books and acts all the same.
    """
    return client().post(url, json=body, headers=_headers(key, honoured), extensions={"trace": _trace})


async def act_async(url: str, body: dict[str, Any], key: str, *, honoured: bool = True) -> httpx.Response:
    """The same on a loop."""
    headers = _headers(key, honoured)
    return await async_client().post(url, json=body, headers=headers, extensions={"trace": _trace_async})


def _headers(key: str, honoured: bool) -> dict[str, str]:
    return {"Idempotency-Key": key, **({} if honoured else {"X-Fake-Dedupe": "off"})}


def _trace(event: str, _info: dict[str, Any]) -> None:
    if event == _SENT:
        crash("effect.after_send")


async def _trace_async(event: str, info: dict[str, Any]) -> None:
    _trace(event, info)
