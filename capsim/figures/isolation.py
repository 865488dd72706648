"""What isolation buys and costs: blast radius against machines, and prices side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from capsim.figures import theme, words
from capsim.stack.isolation import ISOLATIONS, SHARED

if TYPE_CHECKING:
    from capsim.placement.isolation_price import IsolationPrices

ISOLATION_COLOURS = {
    "shared": theme.INK,
    "vm-per-tenant": "#7A5C00",
    "gvisor": "#009E73",
    "kata": theme.STRANDED,
    "fargate": theme.WAITING,
}
#: What strikes, to the column of the frontier's table and the words on the axis.
STRIKES = {
    "escape": ("pods_reached_by_an_escape", "Pods that an escape reaches (mean)"),
    "panic": (
        "pods_lost_per_panic_seen_by_a_pod",
        "Pods lost in a panic (as a lost pod sees it)",
    ),
}
_SOURCE = "requests, not measured use · model: docs/models/kernel_sharing.md"
_PARTS = (
    ("pods_reached_by_an_escape", "Pods an escape<br>reaches (mean)", ".1f"),
    ("pods_lost_per_panic_seen_by_a_pod", "Pods a panic takes<br>(a lost pod's view)", ".1f"),
    ("machines_added", "Machines<br>to add", ".0f"),
    ("memory_added_mib_per_pod", "Memory added<br>(MiB a pod, mean)", ",.0f"),
)
_WIDTH, _GAP = 0.205, 0.06
_LABEL_LINE = 0.052
"""Height of a line of a label, as a share of the axis."""


def isolation_frontier(
    table: pd.DataFrame, *, strike: str = "escape", now: tuple[float, float] | None = None
) -> go.Figure:
    """Blast radius against machines, a line an isolation, a point a limit of pods on a machine.

    Parameters: table of `isolation_frontier`; strike, "escape" or "panic"; now, machines and pods
    of a mix to mark.
    """
    figure = theme.blank(right=170)
    for trace in frontier_traces(table, strike):
        figure.add_trace(trace)
    if now is not None:
        figure.add_trace(now_trace(*now))
    for label in line_labels(table, strike):
        figure.add_annotation(label)
    across, up = frontier_axes(table, strike)
    figure.update_xaxes(**across)
    figure.update_yaxes(**up)
    told = "Point: a limit of pods on one machine; machines are added until all fit that fit today"
    foot = f"Source: placed anew by the scheduler · without Fargate's own machines · {_SOURCE}"
    return theme.finish(figure, _frontier_title(table, strike), told, foot)


def frontier_traces(table: pd.DataFrame, strike: str) -> list[go.Scatter]:
    """One line an isolation, fewest machines first."""
    return [
        _frontier_trace(str(kind), rows.sort_values("machines_in_use"), strike)
        for kind, rows in table.groupby("isolation", sort=False)
    ]


def _frontier_trace(kind: str, rows: pd.DataFrame, strike: str) -> go.Scatter:
    name = ISOLATIONS[kind]
    return go.Scatter(
        x=rows["machines_in_use"].astype(np.float32),
        y=rows[STRIKES[strike][0]].astype(np.float32),
        name=name,
        mode="lines+markers",
        line={"color": ISOLATION_COLOURS[kind], "width": 2.5},
        marker={"size": 8, "color": ISOLATION_COLOURS[kind]},
        customdata=rows["pods_per_node_at_most"],
        hovertemplate=f"<b>{name}</b>, at most %{{customdata}} pods on a machine<br>"
        "%{x:,.0f} machines, %{y:.3g} pods<extra></extra>",
        showlegend=False,
    )


def now_trace(machines: float, pods: float) -> go.Scatter:
    """The chosen mix as one large point."""
    return go.Scatter(
        x=np.array([machines], np.float32),
        y=np.array([pods], np.float32),
        name="your choice",
        mode="markers",
        marker={"size": 19, "color": theme.AT_RISK, "line": {"color": theme.PAPER, "width": 2.5}},
        hovertemplate="your choice: %{x:,.0f} machines, %{y:.3g} pods<extra></extra>",
        showlegend=False,
    )


def line_labels(table: pd.DataFrame, strike: str, axis: str = "") -> list[dict[str, Any]]:
    """Names beside the right ends of the lines; lines that end in one point share a label."""
    column, top = STRIKES[strike][0], _top(table, strike)
    last = table.sort_values("machines_in_use").groupby("isolation", sort=False).last()
    right = float(last["machines_in_use"].max())
    inner = last["machines_in_use"] < 0.85 * right
    found = []
    for column_of_names in (last[inner], last[~inner]):
        groups = _together(column_of_names.sort_values(column, ascending=False), column, top)
        heights = _apart([(height, len(kinds)) for height, _, kinds in groups], top)
        for (_, x, kinds), height in zip(groups, heights, strict=True):
            label = _line_label(kinds, x, height, axis)
            # Beside an end amid the plot other lines may begin.
            above = {"yanchor": "bottom", "xshift": -8, "yshift": 6} if x < 0.85 * right else {}
            found.append(label | above)
    return found


def _line_label(kinds: list[str], x: float, y: float, axis: str) -> dict[str, Any]:
    names = [
        f"<span style='color:{ISOLATION_COLOURS[kind]}'><b>{ISOLATIONS[kind]}</b></span>"
        for kind in kinds
    ]
    return {
        "name": "line",
        "x": x,
        "xref": f"x{axis}",
        "y": y,
        "yref": f"y{axis}",
        "text": "<br>".join(names),
        "font": {"color": ISOLATION_COLOURS[kinds[0]], "size": 13},
        "showarrow": False,
        "align": "left",
        "xanchor": "left",
        "xshift": 10,
    }


def _together(last: pd.DataFrame, column: str, top: float) -> list[tuple[float, float, list[str]]]:
    """Height, place and kinds of the labels, from high to low; ends that coincide are one."""
    groups: list[tuple[float, float, list[str]]] = []
    ends = zip(last.index, last["machines_in_use"], last[column], strict=True)
    for kind, x, y in ends:
        if groups and groups[-1][0] - y < 0.01 * top:
            y_first, x_first, kinds = groups[-1]
            groups[-1] = (y_first, max(x_first, float(x)), [*kinds, str(kind)])
        else:
            groups.append((float(y), float(x), [str(kind)]))
    return groups


def _apart(labels: list[tuple[float, int]], top: float) -> list[float]:
    """Falling heights at which labels of so many lines do not touch, all above the axis."""
    line = _LABEL_LINE * top
    found: list[float] = []
    for at, (height, lines) in enumerate(labels):
        room = line * (labels[at - 1][1] + lines) / 2 if at else 0.0
        found.append(min(height, found[-1] - room) if at else min(height, top))
    for at in range(len(found) - 1, -1, -1):
        lines = labels[at][1]
        below = found[at + 1] + line * (labels[at + 1][1] + lines) / 2 if at + 1 < len(found) else 0
        found[at] = max(found[at], below, 0.4 * line * lines)
    return found


def _cheapest(table: pd.DataFrame) -> pd.DataFrame:
    """By isolation the row with the fewest machines."""
    ordered = table.sort_values("machines_in_use", kind="stable")
    return ordered.groupby("isolation", sort=False).first()


def _top(table: pd.DataFrame, strike: str) -> float:
    return float(table[STRIKES[strike][0]].max()) * 1.12


def frontier_axes(table: pd.DataFrame, strike: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Machines to the right, pods upwards from 0."""
    least, most = float(table["machines_in_use"].min()), float(table["machines_in_use"].max())
    if least < 0.5 * most:
        least = 0.0
    step = _step((most - least) / 6)
    low = step * math.floor(least / step)
    across = {
        "title": {"text": "Machines that carry tenants' pods (number)"},
        # Ticks count from the low end in a presentation too, so it is one of them.
        "range": [low, max(most + 0.04 * (most - low), low + step)],
        "tickvals": [low + step * at for at in range(int((1.04 * most - low) / step) + 1)],
        "tickformat": ",",
        "showline": True,
    }
    return across, {"title": {"text": STRIKES[strike][1]}, "range": [0, _top(table, strike)]}


