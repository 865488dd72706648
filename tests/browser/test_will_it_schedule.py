"""The panel of notebook 02 in JupyterLab and Chromium: what it shows, and how long it takes.

Times are printed and written to build/, not asserted; `python -m benchmarks.slider drained factor`
measures with more care.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import capsim as cs
from benchmarks import slider
from capsim.data_files import data_path
from capsim.panels import WillItSchedule

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BUILD = Path(__file__).parents[2] / "build"
_SHOWN = """() => [...document.querySelector('.widget-vbox .js-plotly-plot').data]
    .filter(trace => ['now', 'bars'].includes(trace.meta))
    .map(trace => [Array.from(trace.x), Array.from(trace.y)])"""
_PRESSES = 12


@pytest.fixture(scope="module")
def expected() -> WillItSchedule:
    """The same panel without a browser."""
    return cs.panels.will_it_schedule(cs.read(data_path("clusters", "openb")))


def assert_shows(page: Any, expected: WillItSchedule) -> None:
    page.wait_for_selector(f"text={expected.headline}.", timeout=20_000)
    live = [trace for trace in expected.figure.data if trace.meta in ("now", "bars")]
    for shown, trace in zip(page.evaluate(_SHOWN), live, strict=True):
        np.testing.assert_array_equal(np.array(shown, np.float32), [trace.x, trace.y])


def test_drains_and_requests_redraw_and_the_last_one_is_right(
    lab: slider.Lab, page: Any, expected: WillItSchedule, capsys: pytest.CaptureFixture[str]
):
    slider.run_notebook(page, lab, "notebooks/02_will_it_schedule.ipynb")
    assert_shows(page, expected)
    rows = []
    for name in slider.PANELS["will_it_schedule"][2]:
        moves = slider.press(page, slider.SLIDERS[name], _PRESSES)
        control = getattr(expected.controls, name)
        control.value = control.value + _PRESSES * control.step
        assert_shows(page, expected)
        rows.append({"name": f"slider {name} in notebook 02", **moves.summary()})
    page.get_by_role("button", name="Reset", exact=True).click()
    expected.reset()
    assert_shows(page, expected)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "slider_schedule.json").write_text(json.dumps(rows, indent=2) + "\n")
    with capsys.disabled():
        print("\n" + "\n".join(json.dumps(row) for row in rows))
