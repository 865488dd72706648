"""The map of utilisation: every node one cell, in blocks by zone or machine shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from capsim.figures import resources, theme, words
from capsim.figures.groups import Group, group_nodes, sorted_by
from capsim.figures.resources import Float32, Float64

if TYPE_CHECKING:
    from capsim.placement import Placement

_MOST_GROUPS = 9
_LEFT, _RIGHT, _TOP, _BOTTOM = 264, 168, 122, 62
_FULL = 90.0
#: Cells at least this many pixels wide carry their number, and a name from the second on.
_NUMBER_PX, _NAME_PX = 34.0, 96.0


@dataclass(frozen=True, eq=False)
class NodeMap:
    """Where the cells are: 1-D float32 arrays for plotly's heat map, gaps as NaN cells."""

    x: Float32
    y: Float32
    z: Float32
    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    """Row of the node in each cell, -1 for a gap."""
    columns: int
    lines: int
    gap: int
    """Empty lines between blocks; large cells have none, a white rule parts them."""
    blocks: tuple[tuple[Group, float], ...]
    """Each group with the middle of its block on the y axis."""


def utilisation_map(plan: Placement, resource: str | None = None) -> go.Figure:
    """Use of every node as a colour, nodes from full to empty within a zone or shape.

    Parameters: resource, one of the plan's; None for the fullest resource of each node.
    """
    footnote = resources.source(plan)
    if not len(plan.offered):
        return theme.nothing("No nodes", "the cluster has no nodes", footnote)
    cells = map_cells(plan, resource)
    figure = theme.blank(left=_LEFT, right=_RIGHT, bottom=_BOTTOM)
    figure.add_heatmap(**_heat(plan, cells))
    _name_blocks(figure, cells, resources.fullest(plan, resource))
    theme.use_legend(figure, right=100 - _RIGHT)
    _frame(figure, cells)
    _write_in_cells(figure, plan, cells)
    subtitle = _subtitle(plan, resource)
    theme.finish(figure, map_title(plan, resource), subtitle, footnote, plan.assumptions)
    figure.layout.meta = {**figure.layout.meta, "instead": _bands(plan, cells, resource)}
    return figure


def map_title(plan: Placement, resource: str | None = None) -> str:
    """The takeaway: how many nodes are nearly full, how many stand empty."""
    use = resources.fullest(plan, resource)
    nodes, full = len(use), int(np.sum(use > _FULL))
    empty = nodes - len(np.unique(plan.node_of[plan.node_of >= 0]))
    are = "is" if full == 1 else "are"
    of_what = "" if resource is None else f" of {words.resource_mass(resource)}"
    if not full:
        most = words.percent(float(np.nanmax(use, initial=0.0)) / 100)
        head = f"No node is over {_FULL:.0f} % full{of_what}: the fullest has {most} requested"
    else:
        head = f"{full:,} of {words.count(nodes, 'node')} {are} over {_FULL:.0f} % full{of_what}"
    several = "all" if empty == nodes and not full else f"{empty:,}"
    return f"{head}, {several if empty else 'none'} {'is' if empty < 2 else 'are'} empty"


def _subtitle(plan: Placement, resource: str | None) -> str:
    over = theme.over_words(resources.fullest(plan, resource))
    if resource is not None:
        return f"Requested share of {words.resource_mass(resource)}; every cell is a node{over}"
    return f"Requested share of the fullest resource of each node; every cell is a node{over}"


