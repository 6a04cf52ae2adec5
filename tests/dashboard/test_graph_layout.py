"""The picture of a graph: laws of the layout, and how texts are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexum.readouts.run import NodeLine
from nexum_dashboard.graph.layers import arrange, room
from nexum_dashboard.graph.svg import Drawing, cut, draw, measure


def line(
    name: str, *after: str, state: str = "completed", taken: tuple[str, ...] = (), duration: int = 1_500_000
) -> NodeLine:
    """A node of a run, as far as a picture needs one."""
    return NodeLine(
        node_id=name,
        kind="compute",
        state=state,
        label=state.capitalize(),
        attempt=1,
        attempts=3,
        repairs=0,
        scheduled_at=1,
        ended_at=2,
        duration=duration,
        worker="",
        model="",
        error=None,
        why="",
        when="",
        after=after,
        taken=taken,
    )


@st.composite
def graphs(draw_: st.DrawFn) -> list[NodeLine]:
    """Acyclic graphs of up to 24 nodes."""
    count = draw_(st.integers(1, 24))
    names = [f"n{i}" for i in range(count)]
    return [
        line(name, *draw_(st.lists(st.sampled_from(names[:i]), max_size=3, unique=True)) if i else ())
        for i, name in enumerate(names)
    ]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_every_edge_leads_to_a_later_rank_and_members_keep_their_distance(nodes: list[NodeLine]) -> None:
    layout = arrange([node.node_id for node in nodes], {node.node_id: node.after for node in nodes})

    for node in nodes:
        for dep in node.after:
            assert layout.rank[dep] < layout.rank[node.node_id]
            route = layout.routes[dep, node.node_id]
            assert [layout.rank[step] for step in route] == list(range(layout.rank[dep], layout.rank[node.node_id] + 1))
    for row in layout.ranks:
        for left, right in itertools.pairwise(row):
            assert layout.place[right] - layout.place[left] >= (room(left) + room(right)) / 2 - 0.002


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_boxes_never_overlap_and_never_leave_the_picture(nodes: list[NodeLine]) -> None:
    for picture in draw(nodes):
        assert {box.node.node_id for box in picture.boxes} == {node.node_id for node in nodes}
        for index, a in enumerate(picture.boxes):
            assert a.x >= 0
            assert a.x + a.width <= picture.width
            assert a.y >= 0
            assert a.y + a.height <= picture.height
            for b in picture.boxes[index + 1 :]:
                apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
                assert apart, (a, b)


def test_a_graph_is_drawn_across_only_where_that_fits() -> None:
    def chain(length: int) -> tuple[Drawing, ...]:
        return draw([line(f"n{i}", *([f"n{i - 1}"] if i else [])) for i in range(length)])

    assert [picture.direction for picture in chain(4)] == ["across", "down"]
    assert [picture.direction for picture in chain(7)] == ["wide", "down"]
    assert [picture.direction for picture in chain(12)] == ["down"]
    assert chain(4)[0].width <= 1050
    assert chain(7)[0].width <= 1360


def test_edges_say_whether_they_were_taken() -> None:
    nodes = [line("a"), line("b", "a", taken=("a",)), line("c", "a", state="skipped"), line("d", "b", state="pending")]
    (picture, _) = draw(nodes)

    assert sorted(edge.state for edge in picture.edges) == ["dead", "open", "taken"]
    assert next(edge.title for edge in picture.edges if edge.state == "dead") == "a to c, not taken: skipped"


@given(st.text(max_size=80), st.floats(20, 300))
def test_a_text_that_is_cut_fits_and_one_that_fits_is_not_cut(text: str, width: float) -> None:
    shown = cut(text, width, 7.5)

    assert measure(shown, 7.5) <= width
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


@pytest.mark.parametrize("length", [2, 5, 7, 12])
def test_what_a_box_says_is_separated_alike_and_ends_before_its_edge(length: int) -> None:
    nodes = [
        line(f"n{i}", *([f"n{i - 1}"] if i else []), duration=380_000 if i % 2 else 1_500_000) for i in range(length)
    ]
    for picture in draw(nodes):
        assert {box.note for box in picture.boxes} <= {"Completed, 380 ms", "Completed, 1.5 s"}
        for box in picture.boxes:
            assert box.text_x + measure(box.note, 6.9) <= box.x + box.width - 8


def test_japanese_takes_two_places() -> None:
    assert measure("返金", 7) == measure("abcd", 7)
