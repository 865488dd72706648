"""The house theme: what every figure has."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

import capsim.figures as figures
from capsim.figures import theme
from capsim.placement.packing import compare_packers
from tests.figures.builders import corner_cases, half_full, hostile, with_waiting, zoned


def every_figure(plan) -> dict[str, go.Figure]:
    made = figures.all_figures(plan)
    made["comparison"] = figures.comparison(plan, plan)
    made["graph of what runs"] = figures.cluster_graph(plan.topology)
    for resource in plan.resources_shown():
        made[f"utilisation of {resource}"] = figures.utilisation(plan, resource)
        made[f"map of {resource}"] = figures.utilisation_map(plan, resource)
    return made


@pytest.mark.parametrize("build", [half_full, with_waiting, zoned, hostile])
def test_every_figure_has_a_takeaway_a_source_and_the_size_of_a_slide(build):
    for name, figure in every_figure(build()).items():
        assert (figure.layout.width, figure.layout.height) == (theme.WIDTH, theme.HEIGHT), name
        assert figure.layout.title.text.startswith("<b>"), name
        assert figure.layout.meta["title"], name
        notes = [note for note in figure.layout.annotations if note.name == "footnote"]
        assert len(notes) == 1, name
        assert notes[0].text.startswith("Source: "), name


@pytest.mark.parametrize("case", list(corner_cases()))
def test_figures_of_nearly_nothing_say_what_is_missing(case):
    for name, figure in every_figure(corner_cases()[case]).items():
        assert figure.layout.meta["title"], name
        if not figure.data:
            (said,) = [note for note in figure.layout.annotations if note.name == "nothing"]
            assert said.text.startswith("Nothing to show: "), name


def test_axes_of_charts_are_named_with_their_unit():
    plan = with_waiting()
    charts = figures.all_figures(
        plan, packings=compare_packers(plan.topology, plan.scenario.nodes[0])
    )
    named = {
        name: figure.layout.xaxis.title.text
        for name, figure in charts.items()
        if name not in ("utilisation_map", "cluster_graph")
    }
    assert named == {
        "utilisation": "Nodes that offer the resource, from full to empty (% of nodes)",
        "stranded_capacity": "Share of what all nodes offer (%)",
        "stranded_by_shape": "Memory (GiB)",
        "headroom": "More pods that fit, each shape counted alone",
        "pending": "Waiting pods",
        "packers": "Machines",
    }


def test_no_label_holds_markup_from_a_name():
    for name, figure in every_figure(hostile()).items():
        texts = [note.text for note in figure.layout.annotations]
        texts += [figure.layout.title.text, figure.layout.title.subtitle.text or ""]
        for trace in figure.data:
            texts += list(trace.hovertext if trace.hovertext is not None else ())
            texts += list((trace.text if "text" in trace else None) or ())
            texts += [trace.name or "", trace.hovertemplate or ""]
        texts += list(figure.layout.yaxis.ticktext or ())
        texts += [figure.layout.xaxis.title.text or "", figure.layout.yaxis.title.text or ""]
        for text in texts:
            assert "<script" not in text, name
            assert "<b>x" not in text, name
            assert "$y$" not in text, name
            assert "%{z}" not in text, name


def test_a_long_takeaway_takes_two_lines_and_more_room():
    short, long = theme.blank(), theme.blank()
    theme.finish(short, "Short", "", "Source: x")
    theme.finish(long, "word " * 30, "", "Source: x")
    assert "<br>" in long.layout.title.text
    assert long.layout.margin.t > short.layout.margin.t


def test_the_scale_of_use_is_pale_when_empty_and_has_one_colour_beyond_full():
    stops, low, high = theme.use_scale()
    assert stops[0][1] == "#E9EFF4"
    assert stops[-1] == [1.0, theme.AT_RISK]
    clipped = theme.clip_use(np.array([0.0, 100.2, 101.0, 900.0]))
    assert clipped.tolist() == [0.0, 100.0, high, high]
    assert clipped.dtype == np.float32
    assert low == 0.0


def test_a_resource_has_the_same_colour_in_every_figure():
    alone = theme.resource_colours(["memory"])
    beside = theme.resource_colours(["cpu", "memory", "x.com/y"])
    assert alone["memory"] == beside["memory"]
    assert len(set(beside.values())) == 3


def test_a_colour_between_two_is_mixed():
    assert theme.mix("#000000", "#FFFFFF", 0.5) == "#808080"


@pytest.mark.parametrize(
    ("low", "high"), [(0.5, 2000.0), (40.0, 300.0), (90.0, 210.0), (99.0, 101.0), (3.0, 30.0)]
)
def test_a_logarithmic_axis_has_three_ticks_or_more_within_its_ends(low: float, high: float):
    ticks = theme.log_ticks(low, high)
    assert 3 <= len(ticks["tickvals"]) == len(set(ticks["ticktext"])) <= 9
    assert low * 0.99 <= min(ticks["tickvals"])
    assert max(ticks["tickvals"]) <= high * 1.01


@pytest.mark.parametrize(("value", "floor"), [(11.1, 10), (37, 30), (0.7, 0.5), (2.0, 2), (1, 1)])
def test_a_logarithmic_axis_begins_at_a_round_number(value: float, floor: float):
    assert theme.log_floor(value) == pytest.approx(floor)
