"""Transaction nodes: the handler's writes and the node's completion in one commit.

Begin, call the handler, validate and spell its output, complete the node in the same transaction, commit. What goes wrong
before the commit takes everything back, and is reported as it is for other nodes. Whether the commit took place is known
from Django's own hooks, which run after it and before anybody else's; where the server does not answer it, the engine looks.
A handler writes through Django's ORM on the alias of the engine's tables, or through a `Tx` of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from nexum.compiler.handlers import BoundHandler
from nexum.core.graph.nodes import Transaction
from nexum.crash import crash
from nexum.engine.work import Committed, Failed, Outcome, Succeeded, TakenBack, Unanswered, Work
from nexum.errors import ConfigurationError, HandlerError
from nexum.sdk.compiled import CompiledWorkflow
from nexum.sdk.tx import Tx
from nexum.store.api import Store
from nexum.store.transacting import Transactions
from nexum_workers import django
from nexum_workers.early import Early
from nexum_workers.outcome import failure

logger = logging.getLogger("nexum.worker")


class Opened(Protocol):
    """An open transaction: what the handler acts through, the store that joins it, whether it has been committed."""

    committed: bool

    @property
    def mean(self) -> Tx | None: ...

    @property
    def store(self) -> Store: ...

    def hang_up(self) -> None:
        """Close the connection underneath, whoever uses it."""


class _TakeBackError(Exception):
    """Leaves the transaction's block so that it is rolled back; `outcome` is what became of the attempt."""

    def __init__(self, outcome: Failed | TakenBack) -> None:
        super().__init__()
        self.outcome = outcome


class _Own:
    """A transaction of SQLAlchemy's."""

    def __init__(self, mean: Tx, store: Store) -> None:
        self.mean = mean
        self.store = store
        self.committed = False

    def hang_up(self) -> None:
        """Close the connection underneath, whoever uses it."""
        driver: Any = self.mean.connection.connection.driver_connection
        driver.close()


class Transacting:
    """Executes transaction nodes against the database at `url`; `alias` is Django's name of it, "" when it has none."""

    def __init__(self, url: str, alias: str) -> None:
        self._own = Transactions(url)
        self._alias = alias
        self._open_now: set[Opened] = set()

    def conduct(
        self, work: Work, handler: BoundHandler, attempt: Callable[[Tx | None], Outcome], early: Early
    ) -> Outcome:
        """Make an attempt inside a transaction, and commit it with the node's completion. Never raises."""
        opened: Opened | None = None
        sealed: Committed | None = None
        try:
            with self._open(handler) as opened, self._known(opened):
                outcome = attempt(opened.mean)
                if not isinstance(outcome, Succeeded):
                    raise _TakeBackError(_plain(outcome, work))
                ended = early.complete(opened.store, outcome)
                if isinstance(ended, TakenBack):
                    raise _TakeBackError(ended)
                sealed = ended
                crash("transaction.before_commit", run_key=work.run_key, node=work.node.id, attempt=work.attempt)
        except _TakeBackError as back:
            return back.outcome
        except Exception as error:  # a constraint that speaks at the commit, a lost connection, a hook
            if sealed is None or opened is None:
                return failure(error, work.node)
            if not opened.committed:
                return Unanswered(failure(error, work.node))
            logger.exception("%s is committed; what was to be done after the commit failed", work.node.id)
        assert sealed is not None
        crash("transaction.after_commit", run_key=work.run_key, node=work.node.id, attempt=work.attempt)
        return sealed

    def abandon(self) -> None:
        """Close the connections of open transactions, from another thread: what they have locked is free at once.

        The process ends in a moment anyhow; but on SQLite nobody, this process included, could record anything until then.
        """
        for opened in list(self._open_now):
            opened.hang_up()

    @contextmanager
    def _known(self, opened: Opened) -> Iterator[None]:
        self._open_now.add(opened)
        try:
            yield
        finally:
            self._open_now.discard(opened)

    def _open(self, handler: BoundHandler) -> AbstractContextManager[Opened]:
        return self._opened_own() if handler.means else django.transaction(self._alias)

    @contextmanager
    def _opened_own(self) -> Iterator[Opened]:
        with self._own.open() as (connection, store), django.writing_only_to(""):
            opened = _Own(Tx(connection), store)
            yield opened
        opened.committed = True


def _plain(outcome: Outcome, work: Work) -> Failed:
    """A failure, with the words of a node that is a transaction already."""
    assert isinstance(outcome, Failed)
    error = outcome.error
    if error.type == "RuntimeError" and "durable atomic block" in error.message:
        said = f"{work.node.id} opened `transaction.atomic(durable=True)`, but it runs inside the node's transaction"
        return failure(HandlerError(said, code="NX-R231"), work.node)
    return outcome


def check_transactions(served: Sequence[CompiledWorkflow[Any]], alias: str) -> None:
    """Raises `ConfigurationError` NX-W205 when a handler would write through an ORM that does not reach the engine's tables."""
    if alias:
        return
    for workflow in served:
        for node in workflow.graph.nodes:
            if isinstance(node, Transaction) and not workflow.handlers[node.id].means:
                raise ConfigurationError(
                    f"{workflow.name}.{node.id} writes through Django, but the engine's database is not one of its DATABASES",
                    code="NX-W205",
                )
