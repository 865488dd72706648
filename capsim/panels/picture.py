"""How full the machines are: a figure for slides, and the same one as a widget that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from capsim.figures import theme
from capsim.figures.words import capital, resource_name
from capsim.panels.question import Answer

SUBTITLE = (
    "Requested share of what each machine offers; from full to empty, each resource on its own"
)
_NOW, _AS_IT_IS = "now", "as it is"
_HEIGHT = 380


def picture(answer: Answer, before: Answer, names: Sequence[str]) -> go.Figure:
    """The machines from full to empty, dotted as they were before anything was moved."""
    figure = theme.blank()
    colours = theme.resource_colours(names)
    for when, shown, line in (
        (_AS_IT_IS, before, {"width": 1.5, "dash": "dot"}),
        (_NOW, answer, {"width": 3}),
    ):
        for name, (x, y) in shown.curves(names).items():
            label = capital(resource_name(name))
            figure.add_scatter(
                x=x,
                y=y,
                name=label if when == _NOW else f"{label}, {when}",
                meta=when,
                mode="lines",
                line={"color": colours[name], "shape": "hv", **line},
                hovertemplate=f"{label}, {when}: machine %{{x:,.0f}} is %{{y:.0f}} % full"
                "<extra></extra>",
                showlegend=False,
            )
    _axes(figure)
    _key(figure, [(capital(resource_name(name)), colours[name]) for name in names])
    return figure


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


def _key(figure: go.Figure, resources: Sequence[tuple[str, str]]) -> None:
    parts = [f"<span style='color:{colour}'><b>━ {name}</b></span>" for name, colour in resources]
    parts.append(f"<span style='color:{theme.SOFT}'>┄ {_AS_IT_IS}</span>")
    figure.add_annotation(
        name="key",
        text="&nbsp;&nbsp; ".join(parts),
        x=1,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="right",
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
    lines = [trace for trace in widget.data if trace.meta == _NOW]
    with widget.batch_update():
        for line, (x, y) in zip(lines, answer.curves(names).values(), strict=True):
            if x[-1] != line.x[-1]:
                line.x = x
            line.y = y


def curve_table(answer: Answer, names: Sequence[str]) -> pd.DataFrame:
    """The points of the lines."""
    columns: dict[str, Any] = {}
    for name, (x, y) in answer.curves(names).items():
        plain = resource_name(name).lower().replace(" ", "_")
        columns |= {f"{plain}_machine": x, f"{plain}_requested_percent": y}
    return pd.DataFrame(columns)
