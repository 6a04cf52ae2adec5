"""A customer files a claim; the run is started in the same transaction, or not at all."""

from __future__ import annotations

from functools import partial

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from orders import agents
from orders.models import Claim, Order
from orders.tasks import count_stock


class ClaimForm(forms.Form):
    """The order's number and what is wrong."""

    order = forms.CharField(max_length=40)
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 5}))

    def clean_order(self) -> Order:
        """The order itself."""
        try:
            return Order.objects.get(number=self.cleaned_data["order"])
        except Order.DoesNotExist:
            raise forms.ValidationError("There is no such order.") from None


def file_claim(request: HttpRequest) -> HttpResponse:
    """Save the claim and start its agent: both, or neither."""
    form = ClaimForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        order: Order = form.cleaned_data["order"]
        with transaction.atomic():
            claim = Claim.objects.create(order=order, text=form.cleaned_data["text"])
            agents.shop_refund.start(
                agents.Claim(claim_id=claim.pk, order=order.number, text=claim.text),
                run_key=f"claim:{claim.pk}",
                subject=order,
            )
            transaction.on_commit(partial(count_stock.delay, order.item))
        return redirect("claim-filed", pk=claim.pk)
    return render(request, "orders/claim.html", {"form": form})


def claim_filed(request: HttpRequest, pk: int) -> HttpResponse:
    """Say thank you."""
    return render(request, "orders/filed.html", {"claim": get_object_or_404(Claim, pk=pk)})
