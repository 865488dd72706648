"""Native charts: bars, scatter, areas and tables, drawn where the figure has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree  # type: ignore[import-untyped]
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import (
    XL_AXIS_CROSSES,
    XL_CHART_TYPE,
    XL_LABEL_POSITION,
    XL_MARKER_STYLE,
    XL_TICK_LABEL_POSITION,
    XL_TICK_MARK,
)
from pptx.enum.dml import MSO_LINE_DASH_STYLE
from pptx.oxml.ns import qn
from pptx.util import Emu, Pt

from capsim.export.geometry import Axis, Page
from capsim.export.native import Areas, Bars, BarSeries, Native, Points, Scatter
from capsim.export.plain import Run, cell, plain
from capsim.figures import theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

FONT = "Arial"
_MARKER_POINTS = (2, 72)
_MARKER_SIZE = 0.88
"""Presentations draw a marker somewhat larger than its size says."""
_MOST_TICK_NAMES = 12


def add_chart(slide: Any, native: Native, figure: go.Figure, page: Page) -> None:
    """Adds the chart to a slide, its plot area where the figure has it."""
    left, top, wide, high = _frame(page)
    kind, data = _data(native)
    box = [Emu(page.emu(value)) for value in (left, top, wide, high)]
    chart = slide.shapes.add_chart(kind, *box, data).chart
    chart.has_legend = False
    chart.has_title = False
    chart.font.size, chart.font.name = Pt(page.points(14)), FONT
    _place_plot(chart, page, _plot(native, page))
    _style(chart, native, page)
    _style_axes(chart, native, figure, page)


def _frame(page: Page) -> tuple[float, float, float, float]:
    """The chart's box in pixels: everything below the heading and above the footnote."""
    top = max(page.top - 34, 0.0)
    return 0.0, top, page.width, page.height - top - 26


def _data(native: Native) -> tuple[Any, Any]:
    if isinstance(native, Scatter):
        return XL_CHART_TYPE.XY_SCATTER, _xy(native)
    if isinstance(native, Areas):
        return XL_CHART_TYPE.AREA_STACKED, _table(native.categories, native.series)
    if not isinstance(native, Bars):
        raise TypeError(f"{type(native).__name__} is no chart")
    if native.horizontal:
        kinds = XL_CHART_TYPE.BAR_STACKED, XL_CHART_TYPE.BAR_CLUSTERED
    else:
        kinds = XL_CHART_TYPE.COLUMN_STACKED, XL_CHART_TYPE.COLUMN_CLUSTERED
    return kinds[0 if native.stacked else 1], _table(native.categories, native.series)


def _table(categories: tuple[str, ...], series: tuple[BarSeries, ...]) -> Any:
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = [_lines(name) for name in categories]
    for each in series:
        data.add_series(cell(each.name) or "values", each.values)
    return data


def _lines(name: str) -> str:
    """A category's name; its second line stays one."""
    return "\n".join(cell(line) for line in name.split("\n"))


def _xy(native: Scatter) -> Any:
    data: Any = XyChartData()  # type: ignore[no-untyped-call]
    for each in native.series:
        series = data.add_series(cell(each.name) or "values")
        for x, y in zip(each.x.tolist(), each.y.tolist(), strict=True):
            series.add_data_point(x, y)
    return data


def _plot(native: Native, page: Page) -> tuple[float, float, float, float]:
    """The plot area in pixels; of horizontal bars only the rows that there are."""
    left, top, wide, high = page.plot
    if not isinstance(native, Bars) or not native.horizontal or not page.y.fixed:
        return page.plot
    if native.stands_in:
        return left, top, wide, high - 30
    _, first = page.place(0.0, -0.5, "paper", "y")
    _, last = page.place(0.0, len(native.categories) - 0.5, "paper", "y")
    return left, first, wide, last - first


def _place_plot(chart: Any, page: Page, plot: tuple[float, float, float, float]) -> None:
    """The inner plot area where the figure has it, as shares of the chart's box."""
    left, top, wide, high = _frame(page)
    x, y, width, height = plot
    shares = {"x": (x - left) / wide, "y": (y - top) / high, "w": width / wide, "h": height / high}
    area = chart._chartSpace.chart.plotArea
    for old in area.findall(qn("c:layout")):
        area.remove(old)
    layout = etree.Element(qn("c:layout"))
    manual = etree.SubElement(layout, qn("c:manualLayout"))
    stated = {"layoutTarget": "inner", "xMode": "edge", "yMode": "edge"}
    for name, value in (stated | {key: f"{share:.5f}" for key, share in shares.items()}).items():
        etree.SubElement(manual, qn(f"c:{name}")).set("val", value)
    area.insert(0, layout)


