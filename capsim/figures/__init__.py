"""Figures: each function takes a result and returns a plotly figure in the house theme.

    cs.figures.utilisation(plan).show()

The title is the takeaway, computed; `figure.layout.meta` keeps it with the subtitle, the source
and the assumptions, as plain text with HTML escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from capsim.figures.cluster_graph import cluster_graph
from capsim.figures.comparison import comparison
from capsim.figures.cpu_limits import contention, contention_title, cpu_limit, cpu_limit_title
from capsim.figures.defragmentation import defragmentation
from capsim.figures.headroom import headroom, headroom_curve
from capsim.figures.images import image_layers
from capsim.figures.isolation import isolation_frontier, isolation_prices
from capsim.figures.kernels import blast_radius, kernels
from capsim.figures.moves import moves, moves_title
from capsim.figures.node_map import map_cells, map_title, utilisation_map
from capsim.figures.packers import packers
from capsim.figures.pending import pending
from capsim.figures.slowdowns import measured_slowdowns, stack_slowdowns
from capsim.figures.stacks import stacks
from capsim.figures.starts import start_breakdown, start_waterfall, time_to_ready
from capsim.figures.stranded import stranded_by_shape, stranded_capacity
from capsim.figures.utilisation import utilisation, utilisation_curves, utilisation_title

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from capsim.placement import Placement
    from capsim.placement.packing import Packing

__all__ = [
    "all_figures",
    "blast_radius",
    "cluster_graph",
    "comparison",
    "contention",
    "contention_title",
    "cpu_limit",
    "cpu_limit_title",
    "defragmentation",
    "headroom",
    "headroom_curve",
    "image_layers",
    "isolation_frontier",
    "isolation_prices",
    "kernels",
    "map_cells",
    "map_title",
    "measured_slowdowns",
    "moves",
    "moves_title",
    "packers",
    "pending",
    "stack_slowdowns",
    "stacks",
    "start_breakdown",
    "start_waterfall",
    "stranded_by_shape",
    "stranded_capacity",
    "time_to_ready",
    "utilisation",
    "utilisation_curves",
    "utilisation_map",
    "utilisation_title",
]


def all_figures(
    plan: Placement, *, packings: Sequence[Packing] | pd.DataFrame | None = None
) -> dict[str, go.Figure]:
    """Every figure that a plan has, by name, in the order in which they tell its story.

    Parameters: packings, for the figure of packers (see `capsim.placement.packing`).

    >>> cs.export.save_html(cs.figures.all_figures(plan).values(), "plan.html", title="Q3 plan")
    """
    from capsim.placement.headroom import headroom as count_headroom
    from capsim.placement.stranded import stranded as count_stranded

    lost, room = count_stranded(plan), count_headroom(plan)
    figures = {
        "utilisation": utilisation(plan),
        "utilisation_map": utilisation_map(plan),
        "cluster_graph": cluster_graph(plan),
        "stranded_capacity": stranded_capacity(lost),
        "stranded_by_shape": stranded_by_shape(lost),
        "headroom": headroom(room),
        "pending": pending(plan),
    }
    return figures if packings is None else {**figures, "packers": packers(packings)}
