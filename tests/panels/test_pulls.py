"""The panel of image pulls, moved from code."""

from __future__ import annotations

import pytest

from capsim.data_files import data_path
from capsim.panels.panel import DeckTray
from capsim.panels.pulls import image_pulls
from capsim.stack.images import image


def last_ready(panel) -> float:
    return panel.answer.now.summary()["last_ready_s"]


def test_moves_change_the_answer_and_the_lines():
    panel = image_pulls()
    before = last_ready(panel)
    panel.controls.nodes.value = 400
    assert last_ready(panel) > 3 * before
    assert panel.figure.data[-1].x[0] == 400
    panel.controls.cached.value = 100
    assert panel.answer.now.table["cache"].tolist() == ["base"]
    assert last_ready(panel) == pytest.approx(panel.figure.data[-1].y[0])
    panel.reset()
    assert last_ready(panel) == pytest.approx(before)


def test_its_dot_lies_on_the_line_of_cold_nodes_while_nothing_is_cached():
    panel = image_pulls()
    at = list(panel.figure.data[0].x).index(100)
    panel.controls.nodes.value = 50
    assert panel.figure.data[0].y[at] > last_ready(panel)


def test_an_image_of_ones_own_keeps_its_layers_while_its_size_moves():
    panel = image_pulls(image(data_path("examples", "flask")))
    assert panel.controls.size.value == 50
    panel.controls.size.value = 100
    assert len(panel.answer.image.layers) == 9
    assert panel.answer.image.compressed_mb.value == pytest.approx(100)


def test_a_slide_carries_the_headline_and_the_tables_the_numbers():
    panel = image_pulls(tray=DeckTray("x.pptx"))
    panel.add_to_deck()
    assert panel.tray.slides[0].layout.meta["title"].startswith("50 nodes wait ")
    assert set(panel.tables) == {"as set", "curves", "pull limits", "settings"}
    assert all(len(table) for table in panel.tables.values())
