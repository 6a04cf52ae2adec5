"""How people name a run: its id, the beginning or the end of it, `key:order-1042`, `@last`, `@last:RefundAgent`, `@failed`."""

from __future__ import annotations

from nexum.errors import NexumError
from nexum.store import reading
from nexum.store.reading import Asked, RunQuery, RunRow
from nexum.store.verbs import Verbs

FULL = 36  # characters of an id
SHORTEST = 4
SHOWN = 5
_NEWEST: dict[str, tuple[Asked, ...]] = {"@last": (), "@failed": (Asked("status", "failed"),)}


def find_run(store: object, reference: str, tenant: str | None) -> str:
    """The id of the run that is meant: of this tenant when one was asked for, as `--tenant` does.

    Raises `NexumError`: NX-R404 for none, NX-F111 for several or too few letters.
    """
    assert isinstance(store, Verbs)
    if reference.startswith("@"):
        return _newest(store, reference, tenant)
    if reference.startswith("key:"):
        return _first(store, (Asked("key", reference.removeprefix("key:")),), reference, tenant)
    if len(reference) < SHORTEST:
        raise NexumError(f"{reference!r} is too short to tell runs apart", code="NX-F111")
    if len(reference) == FULL:
        row = reading.find_run(store, reference)
        found = [row] if row is not None and tenant in (None, row.tenant) else []
    else:
        found = reading.runs_like(store, reference, tenant or "", limit=SHOWN + 1)
    return _only(reference, found, tenant)


def split_node(store: object, reference: str, tenant: str | None) -> tuple[str, str]:
    """The reference of a run and the path of a node in RUN/NODE; the path is "" where only a run is meant.

    A path may hold slashes (`refund/undo`), and so may the key of a run.
    """
    if not reference.startswith("key:"):
        run, _, path = reference.partition("/")
        return run, path
    parts = reference.split("/")
    runs = ["/".join(parts[:place]) for place in range(len(parts), 0, -1)]
    run = next((run for run in runs if _is_run(store, run, tenant)), parts[0])  # the longest key that there is
    return run, reference.removeprefix(run).removeprefix("/")


def _is_run(store: object, reference: str, tenant: str | None) -> bool:
    try:
        find_run(store, reference, tenant)
    except NexumError:
        return False
    return True


def _newest(store: Verbs, reference: str, tenant: str | None) -> str:
    name, _, workflow = reference.partition(":")
    if name not in _NEWEST:
        raise NexumError(f"{reference!r} names no run; known are @last, @last:WORKFLOW and @failed", code="NX-F111")
    condition = (Asked("workflow", workflow),) if workflow else ()
    return _first(store, (*_NEWEST[name], *condition), reference, tenant)


def _first(store: Verbs, asked: tuple[Asked, ...], reference: str, tenant: str | None) -> str:
    whose = (Asked("tenant", tenant),) if tenant else ()
    found = reading.list_runs(store, RunQuery((*asked, *whose)), limit=1)
    if not found:
        raise _nothing(reference, tenant)
    return found[0].run_id


def _only(reference: str, found: list[RunRow], tenant: str | None) -> str:
    if not found:
        raise _nothing(reference, tenant)
    if len(found) > 1:
        listed = ", ".join(row.run_id for row in found[:SHOWN])
        more = " and more" if len(found) > SHOWN else ""
        raise NexumError(f"{reference!r} could be {listed}{more}", code="NX-F111")
    return found[0].run_id


def _nothing(reference: str, tenant: str | None) -> NexumError:
    return NexumError(f"there is no run {reference!r}{f' of the tenant {tenant!r}' if tenant else ''}", code="NX-R404")
