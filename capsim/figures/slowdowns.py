"""Slow-downs: of each kind of work under each stack, and the model against what was published."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capsim.figures import theme, words
from capsim.figures.stacks import stack_names

if TYPE_CHECKING:
    from capsim.stack.compare import StackComparison

#: Colours of a factor on time up to this end, pale to deep.
_BANDS = (
    (1.02, "#EEF2F5"),
    (1.1, "#FBE9D2"),
    (1.3, "#F7CF9B"),
    (2.0, "#EFA94F"),
    (4.0, "#DE7A2B"),
    (float("inf"), theme.AT_RISK),
)
_DARK_FROM = 2.0


def stack_slowdowns(comparison: StackComparison) -> go.Figure:
    """How much longer each kind of work takes under each stack, as a table in colours.

    Under each factor stands its range; below the name of a part its share of the workload.
    """
    from capsim.stack.workload import PART_NAMES, PARTS

    figure = theme.blank(left=224, right=84, bottom=84)
    figure.update_layout(margin_t=168)
    rows, columns = len(comparison.stacks), len(PARTS)
    table = comparison.parts
    for at, cell in enumerate(table.to_dict("records")):
        _cell(figure, at % columns, at // columns, cell)
    heads = [
        f"<b>{'<br>'.join(_two_lines(PART_NAMES[part]))}</b><br>"
        f"<span style='color:{theme.SOFT};font-size:12px'>{words.percent(share.value)} of the work"
        "</span>"
        for part, share in zip(PARTS, comparison.profile.shares, strict=True)
    ]
    figure.update_xaxes(
        side="top",
        tickvals=list(range(columns)),
        ticktext=heads,
        tickfont={"size": 13, "color": theme.INK},
        range=[-0.5, columns - 0.5],
        showgrid=False,
    )
    figure.update_yaxes(
        tickvals=list(range(rows)),
        ticktext=stack_names(comparison),
        tickfont={"size": 14, "color": theme.INK},
        range=[rows - 0.5, -0.5],
        showgrid=False,
    )
    return theme.finish(
        figure,
        _title(comparison),
        "Time of each kind of work against bare metal, with the range of four in five benchmarks",
        "Fitted to published measurements (docs/models/measurements.md); parts without any are "
        "stated guesses",
        comparison.assumptions,
    )


def _two_lines(name: str) -> list[str]:
    """A name of several words in two lines."""
    parts = name.split()
    half = (len(parts) + 1) // 2
    return [" ".join(parts[:half]), " ".join(parts[half:]) or "&nbsp;"]


def _cell(figure: go.Figure, x: int, y: int, cell: Mapping[Hashable, float]) -> None:
    factor, low, high = (cell[name] for name in ("slowdown", "low", "high"))
    colour = next(colour for end, colour in _BANDS if factor <= end)
    figure.add_shape(
        type="rect",
        x0=x - 0.48,
        x1=x + 0.48,
        y0=y - 0.46,
        y1=y + 0.46,
        fillcolor=colour,
        line={"width": 0},
    )
    ink = "#FFFFFF" if factor > _DARK_FROM else theme.INK
    span = (
        f"<br><span style='font-size:11px'>{low:.2f} to {_end(high)}</span>" if high > low else ""
    )
    figure.add_annotation(
        name="cell",
        x=x,
        y=y,
        text=f"<b>×{factor:.2f}</b>{span}",
        showarrow=False,
        font={"size": 15, "color": ink},
    )


def _end(high: float) -> str:
    return f"{high:.2f}" if high < 10 else f"{high:,.0f}"


def _title(comparison: StackComparison) -> str:
    """Which part suffers most and where, and which hardly does anywhere."""
    from capsim.stack.workload import PART_NAMES, PARTS

    suffered = [
        max((stack.platform.slows[at].value, stack.platform.name) for stack in comparison.stacks)
        for at in range(len(PARTS))
    ]
    most, least = suffered.index(max(suffered)), suffered.index(min(suffered))
    factor, platform = suffered[most]
    return (
        f"{words.capital(PART_NAMES[PARTS[most]])} suffer most, ×{factor:.1f} as "
        f"{words.safe(platform)}; {PART_NAMES[PARTS[least]]} hardly, ×{suffered[least][0]:.2f} at "
        "worst"
    )


def measured_slowdowns(table: pd.DataFrame) -> go.Figure:
    """The model's slow-downs against published ones, with the ranges; on the line both agree.

    Parameters: table, of `capsim.stack.measurements.measurement_table`.
    """
    slow = table[table["quantity"] == "slowdown"]
    figure = theme.blank(left=92, right=40, bottom=104)
    for role, colour, symbol in (
        ("calibrate", theme.FAINT, "circle-open"),
        ("test", theme.USED, "circle"),
    ):
        _points(figure, slow[slow["role"] == role], role, colour, symbol)
    ends = [0.85, 250.0]
    figure.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": theme.INK, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )
    axis = {
        "type": "log",
        "range": [float(np.log10(end)) for end in ends],
        "tickvals": [1, 2, 5, 10, 20, 50, 100, 200],
        "ticktext": [f"×{x}" for x in (1, 2, 5, 10, 20, 50, 100, 200)],
    }
    figure.update_xaxes(title_text="Measured slow-down (factor on time)", **axis)
    figure.update_yaxes(title_text="Model's slow-down (factor on time)", **axis)
    _key(figure)
    test = slow[slow["role"] == "test"]
    return theme.finish(
        figure,
        f"{words.percent(test['inside'].mean())} of {len(test)} test measurements lie in the "
        f"model's range; the median error is {words.percent(test['relative_error'].median())}",
        "Slow-downs of published benchmarks; lines are the model's ranges, on the dotted line both "
        "agree",
        f"Source: {slow['paper'].nunique()} papers and reports, data/platforms/measurements.csv · "
        "roles fixed before the fit",
    )


def _points(figure: go.Figure, rows: pd.DataFrame, role: str, colour: str, symbol: str) -> None:
    figure.add_scatter(
        x=rows["measured"].to_numpy(np.float32),
        y=rows["model"].to_numpy(np.float32),
        mode="markers",
        name=role,
        marker={"color": colour, "size": 9, "symbol": symbol, "line": {"width": 1.5}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (rows["high"] - rows["model"]).to_numpy(np.float32),
            "arrayminus": (rows["model"] - rows["low"]).to_numpy(np.float32),
            "color": colour,
            "thickness": 1,
            "width": 0,
        },
        text=[
            words.safe(f"{a}: {b}") for a, b in zip(rows["platform"], rows["workload"], strict=True)
        ],
        hovertemplate="%{text}<br>measured ×%{x:.2f}, model ×%{y:.2f}<extra></extra>",
        showlegend=False,
    )


def _key(figure: go.Figure) -> None:
    figure.add_annotation(
        name="key",
        text=f"<span style='color:{theme.USED}'>● tests the model</span>&nbsp;&nbsp;&nbsp;"
        f"<span style='color:{theme.SOFT}'>○ calibrates it</span>",
        x=0,
        y=1,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        xshift=4,
        yshift=4,
        showarrow=False,
        font={"size": 14},
    )
