"""Figures of CPU limits: the takeaway is computed, and what cannot be drawn says so."""

from __future__ import annotations

import numpy as np
import pytest

import capsim as cs
from capsim.contention.bandwidth import CpuLimit
from capsim.contention.contend import contend
from capsim.contention.curve import Service, latency_curve
from capsim.data_files import data_path


@pytest.fixture(scope="module")
def curve():
    return latency_curve(Service(CpuLimit.of(1), service_s=0.02, threads=8))


@pytest.fixture(scope="module")
def plan():
    return cs.place(cs.read(data_path("clusters", "sample")))


def test_the_title_says_from_where_the_limit_throttles(curve):
    found = curve.summary()
    title = cs.figures.cpu_limit_title(curve)
    assert title.startswith(
        f"Throttled from {100 * found['throttled_from_use']:.0f} % of the limit"
    )
    assert f"{1000 * found['p99_at_half_s']:.0f}\u00a0ms" in title


def test_a_limit_that_its_threads_cannot_reach_does_not_throttle():
    free = latency_curve(Service(CpuLimit.of(2), threads=2, service_s=0.01))
    assert cs.figures.cpu_limit_title(free).startswith("The limit of 2 cores does not throttle")
    assert np.nanmax(free.limited[:, 3]) < 0.05


def test_the_lines_are_the_numbers_of_the_table(curve):
    figure = cs.figures.cpu_limit(curve)
    lines = {trace.name: trace for trace in figure.data}
    np.testing.assert_allclose(lines["p99"].y, 1000 * curve.table["p99_s"], rtol=1e-5)
    np.testing.assert_allclose(
        lines["throttled"].y, 100 * curve.table["throttled_fraction"], rtol=1e-5
    )
    assert figure.layout.yaxis.title.text == "Response time (ms)"


def test_units_that_want_all_are_a_band_of_their_own(plan):
    result = contend(plan, 1.0)
    figure = cs.figures.contention(result)
    stuck = int(np.isinf(result.times[:, 2]).sum())
    (note,) = [each for each in figure.layout.annotations if each.name == "stuck"]
    assert note.text.startswith(f"<b>{stuck} units</b>")
    assert f"{int(result.summary()['short_units'])} of 78 units" in cs.figures.contention_title(
        result
    )


@pytest.mark.parametrize(("demand", "why"), [(0.0, "no unit wants CPU"), (50.0, "no unit gets")])
def test_nothing_to_draw_says_why(plan, demand, why):
    figure = cs.figures.contention(contend(plan, demand))
    (note,) = [each for each in figure.layout.annotations if each.name == "nothing"]
    assert why in note.text
