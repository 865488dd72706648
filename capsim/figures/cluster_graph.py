"""The cluster graph: zones, racks, nodes, kernels and units as circles within circles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from capsim.figures import resources, theme, words
from capsim.figures.circles import Float64, outlines
from capsim.figures.graph_layout import Circles, Layout, boxes, discs, radii, units_in_nodes
from capsim.figures.groups import Group, by_zone, group_nodes
from capsim.figures.resources import Standing
from capsim.scenario import CPU, Node
from capsim.topology import Topology, has_own_kernel

if TYPE_CHECKING:
    from capsim.placement import Placement

MOST_UNITS, MOST_NODES = 2000, 300
"""Sizes up to which units are drawn one by one inside their nodes."""
_SIDE, _TOP, _BOTTOM = 32, 122, 44
_MOST_GROUPS = 12
_NAMED_CELL = 64.0
_KERNEL = {"color": theme.INK, "width": 1.4}
_OWN_KERNEL = {"color": theme.STRANDED, "width": 2.2}


def cluster_graph(plan: Placement | Topology) -> go.Figure:
    """The cluster as a graph: circles within circles for zone, rack, node, kernel and unit.

    Nodes are as large as their capacity and coloured by use. Small clusters show every unit as a
    dot within its node, as large as its share of it; large ones show nodes alone.
    """
    standing = resources.standing(plan)
    footnote = resources.source(standing)
    if not len(standing.offered):
        return theme.nothing("No nodes", "the cluster has no nodes", footnote)
    detailed = is_detailed(standing)
    layout = graph_layout(standing)
    figure = _page(layout)
    _draw_regions(figure, layout)
    if detailed:
        _draw_nodes(figure, standing, layout)
        _draw_units(figure, standing, layout)
    _draw_waiting(figure, standing, layout, detailed)
    _draw_markers(figure, standing, layout, detailed)
    _name_regions(figure, standing, layout, detailed)
    _name_nodes(figure, standing, layout)
    theme.use_legend(figure, right=70)
    return theme.finish(
        figure,
        graph_title(standing),
        _subtitle(standing, detailed),
        footnote,
        standing.assumptions,
    )


def is_detailed(standing: Standing) -> bool:
    """Whether units are drawn one by one."""
    placed = int(np.sum(standing.node_of >= 0))
    return placed <= MOST_UNITS and len(standing.offered) <= MOST_NODES


def graph_layout(standing: Standing) -> Layout:
    """The circles of a cluster; a panel that changes only colours keeps them."""
    radius = radii(standing.offered[:, standing.topology.column(CPU)])
    groups = [group.rows for group in _groups(standing)]
    waiting = _waiting_radii(standing)
    page = (float(theme.WIDTH - 2 * _SIDE), float(theme.HEIGHT - _TOP - _BOTTOM))
    if not is_detailed(standing):
        order = np.lexsort((-np.nan_to_num(resources.fullest(standing)), -radius))
        return discs(groups, radius, np.argsort(order), waiting, page)
    racks = [_rack(node) for node in standing.scenario.nodes]
    by_rack = [rows[np.argsort([racks[row] for row in rows], kind="stable")] for rows in groups]
    return boxes(by_rack, racks, radius, waiting, page)


def _groups(standing: Standing) -> list[Group]:
    return group_nodes(standing.scenario, most=_MOST_GROUPS)


def _rack(node: Node) -> str:
    """Racks are numbered per zone as a rule, so the zone is part of the name."""
    return f"{node.zone}/{node.rack}" if node.rack else ""


def _waiting(standing: Standing) -> NDArray[np.int64]:
    """Rows of the units that wait, large ones first; none where they are too many to draw."""
    rows = np.flatnonzero(standing.node_of < 0)
    size = _share_of_largest(standing, rows)
    return rows[np.argsort(-size, kind="stable")] if len(rows) <= MOST_UNITS else rows[:0]


def _waiting_radii(standing: Standing) -> Float64:
    rows = _waiting(standing)
    return np.sqrt(0.62 * np.clip(_share_of_largest(standing, rows), 0.004, 1.0))


def graph_title(standing: Standing) -> str:
    """The takeaway: how many units run where, and how many meet in one kernel."""
    nodes = len(standing.offered)
    placed = standing.node_of >= 0
    shared = _units_on_node_kernels(standing)
    groups = group_nodes(standing.scenario)
    kind = "zone" if by_zone(standing.scenario) else "machine shape"
    where = f" in {words.count(len(groups), kind)}" if by_zone(standing.scenario) else (
        f" of {words.count(len(groups), kind)}" if len(groups) > 1 else ""
    )
    head = f"{words.count(int(placed.sum()), 'unit')} on {words.count(nodes, 'node')}{where}"
    most, waiting = int(shared.max(initial=0)), int((~placed).sum())
    shares = f"up to {most:,} share one kernel" if most > 1 else "no kernel is shared"
    wait = f", {waiting:,} {'waits' if waiting == 1 else 'wait'}" if waiting else ""
    return f"{head}: {shares}{wait}"


def _units_on_node_kernels(standing: Standing) -> NDArray[np.int64]:
    """[N] units that run on each node's own kernel."""
    shares = ~_own_kernel(standing) & (standing.node_of >= 0)
    return np.bincount(standing.node_of[shares], minlength=len(standing.offered)).astype(np.int64)


