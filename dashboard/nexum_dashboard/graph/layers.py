"""Who stands where: a layered drawing of a directed acyclic graph, in ranks and places, without any measure of length."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SWEEPS = 8
PULLS = 24


@dataclass(frozen=True, slots=True)
class Layout:
    """`ranks` lists each rank's members in order; `rank` and `place` give their coordinates, places being 1 apart or more.

    `routes` gives for each edge (from, to) the members that it passes, ends included; stand-ins are named `from>to@rank`.
    """

    ranks: tuple[tuple[str, ...], ...]
    rank: Mapping[str, int]
    place: Mapping[str, float]
    routes: Mapping[tuple[str, str], tuple[str, ...]]

    @property
    def breadth(self) -> float:
        """The largest place."""
        return max(self.place.values(), default=0.0)


def arrange(nodes: Sequence[str], after: Mapping[str, Sequence[str]]) -> Layout:
    """Lay nodes out. `nodes` stand in a topological order; `after[n]` are the nodes that n waits for."""
    rank = _ranks(nodes, after)
    routes, members = _routes(nodes, after, rank)
    ups, downs = _neighbours(routes)
    ranks = _untangled(members, ups, downs)
    place = _placed(ranks, ups, downs)
    return Layout(
        ranks=tuple(map(tuple, ranks)),
        rank={name: depth for depth, row in enumerate(ranks) for name in row},
        place=place,
        routes=routes,
    )


def _ranks(nodes: Sequence[str], after: Mapping[str, Sequence[str]]) -> dict[str, int]:
    rank: dict[str, int] = {}
    for node in nodes:
        rank[node] = max((rank[dep] + 1 for dep in after.get(node, ()) if dep in rank), default=0)
    return rank


def _routes(
    nodes: Sequence[str], after: Mapping[str, Sequence[str]], rank: Mapping[str, int]
) -> tuple[dict[tuple[str, str], tuple[str, ...]], list[list[str]]]:
    """Every edge as a chain of neighbours, with a stand-in in each rank that it passes."""
    members: list[list[str]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for node in nodes:
        members[rank[node]].append(node)
    routes: dict[tuple[str, str], tuple[str, ...]] = {}
    for node in nodes:
        for dep in after.get(node, ()):
            if dep not in rank:
                continue
            passed = [f"{dep}>{node}@{depth}" for depth in range(rank[dep] + 1, rank[node])]
            for depth, stand_in in enumerate(passed, rank[dep] + 1):
                members[depth].append(stand_in)
            routes[dep, node] = (dep, *passed, node)
    return routes, members


def _neighbours(
    routes: Mapping[tuple[str, str], tuple[str, ...]],
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    ups: dict[str, list[str]] = {}
    downs: dict[str, list[str]] = {}
    for route in routes.values():
        for above, below in itertools.pairwise(route):
            if below not in downs.setdefault(above, []):
                downs[above].append(below)
                ups.setdefault(below, []).append(above)
    return ups, downs


def _untangled(
    members: list[list[str]], ups: Mapping[str, list[str]], downs: Mapping[str, list[str]]
) -> list[list[str]]:
    """Order each rank by the mean place of its neighbours, down and up again; the best of all sweeps is kept."""
    ranks = [list(row) for row in members]
    best, fewest = [list(row) for row in ranks], _crossings(ranks, downs)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        going_down = sweep % 2 == 0
        order = range(1, len(ranks)) if going_down else range(len(ranks) - 2, -1, -1)
        for depth in order:
            beside = ranks[depth - 1] if going_down else ranks[depth + 1]
            at = {name: place for place, name in enumerate(beside)}
            links = ups if going_down else downs
            own = {name: place for place, name in enumerate(ranks[depth])}
            ranks[depth].sort(key=lambda name: (_mean(links.get(name, ()), at, own[name]), own[name]))
        crossed = _crossings(ranks, downs)
        if crossed < fewest:
            best, fewest = [list(row) for row in ranks], crossed
    return best


def _mean(links: Sequence[str], at: Mapping[str, float], otherwise: float) -> float:
    places = [at[name] for name in links if name in at]
    return sum(places) / len(places) if places else otherwise


def _crossings(ranks: list[list[str]], downs: Mapping[str, list[str]]) -> int:
    """How many pairs of edges between neighbouring ranks cross."""
    total = 0
    for row, below in itertools.pairwise(ranks):
        at = {name: place for place, name in enumerate(below)}
        ends: list[int] = []
        for name in row:
            mine = sorted(at[other] for other in downs.get(name, ()) if other in at)
            total += sum(1 for end in mine for seen in ends if seen > end)
            ends.extend(mine)
    return total


def _placed(ranks: list[list[str]], ups: Mapping[str, list[str]], downs: Mapping[str, list[str]]) -> dict[str, float]:
    """Pull every member towards the mean of its neighbours, keeping the order and a distance of 1."""
    widest = max((len(row) for row in ranks), default=0)
    place = {name: index + (widest - len(row)) / 2 for row in ranks for index, name in enumerate(row)}
    for pull in range(PULLS):
        going_down = pull % 2 == 0
        for row in ranks if going_down else reversed(ranks):
            wanted = [_mean((*ups.get(name, ()), *downs.get(name, ())), place, place[name]) for name in row]
            place.update(zip(row, _spaced(wanted), strict=True))
    least = min(place.values(), default=0.0)
    return {name: round(at - least, 3) for name, at in place.items()}


def _spaced(wanted: list[float]) -> list[float]:
    """The places nearest to those wanted that keep the order and are 1 apart: neighbours in conflict share their mean."""
    groups: list[tuple[float, int]] = []  # mean place of the first member, members
    for at in wanted:
        groups.append((at, 1))
        while len(groups) > 1 and groups[-2][0] + groups[-2][1] > groups[-1][0]:
            second, first = groups.pop(), groups.pop()
            size = first[1] + second[1]
            start = (first[0] * first[1] + (second[0] - first[1]) * second[1]) / size
            groups.append((start, size))
    return [start + offset for start, size in groups for offset in range(size)]
