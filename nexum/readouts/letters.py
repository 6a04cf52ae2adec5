"""Single dead letters, and which of them are one group: everything that a person may act on is found, however old it is.

A list reads the newest `READ` dead letters and says when there are more. Whoever names a group means all of it: what waits
for a person is then looked for behind those as well. Runs that have failed have ended, so that nothing can be done for old ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nexum.core.canonical import from_bytes
from nexum.core.run.events import Cell
from nexum.core.run.fingerprint import fingerprint
from nexum.errors import NexumError
from nexum.readouts.document import Instant, View
from nexum.store.deadletters import LetterRow, letters, older_waiting
from nexum.store.verbs import Verbs

READ = 5_000
Groups = dict[tuple[str, str], list["DeadLetter"]]
LISTED = 5  # groups that a name could mean, in its error


class DeadLetter(View):
    """One failure. `parked`: its run waits for a person; else the run has failed and ended, by event `seq`."""

    run_id: str
    tenant: str
    workflow: str
    version: str
    run_key: str
    subject: str
    node: str
    visit: int
    item: int
    parked: bool
    code: str
    message: str
    at: Instant
    seq: int

    @property
    def short_id(self) -> str:
        """The end of the run's id."""
        return self.run_id[-8:]

    @property
    def node_id(self) -> str:
        """The node of the graph."""
        return self.node.partition("/")[0]

    @property
    def cell(self) -> Cell:
        """Where it stands in its run."""
        return Cell(self.node, self.visit, self.item)

    @property
    def ticked(self) -> str:
        """What a form says for it."""
        return f"{self.run_id} {self.visit} {self.item} {self.node}"

    @property
    def place(self) -> str:
        """What `nexum dlq retry` takes."""
        return f"{self.run_id}/{self.node}"


class Members(NamedTuple):
    """A group of a tenant with its dead letters, the newest first: all that wait, and the ended ones of the newest `READ`."""

    tenant: str
    fingerprint: str
    letters: tuple[DeadLetter, ...]

    @property
    def parked(self) -> tuple[DeadLetter, ...]:
        """Those that wait for a person."""
        return tuple(letter for letter in self.letters if letter.parked)


def by_group(rows: Iterable[LetterRow], name: str = "", *, whole: bool = False) -> Groups:
    """Dead letters by tenant and fingerprint, which tenants do not share; only fingerprints that begin so, or are it."""
    kept: Groups = {}
    for row in rows:
        letter = letter_of(row)
        which = fingerprint(letter.workflow, letter.node, letter.code, letter.message)
        if which == name or (not whole and which.startswith(name)):
            kept.setdefault((letter.tenant, which), []).append(letter)
    return kept


def find_members(store: Verbs, name: str, *, tenant: str = "", whole: bool = True) -> Members:
    """The group of this fingerprint, or that begins so unless it is `whole`; of any tenant when none is named.

    Raises `NexumError` NX-R441 for none, NX-F111 for several: other groups that begin so, or those of other tenants.
    """
    found = letters(store, tenant=tenant, limit=READ + 1)
    whole = whole or not name
    kept = by_group(found[:READ], name, whole=whole)
    if len(found) > READ:
        # A whole fingerprint belongs to one workflow, so that only its parked nodes are read.
        workflow = next((mine[0].workflow for mine in kept.values()), "") if whole else ""
        older = older_waiting(store, found[READ - 1], workflow=workflow, tenant=tenant)
        for place, mine in by_group(older, name, whole=whole).items():
            kept.setdefault(place, []).extend(mine)
    if not kept:
        of = f" of the tenant {tenant[:40]!r}" if tenant else ""
        raise NexumError(f"there is no group of dead letters {name[:40]!r}{of}", code="NX-R441")
    if len(kept) > 1:
        raise _ambiguous(name, list(kept))
    (((whose, which), members),) = kept.items()
    return Members(whose, which, tuple(members))


def _ambiguous(name: str, places: list[tuple[str, str]]) -> NexumError:
    listed = ", ".join(f"{which} of tenant {whose}" for whose, which in places[:LISTED])
    fixes = ("give more of the fingerprint",)
    if len({which for _, which in places}) == 1:
        whose = places[0][0]
        fixes = (f"name the tenant: `--tenant {whose}` on the command line, `?tenant={whose}` in an address",)
    return NexumError(f"{name[:40]!r} could be {listed}", code="NX-F111", fixes=fixes)


def letter_of(row: LetterRow) -> DeadLetter:
    """An end as a dead letter: a failed run names the cell where its first cause arose."""
    body = body_of(row.body)
    error = body.get("error") or {}
    parked = row.type == "NodeParked"
    path, visit, item = (row.path, row.visit, row.item) if parked else _cell(body.get("cell"))
    return DeadLetter(
        run_id=row.run_id,
        tenant=row.tenant,
        workflow=row.workflow,
        version=row.version,
        run_key=row.run_key,
        subject=row.subject,
        node=path,
        visit=visit,
        item=item,
        parked=parked,
        code=str(error.get("code", "")),
        message=str(error.get("message", "")),
        at=row.at,
        seq=row.seq,
    )


def body_of(data: bytes) -> Mapping[str, Any]:
    """What an event says; nothing when it is damaged, which the page of its run tells."""
    try:
        found = from_bytes(data)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _cell(found: object) -> tuple[str, int, int]:
    path, visit, item = [*found, *("", 1, -1)[len(found) :]] if isinstance(found, list) else ("", 1, -1)
    return str(path), int(visit), int(item)
