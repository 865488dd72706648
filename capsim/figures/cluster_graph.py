"""The cluster graph: zones, racks, nodes, kernels and units as circles within circles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from capsim.figures import resources, theme, words
from capsim.figures.circles import Float64, outlines
from capsim.figures.graph_facts import BOTTOM, SIDE, TOP, Facts
from capsim.figures.graph_layout import Circles, Layout, Rows, units_in_nodes
from capsim.topology import Topology

if TYPE_CHECKING:
    from capsim.placement import Placement

NOT_IN_DECKS = "not in decks"
"""What `trace.meta` says where outlines and markers draw the same, and decks need only one."""
_NAMED_CELL = 64.0
_SMALLEST_PX = 3.0
_ON_KERNEL: dict[str, object] = {"color": theme.INK, "width": 0.5}
_KERNEL: dict[str, object] = {"color": theme.INK, "width": 1.4}
_OWN_KERNEL: dict[str, object] = {"color": theme.STRANDED, "width": 2.2}


def cluster_graph(plan: Placement | Topology) -> go.Figure:
    """The cluster as a graph: circles within circles for zone, rack, node, kernel and unit.

    Nodes are as large as their cores and coloured by use. Small clusters show every unit as a dot
    within its node, as large as its share of it; large ones show nodes alone.

    Parameters: plan, a placement; or a topology, to see what runs on it already.
    """
    facts = Facts(resources.standing(plan))
    footnote = resources.source(facts.standing)
    if not len(facts.standing.offered):
        return theme.nothing("No nodes", "the cluster has no nodes", footnote)
    figure = _page(facts.layout)
    _draw_regions(figure, facts.layout)
    _draw_waiting(figure, facts)
    if facts.detailed:
        _draw_nodes(figure, facts)
        _draw_units(figure, facts)
    else:
        _draw_markers(figure, facts)
    _name_regions(figure, facts)
    _name_nodes(figure, facts)
    theme.use_legend(figure, right=70)
    return theme.finish(figure, facts.title, facts.subtitle, footnote, facts.standing.assumptions)


def _page(layout: Layout) -> go.Figure:
    """A blank page whose axes are pixels, in true proportion, to be moved and zoomed."""
    figure = theme.blank(left=SIDE, right=SIDE, bottom=BOTTOM)
    figure.update_xaxes(range=[0, layout.width], visible=False)
    figure.update_yaxes(range=[0, layout.height], visible=False, scaleanchor="x")
    figure.update_layout(margin_t=TOP, dragmode="pan", hovermode="closest")
    return figure


def _draw_regions(figure: go.Figure, layout: Layout) -> None:
    for outline, name, fill, line in (
        (layout.regions, "groups", theme.PANEL, theme.GRID),
        (layout.racks, "racks", "#FBFCFD", "#CBD3DA"),
    ):
        _add_discs(figure, outline, name, fill, {"color": line, "width": 1.2})


def _draw_waiting(figure: go.Figure, facts: Facts) -> None:
    units = facts.standing.scenario.units
    told = [f"<b>{words.safe(units[row].key)}</b><br>waits" for row in facts.waiting.tolist()]
    marker: dict[str, object] = {"color": theme.WAITING, "line": {"width": 0}, "opacity": 1}
    trace = go.Scatter if facts.detailed else go.Scattergl
    figure.add_trace(trace(**_marks(facts.layout.waiting, "waiting", marker, told)))


def _draw_nodes(figure: go.Figure, facts: Facts) -> None:
    """Discs by band of use, each with the ring of its kernel; always the same number of traces."""
    ends = [high for _, high, _ in theme.USE_BANDS]
    use = np.nan_to_num(facts.use)
    band = np.searchsorted(ends, np.where(use > theme.OVERFULL, use, np.minimum(use, 100.0)))
    named = [(theme.band_name(low, high), colour) for low, high, colour in theme.USE_BANDS]
    nodes = facts.layout.nodes
    for at, (name, colour) in enumerate([*named, ("over 100 %", theme.AT_RISK)]):
        inside = band == at
        discs = outlines(nodes.x[inside], nodes.y[inside], nodes.r[inside], 48)
        _add_discs(figure, discs, name, colour, _KERNEL)


def _draw_units(figure: go.Figure, facts: Facts) -> None:
    """Dots for units: on the node's kernel, and with a ring of their own where they bring one."""
    rows, dots = units_in_nodes(facts.standing.node_of, facts.share_of_node, facts.layout.nodes)
    own = facts.own_kernel[rows]
    kinds: tuple[tuple[NDArray[np.bool_], str, dict[str, object], str], ...] = (
        (~own, "units", _ON_KERNEL, theme.PAPER),
        (own, "units with a kernel of their own", _OWN_KERNEL, theme.STRANDED),
    )
    for chosen, name, line, _ in kinds:
        ring = outlines(dots.x[chosen], dots.y[chosen], dots.r[chosen], 20)
        _add_discs(figure, ring, name, theme.PAPER, line, NOT_IN_DECKS)
    _draw_markers(figure, facts)
    for chosen, name, line, colour in kinds:
        circles = Circles(dots.x[chosen], dots.y[chosen], dots.r[chosen])
        marker: dict[str, object] = {"color": colour, "line": line, "opacity": 0}
        figure.add_scatter(**_marks(circles, name, marker, _told_of_units(facts, rows[chosen])))


