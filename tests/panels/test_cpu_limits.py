"""The panel of CPU limits, driven by its sliders."""

from __future__ import annotations

import numpy as np
import pytest

import capsim as cs
from capsim.figures.cpu_limits import THROTTLED, times_ms


@pytest.fixture(scope="module")
def panel():
    return cs.panels.cpu_limits()


@pytest.fixture(autouse=True)
def at_rest(panel):
    yield
    panel.reset()


def line(panel, name):
    (found,) = [trace for trace in panel.figure.data if trace.name == name]
    return found


def test_a_move_draws_what_the_engine_says(panel):
    panel.controls.limit.value = 2.0
    assert panel.curve.service.limit.cores == pytest.approx(2.0)
    for name, y in times_ms(panel.curve).items():
        np.testing.assert_array_equal(line(panel, name).y, y)
    np.testing.assert_allclose(line(panel, THROTTLED).y, 100 * panel.curve.limited[:, 3], rtol=1e-6)


def test_a_larger_limit_throttles_less_at_the_same_rate(panel):
    tight = panel._found()["throttled_fraction"]
    panel.controls.limit.value = 3.0
    assert panel._found()["throttled_fraction"] < tight / 2


def test_the_rate_moves_the_mark_alone(panel):
    before = panel.curve
    panel.controls.rate.value = 30
    assert panel.curve is before
    assert line(panel, "at this rate").x[0] == pytest.approx(100 * panel.use)
    panel.controls.rate.value = 400
    assert "the queue grows without end" in panel._tiles.value


def test_neighbours_slow_it_only_on_a_full_machine_and_weight_helps(panel):
    alone = panel.curve.limited[:, 2].mean()
    panel.controls.neighbours.value = 10
    assert panel.curve.limited[:, 2].mean() == pytest.approx(alone)
    panel.controls.limit.value = 8.0
    panel.controls.neighbours.value = 32
    panel.controls.weight.value = 10
    slow = panel.curve.limited[5, 2]
    panel.controls.weight.value = 1000
    assert panel.curve.limited[5, 2] < slow


def test_what_the_kernel_refuses_is_one_sentence(panel):
    panel.controls.period.value = 10
    assert panel.message.text == ""
    panel.controls.limit.min = 0.01
    panel.controls.limit.value = 0.05
    assert panel.message.text.startswith("The quota is 0.0005 s, expected at least 0.001 s")


def test_the_slide_says_the_same_as_the_panel(panel):
    slide = panel.slide()
    assert slide.layout.meta["title"] == panel.headline
    panel.add_to_deck()
    assert panel.said.text.endswith("collected")


def test_the_names_of_the_lines_do_not_overlap(panel):
    for period in (100, 300):
        panel.controls.period.value = period
        heights = sorted(
            note.y for note in panel.figure.layout.annotations if note.name.startswith("p")
        )
        low, high = panel.figure.layout.yaxis.range
        assert min(np.diff(heights)) > 0.06 * (high - low)


@pytest.mark.parametrize(
    "moves",
    [
        {},
        {"limit": 8.0},
        {"service": 100, "limit": 0.1},
        {"service": 1},
        {"threads": 1, "burst": 100},
    ],
)
def test_the_axis_of_times_keeps_three_labelled_ticks_wherever_the_sliders_stand(moves):
    panel = cs.panels.cpu_limits()
    for name, value in moves.items():
        getattr(panel.controls, name).value = value
    axis = panel.figure.layout.yaxis
    low, high = (10**end for end in axis.range)
    assert sum(low <= tick <= high for tick in axis.tickvals) >= 3
    assert len(axis.ticktext) == len(axis.tickvals)
