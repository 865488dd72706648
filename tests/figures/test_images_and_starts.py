"""Images, starts by step and by platform, and the distribution of the time to ready."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.data_files import data_path
from capsim.figures.images import image_layers
from capsim.figures.starts import start_breakdown, start_waterfall, time_to_ready
from capsim.readers.dockerfile import parse_dockerfile
from capsim.stack.images import compare_starts, image, image_of, start_up

FLASK = data_path("examples", "flask")


def title(figure) -> str:
    return figure.layout.meta["title"]


def other(packages: str, name: str):
    text = f"FROM python:3.9-slim\nRUN pip install --no-cache-dir {packages}"
    return image_of(parse_dockerfile(text), name=name)


def test_one_image_is_told_layer_by_layer():
    figure = image_layers(image(FLASK))
    assert title(figure) == (
        "95 % of 50 MB is the base image; a change of the source moves under 0.1 MB"
    )
    assert sum(bar.x[0] for bar in figure.data) == pytest.approx(49.6, abs=0.1)
    starts = [bar.base[0] for bar in figure.data]
    assert starts == sorted(starts)
    assert "RUN pip install" in figure.layout.yaxis.ticktext[7]


def test_layers_that_two_images_share_have_a_colour_of_their_own():
    figure = image_layers([image(FLASK), other("numpy", "numbers")])
    assert title(figure).startswith("Shared layers save ")
    shared = [bar for bar in figure.data if bar.marker.color == "#009E73"]
    assert len(shared) == 8  # four of the base's five layers can be seen, twice
    keys = [note.text for note in figure.layout.annotations if note.name == "key"]
    assert any("shared with another image" in text for text in keys)


def test_names_from_a_dockerfile_are_harmless():
    named = other("numpy", "<b>$x$</b>")
    figure = image_layers([named, image(FLASK)])
    assert "&lt;b&gt;&#36;x&#36;" in figure.layout.yaxis.ticktext[0]


def test_no_layers_is_said():
    assert "No layers" in title(image_layers([image_of(parse_dockerfile("FROM scratch"))]))


def test_a_waterfall_has_each_step_where_it_lies_in_time():
    run = start_up(image(FLASK), deployment=FLASK / "deployment.yaml")
    figure = start_waterfall(run)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert len(bars) == len(run.table) == len(figure.layout.yaxis.ticktext)
    assert [bar.base[0] for bar in bars] == run.table["begins_s"].tolist()
    assert title(figure).startswith("First answer after 104 s, 7")
    assert "load balancer" in title(figure)
    assert len(figure.layout.meta["assumptions"]) == len(run.assumptions)


def test_platforms_stand_from_quick_to_slow_and_a_bar_that_is_cut_says_so():
    figure = start_breakdown(compare_starts(image(FLASK)))
    names = list(figure.layout.yaxis.ticktext)
    assert names[0] == "Lambda function"
    assert names[-1] == "Windows VM"
    cut = [n.text for n in figure.layout.annotations if n.text and "bar cut" in n.text]
    assert len(cut) == 1
    assert title(figure).startswith("A Lambda function is ready in 0.24 s")


def test_curves_of_readiness_rise_and_carry_their_names():
    starts = compare_starts(image(FLASK), ("pod", "vm"), samples=500)
    figure = time_to_ready(starts)
    for trace in figure.data:
        assert (np.diff(trace.x) >= 0).all()
        assert (np.diff(trace.y) > 0).all()
    names = [note.text for note in figure.layout.annotations if note.name == "label"]
    assert names == ["<b>pod</b>", "<b>VM</b>"]
    assert "19 of 20 starts of a pod" in title(figure)
    assert len(time_to_ready(starts.each[0]).data) == 2
