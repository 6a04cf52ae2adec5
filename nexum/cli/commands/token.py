"""`nexum token`: tokens for the REST interface and the metrics."""

from __future__ import annotations

from typing import Any

import click

from nexum.cli.answer import Paper, envelope, print_json
from nexum.cli.exits import Exit
from nexum.cli.project import open_project
from nexum.cli.verb import Choices, verb
from nexum.compiler.diagnostics import counted
from nexum.errors import NexumError
from nexum.readouts.document import rfc3339
from nexum.store.tokens import (
    PREFIX,
    SCOPES,
    TokenRow,
    create_token,
    find_tokens,
    list_tokens,
    revoke_token,
)

DAY = 86_400_000_000  # us
LONGEST = 36_500  # days
COLUMNS = ("ID", "NAME", "SCOPES", "STATE", "CREATED", "EXPIRES", "LAST USED")


@click.group("token", short_help="Tokens for the REST interface: `create`, `list`, `revoke`.")
def command() -> None:
    """Tokens with which scripts call the REST interface and read the metrics."""


def _named(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip() or value.startswith(PREFIX):
        raise click.BadParameter(
            f"a name says who uses the token; {'a token' if value.strip() else 'nothing'} was given"
        )
    return value


@verb("create", short_help="Make a token and print it, this once.")
@click.option(
    "--name", required=True, callback=_named, help="Who will use it; shown in lists and as the actor of runs."
)
@click.option(
    "--scope", "scopes", multiple=True, required=True, metavar="SCOPE", help=f"{', '.join(SCOPES)}; repeat it."
)
@click.option("--days", type=click.IntRange(1, LONGEST), help="Valid for so many days; without, until it is revoked.")
@click.pass_obj
def _create(choices: Choices, name: str, scopes: tuple[str, ...], days: int | None) -> int:
    """Make a token and print it, this once: only its hash is kept. Standard output is the token and nothing else."""
    store = open_project(choices).store
    secret = create_token(store, name, scopes, expires_at=store.now() + days * DAY if days else 0)
    (made,) = find_tokens(store, secret)
    if choices.json:
        print_json(envelope("nexum.token/1", Exit.DONE, secret=secret, token=_spelled(made, "valid")))
        return Exit.DONE
    paper = Paper(choices)
    paper.line(secret)
    until = f"valid until {paper.at(made.expires_at)}" if days else "valid until it is revoked"
    paper.hint(f"{made.name} ({made.id}): {', '.join(made.scopes)}; {until}. The token is not shown again.")
    return Exit.DONE


@verb("list", short_help="List all tokens, newest first.")
@click.pass_obj
def _list(choices: Choices) -> int:
    """List all tokens, newest first: what they may, and when they were last used; never the tokens themselves."""
    store = open_project(choices).store
    now, found = store.now(), list_tokens(store)
    if choices.json:
        print_json(envelope("nexum.tokens/1", Exit.DONE, tokens=[_spelled(row, row.state(now)) for row in found]))
        return Exit.DONE
    paper = Paper(choices)
    if found:
        paper.table(COLUMNS, [_drawn(paper, row, row.state(now)) for row in found], flexible="SCOPES")
    valid = sum(1 for row in found if row.state(now) == "valid")
    paper.hint(f"{counted(len(found), 'token')}, {valid} valid.")
    return Exit.DONE


@verb("revoke", short_help="Revoke every token of a name, or the one with an id.")
@click.argument("reference", metavar="NAME|ID")
@click.pass_obj
def _revoke(choices: Choices, reference: str) -> int:
    """Revoke every token of a name, or the one with an id; the next request with it is refused. Safe to repeat."""
    store = open_project(choices).store
    found = find_tokens(store, reference)
    if not found:
        named = "like the one given" if reference.startswith(PREFIX) else repr(reference)
        raise NexumError(f"there is no token {named}", code="NX-P405")
    done = revoke_token(store, reference)
    if choices.json:
        rows = [_spelled(row, "revoked") for row in find_tokens(store, reference)]
        print_json(envelope("nexum.token-revoke/1", Exit.DONE, revoked=done, tokens=rows))
        return Exit.DONE
    names = ", ".join(f"{row.name} ({row.id})" for row in found)
    was = "" if done else "already "
    Paper(choices).line(f"{was}revoked: {names}")
    return Exit.DONE


for each in (_create, _list, _revoke):
    command.add_command(each)


def _spelled(row: TokenRow, state: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "scopes": list(row.scopes),
        "state": state,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "last_used_at": rfc3339(row.last_used_at),
        "revoked_at": rfc3339(row.revoked_at),
    }


def _drawn(paper: Paper, row: TokenRow, state: str) -> tuple[str, ...]:
    brief = paper.width < 120
    times = (paper.at(at, brief=brief) for at in (row.created_at, row.expires_at, row.last_used_at))
    return (row.id, row.name, " ".join(row.scopes), state, *times)
