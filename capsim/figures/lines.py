"""Lines with a band of uncertainty, a name at their end, and thresholds across them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go

from capsim.figures import theme


def add_line(
    figure: go.Figure,
    x: Any,
    y: Any,
    name: str,
    colour: str,
    hover: str,
    *,
    axis: str = "",
    dash: str = "solid",
) -> None:
    """A line; hover as a plotly template; axis "2" for the second panel."""
    figure.add_scatter(
        x=np.asarray(x, np.float32),
        y=np.asarray(y, np.float32),
        name=name,
        mode="lines",
        line={"color": colour, "width": 3, "dash": dash},
        hovertemplate=hover + "<extra></extra>",
        showlegend=False,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
    )


def add_band(
    figure: go.Figure, x: Any, low: Any, high: Any, colour: str, *, axis: str = ""
) -> None:
    """The range between two lines, pale."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    figure.add_scatter(
        x=np.concatenate((np.asarray(x, np.float32), np.asarray(x, np.float32)[::-1])),
        y=np.concatenate((np.asarray(high, np.float32), np.asarray(low, np.float32)[::-1])),
        name="range",
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.14)",
        hoverinfo="skip",
        showlegend=False,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
    )


def name_end(
    figure: go.Figure, x: float, y: float, text: str, colour: str, *, axis: str = ""
) -> None:
    """The name of a line, right of its last point."""
    _name(figure, x, y, text, colour, axis, {"xanchor": "left", "xshift": 8})


def name_top(
    figure: go.Figure, x: float, top: float, text: str, colour: str, *, axis: str = ""
) -> None:
    """The name of a line that leaves the panel, above the place where it does."""
    _name(figure, x, top, text, colour, axis, {"xanchor": "center", "yanchor": "bottom"})


def _name(
    figure: go.Figure,
    x: float,
    y: float,
    text: str,
    colour: str,
    axis: str,
    anchor: dict[str, Any],
) -> None:
    figure.add_annotation(
        name="label",
        x=x,
        y=y,
        xref=f"x{axis}",
        yref=f"y{axis}",
        text=text,
        showarrow=False,
        align="left",
        font={"size": 14, "color": colour},
        **anchor,
    )


def threshold(
    figure: go.Figure, y: float, text: str, ends: Sequence[float], *, axis: str = ""
) -> None:
    """A dashed line across the panel with its meaning above the left end."""
    figure.add_shape(
        name="threshold",
        type="line",
        x0=ends[0],
        x1=ends[1],
        y0=y,
        y1=y,
        xref=f"x{axis}",
        yref=f"y{axis}",
        line={"color": theme.AT_RISK, "width": 1.5, "dash": "dash"},
    )
    figure.add_annotation(
        name="threshold",
        x=ends[0],
        y=y,
        xref=f"x{axis}",
        yref=f"y{axis}",
        text=text,
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        xshift=4,
        font={"size": 12.5, "color": theme.AT_RISK},
    )


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Values moved apart upwards until neighbours are at least a gap apart; order is kept.

    >>> spread([1.0, 1.1, 3.0], 1.0)
    [1.0, 2.0, 3.0]
    """
    out = list(values)
    order = sorted(range(len(out)), key=out.__getitem__)
    for before, after in pairwise(order):
        out[after] = max(out[after], out[before] + gap)
    return out
