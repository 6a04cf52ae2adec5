"""One HTTP client for every provider that speaks the OpenAI chat protocol."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any

import httpx

from nexum_workers.models import reply
from nexum_workers.models.protocol import (
    BadReplyError,
    Message,
    ModelAnswer,
    ModelRequest,
    ProviderDownError,
    SlowModelError,
    TooLongError,
)
from nexum_workers.models.schema import strict_schema

MAX_RESPONSE = 4 * 1024 * 1024  # bytes
_RESERVED = frozenset({"model", "messages", "response_format", "stream", "n"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider is and how it is asked.

    `forcing` says how the answer is held to the schema: `schema` (response_format json_schema), `object` (any JSON
    object, the schema in the prompt) or `prompt` (only the prompt). `max_response` is in bytes. The key is never shown.
    """

    base_url: str
    api_key: str = field(default="", repr=False)
    forcing: str = "schema"
    max_response: int = MAX_RESPONSE
    connect_timeout: float = 10.0


class OpenAIModel:
    """Asks `POST {base_url}/chat/completions`. One connection pool per process and event loop, made at the first use."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._client: httpx.AsyncClient | None = None

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. `request.timeout` bounds the whole exchange, however slowly bytes trickle in.

        Raises `SlowModelError` when it is over, `ProviderDownError` for a broken connection or 5xx, `RateLimitedError` for
        429, `RefusedError` for other 4xx, `TooLongError` and `BadReplyError` for replies that cannot be used.
        """
        where = f"{self.endpoint.base_url}, model {request.model}"
        body = bytearray()
        try:
            async with asyncio.timeout(request.timeout):
                status, headers = await self._exchange(request, body, where)
        except TimeoutError as error:
            limit = f"{request.timeout:g} s"
            raise SlowModelError(f"no complete answer within {limit}", where=where, raw=bytes(body)) from error
        except httpx.TimeoutException as error:
            raise ProviderDownError(f"connecting took too long: {error!r}", where=where, raw=bytes(body)) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ProviderDownError(f"connection failed: {error!r}", where=where, raw=bytes(body)) from error
        if status != httpx.codes.OK:
            raise reply.refusal(status, headers, bytes(body), where=where, secret=self.endpoint.api_key)
        return reply.answer(bytes(body), headers, where=where)

    async def aclose(self) -> None:
        """Close the connections of this process and loop."""
        client, self._client, self._owner = self._client, None, None
        if client is not None:
            await client.aclose()

    async def _exchange(self, request: ModelRequest, body: bytearray, where: str) -> tuple[int, httpx.Headers]:
        """Send the request and read into `body`, which survives whatever breaks on the way."""
        url = self.endpoint.base_url.rstrip("/") + "/chat/completions"
        headers = {"X-Client-Request-Id": request.request_id}
        async with self._pool().stream("POST", url, json=self._spell(request), headers=headers) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise BadReplyError("the reply is compressed although identity was asked for", where=where)
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self.endpoint.max_response:
                    limit = f"{self.endpoint.max_response:,} bytes"
                    raise TooLongError(f"the reply is longer than {limit}", where=where, raw=bytes(body))
            return response.status_code, response.headers

    def _pool(self) -> httpx.AsyncClient:
        owner = (os.getpid(), asyncio.get_running_loop())
        if self._client is None or self._owner != owner:
            self._owner = owner
            key = self.endpoint.api_key
            self._client = httpx.AsyncClient(
                headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
                timeout=httpx.Timeout(
                    None, connect=self.endpoint.connect_timeout
                ),  # the rest: asyncio.timeout in `ask`
                limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
                follow_redirects=False,  # a redirect would carry the key to another host
            )
        return self._client

    def _spell(self, request: ModelRequest) -> dict[str, Any]:
        """The body of the request."""
        body: dict[str, Any] = {key: value for key, value in request.settings.items() if key not in _RESERVED}
        messages = request.messages
        schema, strict = strict_schema(request.schema)
        if self.endpoint.forcing == "schema":
            shape = {"name": request.schema_name, "schema": schema, "strict": strict}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        else:
            messages = (reply.schema_message(request.schema), *messages)
            if self.endpoint.forcing == "object":
                body["response_format"] = {"type": "json_object"}
        body["model"] = request.model
        body["messages"] = [_spell_message(message) for message in messages]
        return body


def _spell_message(message: Message) -> dict[str, str]:
    # a lone surrogate in a prompt has no UTF-8 spelling: the model sees the replacement sign instead
    return {"role": message.role, "content": message.text.encode("utf-8", "replace").decode()}
