"""A process is killed at every crash point there is, with runs under way. They end, and the provider's ledger is right."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from databases import drop_postgres, fresh_postgres, fresh_sqlite
from errands import REGISTRY
from fleet import SCHEDULER, SCRIPT, Fleet, kept
from nexum.client.doubts import list_doubts
from nexum.crash import POINTS
from nexum.store.connect import open_store
from nexum.store.verbs import Verbs
from nexum.testing.fakes import Fake, running
from payments import URL
from waiting import until

SOON = 60
PATIENT = 10_000  # deliveries: here it is the crash points that kill, not the tasks

ELSEWHERE = "inbox.before_retry"  # it wants a database that is away
WORKER = sorted(
    {"handler.before_call", "model.while_answering", "worker.before_session"}
    | {point for point in POINTS if point.startswith(("claim.", "effect.", "step.", "inbox.", "advance."))}
    - {ELSEWHERE}
)
CLIENT = sorted(point for point in POINTS if point.startswith(("api.start.", "publish.")))
MESSAGES = sorted(point for point in POINTS if point.startswith("msg."))
SCHEDULERS = sorted(point for point in POINTS if point.startswith(("timer.", "sweep.")))
PEOPLE = sorted(point for point in POINTS if point.startswith("decision."))
REQUESTS = sorted(point for point in POINTS if point.startswith("request."))
DEPLOYS = sorted(point for point in POINTS if point.startswith("deploy."))

NODES = ("left", "right", "both", "worded", "refunded", "filed")
GROUPS = (WORKER, CLIENT, MESSAGES, SCHEDULERS, PEOPLE, REQUESTS, DEPLOYS)

START = """
import json, sys
from nexum.broker.connect import open_doorbell
from nexum.client.start import StartRequest, start
from nexum.store.api import TaskKey
from nexum.store.connect import open_store
from payments import Payment
given = json.loads(sys.argv[1])
store, doorbell = open_store(given["database"]), open_doorbell(given["database"], given["broker"])
start(store, StartRequest("Paying", Payment(name="k").model_dump(), run_key="k"), doorbell=doorbell)
doorbell.ring("nexum.nobody", TaskKey("a run", "node", 1, -1, 1))  # once the run is there, its start rings no more
doorbell.close()
"""
DECIDE = """
import json, sys
from nexum.client.doubts import Decision, resolve
from nexum.core.run.events import Cell
from nexum.errors import ConflictError
from nexum.store.connect import open_store
given = json.loads(sys.argv[1])
answer = {"response": {"id": given["reference"]}}
try:
    decision = Decision(given["run"], Cell("wired"), "happened", "mika", "seen in the provider's books", **answer)
    resolve(open_store(given["database"]), decision)
except ConflictError as error:
    assert error.code == "NX-E409", error  # an earlier life of this process has decided
"""
CANCEL = """
import json, sys
from nexum.client.interventions import By, cancel
from nexum.errors import ConflictError
from nexum.store.connect import open_store
given = json.loads(sys.argv[1])
try:
    cancel(open_store(given["database"]), given["run"], By("mika", "the order was withdrawn"))
except ConflictError as error:
    assert error.code == "NX-R409", error  # an earlier life of this process has cancelled
"""
DEPLOY = """
import json, sys
from nexum.cli.commands.deploy import register
from nexum.store.connect import open_store
from errands import REGISTRY
store = open_store(json.loads(sys.argv[1])["database"])
for workflow in REGISTRY:
    register(store, workflow)
