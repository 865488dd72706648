"""Figures in a notebook: the whole picture in the width of a cell, exports as before."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

import capsim as cs
from capsim.data_files import data_path
from capsim.figures import in_notebook, theme


@pytest.fixture(scope="module")
def plan():
    return cs.place(cs.read(data_path("clusters", "sample")))


def test_a_notebook_draws_every_length_smaller_by_one_factor(plan):
    figure = cs.figures.utilisation_map(plan)
    shown = in_notebook.fitted(figure)["layout"]
    share = in_notebook.WIDTH / theme.WIDTH
    assert shown["width"] == in_notebook.WIDTH
    assert shown["height"] == pytest.approx(share * theme.HEIGHT)
    assert shown["margin"]["l"] == pytest.approx(share * figure.layout.margin.l, abs=0.01)
    assert shown["title"]["font"]["size"] == pytest.approx(share * 23, abs=0.01)
    assert shown["title"]["text"] == figure.layout.title.text
    patch = next(each for each in shown["shapes"] if each.get("name") == "scale")
    before = next(each for each in figure.layout.shapes if each.name == "scale")
    assert patch["x1"] - patch["x0"] == pytest.approx(share * (before.x1 - before.x0), abs=0.02)
    note, asked = shown["annotations"][0], figure.layout.annotations[0]
    assert note["xshift"] == pytest.approx(share * asked.xshift, abs=0.01)
    assert note["x"] == asked.x


def test_data_keep_their_values_and_bars_their_width(plan):
    figure = cs.figures.isolation_prices(cs.isolation_prices(plan.scenario))
    shown = go.Figure(in_notebook.fitted(figure)).data
    assert shown[0].width == figure.data[0].width == 0.56
    np.testing.assert_array_equal(shown[0].x, figure.data[0].x)


def test_markers_of_several_sizes_shrink_with_the_figure():
    figure = theme.blank()
    figure.add_scatter(x=[1, 2], y=[1, 2], marker={"size": np.array([8.0, 20.0])})
    marker = go.Figure(in_notebook.fitted(figure)).data[0].marker
    share = in_notebook.WIDTH / theme.WIDTH
    np.testing.assert_allclose(marker.size, share * np.array([8.0, 20.0]))


def test_the_figure_itself_stays_at_slide_size(plan):
    figure = cs.figures.utilisation(plan)
    before = figure.to_json()
    in_notebook.fitted(figure)
    assert figure.to_json() == before
    assert (figure.layout.width, figure.layout.height) == (theme.WIDTH, theme.HEIGHT)


def test_letters_stay_legible(plan):
    notes = in_notebook.fitted(cs.figures.utilisation(plan))["layout"]["annotations"]
    assert min(note["font"]["size"] for note in notes if "font" in note) >= 9


def test_a_notebook_that_has_room_shows_the_figure_as_it_is(plan, monkeypatch):
    monkeypatch.setattr(in_notebook, "WIDTH", 1600)
    figure = cs.figures.utilisation(plan)
    assert in_notebook.fitted(figure)["layout"]["width"] == theme.WIDTH
