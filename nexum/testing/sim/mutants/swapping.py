"""What a mutant is: names of the product that stand for something else as long as a world plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

Make = Callable[[Any], Any]  # the original, and what stands in its place


class Swap(NamedTuple):
    """One name in a module or a class, and its replacement."""

    owner: Any
    name: str
    make: Make


class Mutant(NamedTuple):
    """A protection taken out: the race that comes back, what is missing, and where."""

    race: str
    without: str
    swaps: Sequence[Swap]

    @contextmanager
    def applied(self, hits: list[int]) -> Iterator[None]:
        """Inside, the product has this flaw; `hits[0]` counts how often it was reached."""
        with ExitStack() as stack:
            for swap in self.swaps:
                original = vars(swap.owner)[swap.name]
                stack.enter_context(patch.object(swap.owner, swap.name, _counted(swap.make(original), hits)))
            yield


def _counted(replacement: Any, hits: list[int]) -> Any:
    if not callable(replacement):
        hits[0] += 1
        return replacement

    def called(*args: Any, **options: Any) -> Any:
        hits[0] += 1
        return replacement(*args, **options)

    return called


def gives(value: Any) -> Make:
    """Always the same answer."""
    return lambda original: lambda *args, **options: value
