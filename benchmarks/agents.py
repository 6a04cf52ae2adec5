"""The workflows under measurement: chains of trivial steps, and one that carries a document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from benchmarks.marks import mark
from nexum.sdk.compiled import CompiledWorkflow
from nexum.sdk.context import Context
from nexum.sdk.fluent import workflow
from nexum.sdk.policies import Dedupes
from nexum.sdk.registry import Registry

LONG, SHORT = 20, 10
HONOURED = Dedupes(ttl=timedelta(days=1))


class Order(BaseModel):
    """What a run is about."""

    number: int


class Tick(BaseModel):
    """What a trivial step returns."""

    ok: bool = True


class Document(BaseModel):
    """A large input."""

    text: str


class Size(BaseModel):
    """How large it was."""

    characters: int


def step(order: Order, ctx: Context) -> Tick:
    """Mark and return."""
    mark(ctx.run_id, int(ctx.node[1:]))
    return Tick()


def measure(document: Document) -> Size:
    """Look at all of the document."""
    return Size(characters=len(document.text))


def read_chain(name: str, length: int) -> CompiledWorkflow[Order]:
    """A chain of reads; every step waits for the one before."""
    built = workflow(name, input=Order)
    for place in range(length):
        built.read(f"s{place}", step, after=_before(place))
    return built.build()


def effect_chain(name: str, length: int) -> CompiledWorkflow[Order]:
    """A chain of effects, each claimed under its own key."""
    built = workflow(name, input=Order)
    for place in range(length):
        built.effect(f"s{place}", step, after=_before(place), tool="bench.step", provider=HONOURED)
    return built.build()


def _before(place: int) -> tuple[str, ...]:
    return (f"s{place - 1}",) if place else ()


READS = read_chain("BenchReads", LONG)
EFFECTS = effect_chain("BenchEffects", LONG)
MANY = read_chain("BenchMany", SHORT)
ONE = read_chain("BenchOne", 1)
DOCUMENT = workflow("BenchDocument", input=Document).compute("first", measure).compute("second", measure).build()

REGISTRY: Registry = Registry([READS, EFFECTS, MANY, ONE])
WORKFLOWS: tuple[CompiledWorkflow[Any], ...] = (READS, EFFECTS, MANY, ONE, DOCUMENT)
