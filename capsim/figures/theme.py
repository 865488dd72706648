"""The house theme: one look for every figure, on a slide, in a notebook and on a page.

Colours are Okabe and Ito's, told apart under every common colour blindness, and bound to meaning:
the same thing has the same colour in every figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from capsim.figures import words
from capsim.figures.in_notebook import HouseFigure
from capsim.scenario import CPU, EPHEMERAL_STORAGE, GPU_MILLI, MEMORY, PODS, Assumption

WIDTH, HEIGHT = 1120, 630
"""Pixels, 16:9; pictures are made at twice that, notebooks show less (see `in_notebook`)."""

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
INK, SOFT, FAINT, GRID = "#1B2733", "#5B6875", "#98A3AE", "#E6EAEE"
PAPER, PANEL = "#FFFFFF", "#F4F6F8"

USED, FREE, STRANDED, AT_RISK, WAITING = "#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#CC79A7"
WAITING_SOFT, EMPTY, MOVED = "#EBD0DE", "#E3E9EE", "#009E73"
MEANING = {
    "used": USED,
    "free": FREE,
    "stranded": STRANDED,
    "at risk": AT_RISK,
    "waiting": WAITING,
    "empty": EMPTY,
    "moved": MOVED,
}
_RESOURCES = {
    CPU: "#0072B2",
    MEMORY: "#009E73",
    GPU_MILLI: "#1B2733",
    PODS: "#CC79A7",
    EPHEMERAL_STORAGE: "#E69F00",
}
_FURTHER = ("#1B2733", "#D55E00", "#56B4E9", "#E69F00")

#: Share of use in percent: pale when empty, deep when full; over 100 in the colour of risk.
USE_BANDS = (
    (0.0, 20.0, "#DCE6EE"),
    (20.0, 40.0, "#A9CFE8"),
    (40.0, 60.0, "#5FAAD6"),
    (60.0, 80.0, "#2380BC"),
    (80.0, 100.0, "#0B4F86"),
)
OVERFULL = 100.5
"""Percent of use above which a node counts as overfull; below, it is rounding."""
_SCALE_END = 102.0
_STOPS = (
    (0.0, "#E9EFF4"),
    (25.0, "#A9CFE8"),
    (50.0, "#5FAAD6"),
    (75.0, "#2380BC"),
    (100.0, "#083E6B"),
    (OVERFULL, "#083E6B"),
    (OVERFULL, AT_RISK),
    (_SCALE_END, AT_RISK),
)
_STRIP_PX = 18

_EDGE = 32
"""Pixels from the edge of the page to title and footnote."""
TITLE_WIDTH, SUBTITLE_WIDTH, FOOTNOTE_WIDTH = 84, 136, 178
"""Characters in a line."""
_TOP = {1: 100, 2: 130, 3: 160}


def resource_colours(resources: Iterable[str]) -> dict[str, str]:
    """One colour a resource, the same in every figure."""
    further = iter(_FURTHER * 50)
    return {name: _RESOURCES.get(name) or next(further) for name in resources}


def use_scale() -> tuple[list[list[Any]], float, float]:
    """Colour scale of a use in percent for plotly, with its ends; see `clip_use`."""
    return [[at / _SCALE_END, colour] for at, colour in _STOPS], 0.0, _SCALE_END


def clip_use(use: NDArray[np.float64]) -> NDArray[np.float32]:
    """Percent of use as values of the colour scale; whatever is overfull has one colour."""
    within = np.where(use > OVERFULL, _SCALE_END, np.minimum(use, 100.0))
    return within.astype(np.float32)


def use_legend(figure: go.Figure, *, right: float = 0.0) -> None:
    """The scale of use as a strip above the plot, `right` pixels from its right edge.

    Drawn by hand: plotly's own horizontal colour bar pushes title and plot about.
    """
    shades = [_shade(percent) for percent in range(5, 100, 10)]
    left = -len(shades) * _STRIP_PX - right
    strip = [_patch(left + at * _STRIP_PX, shade) for at, shade in enumerate(shades)]
    numbers = [_number(left + at / 10 * _STRIP_PX, at) for at in (0, 50, 100)]
    figure.layout.shapes = (*figure.layout.shapes, *strip)
    figure.layout.annotations = (*figure.layout.annotations, *numbers)


def _patch(left: float, colour: str) -> dict[str, Any]:
    """A piece of the scale, in pixels from the top right of the plot."""
    return {
        "name": "scale",
        "type": "rect",
        "xref": "paper",
        "yref": "paper",
        "xsizemode": "pixel",
        "ysizemode": "pixel",
        "xanchor": 1,
        "yanchor": 1,
        "x0": left,
        "x1": left + _STRIP_PX,
        "y0": 14,
        "y1": 24,
        "line": {"width": 0},
        "fillcolor": colour,
    }


def _number(left: float, percent: int) -> dict[str, Any]:
    last = percent == 100
    return {
        "name": "scale",
        "text": "100 % requested" if last else f"{percent} %",
        "x": 1,
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left" if last else "center",
        "yanchor": "bottom",
        "xshift": left - (_STRIP_PX if last else 0),
        "yshift": 26,
        "showarrow": False,
        "font": {"size": 12, "color": SOFT},
    }


def _shade(percent: float) -> str:
    """The colour of a use, between the stops of the scale."""
    stops = [(at, colour) for at, colour in _STOPS if at <= 100]
    low, high = next(pair for pair in pairwise(stops) if percent <= pair[1][0])
    return mix(low[1], high[1], (percent - low[0]) / (high[0] - low[0]))


def mix(first: str, second: str, share: float) -> str:
    """A colour between two of the form #RRGGBB; share 0 is the first, 1 the second."""
    mixed = (
        round(int(first[i : i + 2], 16) * (1 - share) + int(second[i : i + 2], 16) * share)
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{value:02X}" for value in mixed)


def over_words(use: NDArray[np.float64]) -> str:
    """What the colour of overfull nodes means, where there are any."""
    return " · red: more than it has" if bool((use > OVERFULL).any()) else ""


def band_name(low: float, high: float) -> str:
    """A band of use in words: "20–40 %"."""
    return f"{low:.0f}–{high:.0f} %"


def percent_ticks(values: Sequence[float] = (0, 25, 50, 75, 100)) -> dict[str, Any]:
    """Ticks of an axis or a colour bar in percent."""
    return {"tickvals": list(values), "ticktext": [f"{value:.0f} %" for value in values]}


def log_floor(value: float) -> float:
    """The largest of 1, 2, 3, 5, 10, 20, ... that is not more: where a logarithmic axis begins.

    Presentations count their ticks from there, so it is a round number.
    """
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (1, 2, 3, 5) if step * power <= value)


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks of a logarithmic axis between two values: at least three, at most eight."""
    tens = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        ticks = [step * 10.0**ten for ten in tens for step in steps]
        ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
        if len(ticks) >= 3:
            break
    else:
        ticks = [float(f"{value:.4g}") for value in np.geomspace(low, high, 3)]
    return {"tickvals": ticks, "ticktext": [f"{tick:,.6g}" for tick in ticks]}


@cache
def _template() -> go.layout.Template:
    axis = {
        "gridcolor": GRID,
        "linecolor": FAINT,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 5,
        "tickcolor": "rgba(0,0,0,0)",
        "automargin": False,
        "tickfont": {"size": 14, "color": SOFT},
        "title": {"font": {"size": 14, "color": SOFT}, "standoff": 10},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 14, "color": INK},
            "paper_bgcolor": PAPER,
            "plot_bgcolor": PAPER,
            "colorway": [USED, "#009E73", INK, STRANDED, AT_RISK, WAITING, FREE],
            "separators": ".,",
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": INK,
                "bordercolor": INK,
                "font": {"family": FONT, "size": 13, "color": "#FFFFFF"},
                "align": "left",
            },
            "legend": {"font": {"size": 13, "color": INK}, "bgcolor": "rgba(0,0,0,0)"},
            "bargap": 0.35,
        }
    )


def blank(*, left: int = 76, right: int = 48, bottom: int = 92) -> go.Figure:
    """An empty figure in the house theme, at slide size; margins in pixels."""
    return HouseFigure(
        layout={
            "template": _template(),
            "width": WIDTH,
            "height": HEIGHT,
            "margin": {"l": left, "r": right, "t": _TOP[1], "b": bottom},
        }
    )


def nothing(title: str, why: str, source: str) -> go.Figure:
    """A figure that says why it is empty."""
    figure = blank()
    figure.update_layout(xaxis_visible=False, yaxis_visible=False)
    figure.add_annotation(
        name="nothing",
        text=words.wrap(f"Nothing to show: {why}", 90),
        xref="paper",
        yref="paper",
        x=0.5,
        y=0.5,
        showarrow=False,
        font={"size": 18, "color": FAINT},
    )
    return finish(figure, title, "", source)


def finish(
    figure: go.Figure,
    title: str,
    subtitle: str,
    source: str,
    assumptions: Sequence[Assumption] = (),
) -> go.Figure:
    """Gives a figure its takeaway, its subtitle and its footnote; `layout.meta` keeps all three.

    Parameters: title, the takeaway as a sentence; subtitle, what is shown; source and assumptions,
    what it rests on. Names from files must be `words.safe` already.
    """
    heading, foot = words.wrap(title, TITLE_WIDTH), words.wrap(source, FOOTNOTE_WIDTH)
    lines = heading.count("<br>") + 1
    figure.update_layout(
        title=_title(heading, words.wrap(subtitle, SUBTITLE_WIDTH)),
        margin_b=figure.layout.margin.b + 14 * foot.count("<br>"),
        margin_t=max(figure.layout.margin.t, _TOP.get(lines, _TOP[3])),
        meta={
            "title": title,
            "subtitle": subtitle,
            "source": source,
            "assumptions": [str(each) for each in assumptions],
        },
    )
    figure.add_annotation(_footnote(foot, figure.layout.margin))
    return figure


def retitle(title: str) -> str:
    """A takeaway as `finish` writes it, for a panel that changes `figure.layout.title.text`."""
    return f"<b>{words.wrap(title, TITLE_WIDTH)}</b>"


def _title(heading: str, subtitle: str) -> dict[str, Any]:
    return {
        "text": f"<b>{heading}</b>",
        "font": {"size": 23, "color": INK},
        "x": 0,
        "xref": "container",
        "xanchor": "left",
        "y": 1 - 42 / HEIGHT,
        "yref": "container",
        "yanchor": "bottom",
        "pad": {"l": _EDGE},
        "subtitle": {"text": subtitle, "font": {"size": 14.5, "color": SOFT}},
    }


def _footnote(text: str, margin: go.layout.Margin) -> dict[str, Any]:
    """At the foot of the page, whatever the margins of the plot are."""
    return {
        "name": "footnote",
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 0,
        "xanchor": "left",
        "yanchor": "bottom",
        "xshift": _EDGE - margin.l,
        "yshift": 14 - margin.b,
        "showarrow": False,
        "align": "left",
        "font": {"size": 11, "color": FAINT},
    }