def _own_kernel(standing: Standing) -> NDArray[np.bool_]:
    """[U] whether a unit brings its own kernel."""
    topology = standing.topology
    own = np.array([has_own_kernel(template) for template in topology.templates], bool)
    chosen: NDArray[np.bool_] = own[topology.unit_template] if own.size else np.zeros(0, bool)
    return chosen


def _subtitle(standing: Standing, detailed: bool) -> str:
    if not detailed:
        return "Disc: a node and its kernel, as large as its cores, coloured by fullest resource"
    own = " (orange: of its own)" if bool(_own_kernel(standing).any()) else ""
    return (
        f"Disc: a node, as large as its cores, coloured by fullest resource · ring: a kernel{own}"
        " · dot: a unit"
    )


def _page(layout: Layout) -> go.Figure:
    """A blank page whose axes are pixels, in true proportion, to be moved and zoomed."""
    figure = theme.blank(left=_SIDE, right=_SIDE, bottom=_BOTTOM)
    figure.update_xaxes(range=[0, layout.width], visible=False)
    figure.update_yaxes(range=[0, layout.height], visible=False, scaleanchor="x")
    figure.update_layout(margin_t=_TOP, dragmode="pan", hovermode="closest")
    return figure


def _draw_regions(figure: go.Figure, layout: Layout) -> None:
    for (x, y), name, fill, line in (
        (layout.regions, "groups", theme.PANEL, theme.GRID),
        (layout.racks, "racks", "#FBFCFD", "#CBD3DA"),
    ):
        _add_discs(figure, x, y, name, fill, {"color": line, "width": 1.2})


def _add_discs(
    figure: go.Figure, x: Float64, y: Float64, name: str, fill: str, line: dict[str, object]
) -> None:
    figure.add_scatter(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        name=name,
        mode="lines",
        fill="toself",
        fillcolor=fill,
        line={**line, "simplify": False},
        hoverinfo="skip",
        showlegend=False,
    )


def _draw_nodes(figure: go.Figure, standing: Standing, layout: Layout) -> None:
    """Discs by band of use, each with the ring of its kernel; always the same number of traces."""
    use = np.nan_to_num(resources.fullest(standing))
    nodes = layout.nodes
    for low, high, colour in (*theme.USE_BANDS, (100.0, np.inf, theme.AT_RISK)):
        inside = (use > low) & (use <= high) if low else use <= high
        if high == 100.0:
            inside = (use > low) & (use <= theme.OVERFULL)
        elif low == 100.0:
            inside = use > theme.OVERFULL
        name = theme.band_name(low, high) if high < np.inf else "over 100 %"
        x, y = outlines(nodes.x[inside], nodes.y[inside], nodes.r[inside], 48)
        _add_discs(figure, x, y, name, colour, _KERNEL)


def _draw_units(figure: go.Figure, standing: Standing, layout: Layout) -> None:
    """Dots for units: on the node's kernel, and with a ring of their own where they bring one."""
    rows, dots = units_in_nodes(standing.node_of, _share_of_node(standing), layout.nodes)
    own = _own_kernel(standing)[rows]
    for chosen, name, line in (
        (~own, "units", {"color": theme.INK, "width": 0.5}),
        (own, "units with a kernel of their own", _OWN_KERNEL),
    ):
        x, y = outlines(dots.x[chosen], dots.y[chosen], dots.r[chosen], 20)
        _add_discs(figure, x, y, name, theme.PAPER, line)
    _hover_units(figure, standing, rows, dots)


def _share_of_largest(standing: Standing, rows: NDArray[np.int64]) -> Float64:
    """The largest share that units would take of a resource of the node that has most of it."""
    topology = standing.topology
    columns = [topology.column(name) for name in resources.shown(standing)]
    asked = topology.request[topology.unit_template[rows]][:, columns].astype(np.float64)
    most = standing.offered[:, columns].max(axis=0, initial=0).astype(np.float64)
    share = np.divide(asked, most, out=np.ones_like(asked), where=most > 0)
    largest: Float64 = share.max(axis=1, initial=0.0)
    return largest


