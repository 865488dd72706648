"""The cluster graph: circles within circles, always in the same places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import capsim.figures as figures
from capsim.figures.circles import enclose, outlines, pack, sunflower
from capsim.figures.graph_facts import Facts
from capsim.figures.graph_layout import units_in_nodes
from capsim.figures.resources import standing
from tests.figures.builders import half_full, node, plan, template, units, with_waiting, zoned

unhurried = settings(deadline=None)
radii = st.lists(st.floats(0.05, 5), min_size=1, max_size=40)


def apart(x, y, r) -> float:
    """The smallest gap between two circles; below 0 they overlap."""
    gap = np.hypot(x[:, None] - x, y[:, None] - y) - (r[:, None] + r)
    return float(np.min(gap + np.diag(np.full(len(r), np.inf)), initial=np.inf))


@unhurried
@given(radii, st.floats(1, 3))
def test_packed_circles_do_not_overlap(sizes, aspect):
    x, y = pack(sizes, aspect=aspect)
    assert apart(x, y, np.array(sizes)) > -1e-4


@unhurried
@given(radii)
def test_the_enclosing_circle_holds_all_and_is_not_much_too_large(sizes):
    r = np.array(sizes)
    x, y = pack(sizes)
    cx, cy, around = enclose(x, y, r)
    assert np.all(np.hypot(x - cx, y - cy) + r <= around + 1e-9)
    spread = max(np.ptp([x - r, x + r]), np.ptp([y - r, y + r])) / 2
    assert around <= spread * np.sqrt(2) + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2000))
def test_seeds_of_a_sunflower_stay_inside_and_hardly_touch(count):
    r = np.full(count, 1.0)
    x, y, around = sunflower(r)
    assert np.all(np.hypot(x, y) + r <= around + 1e-9)
    assert apart(x, y, r) > -0.25


def test_outlines_are_closed_and_parted_by_gaps():
    x, y = outlines(np.array([0.0, 9.0]), np.array([0.0, 0.0]), np.array([1.0, 2.0]), 8)
    assert np.isnan(x).sum() == np.isnan(y).sum() == 2
    assert x[0] == pytest.approx(x[8])


# Layout --------------------------------------------------------------------------------------


def inside(outer, inner) -> bool:
    ox, oy, orad = outer
    ix, iy, irad = inner
    return np.hypot(ox - ix, oy - iy) + irad <= orad + 1e-6


@pytest.mark.parametrize("count", [1, 3, 20, 61, 299])
def test_nodes_of_small_clusters_lie_on_the_page_without_overlap(count):
    layout = Facts(standing(zoned(count))).layout
    nodes = layout.nodes
    assert layout.cell > 0
    assert apart(nodes.x, nodes.y, nodes.r) > -1e-6
    assert np.all((nodes.x > 0) & (nodes.x < layout.width))
    assert np.all((nodes.y > 0) & (nodes.y < layout.height))


@pytest.mark.parametrize("count", [301, 1500, 5000])
def test_nodes_of_large_clusters_lie_on_the_page(count):
    many = plan([node(f"n{i}", zone=f"z{i % 3}", cpu=str(2 + i % 3)) for i in range(count)])
    layout = Facts(standing(many)).layout
    nodes = layout.nodes
    assert layout.cell == 0
    for values, end in ((nodes.x, layout.width), (nodes.y, layout.height)):
        assert values.min() >= 0
        assert values.max() <= end


def test_places_do_not_depend_on_what_runs():
    nodes = [node(f"n{i}", zone=f"z{i % 2}") for i in range(8)]
    idle = Facts(standing(plan(nodes))).layout
    busy = Facts(standing(plan(nodes, {"web": template()}, units("web", 20)))).layout
    assert idle.nodes.x.tolist() == busy.nodes.x.tolist()
    assert idle.nodes.y.tolist() == busy.nodes.y.tolist()


def test_the_same_cluster_gives_the_same_picture():
    assert figures.cluster_graph(zoned(40)).to_json() == figures.cluster_graph(zoned(40)).to_json()


def test_units_lie_inside_their_node_side_by_side():
    facts = Facts(standing(zoned(6)))
    rows, dots = units_in_nodes(facts.standing.node_of, facts.share_of_node, facts.layout.nodes)
    assert len(rows) == int((facts.standing.node_of >= 0).sum())
    nodes = facts.layout.nodes
    for at, home in enumerate(facts.standing.node_of[rows].tolist()):
        outer = nodes.x[home], nodes.y[home], nodes.r[home]
        assert inside(outer, (dots.x[at], dots.y[at], dots.r[at]))
    assert apart(dots.x, dots.y, dots.r) > -1e-6


def test_a_dot_is_as_large_as_its_share_of_the_node():
    mixed = plan(
        [node("a")], {"s": template("500m"), "l": template("2")}, [*units("s", 1), *units("l", 1)]
    )
    facts = Facts(standing(mixed))
    _, dots = units_in_nodes(facts.standing.node_of, facts.share_of_node, facts.layout.nodes)
    large, small = sorted(dots.r**2, reverse=True)
    assert large / small == pytest.approx(4)


# What it says --------------------------------------------------------------------------------


def test_the_title_counts_units_nodes_zones_kernels_and_what_waits():
    assert Facts(standing(half_full())).title == "4 pods on 2 nodes: up to 2 share one kernel"
    assert Facts(standing(with_waiting())).title == (
        "2 pods on 1 node: up to 2 share one kernel, 2 wait"
    )
    assert Facts(standing(zoned())).title.startswith("15 pods on 6 nodes in 3 zones: up to ")


def test_units_with_a_kernel_of_their_own_share_none():
    alone = plan([node("a")], {"vm": template(runtime_class_name="kata")}, units("vm", 3))
    facts = Facts(standing(alone))
    assert facts.title == "3 pods on 1 node: no kernel is shared"
    assert "orange: of its own" in facts.subtitle


def test_a_topology_shows_what_runs_already():
    running = plan([node("a"), node("b")], {"web": template("2")}, units("web", 2, on="a"))
    figure = figures.cluster_graph(running.topology)
    (nodes,) = [trace for trace in figure.data if trace.name == "nodes"]
    assert nodes.marker.color.tolist() == [100.0, 0.0]


def test_the_traces_keep_their_order_whatever_runs():
    idle = plan([node("a"), node("b")])
    assert [t.name for t in figures.cluster_graph(idle).data] == [
        t.name for t in figures.cluster_graph(half_full()).data
    ]


def test_large_clusters_are_drawn_by_webgl_in_few_traces():
    many = plan([node(f"n{i}") for i in range(400)])
    figure = figures.cluster_graph(many)
    assert [(t.type, t.name) for t in figure.data] == [
        ("scatter", "groups"),
        ("scatter", "racks"),
        ("scattergl", "waiting"),
        ("scattergl", "nodes"),
    ]
    (nodes,) = [t for t in figure.data if t.name == "nodes"]
    assert nodes.x.dtype == nodes.marker.color.dtype == np.float32
    assert nodes.hovertext[7].startswith("<b>n7</b>")


def test_nodes_of_one_rack_stand_side_by_side():
    figure = figures.cluster_graph(zoned(12))
    (racks,) = [trace for trace in figure.data if trace.name == "racks"]
    assert np.isnan(racks.x).sum() >= 6
