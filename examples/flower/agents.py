"""A run to look at: four nodes, of which a worker executes three without asking the broker again."""

from __future__ import annotations

from pydantic import BaseModel

from nexum import Workflow


class Parcel(BaseModel):
    """What is to be sent."""

    number: str
    grams: int


class Price(BaseModel):
    """What it costs, in cents."""

    cents: int


class Label(BaseModel):
    """What is stuck onto it."""

    text: str


class Handed(BaseModel):
    """Who took it."""

    carrier: str


parcels = Workflow("Parcel", input=Parcel)


@parcels.read()
def weighed(parcel: Parcel) -> Parcel:
    """Put it on the scales."""
    return parcel


@parcels.compute()
def price(weighed: Parcel) -> Price:
    """By weight."""
    return Price(cents=300 + weighed.grams // 100 * 25)


@parcels.compute()
def label(weighed: Parcel, price: Price) -> Label:
    """Number and price."""
    return Label(text=f"{weighed.number} {price.cents / 100:.2f}")


@parcels.effect(tool="carrier.hand_over")
def hand_over(label: Label) -> Handed:
    """Give it away."""
    return Handed(carrier=f"took {label.text}")


parcel = parcels.build()
