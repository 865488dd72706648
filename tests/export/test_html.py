"""The self-contained page."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

import capsim.figures as figures
from capsim.export import ExportError, save_html
from tests.figures.builders import HOSTILE, corner_cases, half_full, hostile


def own_part(page: str) -> str:
    """The page without plotly's code."""
    return page.replace(get_plotlyjs(), "")


def written(tmp_path: Path, figs, **options) -> str:
    title = options.pop("title", "A plan")
    return save_html(figs, tmp_path / "page.html", title=title, **options).read_text("utf-8")


def test_plotly_is_in_the_page_once_and_nothing_is_fetched(tmp_path):
    page = written(tmp_path, figures.all_figures(half_full()))
    assert page.count(get_plotlyjs()) == 1
    rest = own_part(page)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", rest)
    assert "@import" not in rest
    assert "url(" not in rest
    assert "default-src 'none'" in rest


def test_headings_are_the_takeaways_and_lead_to_their_figures(tmp_path):
    charts = figures.all_figures(half_full())
    page = own_part(written(tmp_path, charts))
    assert "<h1>A plan</h1>" in page
    for at, figure in enumerate(charts.values()):
        assert f"<h2>{figure.layout.meta['title']}</h2>" in page
        assert f'href="#figure-{at}"' in page
        assert f'id="figure-{at}"' in page


def test_names_cannot_become_markup(tmp_path):
    evil = hostile()
    page = own_part(
        written(
            tmp_path,
            figures.all_figures(evil),
            title=HOSTILE,
            tables={HOSTILE: evil.nodes},
            assumptions=[HOSTILE],
        )
    )
    assert "<script>alert" not in page
    assert "<b>x" not in page
    assert page.count("<script") == page.count("</script>")


def test_tables_are_written_below_and_long_ones_say_what_is_left_out(tmp_path):
    table = pd.DataFrame({"node": [f"n{i}" for i in range(2500)], "cores": 1.5})
    page = own_part(written(tmp_path, [], tables={"Nodes": table}))
    assert "<h2>Nodes</h2>" in page
    assert "500 further rows are left out here." in page


def test_a_page_of_no_figures_has_no_code(tmp_path):
    assert "<script" not in written(tmp_path, [])


def test_the_figure_itself_is_not_changed(tmp_path):
    figure = figures.utilisation(half_full())
    before = figure.to_json()
    written(tmp_path, [figure])
    assert figure.to_json() == before


def test_letters_of_all_scripts_survive(tmp_path):
    figure = go.Figure(go.Bar(x=["zone-ü-東京"], y=[1]))
    figure.update_layout(title_text="Kapazität 東京")
    assert "<h2>Kapazität 東京</h2>" in written(tmp_path, [figure])


@pytest.mark.parametrize("case", list(corner_cases()))
def test_pages_of_nearly_nothing_are_written(case, tmp_path):
    assert "</html>" in written(tmp_path, figures.all_figures(corner_cases()[case]))


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ExportError, match="is not there"):
        save_html([], tmp_path / "no" / "page.html", title="x")
