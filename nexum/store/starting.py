"""A run begins: start key, run, first events, first tasks, all or nothing."""

from __future__ import annotations

from nexum.crash import crash
from nexum.errors import InternalError
from nexum.store import advancing
from nexum.store.api import Started, StartRow
from nexum.store.rows import clean
from nexum.store.statement import Insert, Statement, Transaction
from nexum.store.tables import runs, start_keys

_INSERT_KEY = Insert(start_keys, keep=True)
_INSERT_RUN = Insert(runs)
_KEY = Statement("""
    SELECT run_id, input_hash FROM nexum_start_keys
     WHERE tenant = :tenant AND workflow = :workflow AND run_key = :run_key""")


def start(tx: Transaction, row: StartRow) -> Started:
    """Insert everything, or find the run that has the key already. Tasks are READY; `Advance.claim` means nothing here."""
    a = row.advance
    now = tx.fixed or a.events[0].at  # the store's time already, and one look less
    if row.run_key:
        key = (a.tenant, row.workflow, row.run_key, a.run_id, row.input_hash, now)
        if not tx.insert(_INSERT_KEY, [key]):
            return _existing(tx, row)
        crash("api.start.after_insert", run_key=row.run_key)
    ended = now if a.closed else 0
    run = (
        *(a.run_id, a.tenant, row.workflow, row.version, row.run_key, row.input_hash, row.subject, a.status),
        *(a.new_seq, a.new_hash, "", row.priority, row.trace, clean(row.actor), a.error_code, now, now, ended),
    )
    with tx.gathered():
        tx.insert(_INSERT_RUN, [run])
        advancing.follow(tx, a, now, "")
    crash("api.start.before_commit", run_key=row.run_key)
    return Started(a.run_id, False, row.input_hash)


def _existing(tx: Transaction, row: StartRow) -> Started:
    # The next statement sees what the winner has committed; the losing INSERT waited for that.
    found = tx.row(_KEY, tenant=row.advance.tenant, workflow=row.workflow, run_key=row.run_key)
    if found is None:
        raise InternalError(f"start key {row.run_key!r} of {row.workflow} was refused and is not there", code="NX-S105")
    return Started(found[0], True, found[1])
