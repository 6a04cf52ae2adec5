"""The example shop with real workers: a claim is filed in a view, and its order's admin page tells what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from redis import Redis

from nexum.testing.fakes.process import running
from nexum.testing.services import database
from shopproject import ShopProject

READY = """
import json
from unittest import mock
from django.core.management import call_command
from django.test import Client
from nexum_dashboard.models import Run
from orders import views
from orders.models import Claim

def file(order, text):
    return Client(raise_request_exception=False).post("/", {"order": order, "text": text}).status_code

def counts():
    return [Run.objects.count(), Claim.objects.count()]

call_command("migrate", verbosity=0)
call_command("loaddata", "orders", verbosity=0)
call_command("nexum", "deploy")
"""

FILE = """
assert [file(order, text) for order, text in %s] == [302] * 3
print(json.dumps(counts()))
"""

ROLL_BACK = """
with mock.patch.object(views.transaction, "on_commit", side_effect=RuntimeError("after the start")):
    refused = file("1042", "It arrived broken.")
after = counts()
accepted = file("1042", "It arrived broken.")
print(json.dumps([refused, after, accepted, counts()]))
"""

WAIT = """
import json
from django.contrib.auth.models import User
from django.test import Client
from nexum.client.connect import connect
from nexum.client.runs import RunHandle
from nexum_dashboard.models import Run
from orders.models import Mail
runs = list(Run.objects.order_by("created_at"))
for run in runs:
    RunHandle(run.run_id, connect()).wait(60)
people = Client()
people.force_login(User.objects.create_superuser("mika"))
print(json.dumps({
    "runs": [[run.run_id, run.run_key, run.status] for run in Run.objects.order_by("created_at")],
    "mails": sorted(Mail.objects.values_list("to", "subject")),
    "page": people.get("/admin/orders/order/1/change/").content.decode(),
}))
"""

REFUNDED, LOOKED_AT = "Your refund is on its way", "About your claim"


def _worked(shop: ShopProject) -> Any:
    with shop.running("nexum", "worker"), shop.running("nexum", "scheduler"):
        return shop.python(WAIT)


def test_without_a_broker_claims_are_worked_off_and_an_order_is_refunded_once(tmp_path: Path) -> None:
    with running("fakepay", ledger=str(tmp_path / "ledger.jsonl")) as pay:
        shop = ShopProject(tmp_path, f"sqlite:///{tmp_path / 'shop.db'}", payments=pay.url)
        filed = [("1042", "It arrived broken."), ("1077", "It arrived broken."), ("1042", "It is still broken.")]
        assert shop.python(READY + FILE % filed) == [3, 3]
        found = _worked(shop)
        refunds = [act["body"]["order_id"] for act in pay.get("/ledger")]

    assert [(key, status) for _, key, status in found["runs"]] == [
        (f"claim:{number}", "COMPLETED") for number in (1, 2, 3)
    ]
    assert refunds == ["1042"]
    mika, ada = "mika@example.com", "ada@example.com"
    assert found["mails"] == [[ada, LOOKED_AT], [mika, REFUNDED], [mika, REFUNDED]]
    first, expensive, second = (run_id for run_id, _, _ in found["runs"])
    assert f"/nexum/runs/{first}/" in found["page"]
    assert f"/nexum/runs/{second}/" in found["page"]
    assert expensive not in found["page"]


def test_with_a_broker_the_shop_s_own_tasks_go_to_the_shop_s_own_queue(
    tmp_path: Path, pg_server_url: str, redis_url: str
) -> None:
    broker = f"{redis_url.rpartition('/')[0]}/7"
    with (
        database(pg_server_url, f"shop_{uuid4().hex}") as url,
        running("fakepay", ledger=str(tmp_path / "ledger.jsonl")) as pay,
        Redis.from_url(broker) as redis,
    ):
        shop = ShopProject(tmp_path, url, broker=broker, payments=pay.url)
        nothing, one = [0, 0], [1, 1]
        assert shop.python(READY + ROLL_BACK) == [500, nothing, 302, one]
        assert _tasks(redis, "shop") == ["orders.tasks.count_stock"]
        assert [redis.llen(key) for key in redis.keys("ShopRefund@*")] == [1]

        found = _worked(shop)

        assert found["runs"][0][2] == "COMPLETED"
        assert found["runs"][0][0] in found["page"]
        assert _tasks(redis, "shop") == ["orders.tasks.count_stock"] * 2
        assert [key for key in redis.keys("ShopRefund@*") if redis.llen(key)] == []


def _tasks(redis: Any, queue: str) -> list[str]:
    """The names of the tasks that wait in a queue."""
    return [json.loads(message)["headers"]["task"] for message in redis.lrange(queue, 0, -1)]
