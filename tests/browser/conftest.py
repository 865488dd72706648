from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import slider

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="session")
def lab() -> Iterator[slider.Lab]:
    if slider.chromium() is None:
        pytest.skip("no Chromium found: sliders are not tried in a browser (set BROWSER_PATH)")
    with slider.workshop() as folder:
        for notebook in NOTEBOOKS.glob("*.ipynb"):
            shutil.copy(notebook, folder / "notebooks")
        with slider.jupyter_lab(folder) as running:
            yield running


@pytest.fixture
def page(lab: slider.Lab) -> Iterator[Any]:
    with slider.browser_page() as opened:
        yield opened