def _step(least: float) -> int:
    """The first of 1, 2, 5, 10, 20, ... that is not less."""
    power = int(10 ** max(0, math.floor(math.log10(max(least, 1)))))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least)


def _frontier_title(table: pd.DataFrame, strike: str) -> str:
    first = _cheapest(table)
    pods: dict[str, float] = dict(zip(first.index, first[STRIKES[strike][0]], strict=True))
    machines: dict[str, int] = dict(zip(first.index, first["machines_in_use"], strict=True))
    strong = [kind for kind in pods if kind != SHARED]
    if SHARED not in pods or not strong:
        return "Fewer pods on a kernel cost more machines"
    best = min(strong, key=lambda kind: pods[kind])
    more = machines[best] - machines[SHARED]
    kind = "more" if more > 0 else "fewer"
    where = f"{words.count(abs(more), 'machine')} {kind}" if more else "as many machines"
    what = "an escape reaches" if strike == "escape" else "a panic takes"
    told = f"{what} {pods[best]:.1f} pods instead of {pods[SHARED]:.1f}"
    return f"With {ISOLATIONS[best]} {told} on {where}"


def isolation_prices(prices: IsolationPrices) -> go.Figure:
    """What each isolation buys and costs, side by side: four bars an isolation."""
    table = prices.table
    figure = theme.blank(left=150, right=40, bottom=70)
    for number, (column, title, form) in enumerate(_PARTS):
        _add_part(figure, table, number, column, form)
        figure.add_annotation(_part_title(title, number))
    at = list(range(len(table)))[::-1]
    figure.update_yaxes(
        tickvals=at,
        ticktext=[ISOLATIONS[kind] for kind in table["isolation"]],
        tickfont={"size": 15, "color": theme.INK},
        showgrid=False,
        range=[-0.6, len(at) - 0.4],
    )
    figure.update_layout(margin_t=165)
    told = "The whole cluster under each isolation, placed anew; lines: the range of the overheads"
    foot = f"Source: data/platforms/isolation.csv · {_SOURCE}"
    return theme.finish(figure, _price_title(table), told, foot, prices.assumptions)