def _told_of_units(facts: Facts, rows: Rows) -> list[str]:
    units, nodes = facts.standing.scenario.units, facts.standing.scenario.nodes
    return [
        f"<b>{words.safe(units[row].key)}</b><br>on {words.safe(nodes[node].name)}"
        for row, node in zip(rows.tolist(), facts.standing.node_of[rows].tolist(), strict=True)
    ]


def _draw_markers(figure: go.Figure, facts: Facts) -> None:
    """Nodes as markers: all of the picture without units, else what pointer and decks take."""
    colours, low, high = theme.use_scale()
    marker: dict[str, object] = {
        "color": theme.clip_use(facts.use),
        "colorscale": colours,
        "cmin": low,
        "cmax": high,
        "opacity": 0 if facts.detailed else 1,
        "line": _KERNEL if facts.detailed else {"width": 0},
        "showscale": False,
    }
    trace = go.Scatter if facts.detailed else go.Scattergl
    told = resources.hover_lines(facts.standing)
    marks = _marks(facts.layout.nodes, "nodes", marker, told)
    figure.add_trace(trace(**marks, meta=NOT_IN_DECKS if facts.detailed else None))


def _add_discs(
    figure: go.Figure,
    outline: tuple[Float64, Float64],
    name: str,
    fill: str,
    line: dict[str, object],
    meta: str | None = None,
) -> None:
    figure.add_scatter(
        x=outline[0].astype(np.float32),
        y=outline[1].astype(np.float32),
        name=name,
        mode="lines",
        fill="toself",
        fillcolor=fill,
        line={**line, "simplify": False},
        hoverinfo="skip",
        showlegend=False,
        meta=meta,
    )


def _marks(
    circles: Circles, name: str, marker: dict[str, object], told: list[str]
) -> dict[str, object]:
    size = np.maximum(2 * circles.r, _SMALLEST_PX).astype(np.float32)
    return {
        "x": circles.x.astype(np.float32),
        "y": circles.y.astype(np.float32),
        "name": name,
        "mode": "markers",
        "marker": {**marker, "size": size},
        "hovertext": told,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }


def _name_regions(figure: go.Figure, facts: Facts) -> None:
    side = "left" if facts.detailed else "center"
    for (x, y), (title, numbers) in zip(facts.layout.labels, facts.regions, strict=False):
        figure.add_annotation(
            name="group",
            x=x,
            y=y,
            text=f"<b>{words.safe(title)}</b><br><span style='color:{theme.SOFT}'>{numbers}</span>",
            showarrow=False,
            xanchor=side,
            align=side,
            font={"size": 12.5, "color": theme.INK},
        )


def _name_nodes(figure: go.Figure, facts: Facts) -> None:
    """Names below the nodes, where there is room for them."""
    layout = facts.layout
    if layout.cell < _NAMED_CELL:
        return
    length = max(6, int(layout.cell / 6.4))
    nodes = facts.standing.scenario.nodes
    figure.add_scatter(
        x=layout.nodes.x.astype(np.float32),
        y=(layout.nodes.y - layout.nodes.r - 2).astype(np.float32),
        name="names",
        mode="text",
        text=[words.safe(name) for name in words.short_names([n.name for n in nodes], length)],
        textposition="bottom center",
        textfont={"size": 11, "color": theme.SOFT},
        hoverinfo="skip",
        showlegend=False,
    )
