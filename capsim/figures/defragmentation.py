"""Defragmentation: how full the nodes are before and after, from the fullest to the emptiest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from capsim.figures import resources, theme, words

if TYPE_CHECKING:
    from capsim.placement import Placement
    from capsim.placement.defragmentation import Defragmentation

_BEFORE, _AFTER = theme.FAINT, theme.USED
_MOST_POINTS = 800


def defragmentation(result: Defragmentation, *, resource: str | None = None) -> go.Figure:
    """The requested share of every node before and after, each time from the fullest node on.

    Parameters: resource, by default on each node the one of which most is requested. The title
    says how many evictions free what.
    """
    before, after = result.before, result.after
    source = words.safe(f"Source: {before.scenario.name} · {result.strategy} · use is by requests")
    shown = [resource] if resource else resources.shown(before)
    if not shown or not len(before.offered):
        why = "the plan has no nodes or no requests"
        return theme.nothing("Nothing to defragment", why, source)
    figure = theme.blank(right=150)
    shares = [_shares(plan, shown) for plan in (before, after)]
    for each, colour, text in zip(shares, (_BEFORE, _AFTER), ("before", "after"), strict=True):
        _draw(figure, each, colour, text)
    _label(figure, *shares)
    what = words.resource_name(resource) if resource else "fullest resource"
    figure.update_xaxes(
        title_text="Nodes, from the fullest to the emptiest",
        range=[0, len(before.offered)],
        tickformat=",",
    )
    figure.update_yaxes(title_text=f"{words.capital(what)} requested (%)", range=[0, 104])
    title = defragmentation_title(result)
    subtitle = f"Requested share of each node's {what}, before and after the evictions"
    return theme.finish(figure, title, subtitle, source, result.assumptions)


def defragmentation_title(result: Defragmentation) -> str:
    """The takeaway: what so many evictions free."""
    numbers = result.summary()
    count = int(numbers["evictions"])
    evictions = words.count(count, "eviction")
    if not count:
        return f"{words.safe(result.strategy)} finds nothing to evict"
    noun = words.noun(result.before.scenario)
    placed = int(numbers["waiting_units_before"] - numbers["waiting_units_after"])
    freed = int(numbers["empty_nodes_after"] - numbers["empty_nodes_before"])
    parts = []
    verb = "lets" if count == 1 else "let"
    if placed > 0:
        parts.append(f"{verb} {words.count(placed, f'waiting {noun}')} run")
    if freed > 0:
        verb = "leaves" if count == 1 else "leave"
        parts.append(f"{verb} {words.count(freed, 'more node')} empty")
    if placed < 0:
        verb = "leaves" if count == 1 else "leave"
        parts.append(f"{verb} {words.count(-placed, f'more {noun}')} waiting")
    if not parts:
        free = "frees" if count == 1 else "free"
        return f"{evictions} {free} no node and let no waiting {noun} run"
    return f"{evictions} {' and '.join(parts)}"


def _shares(plan: Placement, names: Sequence[str]) -> NDArray[np.float64]:
    """Percent of each node that is requested, of the resource of which most is; fullest first."""
    columns = [plan.topology.column(name) for name in names]
    offered, used = plan.offered[:, columns], plan.used[:, columns]
    share = np.where(offered > 0, 100.0 * used / np.maximum(offered, 1), 0.0).max(axis=1)
    ordered: NDArray[np.float64] = np.sort(share)[::-1]
    return ordered


def _draw(figure: go.Figure, shares: NDArray[np.float64], colour: str, name: str) -> None:
    at = np.unique(np.linspace(0, len(shares) - 1, min(len(shares), _MOST_POINTS)).astype(int))
    figure.add_scatter(
        x=[*(at + 0.0).tolist(), float(len(shares))],
        y=[*shares[at].tolist(), float(shares[-1])],
        name=name,
        mode="lines",
        line={"color": colour, "width": 2.5, "shape": "hv"},
        fill="tozeroy" if name == "after" else None,
        fillcolor="rgba(0,114,178,0.10)",
        hovertemplate=f"{name}: node %{{x:,.0f}} is %{{y:.0f}} % full<extra></extra>",
        showlegend=False,
    )


def _label(figure: go.Figure, before: NDArray[np.float64], after: NDArray[np.float64]) -> None:
    """Names both lines at their right ends, with their empty nodes; apart where they meet."""
    heights = [float(before[-1]), float(after[-1])]
    if abs(heights[0] - heights[1]) < 9:
        upper = int(before.sum() < after.sum())
        heights[upper] += 9
    lines = ((before, _BEFORE, "before"), (after, _AFTER, "after"))
    for (shares, colour, name), height in zip(lines, heights, strict=True):
        empty = int((shares == 0).sum())
        figure.add_annotation(
            name="label",
            x=len(shares),
            y=height,
            text=f"<b>{name}</b><br>{words.count(empty, 'node')} at 0 %",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            xshift=8,
            align="left",
            font={"size": 14, "color": theme.SOFT if name == "before" else colour},
        )