def _add_part(figure: go.Figure, table: pd.DataFrame, number: int, column: str, form: str) -> None:
    """One of the four: bars, the lines of their ranges, and the numbers behind them."""
    axis = str(number + 1) if number else ""
    at = list(range(len(table)))[::-1]
    low, high = (table.get(f"{column}_{end}", table[column]) for end in ("low", "high"))
    figure.add_bar(
        x=table[column],
        y=at,
        orientation="h",
        marker={"color": [ISOLATION_COLOURS[kind] for kind in table["isolation"]]},
        width=0.56,
        xaxis=f"x{axis}",
        hovertemplate="%{x:.3g}<extra></extra>",
        showlegend=False,
    )
    for row, one, other in zip(at, low, high, strict=True):
        if other > one:
            line = {"color": theme.SOFT, "width": 2}
            ends = {"x": [one, other], "y": [row, row], "xaxis": f"x{axis}"}
            figure.add_scatter(**ends, mode="lines", line=line, showlegend=False)
    figure.add_scatter(
        x=high,
        y=at,
        xaxis=f"x{axis}",
        mode="text",
        text=[f"  {value:{form}}" for value in table[column]],
        textposition="middle right",
        textfont={"size": 14},
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
    left = number * (_WIDTH + _GAP)
    figure.layout[f"xaxis{axis}"] = {
        "domain": [left, left + _WIDTH],
        "range": [0, max(1.0, float(high.max())) * 1.3],
        "showgrid": False,
        "showticklabels": False,
        "anchor": "y",
    }


def _part_title(title: str, number: int) -> dict[str, Any]:
    return {
        "name": "part",
        "text": f"<b>{title}</b>",
        "x": number * (_WIDTH + _GAP),
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "align": "left",
        "showarrow": False,
        "yshift": 6,
        "font": {"size": 13.5, "color": theme.INK},
    }


def _price_title(table: pd.DataFrame) -> str:
    reached = dict(zip(table["isolation"], table["pods_reached_by_an_escape"], strict=True))
    added = dict(zip(table["isolation"], table["machines_added"], strict=True))
    strong = [kind for kind in ("kata", "gvisor", "fargate", "vm-per-tenant") if kind in reached]
    if not strong or SHARED not in reached:
        return "What isolation buys, and what it costs"
    kind, more = strong[0], int(added[strong[0]])
    machines = words.count(more, "more machine") if more else "no more machines"
    return (
        f"{ISOLATIONS[kind]} cuts what an escape reaches from {reached[SHARED]:.1f} pods to "
        f"{reached[kind]:.1f} and needs {machines}"
    )
