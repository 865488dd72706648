"""Utilisation as curves and as a map."""

from __future__ import annotations

import numpy as np
import pytest

import capsim.figures as figures
from capsim.figures.node_map import map_cells
from capsim.figures.utilisation import POINTS
from tests.figures.builders import half_full, node, plan, template, units, with_waiting, zoned


def test_the_title_names_the_tightest_resource_and_the_others():
    assert figures.utilisation_title(half_full()) == (
        "CPU is the tightest resource: 50 % is requested, against memory 25 %"
    )


def test_the_title_of_one_resource_counts_the_nodes_that_are_nearly_full():
    assert figures.utilisation_title(with_waiting(), "cpu") == (
        "100 % of CPU is requested; 1 of 1 node is over 90 % full"
    )
    assert figures.utilisation_title(half_full(), "cpu") == (
        "50 % of CPU is requested; 0 of 2 nodes are over 90 % full"
    )


@pytest.mark.parametrize("count", [1, 2, 50, 1500])
def test_curves_fall_have_a_fixed_length_and_travel_as_float32(count):
    busy = plan(
        [node(f"n{i}", cpu=str(1 + i % 7)) for i in range(count)],
        {"web": template("500m")},
        units("web", count),
    )
    x, curves = figures.utilisation_curves(busy)
    assert list(curves) == ["cpu", "memory"]
    for y in (x, *curves.values()):
        assert y.dtype == np.float32
        assert y.shape == (POINTS,)
    assert all((np.diff(y) <= 0).all() for y in curves.values())


def test_curves_show_every_node_of_a_small_cluster():
    _, curves = figures.utilisation_curves(zoned())
    exact = 100 * zoned().used[:, 0] / zoned().offered[:, 0]
    assert np.unique(curves["cpu"]).tolist() == pytest.approx(np.unique(exact).tolist(), rel=1e-6)


def test_a_panel_can_ask_for_resources_that_nothing_uses():
    _, curves = figures.utilisation_curves(plan([node("a")]), ["cpu", "memory"])
    assert all((y == 0).all() for y in curves.values())


def test_curves_are_named_beside_them_and_not_in_a_legend():
    figure = figures.utilisation(half_full())
    assert [trace.name for trace in figure.data] == ["CPU", "Memory"]
    assert [n.text for n in figure.layout.annotations if n.name == "label"] == [
        "<b>CPU</b>",
        "<b>Memory</b>",
    ]
    assert not any(trace.showlegend for trace in figure.data)


def test_pod_slots_are_a_resource_only_where_they_get_scarce():
    few = plan([node("a", pods=4)], {"web": template("100m")}, units("web", 3))
    assert list(figures.utilisation_curves(few)[1]) == ["cpu", "memory", "pods"]
    assert list(figures.utilisation_curves(half_full())[1]) == ["cpu", "memory"]


def test_gpus_count_only_on_nodes_that_have_them():
    mixed = plan(
        [node("a", gpus=2), node("b"), node("c")], {"job": template(gpus=1)}, units("job", 2)
    )
    _, curves = figures.utilisation_curves(mixed)
    assert (curves["alibabacloud.com/gpu-milli"] == 100).all()


# The map -------------------------------------------------------------------------------------


def test_the_map_has_every_node_once_full_ones_first_in_each_zone():
    busy = zoned(31)
    cells = map_cells(busy)
    shown = cells.rows[cells.rows >= 0]
    assert sorted(shown.tolist()) == list(range(31))
    for array in (cells.x, cells.y, cells.z):
        assert array.dtype == np.float32
        assert array.ndim == 1
    for group, _ in cells.blocks:
        inside = np.isin(cells.rows, group.rows)
        assert (np.diff(cells.z[inside]) <= 0).all()


@pytest.mark.parametrize("count", [1, 20, 50, 1500, 5000])
def test_the_map_fills_the_page_with_cells_that_are_about_square(count):
    cells = map_cells(plan([node(f"n{i}", zone=f"z{i % 3}") for i in range(count)]))
    assert 0.4 < cells.columns / cells.lines < 8 or count < 20
    assert cells.columns * cells.lines < 2.2 * count + 40


def test_the_map_counts_full_and_empty_nodes():
    assert figures.map_title(half_full()) == (
        "No node is over 90 % full: the fullest has 50 % requested, none is empty"
    )
    assert figures.map_title(with_waiting()) == "1 of 1 node is over 90 % full, none is empty"
    idle = plan([node("a"), node("b")], {"web": template("4")}, units("web", 1))
    assert figures.map_title(idle) == "1 of 2 nodes is over 90 % full, 1 is empty"


def test_the_map_of_a_small_cluster_names_its_nodes():
    written = [n.text for n in figures.utilisation_map(half_full()).layout.annotations]
    assert {"a<br>50 %", "b<br>50 %"} <= set(written)


def test_an_overfull_node_has_the_colour_of_risk_and_the_subtitle_says_so():
    over = plan([node("a")], {"web": template("3")}, units("web", 2, on="a"))
    figure = figures.utilisation_map(over)
    assert figure.data[0].z[0] == figure.data[0].zmax
    assert "red: more than it has" in figure.layout.title.subtitle.text


def test_the_map_tells_decks_the_nodes_in_each_band_of_use():
    instead = figures.utilisation_map(half_full()).layout.meta["instead"]
    assert instead["rows"] == ["4 cores, 16 GiB\n2 nodes"]
    assert [(part["name"], part["values"]) for part in instead["parts"]] == [("40–60 %", [2])]
