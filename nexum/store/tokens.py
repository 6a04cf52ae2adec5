"""Tokens for the REST interface: shown once, kept as a hash.

A token is `nx_` and 32 random bytes; only its sha256 is stored. That is enough without salt or stretching, because nobody
can guess 256 random bits.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

from nexum.errors import InputError
from nexum.store.rows import clean
from nexum.store.statement import Insert, Statement
from nexum.store.tables import api_tokens
from nexum.store.verbs import Verbs

SCOPES = {
    "runs:read": "lists, runs, events; no payloads",
    "runs:start": "starting runs",
    "payloads:read": "inputs, outputs, prompts and replies",
}
PREFIX = "nx_"
USED_EVERY = (
    60 * 1_000_000
)  # `last_used_at` is a hint for people; writing it on each request would cost more than it tells

_INSERT = Insert(api_tokens)
_FIND = Statement("SELECT name, scopes, expires_at, last_used_at, revoked_at FROM nexum_api_tokens WHERE hash = :hash")
_USED = Statement("UPDATE nexum_api_tokens SET last_used_at = {now} WHERE hash = :hash")
_REVOKE = Statement("UPDATE nexum_api_tokens SET revoked_at = {now} WHERE name = :name AND revoked_at = 0")


class Token(NamedTuple):
    """Who a token belongs to and what it may."""

    name: str
    scopes: frozenset[str]


def create_token(store: Verbs, name: str, scopes: tuple[str, ...], *, expires_at: int = 0) -> str:
    """Make a token and give it, once. `expires_at` is in microseconds since 1970 (0: never).

    Raises `InputError` NX-P404 for a scope that does not exist or when there is none.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InputError(
            f"{', '.join(unknown) or 'no scope'!s} is not a scope; known are {', '.join(SCOPES)}", code="NX-P404"
        )
    token = PREFIX + secrets.token_urlsafe(32)
    with store.database.joined() as tx:
        tx.insert(_INSERT, [(_hash(token), clean(name), " ".join(sorted(set(scopes))), tx.now(), expires_at, 0, 0)])
    return token


def check_token(store: Verbs, token: str) -> Token | None:
    """What a token may; None when it is unknown, expired or revoked."""
    digest = _hash(token)
    with store.database.once() as tx:
        found = tx.row(_FIND, hash=digest)
        if found is None:
            return None
        name, scopes, expires_at, last_used_at, revoked_at = found
        now = tx.now()
        if revoked_at or (expires_at and expires_at <= now):
            return None
        if now - last_used_at > USED_EVERY:
            tx.run(_USED, hash=digest)
    return Token(name, frozenset(scopes.split()))


def revoke_token(store: Verbs, name: str) -> int:
    """Revoke every token of this name; gives how many were valid until now."""
    with store.database.joined() as tx:
        return tx.run(_REVOKE, name=clean(name))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
