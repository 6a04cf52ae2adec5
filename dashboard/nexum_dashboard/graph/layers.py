"""Who stands where: a layered drawing of a directed acyclic graph, in ranks and places, without any measure of length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

SWEEPS = 8
PULLS = 24
PASSING = 0.3  # of a node's room, for an edge that passes a rank


@dataclass(frozen=True, slots=True)
class Layout:
    """`ranks` lists each rank's members in order; `rank` and `place` give their coordinates, places being centres.

    `routes` gives for each edge (from, to) the members that it passes, ends included; stand-ins are named `from>to@rank`.
    """

    ranks: tuple[tuple[str, ...], ...]
    rank: Mapping[str, int]
    place: Mapping[str, float]
    routes: Mapping[tuple[str, str], tuple[str, ...]]

    @property
    def breadth(self) -> float:
        """The far edge of whatever stands farthest."""
        return max((at + room(name) / 2 for name, at in self.place.items()), default=0.0)


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
        for above, below in pairwise(route):
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
    for row, below in pairwise(ranks):
        at = {name: place for place, name in enumerate(below)}
        ends: list[int] = []
        for name in row:
            mine = sorted(at[other] for other in downs.get(name, ()) if other in at)
            total += sum(1 for end in mine for seen in ends if seen > end)
            ends.extend(mine)
    return total


def _placed(ranks: list[list[str]], ups: Mapping[str, list[str]], downs: Mapping[str, list[str]]) -> dict[str, float]:
    """Pull every member towards the mean of its neighbours, keeping the order and the distances; gives their centres."""
    place: dict[str, float] = {}
    for row in ranks:
        gaps = _gaps(row)
        total = sum(gaps)
        for name, gap in zip(row, accumulate(gaps), strict=True):
            place[name] = gap - total / 2
    for pull in range(PULLS):
        going_down = pull % 2 == 0
        for row in ranks if going_down else reversed(ranks):
            wanted = [_mean((*ups.get(name, ()), *downs.get(name, ())), place, place[name]) for name in row]
            place.update(zip(row, _spaced(wanted, _gaps(row)), strict=True))
    least = min((at - room(name) / 2 for name, at in place.items()), default=0.0)
    return {name: round(at - least, 3) for name, at in place.items()}


def room(name: str) -> float:
    """How much of its rank a member takes: a node 1, an edge that passes by less."""
    return PASSING if ">" in name else 1.0


def _gaps(row: Sequence[str]) -> list[float]:
    """The least distance of each member's centre from the one before it; 0 for the first."""
    return [0.0, *((room(left) + room(right)) / 2 for left, right in pairwise(row))] if row else []


def _spaced(wanted: list[float], gaps: list[float]) -> list[float]:
    """The places nearest to those wanted that keep order and distances: neighbours in conflict move as one."""
    offsets = list(accumulate(gaps))
    groups: list[tuple[float, int]] = []  # where the group's origin wants to be, members
    for at, offset in zip(wanted, offsets, strict=True):
        groups.append((at - offset, 1))
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            second, first = groups.pop(), groups.pop()
            size = first[1] + second[1]
            groups.append(((first[0] * first[1] + second[0] * second[1]) / size, size))
    origins = [origin for origin, size in groups for _ in range(size)]
    return [origin + offset for origin, offset in zip(origins, offsets, strict=True)]