"""


@pytest.fixture
def pay(tmp_path: Path) -> Iterator[Fake]:
    with running("fakepay", ledger=str(tmp_path / "ledger.jsonl")) as fake:
        yield fake


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(fresh_sqlite(tmp_path), tmp_path)
    yield made
    made.close()


def armed(folder: Path, points: Sequence[str]) -> dict[str, str]:
    return {"NEXUM_CRASH": ";".join(f"{point}:file={folder / point}" for point in points)}


def missing(folder: Path, points: Sequence[str]) -> list[str]:
    """The points at which nothing has been killed yet."""
    return [point for point in points if not (folder / f"{point}.1").exists()]


def acts(pay: Fake) -> Counter[str]:
    return Counter(act["body"]["order_id"] for act in pay.get("/ledger"))


def completed(fleet: Fleet, run: str) -> list[str]:
    return [event.path for event in fleet.store.events_after(run, 0) if event.type == "NodeCompleted"]


def worker(fleet: Fleet, **more: object) -> dict[str, object]:
    return {"processes": 2, "settings": {**fleet.settings, **more}}


def scheduler(fleet: Fleet, **more: object) -> dict[str, object]:
    return {**fleet.settings, "sweep_seconds": 0.1, "poison_after": PATIENT, **more}


def test_every_point_is_killed_at_here_or_in_a_neighbouring_module() -> None:
    here = Counter(point for group in GROUPS for point in group)
    assert set(here.values()) == {1}
    neighbours = [path for path in Path(__file__).parent.glob("test_*kill*.py") if path != Path(__file__)]
    told = "".join(path.read_text() for path in neighbours)
    assert [point for point in sorted(POINTS - set(here)) if f'"{point}' not in told] == []


def test_workers_are_killed_at_each_of_their_points(fleet: Fleet, pay: Fake) -> None:
    names = [f"p{number}" for number in range(12)]  # each takes the slow path at its node that makes calls
    runs = [fleet.start("Paying", name) for name in names]
    fleet.scheduler(poison_after=PATIENT)
    fleet.worker(processes=2, env={**armed(fleet.folder, WORKER), URL: pay.url})
    until(lambda: all(fleet.status(run) == "COMPLETED" for run in runs), SOON)
    assert missing(fleet.folder, WORKER) == []
    assert acts(pay) == dict.fromkeys(names, 1)
    for run in runs:  # reads and model requests may be made again, and count once
        assert Counter(completed(fleet, run)) == dict.fromkeys([*NODES, "filed/io.spelled"], 1)


def test_starters_and_celery_parents_are_killed_at_each_of_their_points(
    tmp_path: Path, pay: Fake, pg_server_url: str, redis_url: str, worker_name: str
) -> None:
    url = fresh_postgres(pg_server_url, worker_name)
    fleet = Fleet(url, tmp_path, redis_url)
    try:
        fleet.scheduler(poison_after=PATIENT)
        given = {"database": url, "broker": redis_url}
        with kept(tmp_path, START, given, armed(tmp_path, CLIENT)):
            until(lambda: not missing(tmp_path, CLIENT), SOON)
        with kept(tmp_path, SCRIPT, worker(fleet), {**armed(tmp_path, MESSAGES), URL: pay.url}):
            run = fleet.start("Paying", "k", key="k")
            until(lambda: fleet.status(run) == "COMPLETED", SOON)
            more = (fleet.start("Paying", f"more{number}") for number in itertools.count())
            until(lambda: next(more) and not missing(tmp_path, MESSAGES), SOON, every=0.5)
        assert acts(pay)["k"] == 1
        assert set(acts(pay).values()) == {1}
    finally:
        fleet.close()
        drop_postgres(url, pg_server_url)


def test_schedulers_are_killed_at_each_of_their_points(fleet: Fleet, pay: Fake) -> None:
    with kept(fleet.folder, SCHEDULER, scheduler(fleet, poison_after=2), armed(fleet.folder, SCHEDULERS)):
        late = fleet.start("Unheard", "late")
        until(lambda: fleet.status(late) == "FAILED", SOON)  # nobody was there to take it
        waiting = fleet.start("Paying", "waiting")
        until(lambda: not missing(fleet.folder, ["sweep.untold.after"]), SOON)
        killed = f"effect.after_response:node=wired,file={fleet.folder / 'wired'}"
        fleet.worker(processes=2, env={"NEXUM_CRASH": killed, URL: pay.url})
        ended = {fleet.start("Overdue", "overdue"): "FAILED", fleet.start("Doomed", "doomed"): "FAILED"}
        ended[waiting] = "COMPLETED"
        held = fleet.start("Unsure", "held")
        until(lambda: all(fleet.status(run) == status for run, status in ended.items()), SOON)
        until(lambda: "EffectInDoubt" in fleet.events(held), SOON)
        until(lambda: not missing(fleet.folder, SCHEDULERS), SOON)
    assert acts(pay) == {"waiting": 1, "held": 1}


def test_whoever_decides_about_a_doubt_is_killed_before_and_after(fleet: Fleet, pay: Fake) -> None:
    killed = f"effect.after_response:node=wired,file={fleet.folder / 'wired'}"
    fleet.worker(processes=1, env={"NEXUM_CRASH": killed, URL: pay.url})
    fleet.scheduler(poison_after=PATIENT)
    run = fleet.start("Unsure", "held")
    until(lambda: "EffectInDoubt" in fleet.events(run), SOON)
    (done,) = pay.get("/ledger")
    given = {"database": fleet.url, "run": run, "reference": done["id"]}
    with kept(fleet.folder, DECIDE, given, armed(fleet.folder, PEOPLE)):
        until(lambda: fleet.status(run) == "COMPLETED" and not missing(fleet.folder, PEOPLE), SOON)
    assert isinstance(fleet.store, Verbs)
    assert list_doubts(fleet.store) == []
    assert acts(pay) == {"held": 1}
    assert fleet.events(run).count("DoubtResolved") == 1


def test_whoever_cancels_a_run_is_killed_before_and_after(fleet: Fleet, pay: Fake) -> None:
    run = fleet.start("Paying", "withdrawn")  # nobody works here, so it waits
    fleet.scheduler(poison_after=PATIENT)
    with kept(fleet.folder, CANCEL, {"database": fleet.url, "run": run}, armed(fleet.folder, REQUESTS)):
        until(lambda: fleet.status(run) == "CANCELLED" and not missing(fleet.folder, REQUESTS), SOON)
    assert fleet.events(run).count("CancelRequested") == 1
    assert acts(pay) == {}


def test_a_deploy_that_is_killed_half_way_is_done_again(tmp_path: Path) -> None:
    url = fresh_sqlite(tmp_path)
    store = open_store(url)
    wanted = {workflow.name for workflow in REGISTRY}
    with kept(tmp_path, DEPLOY, {"database": url}, armed(tmp_path, DEPLOYS)):
        until(lambda: {row.workflow for row in store.versions() if row.state == "default"} == wanted, SOON)
    assert missing(tmp_path, DEPLOYS) == []
    store.close()
