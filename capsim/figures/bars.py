"""Horizontal bars with their names on the left and their numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from capsim.figures import theme, words

LEFT = 300
"""Pixels for the names."""
_NAME_LENGTH = 40
_LEAST_AXIS = 5
"""Where an axis of counts ends at least, so that a bar of 1 is a short one."""
_TALLEST, _THICKEST = 104.0, 46.0
"""Pixels of a row and of its bar, at most."""


def page(*, right: int = 60) -> go.Figure:
    """A blank figure with room for names on the left."""
    return theme.blank(left=LEFT, right=right, bottom=80)


def row_height(count: int) -> float:
    """Pixels of a row: what the page has, but no more than looks well."""
    return min(_TALLEST, (theme.HEIGHT - 220) / max(count, 1))


def name_rows(figure: go.Figure, names: Sequence[str], below: Sequence[str] = ()) -> None:
    """Names the bars at y = 0, 1, ... from the top; `below` is a second, softer line.

    Names may come out of somebody's file; what is below must be `words.safe`.
    """
    lines = [words.safe(words.shorten(name, _NAME_LENGTH)) for name in names]
    for at, text in enumerate(below):
        lines[at] += f"<br><span style='color:{theme.FAINT};font-size:12px'>{text}</span>"
    height = row_height(len(names))
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=lines,
        tickfont={"size": 14, "color": theme.INK},
        range=[(theme.HEIGHT - 220) / height - 0.5, -0.5],
        showgrid=False,
        ticklen=8,
    )
    figure.update_layout(bargap=max(0.35, 1 - _THICKEST / height))


def count_axis(figure: go.Figure, title: str, most: float, *, room: float) -> None:
    """An axis of whole numbers from 0, with `room` for labels as a share of the longest bar."""
    figure.update_xaxes(
        title_text=title,
        range=[0, (1 + room) * max(most, _LEAST_AXIS)],
        tickformat=",",
        nticks=7,
        dtick=1 if most <= 6 else None,
    )


def add_bar(
    figure: go.Figure, values: Sequence[float], name: str, colour: str, hover: Sequence[str]
) -> None:
    """One bar, or one part of stacked bars, in each row."""
    figure.add_bar(
        x=list(values),
        y=list(range(len(values))),
        name=name,
        orientation="h",
        marker={"color": colour, "line": {"width": 0}},
        hovertext=list(hover),
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def write_beside(
    figure: go.Figure, at: float, row: int, text: str, *, colour: str = theme.INK, size: int = 14
) -> None:
    """A label right of the end of a bar."""
    figure.add_annotation(
        name="label",
        x=at,
        y=row,
        text=text,
        showarrow=False,
        xanchor="left",
        xshift=8,
        align="left",
        font={"size": size, "color": colour},
    )


def key(figure: go.Figure, parts: Sequence[tuple[str, str]]) -> None:
    """What the colours of stacked bars mean, written above them from the left."""
    shift = 0.0
    for text, colour in parts:
        figure.add_annotation(
            name="key",
            x=0,
            y=1,
            xref="paper",
            yref="paper",
            text=f"<span style='color:{colour}'>■</span> {text}",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            xshift=shift,
            yshift=8,
            font={"size": 14, "color": theme.INK},
        )
        shift += 42 + 7.4 * len(text)
