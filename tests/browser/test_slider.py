"""The panel of notebook 01 in JupyterLab and Chromium: what it shows, and how long it takes.

Times are printed and written to build/slider.json; they are not asserted, since a test cannot
know what else the machine does. `python -m benchmarks.slider` measures with more care.
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
from capsim.panels import HowManyMachines

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: What a page complains of where there is no network.
_NO_NETWORK = ("net::ERR_NAME_NOT_RESOLVED", "net::ERR_INTERNET_DISCONNECTED")
BUILD = Path(__file__).parents[2] / "build"
_LINES = """() => [...document.querySelector('.widget-vbox .js-plotly-plot').data]
    .filter(trace => trace.meta === 'now').map(trace => Array.from(trace.y))"""


@pytest.fixture(scope="module")
def expected() -> HowManyMachines:
    """The same panel without a browser."""
    return cs.panels.how_many_machines(cs.read(data_path("clusters", "openb")))


def assert_shows(page: Any, expected: HowManyMachines) -> None:
    page.wait_for_selector(f"text={expected.headline}.", timeout=20_000)
    live = [trace.y for trace in expected.figure.data if trace.meta == "now"]
    for shown, wanted in zip(page.evaluate(_LINES), live, strict=True):
        np.testing.assert_array_equal(np.array(shown, np.float32), wanted)


def test_every_press_redraws_and_the_last_one_is_right(
    lab: slider.Lab, page: Any, expected: HowManyMachines, capsys: pytest.CaptureFixture[str]
):
    slider.run_notebook(page, lab, "notebooks/01_how_many_machines.ipynb")
    assert_shows(page, expected)

    moves = slider.press(page, slider.SLIDERS["growth"], slider.PRESSES)
    expected.controls.growth.value = slider.PRESSES
    assert_shows(page, expected)
    assert len(moves.painted) == slider.PRESSES

    page.locator(".widget-html", has_text="not enough GPUs").wait_for(timeout=20_000)
    page.get_by_role("button", name="Reset", exact=True).click()
    expected.reset()
    assert_shows(page, expected)

    page.get_by_text("The numbers behind the picture").click()
    page.wait_for_selector("a[download='resources.csv']", timeout=20_000)
    with page.expect_download() as download:
        page.locator("a[download='resources.csv']").click()
    table = expected.tables["resources"].to_csv(index=False)
    assert Path(download.value.path()).read_text() == table
    assert not [each for each in page.problems if not any(w in each for w in _NO_NETWORK)]

    told = {"name": "slider growth in notebook 01", **moves.summary()}
    BUILD.mkdir(exist_ok=True)
    (BUILD / "slider.json").write_text(json.dumps(told, indent=2) + "\n")
    with capsys.disabled():
        print(f"\n{json.dumps(told)}")
