"""Tokens for the REST interface: shown once, kept as a hash.

A token is `nx_` and 32 random bytes; only its sha256 is stored. That is enough without salt or stretching, because nobody
can guess 256 random bits. People name a token by its name, or by its id: the first eight hexadecimal digits of the hash.
"""

from __future__ import annotations

import difflib
import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from nexum.errors import InputError
from nexum.store.rows import clean
from nexum.store.statement import Insert, Statement
from nexum.store.tables import api_tokens
from nexum.store.verbs import Verbs

SCOPES = {
    "runs:read": "lists, runs, events; no payloads",
    "runs:start": "starting runs",
    "payloads:read": "inputs, outputs, prompts and replies",
    "operate": "ending runs, mending their nodes; deciding about effects in doubt, dead letters and breakers",
}
PREFIX = "nx_"
ID = 8  # characters of a token's id
USED_EVERY = (
    60 * 1_000_000
)  # `last_used_at` is a hint for people; writing it on each request would cost more than it tells

_INSERT = Insert(api_tokens)
_FIND = Statement("SELECT name, scopes, expires_at, last_used_at, revoked_at FROM nexum_api_tokens WHERE hash = :hash")
_ALL = Statement(
    "SELECT hash, name, scopes, created_at, expires_at, last_used_at, revoked_at FROM nexum_api_tokens"
    " ORDER BY created_at DESC, hash"
)
_USED = Statement("UPDATE nexum_api_tokens SET last_used_at = {now} WHERE hash = :hash")
_REVOKE = Statement("UPDATE nexum_api_tokens SET revoked_at = {now} WHERE hash = :hash AND revoked_at = 0")


class TokenRow(NamedTuple):
    """A token as it is kept; times are microseconds since 1970, 0 for never. `last_used_at` may be a minute behind."""

    hash: bytes
    name: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int
    last_used_at: int
    revoked_at: int

    @property
    def id(self) -> str:
        """What people call it by when names are not enough; it tells nothing about the token."""
        return self.hash.hex()[:ID]

    def state(self, now: int) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= now else "valid"


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
        near = [name for scope in unknown for name in difflib.get_close_matches(scope, SCOPES, n=1)]
        raise InputError(
            f"{', '.join(unknown) or 'no scope'!s} is not a scope; known are {', '.join(SCOPES)}",
            code="NX-P404",
            fixes=tuple(f"did you mean {name}?" for name in near),
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
    now = store.now()
    if revoked_at or (expires_at and expires_at <= now):
        return None
    if now - last_used_at > USED_EVERY:
        with store.database.joined() as tx:
            tx.run(_USED, hash=digest)
    return Token(name, frozenset(scopes.split()))


def list_tokens(store: Verbs) -> list[TokenRow]:
    """Every token that was made, newest first; nothing of it opens anything."""
    with store.database.once() as tx:
        return [_row(row) for row in tx.rows(_ALL)]


def find_tokens(store: Verbs, reference: str) -> list[TokenRow]:
    """The tokens of this name; else the one with this id, or the token itself, which whoever finds a lost one has."""
    known = list_tokens(store)
    named = [row for row in known if row.name == clean(reference)]
    return named or [row for row in known if row.id == reference.lower() or row.hash == _hash(reference)]


def revoke_token(store: Verbs, reference: str) -> int:
    """Revoke the tokens that `find_tokens` finds; gives how many were not revoked before. Safe to repeat."""
    found = find_tokens(store, reference)
    with store.database.joined() as tx:
        return sum(tx.run(_REVOKE, hash=row.hash) for row in found)


def _row(row: Sequence[Any]) -> TokenRow:
    digest, name, scopes, *times = row
    return TokenRow(bytes(digest), name, tuple(scopes.split()), *times)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