def map_cells(plan: Placement, resource: str | None = None) -> NodeMap:
    """The cells of the map; a panel passes `x`, `y` and `z` on to `figure.data[0]`."""
    use = resources.fullest(plan, resource)
    groups = group_nodes(plan.scenario, most=_MOST_GROUPS)
    columns, gap = _columns([len(group.rows) for group in groups])
    line, xs, ys, rows, blocks = 0, [], [], [], []
    for group in groups:
        height = math.ceil(len(group.rows) / columns)
        cell = np.arange((height + gap) * columns)
        xs.append(cell % columns)
        ys.append(line + cell // columns)
        padding = np.full(len(cell) - len(group.rows), -1)
        rows.append(np.concatenate([sorted_by(use, group), padding]))
        blocks.append((group, line + (height - 1) / 2))
        line += height + gap
    row = np.concatenate(rows).astype(np.int64)
    shown = theme.clip_use(use)
    return NodeMap(
        x=np.concatenate(xs).astype(np.float32),
        y=np.concatenate(ys).astype(np.float32),
        z=np.where(row < 0, np.nan, shown[row]).astype(np.float32),
        rows=row,
        columns=columns,
        lines=line - gap,
        gap=gap,
        blocks=tuple(blocks),
    )


def _columns(sizes: list[int]) -> tuple[int, int]:
    """The width in cells at which the cells are largest on the page, and the lines in a gap."""
    wide, high = _page()
    for gap in (0, 1):
        lines = [
            sum(math.ceil(size / columns) + gap for size in sizes) - gap
            for columns in range(1, max(sizes) + 1)
        ]
        cells = [min(wide / (1 + at), high / each) for at, each in enumerate(lines)]
        if max(cells) >= _NUMBER_PX:
            break
    return 1 + int(np.argmax(cells)), gap


def _page() -> tuple[float, float]:
    return theme.WIDTH - _LEFT - _RIGHT, float(theme.HEIGHT - _TOP - _BOTTOM)


def _bands(plan: Placement, cells: NodeMap, resource: str | None) -> dict[str, object]:
    """What decks draw instead of thousands of cells: nodes by band of use, in each group."""
    use = np.nan_to_num(resources.fullest(plan, resource))
    edges = [0.0, *(high for _, high, _ in theme.USE_BANDS[:-1]), theme.OVERFULL]
    band = np.searchsorted(edges, use, side="left")
    bands = [(theme.band_name(low, high), colour) for low, high, colour in theme.USE_BANDS]
    shown = [("empty", theme.EMPTY), *bands, ("over 100 %", theme.AT_RISK)]
    counts = np.array(
        [np.bincount(band[group.rows], minlength=len(shown)) for group, _ in cells.blocks]
    )
    parts = [
        {"name": name, "colour": colour, "values": counts[:, at].tolist()}
        for at, (name, colour) in enumerate(shown)
        if counts[:, at].any()
    ]
    rows = [f"{group.name}\n{words.count(len(group.rows), 'node')}" for group, _ in cells.blocks]
    what = "the fullest resource" if resource is None else words.resource_mass(resource)
    told = f"Nodes by requested share of {what}"
    return {"rows": rows, "parts": parts, "axis": "Nodes", "subtitle": told}


def _heat(plan: Placement, cells: NodeMap) -> dict[str, object]:
    lines = [*resources.hover_lines(plan), ""]
    scale, low, high = theme.use_scale()
    return {
        "x": cells.x,
        "y": cells.y,
        "z": cells.z,
        "hovertext": [lines[row] for row in cells.rows.tolist()],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "hoverongaps": False,
        "colorscale": scale,
        "zmin": low,
        "zmax": high,
        "xgap": 1.5 if len(plan.offered) < 3000 else 0.7,
        "ygap": 1.5 if len(plan.offered) < 3000 else 0.7,
        "showscale": False,
    }


def _name_blocks(figure: go.Figure, cells: NodeMap, use: Float64) -> None:
    """Each block's name on its left, its nodes and their mean use on its right."""
    for group, middle in cells.blocks:
        filled = use[group.rows]
        mean = float(np.nanmean(filled)) if np.any(~np.isnan(filled)) else 0.0
        numbers = f"{words.count(len(group.rows), 'node')}, {words.percent(mean / 100)} full"
        for side, text, colour in (
            ("left", words.safe(words.shorten(group.name, 34)), theme.INK),
            ("right", numbers, theme.SOFT),
        ):
            figure.add_annotation(
                name="group",
                x=0 if side == "left" else 1,
                xref="paper",
                y=middle,
                text=text,
                showarrow=False,
                xanchor="right" if side == "left" else "left",
                xshift=-12 if side == "left" else 12,
                font={"size": 13, "color": colour},
            )
    if not cells.gap:
        for boundary in sorted({float(y) for y in _boundaries(cells)}):
            figure.add_hline(y=boundary, line={"color": theme.PAPER, "width": 16})


def _boundaries(cells: NodeMap) -> list[float]:
    ends, line = [], 0
    for group, _ in cells.blocks[:-1]:
        line += math.ceil(len(group.rows) / cells.columns)
        ends.append(line - 0.5)
    return ends


def _frame(figure: go.Figure, cells: NodeMap) -> None:
    """Square cells from the top left; what the page has left over stays white."""
    wide, high = _page()
    cell = min(wide / cells.columns, high / cells.lines)
    figure.update_xaxes(range=[-0.5, wide / cell - 0.5], visible=False)
    figure.update_yaxes(range=[high / cell - 0.5, -0.5], visible=False)
    figure.update_layout(margin_t=_TOP)


def _write_in_cells(figure: go.Figure, plan: Placement, cells: NodeMap) -> None:
    wide, high = _page()
    cell = min(wide / cells.columns, high / cells.lines)
    if cell < _NUMBER_PX:
        return
    names = words.short_names([node.name for node in plan.scenario.nodes], max(6, int(cell / 7)))
    written = [
        {
            "name": "cell",
            "x": float(x),
            "y": float(y),
            "text": (f"{words.safe(names[row])}<br>" if cell >= _NAME_PX else "") + f"{z:.0f} %",
            "showarrow": False,
            "font": {"size": 12, "color": "#FFFFFF" if z > 55 else theme.INK},
        }
        for x, y, z, row in zip(cells.x, cells.y, cells.z, cells.rows.tolist(), strict=True)
        if row >= 0
    ]
    figure.layout.annotations = (*figure.layout.annotations, *written)