def _style(chart: Any, native: Native, page: Page) -> None:
    if isinstance(native, Scatter):
        for series, told in zip(chart.plots[0].series, native.series, strict=True):
            _style_points(series, told, page)
        _make_room(chart, native)
        return
    if not isinstance(native, Bars | Areas):
        return
    for series, bars in zip(chart.plots[0].series, native.series, strict=True):
        series.format.fill.solid()
        series.format.fill.fore_color.rgb = rgb(bars.colour)
        series.invert_if_negative = False
        _label_bars(series, bars, page)
    if isinstance(native, Bars):
        plot = chart.plots[0]
        beside = 1 if native.stacked or native.overlap else len(native.series)
        plot.gap_width = round(min(500, 100 * native.gap / (1 - native.gap) * beside))
        plot.overlap = 100 if native.stacked or native.overlap else -8


def _make_room(chart: Any, native: Scatter) -> None:
    """Has the first series count as many points as the longest.

    LibreOffice 7 lays its table out by the first series and loses those before a longer one.
    """
    longest = str(max(len(each.x) for each in native.series))
    first = chart._chartSpace.find(f".//{qn('c:ser')}")
    for values in ("c:xVal", "c:yVal"):
        first.find(f"{qn(values)}/{qn('c:numRef')}/{qn('c:numCache')}/{qn('c:ptCount')}").set(
            "val", longest
        )


def _label_bars(series: Any, bars: BarSeries, page: Page) -> None:
    for at, label in bars.labels.items():
        told = series.points[at].data_label
        told.position = XL_LABEL_POSITION.OUTSIDE_END
        write(told.text_frame, label, page, size_px=14, colour=theme.INK)


def _style_points(series: Any, told: Points, page: Page) -> None:
    line = series.format.line
    if told.line_px:
        line.color.rgb = rgb(told.colour)
        line.width = Pt(page.points(told.line_px))
        if told.dash:
            line.dash_style = MSO_LINE_DASH_STYLE.DASH
    else:
        line.fill.background()
    series.smooth = False
    marker = series.marker
    if not told.marker_px:
        marker.style = XL_MARKER_STYLE.NONE
        return
    marker.style = XL_MARKER_STYLE.CIRCLE
    smallest, largest = _MARKER_POINTS
    marker.size = min(largest, max(smallest, round(_MARKER_SIZE * page.points(told.marker_px))))
    marker.format.fill.solid()
    marker.format.fill.fore_color.rgb = rgb(told.colour)
    if told.outline:
        marker.format.line.color.rgb = rgb(told.outline)
        marker.format.line.width = Pt(1)
    else:
        marker.format.line.fill.background()


def _style_axes(chart: Any, native: Native, figure: go.Figure, page: Page) -> None:
    along, across = chart.value_axis, chart.category_axis
    if isinstance(native, Scatter):
        _style_axis(across, figure.layout.xaxis, page.x, page)
        _style_axis(along, figure.layout.yaxis, page.y, page)
        _cross_at_low(across, along)
        return
    sideways = isinstance(native, Bars) and native.horizontal
    name, other = ("x", "y") if sideways else ("y", "x")
    value = page.x if sideways else page.y
    if isinstance(native, Bars) and native.stands_in:
        _style_instead(chart, native, figure, page)
    else:
        _style_axis(along, figure.layout[f"{name}axis"], value, page)
    _style_names(across, figure.layout[f"{other}axis"], native, page)
    if sideways:
        across.reverse_order = True
        # On a reversed axis the high end is at the bottom.
        along.tick_label_position = XL_TICK_LABEL_POSITION.HIGH


def _style_instead(chart: Any, native: Native, figure: go.Figure, page: Page) -> None:
    axis = chart.value_axis
    _plain_axis(axis, page)
    axis.minimum_scale = 0
    axis.tick_labels.number_format = "#,##0"
    axis.tick_labels.number_format_is_linked = False
    _title(axis, figure.layout.meta["instead"]["axis"], page)


