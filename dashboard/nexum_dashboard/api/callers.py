"""Who calls: a bearer token with scopes, or anybody where there is no login."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from ninja.security import HttpBearer

from nexum.errors import ConflictError
from nexum.store.tokens import SCOPES, check_token
from nexum_dashboard.access import ForbiddenError, is_open
from nexum_dashboard.place import store


@dataclass(frozen=True, slots=True)
class Caller:
    """A token's name and scopes."""

    name: str
    scopes: frozenset[str]

    @property
    def may_read(self) -> bool:
        """Whether payloads are shown."""
        return "payloads:read" in self.scopes

    def must(self, scope: str) -> None:
        """Raises `ForbiddenError` NX-P403 without the scope."""
        if scope not in self.scopes:
            raise ForbiddenError(f"the token {self.name!r} does not have the scope {scope}")


class UnknownCallerError(ConflictError):
    """There is no token, or it is not valid."""

    default_code = "NX-P401"


class Bearer(HttpBearer):
    """`Authorization: Bearer nx_...`."""

    openapi_bearerFormat = "nx_ and 43 characters"  # noqa: N815 (OpenAPI's spelling)

    def __call__(self, request: HttpRequest) -> Caller:
        """The caller of a request. Raises `UnknownCallerError` NX-P401."""
        header = request.headers.get("Authorization", "")
        if not header and is_open():
            return Caller("local", frozenset(SCOPES))
        return self.authenticate(request, bearer(header))

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """The caller that a token names. Raises `UnknownCallerError` NX-P401."""
        found = check_token(store(), token) if token else None
        if found is None:
            raise UnknownCallerError("the token is not valid" if token else "there is no bearer token in Authorization")
        return Caller(found.name, found.scopes)


def bearer(header: str) -> str:
    """The token of an Authorization header; '' for another scheme."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
