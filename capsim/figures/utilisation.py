"""Utilisation by node: how evenly, and how far, the machines are filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from capsim.figures import resources, theme, words
from capsim.figures.resources import Float32

if TYPE_CHECKING:
    from capsim.placement import Placement

POINTS = 201
"""Points of a curve, whatever the number of nodes."""
_FULL = 90.0
_LABEL_SHARE = 0.1
"""Height that a curve's name needs, as a share of the axis."""


def utilisation(plan: Placement, resource: str | None = None) -> go.Figure:
    """Share of each node that is requested, nodes sorted from full to empty.

    Parameters: resource, one of the plan's, or None for all that matter.
    """
    names = resources.shown(plan) if resource is None else [resource]
    footnote = resources.source(plan)
    if not names or not len(plan.offered):
        return theme.nothing("No resource is in use", "nothing is requested of a node", footnote)
    figure = theme.blank()
    x, curves = utilisation_curves(plan, names)
    colours = theme.resource_colours(names)
    for name, y in curves.items():
        figure.add_scatter(**_line(x, y, name, colours[name], len(names) == 1))
    _direct_labels(figure, x, curves, colours)
    _axes(figure, _top(curves))
    return theme.finish(
        figure,
        utilisation_title(plan, resource),
        _subtitle(resource),
        footnote,
        plan.assumptions,
    )


def utilisation_curves(
    plan: Placement, names: Sequence[str] | None = None
) -> tuple[Float32, dict[str, Float32]]:
    """The arrays of `utilisation`: percent of the nodes, and for each resource percent of use.

    Always POINTS long, float32, so that a panel can change `figure.data[i].y` in place.
    """
    x = np.linspace(0.0, 100.0, POINTS, dtype=np.float32)
    wanted = resources.shown(plan) if names is None else names
    return x, {name: sorted_use(resources.use(plan, name)) for name in wanted}


def sorted_use(use: resources.Float64) -> Float32:
    """POINTS of use from full to empty; nodes whose use is NaN are left out."""
    offered = -np.sort(-use[~np.isnan(use)])
    if not offered.size:
        return np.zeros(POINTS, np.float32)
    rank = np.arange(POINTS) * offered.size // (POINTS - 1)
    return offered[np.minimum(rank, offered.size - 1)].astype(np.float32)


def utilisation_title(plan: Placement, resource: str | None = None) -> str:
    """The takeaway: the tightest resource, or how many nodes are nearly full of one."""
    if resource is not None:
        return _one(plan, resource)
    shares = {name: resources.total_use(plan, name) for name in resources.shown(plan)}
    tight, *rest = sorted(shares, key=lambda name: -shares[name])
    head = f"{words.capital(words.resource_name(tight))} is the tightest resource: "
    others = [f"{words.resource_name(name)} {words.percent(shares[name])}" for name in rest]
    tail = f", against {words.listed(others)}" if others else ""
    return f"{head}{words.percent(shares[tight])} is requested{tail}"


def _one(plan: Placement, resource: str) -> str:
    use = resources.use(plan, resource)
    nodes = int(np.sum(~np.isnan(use)))
    full = int(np.sum(use > _FULL))
    verb = "is" if full == 1 else "are"
    return (
        f"{words.percent(resources.total_use(plan, resource))} of "
        f"{words.resource_mass(resource)} is requested; "
        f"{full:,} of {words.count(nodes, 'node')} {verb} over {_FULL:.0f} % full"
    )


def _subtitle(resource: str | None) -> str:
    if resource is not None:
        subject = words.resource_mass(resource)
        return f"Requested share of {subject} on each node; nodes from full to empty"
    return (
        "Requested share of what each node offers; nodes from full to empty, "
        "each resource sorted on its own"
    )


def _line(x: Float32, y: Float32, name: str, colour: str, alone: bool) -> dict[str, object]:
    label = words.capital(words.resource_name(name))
    return {
        "x": x,
        "y": y,
        "name": label,
        "mode": "lines",
        "line": {"color": colour, "width": 3, "shape": "hv"},
        "fill": "tozeroy" if alone else "none",
        "fillcolor": "rgba(0,114,178,0.12)",
        "hovertemplate": f"{label}: %{{y:.0f}} % at the node %{{x:.0f}} % down the row"
        "<extra></extra>",
        "showlegend": False,
    }


def _direct_labels(
    figure: go.Figure, x: Float32, curves: dict[str, Float32], colours: dict[str, str]
) -> None:
    """Writes each curve's name beside it, where it is farthest from the others."""
    for name, y in curves.items():
        others = [other for key, other in curves.items() if key != name]
        at = _clear_point(y, others, _top(curves))
        figure.add_annotation(
            name="label",
            x=float(x[at]),
            y=float(y[at]),
            text=f"<b>{words.capital(words.resource_name(name))}</b>",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            xshift=6,
            font={"size": 16, "color": colours[name]},
        )


def _clear_point(y: Float32, others: Sequence[Float32], top: float) -> int:
    """The point of a curve with the most room for a name above it, away from both ends."""
    wide, end = POINTS * 8 // 100, POINTS * 8 // 10
    best, most = POINTS // 10, -np.inf
    for at in range(POINTS // 10, end):
        ahead = slice(at, at + wide)
        above = [float(np.min(o[ahead] - y[at])) for o in others if o[at] >= y[at]]
        beside = [float(np.min(np.abs(o[ahead] - y[ahead]))) for o in others]
        room = min([*above, top - float(y[at]), _LABEL_SHARE * top])
        drop = float(y[at] - y[at + wide])
        score = room - 0.5 * drop + 0.01 * min([*beside, top])
        if score > most + 1e-6:
            best, most = at, score
    return best


def _top(curves: dict[str, Float32]) -> float:
    """The upper end of the axis of use, in percent."""
    return max(104.0, 1.05 * max(float(np.max(y)) for y in curves.values()))


def _axes(figure: go.Figure, top: float) -> None:
    figure.update_xaxes(
        title_text="Nodes that offer the resource, from full to empty (% of nodes)",
        range=[0, 100],
        ticksuffix=" %",
        showgrid=False,
        showline=True,
    )
    figure.update_yaxes(
        title_text="Requested (% of the node)",
        range=[0, top],
        **(theme.percent_ticks() if top <= 105 else {"ticksuffix": " %"}),
    )
    figure.add_hline(y=100, line={"color": theme.FAINT, "width": 1, "dash": "dot"})