def _style_names(axis: Any, stated: Any, native: Native, page: Page) -> None:
    """The axis of names."""
    axis.format.line.color.rgb = rgb(theme.FAINT)
    axis.has_major_gridlines = False
    axis.major_tick_mark = XL_TICK_MARK.NONE
    axis.tick_labels.font.size = Pt(page.points(13))
    axis.tick_labels.font.color.rgb = rgb(theme.INK)
    if stated.title.text:
        _title(axis, stated.title.text, page)
    count = len(native.categories) if isinstance(native, Bars | Areas) else 0
    if count > _MOST_TICK_NAMES and isinstance(native, Areas):
        skip = etree.SubElement(axis._element, qn("c:tickLblSkip"))
        skip.set("val", str(-(-count // _MOST_TICK_NAMES)))


def _style_axis(axis: Any, stated: Any, known: Axis, page: Page) -> None:
    """An axis of numbers as the figure has it."""
    _plain_axis(axis, page)
    if stated.visible is False:
        axis.has_major_gridlines = False
        axis.tick_label_position = XL_TICK_LABEL_POSITION.NONE
        axis.format.line.fill.background()
    if known.fixed:
        ends = (10**known.low, 10**known.high) if known.log else (known.low, known.high)
        # Without the last digits of 10**x, which an axis would show.
        axis.minimum_scale, axis.maximum_scale = (float(f"{end:.9g}") for end in sorted(ends))
    if known.log:
        _set_log(axis)
        axis.major_unit = 2
    elif stated.tickvals is not None and len(stated.tickvals) > 1:
        axis.major_unit = float(stated.tickvals[1]) - float(stated.tickvals[0])
    if stated.showgrid is False:
        axis.has_major_gridlines = False
    whole = known.log and known.low >= 0
    axis.tick_labels.number_format = "#,##0" if whole else _number_format(stated)
    axis.tick_labels.number_format_is_linked = False
    if stated.title.text:
        _title(axis, stated.title.text, page)


def _plain_axis(axis: Any, page: Page) -> None:
    axis.has_major_gridlines = True
    axis.major_gridlines.format.line.color.rgb = rgb(theme.GRID)
    axis.major_gridlines.format.line.width = Pt(0.75)
    axis.major_tick_mark = XL_TICK_MARK.NONE
    axis.minor_tick_mark = XL_TICK_MARK.NONE
    axis.format.line.fill.background()
    axis.tick_labels.font.size = Pt(page.points(14))
    axis.tick_labels.font.color.rgb = rgb(theme.SOFT)


def _set_log(axis: Any) -> None:
    scaling = axis._element.find(qn("c:scaling"))
    base = etree.Element(qn("c:logBase"))
    base.set("val", "2")
    scaling.insert(0, base)


def _cross_at_low(across: Any, along: Any) -> None:
    """Each axis at the low end of the other, also where 0 is not in sight."""
    across.crosses = along.crosses = XL_AXIS_CROSSES.MINIMUM


def _number_format(stated: Any) -> str:
    texts = stated.ticktext
    percent = stated.ticksuffix == " %" or (
        texts is not None and len(texts) and str(texts[0]).endswith("%")
    )
    if percent:
        return '0" %"'
    return "#,##0" if stated.tickformat == "," else "General"


def _title(axis: Any, text: str, page: Page) -> None:
    axis.has_title = True
    frame = axis.axis_title.text_frame
    frame.text = plain(text)
    font = frame.paragraphs[0].runs[0].font
    font.size, font.bold, font.name = Pt(page.points(14)), False, FONT
    font.color.rgb = rgb(theme.SOFT)


def rgb(colour: str) -> RGBColor:
    """A colour of the form #RRGGBB."""
    return RGBColor(*bytes.fromhex(colour.removeprefix("#")))  # type: ignore[no-untyped-call]


def write(
    frame: Any,
    text: list[list[Run]],
    page: Page,
    *,
    size_px: float,
    colour: str,
    bold: bool = False,
) -> None:
    """Writes formatted lines into a text frame."""
    for at, line in enumerate(text):
        paragraph = frame.paragraphs[0] if at == 0 else frame.add_paragraph()
        for run in line:
            piece = paragraph.add_run()
            piece.text = run.text
            font = piece.font
            font.size = Pt(page.points(run.size_px or size_px))
            font.bold, font.name = bold or run.bold, FONT
            font.color.rgb = rgb(run.colour or colour)
