"""Pictures, and what is said where they cannot be drawn."""

from __future__ import annotations

import os

import pytest

import capsim.figures as figures
from capsim.errors import CapsimError
from capsim.export import ExportError, save_image, save_images
from tests.figures.builders import half_full


def has_browser() -> bool:
    from choreographer.browsers.chromium import Chromium

    return Chromium.find_browser(skip_local=False) is not None


needs_browser = pytest.mark.skipif(not has_browser(), reason="no Chromium on this machine")


@pytest.mark.browser
@needs_browser
def test_one_browser_draws_png_and_svg(tmp_path):
    figure = figures.utilisation(half_full())
    made = save_images({tmp_path / "a.png": figure, tmp_path / "b.svg": figure}, scale=1)
    assert made == [tmp_path / "a.png", tmp_path / "b.svg"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "b.svg").read_text("utf-8")
    assert "CPU is the tightest resource" in svg


def test_without_a_browser_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("choreographer.browsers.chromium.Chromium.find_browser", lambda **_: None)
    with pytest.raises(ExportError, match="none was found: install one") as caught:
        save_image(figures.utilisation(half_full()), tmp_path / "a.png")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, CapsimError)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.pdf"])
def test_other_endings_are_refused_before_a_browser_starts(name, tmp_path):
    with pytest.raises(ExportError, match=r"expected \.png or \.svg"):
        save_image(figures.utilisation(half_full()), tmp_path / name)


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ExportError, match="is not there"):
        save_image(figures.utilisation(half_full()), tmp_path / "no" / "a.png")
