"""How full the machines are: a figure for slides, and the same one as a widget that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from capsim.figures import theme
from capsim.figures.resources import Float32
from capsim.figures.words import capital, resource_name
from capsim.panels.question import Answer

SUBTITLE = (
    "Requested share of what each machine offers; from full to empty, each resource on its own"
)
NOW, AS_IT_IS = "now", "as it is"
_HEIGHT = 380
Curves = Mapping[str, tuple[Float32, Float32]]
"""Machines and percent, by resource."""


def picture(answer: Answer, before: Answer, names: Sequence[str]) -> go.Figure:
    """The machines from full to empty, dotted as they were before anything was moved."""
    figure = theme.blank()
    add_curves(figure, answer.curves(names), before.curves(names), thing="machine")
    _axes(figure)
    add_key(figure, curve_key(names), x=1, side="right")
    return figure


def add_curves(figure: go.Figure, now: Curves, as_it_is: Curves, *, thing: str) -> None:
    """Lines from full to empty, one a resource, dotted as they were before anything was moved."""
    colours = theme.resource_colours(list(now))
    for when, curves, line in (
        (AS_IT_IS, as_it_is, {"width": 1.5, "dash": "dot"}),
        (NOW, now, {"width": 3}),
    ):
        for name, (x, y) in curves.items():
            label = capital(resource_name(name))
            figure.add_scatter(
                x=x,
                y=y,
                name=label if when == NOW else f"{label}, {when}",
                meta=when,
                mode="lines",
                line={"color": colours[name], "shape": "hv", **line},
                hovertemplate=f"{label}, {when}: {thing} %{{x:,.0f}} is %{{y:.0f}} % full"
                "<extra></extra>",
                showlegend=False,
            )


def move_curves(widget: Any, now: Curves) -> None:
    """Puts the lines of a widget where they are now; within a `batch_update`."""
    lines = [trace for trace in widget.data if trace.meta == NOW]
    for line, (x, y) in zip(lines, now.values(), strict=True):
        if x[-1] != line.x[-1]:
            line.x = x
        line.y = y


def curve_points(now: Curves, *, thing: str) -> pd.DataFrame:
    """The points of the lines."""
    columns: dict[str, Any] = {}
    for name, (x, y) in now.items():
        plain = resource_name(name).lower().replace(" ", "_")
        columns |= {f"{plain}_{thing}": x, f"{plain}_requested_percent": y}
    return pd.DataFrame(columns)


def _axes(figure: go.Figure) -> None:
    figure.update_xaxes(
        title_text="Machines that offer the resource, from full to empty (number)",
        rangemode="tozero",
        tickformat=",",
        showgrid=False,
        showline=True,
    )
    figure.update_yaxes(
        title_text="Requested (% of what it offers)", range=[0, 104], **theme.percent_ticks()
    )


def curve_key(names: Sequence[str]) -> str:
    """The colours of the resources, in words."""
    colours = theme.resource_colours(names)
    parts = [
        f"<span style='color:{colours[name]}'><b>━ {capital(resource_name(name))}</b></span>"
        for name in names
    ]
    return "&nbsp;&nbsp; ".join([*parts, f"<span style='color:{theme.SOFT}'>┄ {AS_IT_IS}</span>"])


def add_key(figure: go.Figure, text: str, *, x: float, side: str) -> None:
    """A line of words above the plot that ends or begins at `x` of its width."""
    figure.add_annotation(
        name="key",
        text=text,
        x=x,
        y=1,
        xref="paper",
        yref="paper",
        xanchor=side,
        yanchor="bottom",
        showarrow=False,
        font={"size": 14},
    )


def live(figure: go.Figure) -> Any:
    """The figure as a widget as wide as its cell; its title is the panel's headline."""
    widget = go.FigureWidget(figure)
    widget._config = {**widget._config, "responsive": True, "displaylogo": False}
    widget.update_layout(
        width=None,
        height=_HEIGHT,
        autosize=True,
        margin={"l": 64, "r": 16, "t": 30, "b": 56},
    )
    _draw_again_once_shown(widget)
    return widget


def _draw_again_once_shown(widget: Any) -> None:
    """Plotly first draws before it stands on the page and takes 700 px; then it knows its width.

    Its first message back says that it stands there. This also makes the first move as quick as
    all others.
    """

    def shown(change: Any) -> None:
        if change.new is not None:
            widget.unobserve(shown, "_js2py_traceDeltas")
            widget.layout.margin.t += 1

    widget.observe(shown, "_js2py_traceDeltas")


def update(widget: Any, answer: Answer, names: Sequence[str]) -> None:
    """Moves the lines of the widget to an answer, as one redraw."""
    with widget.batch_update():
        move_curves(widget, answer.curves(names))


def curve_table(answer: Answer, names: Sequence[str]) -> pd.DataFrame:
    """The points of the lines."""
    return curve_points(answer.curves(names), thing="machine")
