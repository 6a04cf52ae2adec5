"""The shop's own tests: what Django's TestCase makes of runs that are started in a transaction."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest import mock

from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import transaction
from django.test import TestCase, TransactionTestCase

from nexum import ConflictError, InputError, UnavailableError
from nexum_dashboard.models import Run
from nexum_dashboard.panel import runs_about
from orders import agents
from orders.models import Claim, Order


class RefusedError(Exception):
    """Something of the shop's went wrong after the start."""


def deploy() -> None:
    """Register this code's version in the test's database."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        call_command("nexum", "deploy", "--quiet")


def start(order: Order, *, text: str = "It arrived broken.", key: str = "") -> str:
    """Start the agent for a claim that was filed."""
    claim = Claim.objects.create(order=order, text=text)
    given = agents.Claim(claim_id=claim.pk, order=order.number, text=text)
    return agents.shop_refund.start(given, run_key=key or f"claim:{claim.pk}", subject=order).run_id


class FilingTests(TestCase):
    """A claim and its run: both, or neither."""

    fixtures = ("orders",)

    def setUp(self) -> None:
        """An order, and a version to start."""
        deploy()
        self.order = Order.objects.get(number="1042")

    def test_a_filed_claim_has_a_run_about_its_order(self) -> None:
        answer = self.client.post("/", {"order": "1042", "text": "It arrived broken."})

        claim = Claim.objects.get()
        self.assertRedirects(answer, f"/claims/{claim.pk}/")
        run = Run.objects.get()
        self.assertEqual((run.run_key, run.subject, run.status), (f"claim:{claim.pk}", "orders.Order:1", "RUNNING"))

    def test_a_rollback_leaves_no_run_and_rings_for_nobody(self) -> None:
        with self.captureOnCommitCallbacks() as rung, self.assertRaises(RefusedError), transaction.atomic():
            start(self.order)
            raise RefusedError

        self.assertEqual((Run.objects.count(), Claim.objects.count(), rung), (0, 0, []))

    def test_the_bell_is_rung_after_the_commit_and_not_before(self) -> None:
        with self.captureOnCommitCallbacks() as rung, transaction.atomic():
            start(self.order)
            self.assertEqual(rung, [])

        self.assertEqual(len(rung), 1)

    def test_a_savepoint_that_is_rolled_back_takes_only_its_own_run_along(self) -> None:
        with self.captureOnCommitCallbacks() as rung, transaction.atomic():
            kept = start(self.order)
            with self.assertRaises(RefusedError), transaction.atomic():
                start(self.order)
                raise RefusedError

        self.assertEqual([run.run_id for run in Run.objects.all()], [kept])
        self.assertEqual((Claim.objects.count(), len(rung)), (1, 1))

    def test_the_same_key_gives_the_same_run_and_another_input_is_refused(self) -> None:
        claim = agents.Claim(claim_id=1, order="1042", text="It arrived broken.")
        first = agents.shop_refund.start(claim, run_key="claim:1")
        again = agents.shop_refund.start(claim, run_key="claim:1")

        self.assertEqual((again.run_id, again.existing, Run.objects.count()), (first.run_id, True, 1))
        with self.assertRaises(ConflictError):
            agents.shop_refund.start(claim.model_copy(update={"text": "Another story."}), run_key="claim:1")

    def test_an_order_that_was_not_saved_cannot_be_what_a_run_is_about(self) -> None:
        claim = agents.Claim(claim_id=1, order="1", text="")
        with self.assertRaises(InputError):
            agents.shop_refund.start(claim, subject=Order(number="1"))


class PanelTests(TestCase):
    """The order's page in the admin."""

    fixtures = ("orders",)

    def setUp(self) -> None:
        """One run about order 1042, and a person who may edit orders."""
        deploy()
        self.order = Order.objects.get(number="1042")
        self.run_id = start(self.order)
        self.client.force_login(User.objects.create_superuser("mika"))

    def test_the_page_of_an_order_lists_its_runs_and_why_they_do_not_move(self) -> None:
        answer = self.client.get(f"/admin/orders/order/{self.order.pk}/change/")

        self.assertContains(answer, f"/nexum/runs/{self.run_id}/")
        self.assertContains(answer, "No worker")

    def test_the_page_of_another_order_lists_none(self) -> None:
        answer = self.client.get("/admin/orders/order/2/change/")

        self.assertNotContains(answer, self.run_id)
        self.assertContains(answer, "No run is about this yet")

    def test_who_may_not_see_runs_is_told_so(self) -> None:
        clerk = User.objects.create_user("clerk", is_staff=True)
        clerk.user_permissions.set(Permission.objects.filter(codename__in=("view_order", "change_order")))
        self.client.force_login(clerk)
        answer = self.client.get(f"/admin/orders/order/{self.order.pk}/change/")

        self.assertNotContains(answer, self.run_id)
        self.assertContains(answer, "nexum.view_run")

    def test_a_database_of_runs_that_does_not_answer_takes_down_the_panel_and_not_the_page(self) -> None:
        with mock.patch("nexum_dashboard.panel.store", side_effect=UnavailableError("gone", code="NX-S100")):
            answer = self.client.get(f"/admin/orders/order/{self.order.pk}/change/")

        self.assertContains(answer, "/nexum/e/NX-S100/")
        self.assertContains(answer, "teapot")

    def test_the_page_for_a_new_order_has_no_panel(self) -> None:
        self.assertNotContains(self.client.get("/admin/orders/order/add/"), "Agent runs")

    def test_runs_about_an_order_are_found_from_code(self) -> None:
        self.assertEqual([run.run_id for run in runs_about(self.order)], [self.run_id])


class CommittedTests(TransactionTestCase):
    """Without the transaction that TestCase opens around a test."""

    fixtures = ("orders",)

    def test_what_a_view_rolled_back_is_not_in_the_database(self) -> None:
        deploy()
        order = Order.objects.get(number="1042")
        with self.assertRaises(RefusedError), transaction.atomic():
            start(order)
            raise RefusedError
        kept = start(order)

        self.assertEqual([run.run_id for run in Run.objects.all()], [kept])