def _draw_waiting(
    figure: go.Figure, standing: Standing, layout: Layout, detailed: bool
) -> None:
    rows, dots = _waiting(standing), layout.waiting
    trace = go.Scatter if detailed else go.Scattergl
    units = standing.scenario.units
    figure.add_trace(
        trace(
            x=dots.x.astype(np.float32),
            y=dots.y.astype(np.float32),
            name="waiting",
            mode="markers",
            marker={
                "color": theme.WAITING,
                "size": np.maximum(2 * dots.r, 3.0).astype(np.float32),
                "line": {"width": 0},
            },
            hovertext=[f"<b>{words.safe(units[row].key)}</b><br>waits" for row in rows.tolist()],
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
    )


def _share_of_node(standing: Standing) -> Float64:
    """[U] the largest share that a unit takes of a resource of its node."""
    topology = standing.topology
    columns = [topology.column(name) for name in resources.shown(standing)]
    share = np.zeros(len(standing.node_of))
    placed = standing.node_of >= 0
    asked = topology.request[topology.unit_template[placed]][:, columns].astype(np.float64)
    offered = standing.offered[standing.node_of[placed]][:, columns]
    taken = np.divide(asked, offered, out=np.zeros_like(asked), where=offered > 0)
    share[placed] = taken.max(axis=1, initial=0.0)
    return share


def _hover_units(
    figure: go.Figure, standing: Standing, rows: NDArray[np.int64], dots: Circles
) -> None:
    units, nodes = standing.scenario.units, standing.scenario.nodes
    figure.add_scatter(
        x=dots.x.astype(np.float32),
        y=dots.y.astype(np.float32),
        name="unit names",
        mode="markers",
        marker={"size": 8, "opacity": 0},
        hovertext=[
            f"<b>{words.safe(units[row].key)}</b><br>on {words.safe(nodes[node].name)}"
            for row, node in zip(rows.tolist(), standing.node_of[rows].tolist(), strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _draw_markers(
    figure: go.Figure, standing: Standing, layout: Layout, detailed: bool
) -> None:
    """Nodes as markers: the picture itself in a large cluster, what the pointer finds in a small."""
    use = resources.fullest(standing)
    colours, low, high = theme.use_scale()
    size = np.maximum(2 * layout.nodes.r, 3.0)
    marker = {
        "color": theme.clip_use(use),
        "colorscale": colours,
        "cmin": low,
        "cmax": high,
        "size": size.astype(np.float32),
        "opacity": 0 if detailed else 1,
        "line": {"width": 0},
        "showscale": False,
    }
    trace = go.Scatter if detailed else go.Scattergl
    figure.add_trace(
        trace(
            x=layout.nodes.x.astype(np.float32),
            y=layout.nodes.y.astype(np.float32),
            name="nodes",
            mode="markers",
            marker=marker,
            hovertext=resources.hover_lines(standing),
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
    )


def _name_regions(
    figure: go.Figure, standing: Standing, layout: Layout, detailed: bool
) -> None:
    for (x, y), (title, numbers) in zip(layout.labels, _region_names(standing), strict=False):
        figure.add_annotation(
            name="group",
            x=x,
            y=y,
            text=f"<b>{words.safe(title)}</b><br>"
            f"<span style='color:{theme.SOFT}'>{numbers}</span>",
            showarrow=False,
            xanchor="left" if detailed else "center",
            align="left" if detailed else "center",
            font={"size": 12.5, "color": theme.INK},
        )


def _region_names(standing: Standing) -> list[tuple[str, str]]:
    use = np.nan_to_num(resources.fullest(standing))
    named = [
        (
            words.shorten(group.name, 28),
            f"{words.count(len(group.rows), 'node')}, "
            f"{words.percent(float(use[group.rows].mean()) / 100)} full",
        )
        for group in _groups(standing)
    ]
    return [*named, ("waiting", words.count(int(np.sum(standing.node_of < 0)), "unit"))]


def _name_nodes(figure: go.Figure, standing: Standing, layout: Layout) -> None:
    """Names below the nodes, where there is room for them."""
    if layout.cell < _NAMED_CELL:
        return
    length = max(6, int(layout.cell / 6.4))
    figure.add_scatter(
        x=layout.nodes.x.astype(np.float32),
        y=(layout.nodes.y - layout.nodes.r).astype(np.float32),
        name="names",
        mode="text",
        text=[words.safe(words.shorten(node.name, length)) for node in standing.scenario.nodes],
        textposition="bottom center",
        textfont={"size": 11, "color": theme.SOFT},
        hoverinfo="skip",
        showlegend=False,
    )
