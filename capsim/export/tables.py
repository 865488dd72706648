"""Tables on slides: small heat maps as coloured cells, and data where no chart can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.util import Emu

from capsim.export.charts import rgb, write
from capsim.export.geometry import Page
from capsim.export.native import Cells
from capsim.export.plain import Run, plain, printable
from capsim.figures import theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MARGIN, _TALLEST = 40.0, 110.0
"""Pixels left of a table, and of a row at most."""


def add_cells(slide: Any, page: Page, cells: Cells) -> None:
    """A small heat map as a coloured table, names on the left and numbers on the right."""
    columns = len(cells.rows[0][1])
    heads = 1 if any(cells.heads) else 0
    left, top, wide, high = page.plot
    height = min(high / (len(cells.rows) + heads), _TALLEST)
    sides = left - _MARGIN, page.width - left - wide - 24
    widths = [sides[0], *[wide / columns] * columns, sides[1]]
    box = (_MARGIN, top, sum(widths), height * (len(cells.rows) + heads))
    table = slide.shapes.add_table(
        len(cells.rows) + heads, columns + 2, *(Emu(page.emu(value)) for value in box)
    ).table
    _unstyle(table)
    for at, width in enumerate(widths):
        table.columns[at].width = Emu(page.emu(width))
    if heads:
        named = [(name, theme.PAPER, theme.SOFT) for name in cells.heads]
        _fill_row(table, 0, page, ("", tuple(named), ""))
    for at, row in enumerate(cells.rows, start=heads):
        table.rows[at].height = Emu(page.emu(height))
        _fill_row(table, at, page, row)


def _fill_row(
    table: Any, at: int, page: Page, row: tuple[str, tuple[tuple[str, str, str] | None, ...], str]
) -> None:
    name, entries, numbers = row
    _fill(table.cell(at, 0), page, name, theme.PAPER, theme.INK, size=13)
    _fill(table.cell(at, len(entries) + 1), page, numbers, theme.PAPER, theme.SOFT, size=13)
    table.cell(at, 0).text_frame.paragraphs[0].alignment = PP_ALIGN.RIGHT
    for c, entry in enumerate(entries, start=1):
        text, fill, ink = entry or ("", theme.PAPER, theme.INK)
        _fill(table.cell(at, c), page, text, fill, ink, size=11)
        for paragraph in table.cell(at, c).text_frame.paragraphs:
            paragraph.alignment = PP_ALIGN.CENTER


def data_rows(figure: go.Figure) -> list[list[str]]:
    """The first values of each trace: its name, then what it draws."""
    rows = []
    for trace in list(figure.data)[:10]:
        held = [trace[key] for key in ("y", "z", "values", "r") if key in trace]
        values: Any = next((each for each in held if each is not None), [])
        shown = [str(value) for value in list(values)[:8]]
        if shown:
            rows.append([plain(trace.name or trace.type), *shown])
    width = max((len(row) for row in rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def add_table(slide: Any, page: Page, rows: list[list[str]], *, top: float) -> Any:
    """A plain table, names in bold on the left; `top` in pixels of the page."""
    box = (32.0, top, page.width - 64, 30.0 * len(rows))
    frame = slide.shapes.add_table(
        len(rows), len(rows[0]), *(Emu(page.emu(value)) for value in box)
    )
    table = frame.table
    _unstyle(table)
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            _fill(table.cell(r, c), page, text, theme.PAPER, theme.INK, bold=c == 0)
    return table


def _unstyle(table: Any) -> None:
    table.first_row = table.horz_banding = False


def _fill(
    cell: Any, page: Page, text: str, fill: str, ink: str, *, bold: bool = False, size: float = 12
) -> None:
    cell.fill.solid()
    cell.fill.fore_color.rgb = rgb(fill)
    cell.vertical_anchor = MSO_ANCHOR.MIDDLE
    cell.margin_left = cell.margin_right = Emu(page.emu(4))
    cell.margin_top = cell.margin_bottom = Emu(page.emu(2))
    told = [[Run(printable(line), bold=bold)] for line in text.split("\n")]
    write(cell.text_frame, told, page, size_px=size, colour=ink)
