"""Marked-up labels as plain text, runs and cells of a workbook."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.export.plain import Run, cell, lines, plain, printable


def test_markup_becomes_runs():
    told = lines("<b>31 %</b> of <span style='color:#0072B2;font-size:12px'>GPUs</span><br>now")
    assert told == [
        [
            Run("31\u00a0%", bold=True),
            Run(" of "),
            Run("GPUs", colour="#0072B2", size_px=12.0),
        ],
        [Run("now")],
    ]


def test_unknown_tags_go_and_their_text_stays():
    assert plain("a <i>b</i> <a href='x'>c</a><br>d") == "a b c d"


def test_entities_are_the_letters_that_they_stand_for():
    assert plain("&lt;b&gt; &amp; &#36;x") == "<b> & $x"


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_without_an_error_and_leaves_no_control_characters(text):
    assert all(c.isprintable() for c in plain(text))
    assert all(c.isprintable() or c in "\u00a0\u200b" for c in printable(text))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "{=A1}", "https://x.org", "mailto:a@b", "internal:A1"],
)
def test_a_name_is_never_a_formula_or_a_link_in_a_workbook(text):
    assert cell(text) == f" {text}"


@pytest.mark.parametrize("text", ["web", "-5", "-0.25", "node 7", "96 cores, 384 GiB"])
def test_plain_names_and_numbers_are_left_as_they_are(text):
    assert cell(text) == text
