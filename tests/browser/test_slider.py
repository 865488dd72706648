"""The panel of notebook 01 in a real browser: moves are drawn, rightly, and nothing complains.

The times are reported, not judged: `python -m benchmarks.slider` records them.
"""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pytest

import capsim as cs
from benchmarks import slider

ROOT = Path(__file__).parents[2]
_PRESSES = 12
_CELL = """\
import capsim as cs
panel = cs.panels.how_many_machines(cs.read("../data/clusters/openb"))
panel
"""
#: What JupyterLab itself complains of when there is no network.
_NOT_OURS = ("favicon", "net::ERR_", "Failed to load resource")


@pytest.mark.browser
@pytest.mark.skipif(slider.chromium() is None, reason="no Chromium: sliders are not tried")
def test_every_move_of_a_slider_is_drawn_and_the_last_one_shows_the_right_numbers() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_CELL)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    with (
        slider.workshop() as folder,
        slider.jupyter_lab(folder) as lab,
        slider.browser_page() as page,
    ):
        nbformat.write(notebook, folder / "notebooks" / "panel.ipynb")
        slider.run_notebook(page, lab, "notebooks/panel.ipynb")
        moves = slider.press(page, slider.SLIDERS["growth"], _PRESSES)
        page.wait_for_timeout(1500)
        drawn = page.evaluate(
            "() => document.querySelector('.widget-vbox .js-plotly-plot').data"
            ".filter(line => line.y && line.y.length > 100).map(line => Array.from(line.y))"
        )
        problems = [each for each in page.problems if not any(w in each for w in _NOT_OURS)]
        slider.stop_kernel(page)
    assert len(moves.drawn) == _PRESSES
    assert not problems
    _report(moves.summary())
    topology = cs.compile_scenario(cs.read(ROOT / "data" / "clusters" / "openb"))
    plan = cs.place(cs.grow(topology, _PRESSES / 100))
    _, curves = cs.figures.utilisation_curves(plan)
    for wanted in curves.values():
        assert any(_same(line, wanted) for line in drawn)


def _same(line: list[float], wanted: object) -> bool:
    """Whether a drawn line is the curve, as a share or in percent."""
    y, curve = np.array(line, float), np.asarray(wanted, float)
    if len(y) != len(curve):
        return False
    return bool(np.allclose(y, curve, atol=1e-4) or np.allclose(y, 100 * curve, atol=1e-2))


def _report(summary: dict[str, float]) -> None:
    target = ROOT / "build" / "slider.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(summary, indent=2) + "\n")
    print(f"\nslider on openb: {json.dumps(summary)}")
