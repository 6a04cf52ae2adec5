"""`run_worker`: which versions are served, by which kind of pool, and until when."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from nexum.broker.connect import broker_url, open_doorbell
from nexum.broker.lengths import QueueLengths
from nexum.broker.local import Ear, bell_directory
from nexum.core.graph.workflow import parse_graph
from nexum.core.ids import short
from nexum.errors import ConfigurationError
from nexum.patience import patiently
from nexum.sdk.compiled import CompiledWorkflow
from nexum.sdk.registry import Registry
from nexum.settings import Settings
from nexum.store.api import Store
from nexum.store.connect import open_store
from nexum_workers import django
from nexum_workers.attempt import Attempts
from nexum_workers.board import Board
from nexum_workers.celery_parent import Inside, obey, run_celery
from nexum_workers.draining import Drained
from nexum_workers.events import FlowerEvents, NoEvents
from nexum_workers.models.door import Door
from nexum_workers.orders import Deaf, Ending, LeavingWhenDrained
from nexum_workers.parent import Pool
from nexum_workers.serving import Serving
from nexum_workers.tending import Tender
from nexum_workers.transacting import Transacting, check_transactions

logger = logging.getLogger("nexum.worker")

GAVE_UP = 75


def run_worker(
    settings: Settings,
    registry: Registry,
    *,
    workflows: Sequence[str] = (),
    version: str = "",
    processes: int = 0,
    slots: int = 0,
    exit_when_drained: bool = False,
    drain_timeout: float | None = None,
    database_url: str = "",
) -> int:
    """Serve until told to stop; gives the exit code. Must be called in the main thread of a process of its own.

    `workflows` limits what is served by name (empty: everything in the registry); `version` (a hash or its beginning)
    must be the version of the code. `processes` children (0: the setting, then one per CPU) run `slots` runs each.
    `drain_timeout` is in seconds. `database_url` replaces the setting.

    Waits for the database, and says so. Raises `ConfigurationError`: NX-W202 when there is nothing to serve, NX-W201 when
    the database does not know a version (a worker never registers one), NX-W205 when a transaction node would write through
    Django into another database than the engine's.
    """
    served = _chosen(registry, workflows, version)
    url = database_url or settings.database_url
    alias = django.alias_of(url, settings.database_alias)
    check_transactions(served, alias)
    check_registered(url, served)
    board = Board()
    broker = broker_url(settings)
    host = socket.gethostname()
    hostname = f"nexum-{os.getpid()}@{host}"
    timeout = settings.drain_timeout if drain_timeout is None else drain_timeout
    count = processes or settings.processes or os.cpu_count() or 1
    inside = Inside()
    app = _app(broker, served, inside)
    queues = tuple(workflow.graph.queue for workflow in served)
    serving = Serving(
        queues=queues,
        slots=slots or settings.slots,
        lease=settings.lease_seconds,
        drain_timeout=timeout,
        inline_max=settings.inline_max,
        snapshot_every=settings.snapshot_every,
        host=host,
        ear=Ear(bell_directory(url), queues),
        broker=bool(broker),
        board=board,
        open_store=partial(open_store, url, role="worker"),
        open_doorbell=partial(open_doorbell, url, broker),
        open_executor=lambda: Attempts(
            served,
            door=Door(settings.llm),
            max_payload=settings.max_payload,
            around=django.around_handlers(),
            transacting=Transacting(url, alias),
        ),
        open_telling=(lambda: FlowerEvents(app, hostname)) if app is not None else NoEvents,
    )
    logger.info("serving %s with %d processes of %d slots", ", ".join(serving.queues), count, serving.slots)
    leaving = LeavingWhenDrained(partial(_drained, url, served), timeout) if exit_when_drained else None
    tender: Tender
    chores: list[Any] = [Ending(board, lambda: tender.living, timeout)]
    chores += [leaving] if leaving is not None else []
    chores += [_ears(broker, serving.queues, count)] if app is not None else []
    tender = Tender(board, serving.open_store, lease=settings.lease_seconds, chores=tuple(chores))
    with serving.ear:
        code = _keep(app, inside, serving, tender, hostname, count)
    return GAVE_UP if leaving is not None and leaving.gave_up else code


def check_registered(url: str, served: Sequence[CompiledWorkflow[Any]]) -> None:
    """Wait for the database; raises `ConfigurationError` (NX-W201) for the first version that it does not know."""
    store = open_store(url, role="worker")
    try:
        for workflow in served:
            known = patiently(partial(store.version, workflow.name, workflow.version), "the database")
            if known is None:
                raise _unregistered(store, workflow)
    finally:
        store.close()


def _chosen(registry: Registry, names: Sequence[str], version: str) -> list[CompiledWorkflow[Any]]:
    served = [workflow for workflow in registry if not names or workflow.name in names]
    missing = sorted(set(names) - {workflow.name for workflow in served})
    if missing or not served:
        here = ", ".join(sorted(workflow.name for workflow in registry)) or "none"
        asked = f"{', '.join(missing)} is not among the workflows found" if missing else "no workflow was found"
        raise ConfigurationError(f"{asked} ({here})", code="NX-W202")
    wanted = version.removeprefix("sha256:")
    for workflow in served:
        if wanted and not workflow.version.removeprefix("sha256:").startswith(wanted):
            raise ConfigurationError(
                f"the code of {workflow.name} has version {short(workflow.version)}, not {wanted}", code="NX-W202"
            )
    return served


def _unregistered(store: Store, workflow: CompiledWorkflow[Any]) -> ConfigurationError:
    """The two hashes, and the nodes in which the code differs from the default version."""
    default = store.default_version(workflow.name)
    if default is None:
        detail = "no version of it is registered"
    else:
        theirs = parse_graph(default.graph).by_id
        ours = workflow.graph.by_id
        changed = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
        detail = f"the default is {short(default.version)}; they differ in {', '.join(sorted(changed)) or 'the result'}"
    return ConfigurationError(
        f"{workflow.name} compiles to {short(workflow.version)}, which is not registered; {detail}", code="NX-W201"
    )


def _app(broker: str, served: Sequence[CompiledWorkflow[Any]], inside: Inside) -> Any:
    """Our Celery app, or None without a broker; Celery is imported only when it is needed."""
    if not broker:
        return None
    from nexum_workers.app import make_app

    return make_app(broker, [workflow.graph.queue for workflow in served], inside.deliver)


def _keep(app: Any, inside: Inside, serving: Serving, tender: Tender, hostname: str, count: int) -> int:
    """Run the pool until the end, with the tender beside it."""
    if app is not None:
        from nexum_workers.app import current_app

        before = current_app()
        tender.start()
        code = run_celery(app, inside, serving, hostname=hostname, processes=count, before=before)
        tender.stop()
        return code
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: obey(serving.board))
    tender.start()
    Pool(serving, count, lambda: tender).run()
    tender.stop()
    return 0


def _drained(url: str, served: Sequence[CompiledWorkflow[Any]]) -> Drained:
    store = cast("Any", open_store(url, role="worker"))
    return Drained(store.select, [workflow.graph for workflow in served], time.monotonic)


def _ears(broker: str, queues: Sequence[str], processes: int) -> Deaf:
    """The watchdog over Celery's consumer, with Celery's own counters of this process."""
    from celery.worker import state

    return Deaf(
        QueueLengths(broker),
        queues,
        processes,
        received=lambda: sum(state.total_count.values()),
        active=lambda: len(state.active_requests),
    )
