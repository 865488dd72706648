"""How full the nodes are, and why units wait: one figure, which follows the sliders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capsim.figures import theme
from capsim.figures.resources import Float32
from capsim.figures.words import safe, shorten
from capsim.panels.picture import add_curves, add_key, curve_key, curve_points, move_curves
from capsim.panels.schedule.question import Answer

SUBTITLE = "Left: requested share of each node, from full to empty. Right: what waits, by reason"
_BARS, _NAMES = "bars", "names"
_ROWS = 5
"""Reasons that are shown; the last row is for all others if there are more."""
_ABOVE = 0.36
"""Of a reason's name over its bar, in rows."""
_LEFT_END, _RIGHT_START = 0.56, 0.63
_MOST_LETTERS = 40


def picture(answer: Answer, before: Answer, names: Sequence[str]) -> go.Figure:
    """The nodes from full to empty, dotted as they were, beside the reasons to wait."""
    figure = theme.blank()
    add_curves(figure, answer.curves(names), before.curves(names), thing="node")
    _add_reasons(figure, answer)
    _axes(figure)
    add_key(figure, curve_key(names), x=_LEFT_END, side="right")
    add_key(figure, "<b>Why they wait</b>", x=_RIGHT_START, side="left")
    return figure


def _add_reasons(figure: go.Figure, answer: Answer) -> None:
    lengths, told = reason_rows(answer)
    rows = np.arange(_ROWS, dtype=np.float32)
    place = {"xaxis": "x2", "yaxis": "y2", "showlegend": False, "hoverinfo": "skip"}
    figure.add_bar(
        x=lengths,
        y=rows,
        meta=_BARS,
        orientation="h",
        width=0.34,
        marker={"color": theme.WAITING, "line": {"width": 0}},
        **place,
    )
    figure.add_scatter(
        x=np.zeros(_ROWS, np.float32),
        y=rows - np.float32(_ABOVE),
        text=told,
        meta=_NAMES,
        mode="text",
        textposition="middle right",
        textfont={"size": 13, "color": theme.INK},
        cliponaxis=False,
        **place,
    )


def reason_rows(answer: Answer) -> tuple[Float32, list[str]]:
    """Waiting units of each row, and its words; rows that are not needed are empty."""
    most = answer.reasons.most_common()
    if len(most) > _ROWS:
        rest = sum(number for _, number in most[_ROWS - 1 :])
        most = [*most[: _ROWS - 1], (f"{len(most) - _ROWS + 1} other reasons", rest)]
    lengths = np.zeros(_ROWS, np.float32)
    lengths[: len(most)] = [number for _, number in most]
    told = [f"<b>{number:,}</b> {safe(shorten(reason, _MOST_LETTERS))}" for reason, number in most]
    if not most:
        told = ["everything has a place"]
    return lengths, [*told, *[""] * (_ROWS - len(told))]


def _axes(figure: go.Figure) -> None:
    figure.update_layout(
        xaxis={
            "domain": [0, _LEFT_END],
            "title": {"text": "Nodes that take or run pods, from full to empty (number)"},
            "rangemode": "tozero",
            "tickformat": ",",
            "showgrid": False,
            "showline": True,
        },
        yaxis={
            "title": {"text": "Requested (% of what it offers)"},
            "range": [0, 104],
            **theme.percent_ticks(),
        },
        xaxis2={
            "domain": [_RIGHT_START, 1],
            "anchor": "y2",
            "title": {"text": "Pods that wait (number)"},
            "rangemode": "tozero",
            "tickformat": ",",
            "nticks": 5,
        },
        yaxis2={
            "anchor": "x2",
            "range": [_ROWS - 0.6, -0.8],
            "showticklabels": False,
            "showgrid": False,
            "zeroline": False,
            "ticks": "",
        },
    )


def update(widget: Any, answer: Answer, names: Sequence[str]) -> None:
    """Moves the lines and bars of the widget to an answer, as one redraw."""
    (bars,) = (trace for trace in widget.data if trace.meta == _BARS)
    (labels,) = (trace for trace in widget.data if trace.meta == _NAMES)
    lengths, told = reason_rows(answer)
    with widget.batch_update():
        move_curves(widget, answer.curves(names))
        bars.x = lengths
        if list(labels.text) != told:
            labels.text = told


def curve_table(answer: Answer, names: Sequence[str]) -> pd.DataFrame:
    """The points of the lines."""
    return curve_points(answer.curves(names), thing="node")
