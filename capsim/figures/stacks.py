"""Stacks side by side: density, overhead, slow-down, start, isolation and charge in one picture.

`stacks` is the figure for slides. A panel keeps one figure and writes `stack_series` into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from capsim.figures import theme, words
from capsim.figures.stack_columns import Series, label_texts, stack_series

if TYPE_CHECKING:
    from capsim.stack.compare import Stack, StackComparison

LEFT = 224
"""Pixels for the names."""
_GAPS = (2, 2, 3, 3)
"""Blanks between a mark and its label, by column."""
#: Share of the plot's width: start and end of each column.
_COLUMNS = ((0.0, 0.19), (0.225, 0.405), (0.44, 0.62), (0.655, 0.81), (0.83, 1.0))
HEADINGS = (
    "Units on the host",
    "Memory taken",
    "Time of the work",
    "Start of one more",
    "Between two units",
)
_UNITS = ("number", "GiB, by the layers", "× bare metal, logarithmic", "logarithmic", "")
SUBTITLE = (
    "One host filled with equal units under each platform; lines are the ranges that the "
    "parameters allow"
)


def stacks(comparison: StackComparison) -> go.Figure:
    """What a host holds under each platform, what layers take, how slow and how quick to start.

    The range of each figure is drawn; a slow-down whose range leaves the axis has it in its label.
    """
    return theme.finish(
        stacks_picture(comparison),
        stacks_title(comparison),
        SUBTITLE,
        stacks_source(comparison),
        comparison.assumptions,
    )


def stacks_picture(comparison: StackComparison) -> go.Figure:
    """The picture without title and footnote, for a panel that keeps it and updates it."""
    figure = theme.blank(left=LEFT, right=84, bottom=84)
    figure.update_layout(margin_t=150)
    columns = stack_series(comparison)
    _bars(figure, columns[0], 1, theme.USED)
    _bars(figure, columns[1], 2, theme.STRANDED)
    _dots(figure, columns[2], 3, theme.AT_RISK)
    _dots(figure, columns[3], 4, theme.WAITING)
    _isolation(figure, comparison)
    _axes(figure, columns, comparison)
    _headings(figure)
    return figure


def update_stacks(widget: Any, comparison: StackComparison) -> None:
    """Moves a picture to another comparison of as many stacks, as one redraw."""
    changed: list[tuple[Any, dict[str, Any]]] = []
    for at, series in enumerate(stack_series(comparison)):
        marks, labels = widget.data[2 * at], widget.data[2 * at + 1]
        axis = widget.layout[_axis_name("xaxis", at + 1)]
        changed.append((axis, {"range": series.span}))
        changed.append((marks, {"x": series.x}))
        changed.append((marks.error_x, {"array": series.plus, "arrayminus": series.minus}))
        changed.append((labels, {"x": series.label_x, "text": label_texts(series, _GAPS[at])}))
    changed.append((widget.data[-1], {"text": isolation_texts(comparison)}))
    changed.append((widget.layout.yaxis, {"ticktext": stack_names(comparison)}))
    with widget.batch_update():
        for thing, values in changed:
            for name, value in values.items():
                _set(thing, name, value)


def _set(thing: Any, name: str, value: Any) -> None:
    """Sets what differs: plotly draws again whatever it is told."""
    before = thing[name]
    same = (
        np.array_equal(before, value, equal_nan=True)
        if isinstance(value, np.ndarray)
        else before == tuple(value)
    )
    if not same:
        thing[name] = value


def _error(series: Series) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": series.plus,
        "arrayminus": series.minus,
        "color": theme.INK,
        "thickness": 1.4,
        "width": 4,
    }


def _bars(figure: go.Figure, series: Series, axis: int, colour: str) -> None:
    rows = list(range(len(series.x)))
    figure.add_bar(
        x=series.x,
        y=rows,
        orientation="h",
        width=0.46,
        marker={"color": colour, "line": {"width": 0}},
        error_x=_error(series),
        xaxis=_axis_name("x", axis),
        hoverinfo="skip",
        showlegend=False,
    )
    _labels(figure, series, axis)


def _dots(figure: go.Figure, series: Series, axis: int, colour: str) -> None:
    figure.add_scatter(
        x=series.x,
        y=list(range(len(series.x))),
        mode="markers",
        marker={"color": colour, "size": 12},
        cliponaxis=False,
        error_x=_error(series),
        xaxis=_axis_name("x", axis),
        hoverinfo="skip",
        showlegend=False,
    )
    _labels(figure, series, axis)


def _labels(figure: go.Figure, series: Series, axis: int) -> None:
    figure.add_scatter(
        x=series.label_x,
        y=list(range(len(series.x))),
        mode="text",
        text=label_texts(series, _GAPS[axis - 1]),
        textposition="middle right",
        textfont={"size": 13, "color": theme.INK},
        xaxis=_axis_name("x", axis),
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )


def isolation_texts(comparison: StackComparison) -> list[str]:
    """What stands between units and how many share a kernel, a text a stack."""
    return [_isolation_text(stack) for stack in comparison.stacks]


def _isolation_text(stack: Stack) -> str:
    shared = round(stack.units_per_kernel.value)
    kernel = "own kernel each" if shared <= 1 else f"{shared:,} share a kernel"
    charge = stack.charge.value
    money = f" · {charge:.2f} USD/h" if charge else ""
    soft = f"<span style='font-size:11px;color:{theme.SOFT}'>{kernel}{money}</span>"
    return f"<b>{words.capital(stack.boundary)}</b><br>{soft}"


def _isolation(figure: go.Figure, comparison: StackComparison) -> None:
    rows = list(range(len(comparison.stacks)))
    figure.add_scatter(
        x=[0.0] * len(rows),
        y=rows,
        mode="text",
        text=isolation_texts(comparison),
        textposition="middle right",
        textfont={"size": 13, "color": theme.INK},
        xaxis="x5",
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )


def _axes(figure: go.Figure, columns: tuple[Series, ...], comparison: StackComparison) -> None:
    for at, (start, end) in enumerate(_COLUMNS, 1):
        figure.layout[_axis_name("xaxis", at)] = {
            "domain": [start, end],
            "anchor": "y",
            "showgrid": False,
            "showticklabels": False,
            "ticklen": 0,
            "range": list(columns[at - 1].span) if at <= len(columns) else [0, 1],
            "fixedrange": True,
        }
    figure.layout.xaxis3.type = figure.layout.xaxis4.type = "log"
    figure.update_yaxes(
        tickvals=list(range(len(comparison.stacks))),
        ticktext=stack_names(comparison),
        tickfont={"size": 14, "color": theme.INK},
        range=[len(comparison.stacks) - 0.5, -0.5],
        showgrid=False,
        fixedrange=True,
    )
    figure.update_layout(bargap=0.5, barmode="overlay")
    _lines(figure, len(comparison.stacks))


def stack_names(comparison: StackComparison) -> list[str]:
    """Names of the stacks as the figure writes them."""
    return [f"<b>{words.safe(stack.platform.name)}</b>" for stack in comparison.stacks]


def _lines(figure: go.Figure, rows: int) -> None:
    """Hair lines between the rows."""
    figure.update_layout(
        shapes=[
            {
                "type": "line",
                "xref": "paper",
                "yref": "y",
                "x0": -0.24,
                "x1": 1,
                "y0": row - 0.5,
                "y1": row - 0.5,
                "line": {"color": theme.GRID, "width": 1},
            }
            for row in range(rows + 1)
        ]
    )


def _headings(figure: go.Figure) -> None:
    for (start, _), heading, unit in zip(_COLUMNS, HEADINGS, _UNITS, strict=True):
        soft = f"<br><span style='font-size:11px;color:{theme.SOFT}'>{unit or '&nbsp;'}</span>"
        figure.add_annotation(
            name="heading",
            text=f"<b>{heading}</b>{soft}",
            x=start,
            y=1,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            yshift=6,
            align="left",
            showarrow=False,
            font={"size": 13, "color": theme.INK},
        )


def _axis_name(kind: str, number: int) -> str:
    return kind if number == 1 else f"{kind}{number}"


def stacks_title(comparison: StackComparison) -> str:
    """The takeaway: who holds most and least, and what the work costs at worst."""
    every = comparison.stacks
    most = max(every, key=lambda stack: stack.units.value)
    least = min(every, key=lambda stack: stack.units.value)
    if most.units.value == 0:
        return "No platform fits one of these units on this host"
    held = f"{words.count(round(most.units.value), 'unit')} fit {_how(most)}"
    if least.units.value < most.units.value:
        held += f", {least.units.value:,.0f} {_how(least)}"
    slow = max(every, key=lambda stack: stack.slowdown.value)
    if slow.slowdown.value < 1.005:
        return f"{held}; none slows the work"
    worst = words.percent(slow.slowdown.value - 1)
    return f"{held}; the work takes {worst} longer with {_inline(slow)}"


def _how(stack: Stack) -> str:
    """After "64 units fit": "on bare metal", "as Kata pods on a host"."""
    return f"{'on' if stack.platform.key == 'bare-metal' else 'as'} {_inline(stack)}"


def _inline(stack: Stack) -> str:
    """A name inside a sentence: "bare metal", "VM on KVM"."""
    name = stack.platform.name
    return (
        name
        if name[1:2].isupper() or name.startswith(("VM", "Kata"))
        else name[0].lower() + name[1:]
    )


def stacks_source(comparison: StackComparison) -> str:
    """The footnote: host, unit, workload, and where the figures are from."""
    host, unit = comparison.host, comparison.unit
    return words.safe(
        f"Host: {host.cores:g} cores, {host.memory_gib:g} GiB · unit: {unit.cores:g} cores, "
        f"{unit.memory_gib:g} GiB · workload: {comparison.profile.name} · no overcommit, images "
        "present · parameters with sources: data/platforms; slow-downs: docs/models/measurements.md"
    )
