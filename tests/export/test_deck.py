"""Decks: native charts that hold their data, titles that fit, notes, no browser."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import plotly.graph_objects as go
import pytest
from pptx import Presentation
from pptx.util import Pt

import capsim as cs
import capsim.figures as figures
from capsim.export import ExportError, deck, images
from capsim.placement.headroom import headroom_curve
from capsim.placement.packing import compare_packers
from capsim.scenario import Assumption
from tests.figures.builders import (
    corner_cases,
    half_full,
    hostile,
    node,
    plan,
    template,
    units,
    with_waiting,
    zoned,
)


def saved(folder: Path, figs, **options):
    path = deck(figs, title=options.pop("title", "A plan"), **options).save(folder / "deck.pptx")
    return Presentation(str(path))


def figure_slides(presentation):
    """Slides by title."""
    return {slide.shapes.title.text_frame.text: slide for slide in presentation.slides}


def chart_of(slide):
    (chart,) = [shape.chart for shape in slide.shapes if shape.has_chart]
    return chart


def texts(slide) -> list[str]:
    return [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]


def all_of(made: cs.Placement) -> dict[str, go.Figure]:
    table = compare_packers(made.topology, made.scenario.nodes[0])
    charts = figures.all_figures(made, packings=table)
    charts["comparison"] = figures.comparison(made, made)
    key = made.topology.template_keys[0]
    charts["curve"] = figures.headroom_curve(headroom_curve(made, key), shape=key)
    return charts


def test_slides_are_16_to_9_with_title_findings_figures_and_assumptions(tmp_path):
    charts = figures.all_figures(half_full())
    presentation = saved(tmp_path, charts, assumptions=["headroom: 10 % [chosen]"])
    assert presentation.slide_width / presentation.slide_height == pytest.approx(16 / 9, rel=1e-4)
    titles = list(figure_slides(presentation))
    told = [figure.layout.meta["title"].replace(" %", "\u00a0%") for figure in charts.values()]
    assert titles == ["A plan", "In short", *told, "What this rests on"]


def test_the_title_slide_has_the_numbers(tmp_path):
    presentation = saved(
        tmp_path,
        [figures.utilisation(half_full())],
        subtitle="As of today",
        numbers={"nodes": "1,523", "waiting": "105"},
    )
    assert {"A plan", "As of today", "1,523", "nodes", "105"} <= set(texts(presentation.slides[0]))


def test_every_chart_is_native_or_a_table_and_none_is_a_picture(tmp_path):
    waiting = plan(
        [node("a"), node("b", cpu="8")],
        {"web": template("3"), "big": template("9")},
        [*units("web", 4), *units("big", 2)],
    )
    presentation = saved(tmp_path, all_of(waiting))
    for slide in list(presentation.slides)[2:]:
        kinds = [shape.shape_type for shape in slide.shapes]
        assert 13 not in kinds, "a picture"
        assert any(s.has_chart or s.has_table for s in slide.shapes), texts(slide)


def test_the_data_of_a_chart_can_be_read_back_and_edited(tmp_path):
    presentation = saved(tmp_path, [figures.pending(with_waiting())])
    chart = chart_of(presentation.slides[1])
    plot = chart.plots[0]
    assert list(plot.categories) == [
        "Not enough CPU",
        "web",
        "Not enough CPU even on an empty node",
        "big",
    ]
    assert [list(series.values) for series in plot.series] == [[1, 0, 1, 0], [0, 1, 0, 1]]
    book = zipfile.ZipFile(io.BytesIO(chart.part.chart_workbook.xlsx_part.blob))
    assert b"<t>Not enough CPU</t>" in book.read("xl/sharedStrings.xml")
    assert b'<c r="B2"><v>1</v></c>' in re.sub(
        rb' (s|t)="\w+"', b"", book.read("xl/worksheets/sheet1.xml")
    )


def test_axis_titles_units_ranges_and_labels_are_carried_over(tmp_path):
    figure = figures.utilisation(half_full())
    slide = saved(tmp_path, [figure]).slides[1]
    chart = chart_of(slide)
    across, along = chart.category_axis, chart.value_axis
    assert across.axis_title.text_frame.text == figure.layout.xaxis.title.text
    assert along.axis_title.text_frame.text == "Requested (% of the node)"
    assert along.tick_labels.number_format == '0" %"'
    assert (along.minimum_scale, along.maximum_scale) == (0, 104)
    assert {"CPU", "Memory"} <= set(texts(slide))
    colours = [str(series.format.line.color.rgb) for series in chart.plots[0].series]
    assert colours == ["0072B2", "009E73"]


def test_labels_beside_bars_are_data_labels(tmp_path):
    chart = chart_of(saved(tmp_path, [figures.headroom(cs.headroom(half_full()))]).slides[1])
    label = chart.plots[0].series[0].points[0].data_label
    assert label.text_frame.text == "4 CPU runs out first"


def test_a_small_map_is_a_coloured_table(tmp_path):
    slide = saved(tmp_path, [figures.utilisation_map(half_full())]).slides[1]
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    assert [cell.text_frame.text for cell in table.rows[0].cells] == [
        "4 cores, 16 GiB",
        "a\n50\u00a0%",
        "b\n50\u00a0%",
        "2 nodes, 50 % full",
    ]


def test_nodes_of_a_small_graph_are_shapes_and_its_units_a_chart(tmp_path):
    busy = zoned(6)
    slide = saved(tmp_path, [figures.cluster_graph(busy)]).slides[1]
    nodes = [shape for shape in slide.shapes if shape.name.endswith("–100 %")]
    assert all(shape.shape_type == 1 for shape in nodes)
    chart = chart_of(slide)
    placed = int((busy.node_of >= 0).sum())
    assert sum(len(list(series.values)) for series in chart.plots[0].series) == placed


def test_notes_hold_what_is_shown_the_source_and_the_assumptions(tmp_path):
    given = Assumption(name="headroom", value="10 %", source="chosen")
    presentation = saved(tmp_path, [figures.utilisation(half_full())], assumptions=[given])
    notes = presentation.slides[1].notes_slide.notes_text_frame.text
    assert "Requested share of what each node offers" in notes
    assert "Source: test" in notes
    assert "headroom: 10 % [chosen]" in notes


def test_every_slide_has_its_number_as_a_field(tmp_path):
    presentation = saved(tmp_path, figures.all_figures(half_full()))
    for at, slide in enumerate(presentation.slides, start=1):
        (number,) = [shape for shape in slide.shapes if shape.name == "slide number"]
        xml = number._element.xml
        assert 'type="slidenum"' in xml
        assert f"<a:t>{at}</a:t>" in xml


def test_long_titles_shrink(tmp_path):
    short, long = go.Figure(go.Bar(x=["a"], y=[1])), go.Figure(go.Bar(x=["a"], y=[1]))
    short.update_layout(title_text="Short")
    long.update_layout(title_text="A title that goes on and on " * 12)
    presentation = saved(tmp_path, [short, long])
    sizes = [
        slide.shapes.title.text_frame.paragraphs[0].runs[0].font.size
        for slide in list(presentation.slides)[1:3]
    ]
    assert sizes[1] < sizes[0]
    assert sizes[1] > Pt(9)


def test_figures_without_a_native_form_say_so_in_one_line_and_show_their_data(tmp_path):
    pie = go.Figure(go.Pie(values=[1, 2], labels=["a", "b"], name="parts"))
    pie.update_layout(title_text="A pie")
    slide = saved(tmp_path, [pie]).slides[1]
    assert any("Ask for pictures" in text for text in texts(slide))
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    assert [cell.text_frame.text for cell in table.rows[0].cells] == ["parts", "1", "2"]


def test_pictures_are_drawn_only_when_asked_for(tmp_path, monkeypatch):
    drawn = []
    pixel = images_pixel()
    monkeypatch.setattr(
        "capsim.export.presentation.draw",
        lambda figs, formats: drawn.extend(figs) or [pixel] * len(figs),
    )
    made = [figures.utilisation_map(half_full()), figures.pending(with_waiting())]
    saved(tmp_path, made)
    assert drawn == []
    presentation = saved(tmp_path, made, pictures=True)
    assert drawn == [made[0]]
    assert any(shape.shape_type == 13 for shape in presentation.slides[1].shapes)
    assert chart_of(presentation.slides[2])


def images_pixel() -> bytes:
    """The smallest PNG."""
    import base64

    return base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )


@pytest.mark.parametrize("case", list(corner_cases()))
def test_decks_of_nearly_nothing_are_written(case, tmp_path):
    made = corner_cases()[case]
    presentation = saved(tmp_path, figures.all_figures(made))
    assert len(presentation.slides) == 9


def test_names_are_text_and_never_formulas(tmp_path):
    presentation = saved(tmp_path, all_of(hostile()), title="<b>=1+1</b>")
    assert presentation.slides[0].shapes.title.text_frame.text == "<b>=1+1</b>"
    sheets = b""
    with zipfile.ZipFile(tmp_path / "deck.pptx") as package:
        for name in package.namelist():
            if name.endswith(".xlsx"):
                with zipfile.ZipFile(io.BytesIO(package.read(name))) as book:
                    sheets += b"".join(
                        book.read(each) for each in book.namelist() if "sheet" in each
                    )
    assert b"<f>" not in sheets
    assert b"hyperlink" not in sheets


def test_control_characters_do_not_break_the_file(tmp_path):
    figure = go.Figure(go.Bar(x=["a\x00\x08\x0b", "=b\x1f"], y=[1, 2], name="n\x07"))
    figure.update_layout(title_text="t\x0b")
    chart = chart_of(saved(tmp_path, [figure], title="d\x00").slides[1])
    assert [c.strip() for c in chart.plots[0].categories] == ["a", "=b"]


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ExportError, match=r"the folder .* is not there"):
        deck([], title="x").save(tmp_path / "nowhere" / "deck.pptx")


def test_a_deck_needs_no_browser(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a browser was asked for")

    monkeypatch.setattr(images, "_in_thread", refuse)
    saved(tmp_path, figures.all_figures(zoned(40)))


# LibreOffice ---------------------------------------------------------------------------------

OFFICE = shutil.which("soffice") or shutil.which("libreoffice")


@pytest.mark.slow
@pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed")
def test_the_deck_opens_in_libreoffice_with_every_slide(tmp_path):
    deck(all_of(zoned(12)), title="Opens").save(tmp_path / "deck.pptx")
    command = [OFFICE, "--headless", f"-env:UserInstallation=file://{tmp_path}/profile"]
    command += ["--convert-to", "pdf", "--outdir", str(tmp_path), str(tmp_path / "deck.pptx")]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    pages = re.findall(rb"/Type\s*/Page[^s]", (tmp_path / "deck.pdf").read_bytes())
    assert len(pages) == len(Presentation(str(tmp_path / "deck.pptx")).slides)
