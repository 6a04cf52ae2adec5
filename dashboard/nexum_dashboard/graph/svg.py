"""A layout becomes boxes and curves with coordinates, left to right or top down; texts are measured and cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from nexum.core.run.standing import span
from nexum.readouts.run import NodeLine
from nexum_dashboard.graph.layers import Layout, arrange

MARGIN = 6
NAME_EM = 7.55  # a monospaced character of 12.5 px is 7.53 px wide in the widest of the usual fonts
NOTE_EM = 7.0  # an average character of 11.5 px in the widest of the usual sans-serifs is 6.7 px wide
PAD = 10
ICON = 22
KIND = 16  # the mark of the kind, in the upper right corner


@dataclass(frozen=True, slots=True)
class Size:
    """How large a box is, and how far boxes stand apart along the flow and across it."""

    width: int
    height: int
    along: int
    across: int


ACROSS_PAGE = Size(width=204, height=54, along=36, across=14)
DOWN_PAGE = Size(width=168, height=54, along=34, across=12)
NARROWEST = 160
SCREENS = {"across": 1050, "wide": 1360}  # pixels that a picture has on a screen of 1100 and of 1440


@dataclass(frozen=True, slots=True)
class Box:
    """A node as drawn. `title` is the whole of what the box says, for readers and for pointers."""

    node: NodeLine
    x: float
    y: float
    width: int
    height: int
    name: str
    note: str
    title: str

    @property
    def text_x(self) -> float:
        """Where texts begin."""
        return self.x + PAD + ICON

    @property
    def name_y(self) -> float:
        """The base line of the name."""
        return self.y + 22

    @property
    def note_y(self) -> float:
        """The base line of the note."""
        return self.y + 41

    @property
    def kind_x(self) -> float:
        """The left edge of the kind's mark."""
        return self.x + self.width - PAD - 12

    @property
    def icon_x(self) -> float:
        """The left edge of the icon."""
        return self.x + PAD - 2

    @property
    def icon_y(self) -> float:
        """The upper edge of the icon."""
        return self.y + 10


@dataclass(frozen=True, slots=True)
class Edge:
    """A curve from one node to another; `state` is taken, dead (will not be taken) or open."""

    path: str
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that the template writes out."""

    direction: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def draw(nodes: Sequence[NodeLine]) -> tuple[Drawing, ...]:
    """The pictures of a run: top down, and left to right if that fits the width of some screen.

    `direction` is `down`, `across` (for screens from 1100 pixels) or `wide` (from 1440).
    """
    layout = arrange([node.node_id for node in nodes], {node.node_id: node.after for node in nodes})
    down = _drawn(nodes, layout, DOWN_PAGE, "down")
    count = len(layout.ranks)
    for direction, pixels in SCREENS.items():
        width = (pixels - 2 * MARGIN - (count - 1) * ACROSS_PAGE.along) // max(count, 1)
        if width >= NARROWEST:
            size = replace(ACROSS_PAGE, width=min(width, ACROSS_PAGE.width))
            return (_drawn(nodes, layout, size, direction), down)
    return (down,)


def _drawn(nodes: Sequence[NodeLine], layout: Layout, size: Size, direction: str) -> Drawing:
    across = direction != "down"
    corner = {name: _corner(layout, name, size, across) for name in layout.place}
    by_id = {node.node_id: node for node in nodes}
    edges = tuple(
        Edge(_curve(route, corner, size, across), *_told(by_id[end[0]], by_id[end[1]]))
        for end, route in layout.routes.items()
    )
    flow = len(layout.ranks) * ((size.width if across else size.height) + size.along) - size.along
    side = layout.breadth * ((size.height if across else size.width) + size.across) - size.across
    width, height = (flow, side) if across else (side, flow)
    boxes = tuple(_box(node, *corner[node.node_id], size) for node in nodes)
    return Drawing(direction, round(width + 2 * MARGIN), round(height + 2 * MARGIN), boxes, edges)


def cut(text: str, room: float, em: float) -> str:
    """The text, shortened with an ellipsis to `room` pixels when a half-width character takes `em`."""
    if measure(text, em) <= room:
        return text
    kept = ""
    for char in text:
        if measure(kept + char + "…", em) > room:
            break
        kept += char
    return kept + "…"


def measure(text: str, em: float) -> float:
    """The width of a text in pixels; Chinese and Japanese characters and most emoji take two places."""
    return sum(
        0 if unicodedata.combining(c) else 2 * em if unicodedata.east_asian_width(c) in "WF" else em for c in text
    )


def note_of(node: NodeLine) -> str:
    """The second line of a box: its state, and what of it matters most."""
    words = [node.label]
    if node.state in ("completed", "running", "failed") and node.duration >= 0:
        words.append(span(node.duration))
    if node.repairs:
        words.append(f"{node.repairs} repair{'s' if node.repairs > 1 else ''}")
    elif node.attempt > 1:
        words.append(f"try {node.attempt}/{node.attempts}" if node.attempts else f"try {node.attempt}")
    return ", ".join(words)


def _corner(layout: Layout, name: str, size: Size, across: bool) -> tuple[float, float]:
    along = (size.width if across else size.height) + size.along
    wide = (size.height if across else size.width) + size.across
    flow, side = MARGIN + layout.rank[name] * along, MARGIN + (layout.place[name] - 0.5) * wide
    return (round(flow, 1), round(side, 1)) if across else (round(side, 1), round(flow, 1))


def _box(node: NodeLine, x: float, y: float, size: Size) -> Box:
    room = size.width - 2 * PAD - ICON
    named = room - KIND
    tried = f", attempt {node.attempt} of {node.attempts}" if node.attempt else ""
    return Box(
        node=node,
        x=x,
        y=y,
        width=size.width,
        height=size.height,
        name=cut(node.node_id, named, NAME_EM),
        note=cut(note_of(node), room, NOTE_EM),
        title=f"{node.node_id}, {node.kind}, {node.label.lower()}{tried}",
    )


def _told(source: NodeLine, target: NodeLine) -> tuple[str, str]:
    if source.node_id in target.taken:
        return "taken", f"{source.node_id} to {target.node_id}"
    if target.state == "skipped" or source.state in ("skipped", "failed", "cancelled"):
        here = target if target.state == "skipped" else source
        return "dead", f"{source.node_id} to {target.node_id}, not taken: {here.why or here.label.lower()}"
    return "open", f"{source.node_id} to {target.node_id}"


def _curve(route: Sequence[str], corner: dict[str, tuple[float, float]], size: Size, across: bool) -> str:
    """A path out of the far side of the first box, through the stand-ins, to the near side of the last."""
    half_w, half_h = size.width / 2, size.height / 2
    points: list[tuple[float, float]] = []
    for index, name in enumerate(route):
        x, y = corner[name]
        near = (x, y + half_h) if across else (x + half_w, y)
        far = (x + size.width, y + half_h) if across else (x + half_w, y + size.height)
        points.extend([far] if index == 0 else [near] if index == len(route) - 1 else [near, far])
    pieces = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        if across:
            bend = (x2 - x1) / 2
            pieces.append(f"C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}")
        else:
            bend = (y2 - y1) / 2
            pieces.append(f"C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}")
    return "".join(pieces)
