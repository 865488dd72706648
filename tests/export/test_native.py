"""What of a figure is drawn natively."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

import capsim as cs
import capsim.figures as figures
from capsim.export.geometry import SLIDE_HEIGHT, SLIDE_WIDTH, axis_of, page_of
from capsim.export.native import Areas, Bars, Cells, Scatter, native_of
from tests.figures.builders import half_full, node, plan, with_waiting, zoned


def test_horizontal_bars_keep_the_names_of_their_ticks():
    native = native_of(figures.pending(with_waiting()))
    assert isinstance(native, Bars)
    assert native.horizontal
    assert native.overlap
    assert native.categories == (
        "Not enough CPU",
        "web",
        "Not enough CPU even on an empty node",
        "big",
    )
    assert [each.values for each in native.series] == [(1, 0, 1, 0), (0, 1, 0, 1)]


def test_stacked_bars_stay_stacked():
    native = native_of(figures.stranded_capacity(cs.stranded(half_full())))
    assert isinstance(native, Bars)
    assert native.stacked
    assert [each.name for each in native.series] == ["used", "free", "stranded"]


def test_vertical_bars_of_any_figure_are_native():
    native = native_of(go.Figure([go.Bar(x=["a", "b"], y=[1, 2]), go.Bar(x=["b"], y=[3])]))
    assert isinstance(native, Bars)
    assert not native.horizontal
    assert native.categories == ("a", "b")
    assert [each.values for each in native.series] == [(1, 2), (None, 3)]


def test_lines_are_scatter_charts_cut_at_gaps():
    native = native_of(go.Figure(go.Scatter(x=[1, 2, 3, 4], y=[1, None, 3, 4], mode="lines")))
    assert isinstance(native, Scatter)
    assert [each.x.tolist() for each in native.series] == [[1], [3, 4]]


def test_lines_without_x_are_numbered_from_0():
    native = native_of(go.Figure(go.Scatter(y=[5, 6, 7], mode="lines")))
    assert isinstance(native, Scatter)
    assert native.series[0].x.tolist() == [0, 1, 2]


def test_markers_are_grouped_by_shade_and_size():
    figure = go.Figure(
        go.Scatter(
            x=np.arange(100.0),
            y=np.arange(100.0),
            mode="markers",
            name="nodes",
            marker={
                "color": np.arange(100.0),
                "size": [4.0, 8.0] * 50,
                "cmin": 0,
                "cmax": 100,
                "colorscale": [[0, "#000000"], [1, "#FFFFFF"]],
            },
        )
    )
    native = native_of(figure)
    assert isinstance(native, Scatter)
    assert len(native.series) == 20
    assert sum(len(each.x) for each in native.series) == 100
    assert {each.marker_px for each in native.series} == {4.0, 8.0}
    assert native.series[0].name == "nodes, 0 to 10"
    assert native.series[0].colour == "#0D0D0D"


def test_stacked_areas_are_native():
    traces = [go.Scatter(x=[1.0, 2.0], y=[3, 4], stackgroup="one", name=n) for n in "ab"]
    native = native_of(go.Figure(traces))
    assert isinstance(native, Areas)
    assert native.categories == ("1", "2")


def test_a_small_map_is_a_table_and_a_large_one_bars_of_bands():
    small = native_of(figures.utilisation_map(half_full()))
    assert isinstance(small, Cells)
    assert [entry[0] for entry in small.rows[0][1] if entry] == ["a\n50\u00a0%", "b\n50\u00a0%"]
    large = native_of(figures.utilisation_map(plan([node(f"n{i}") for i in range(900)])))
    assert isinstance(large, Bars)
    assert large.stands_in


def test_a_small_heat_map_of_any_figure_is_a_table_with_its_values():
    native = native_of(go.Figure(go.Heatmap(z=[[1, 2], [3, None]], x=["a", "b"], y=["c", "d"])))
    assert isinstance(native, Cells)
    assert native.heads == ("a", "b")
    (top, top_cells, _), (low, low_cells, _) = native.rows
    assert (top, low) == ("d", "c")
    assert [cell and cell[0] for cell in top_cells] == ["3", None]
    assert [cell and cell[0] for cell in low_cells] == ["1", "2"]


def test_every_node_and_unit_of_the_graph_is_drawn_once():
    busy = zoned(8)
    native = native_of(figures.cluster_graph(busy))
    assert isinstance(native, Scatter)
    placed = int((busy.node_of >= 0).sum())
    assert sum(len(each.x) for each in native.series) == placed + len(busy.waiting)
    large = native_of(figures.cluster_graph(plan([node(f"n{i}") for i in range(400)])))
    assert isinstance(large, Scatter)
    assert sum(len(each.x) for each in large.series) == 400


def test_what_no_chart_can_draw_has_no_native_form():
    assert native_of(go.Figure(go.Pie(values=[1, 2]))) is None
    assert native_of(go.Figure(go.Heatmap(z=np.ones((200, 200))))) is None
    assert native_of(go.Figure()) is None


# Places --------------------------------------------------------------------------------------


def test_a_figure_fills_the_slide_in_its_own_proportions():
    page = page_of(figures.utilisation(half_full()))
    assert abs(page.emu(page.width) - SLIDE_WIDTH) < 1000
    assert abs(page.emu(page.height) - SLIDE_HEIGHT) < 1000
    assert page.place(0, 0, "paper", "paper") == (page.left, page.height - page.bottom)


def test_reversed_axes_count_from_the_top():
    page = page_of(figures.pending(with_waiting()))
    _, first = page.place(0, 0, "x", "y")
    _, second = page.place(0, 1, "x", "y")
    assert first < second


def test_an_axis_without_a_range_holds_the_data_and_zero_under_bars():
    axis = axis_of(go.Figure(go.Bar(x=["a", "b"], y=[3, 9])), "y")
    assert axis.low == 0
    assert axis.high > 9
    assert axis_of(go.Figure(), "x").low == 0.0
